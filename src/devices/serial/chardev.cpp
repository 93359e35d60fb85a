// SPDX-License-Identifier: MIT
// A channel, its front ends and, when it is shared, the mux between them.
#include "devices/serial/chardev.h"

#include "base/check.h"
#include "devices/serial/char_channel.h"
#include "devices/serial/char_mux.h"

namespace pagoda {
namespace {

Result<std::unique_ptr<CharChannel>> open_channel(const CharSpec& spec, EventLoop& loop) {
  switch (spec.kind) {
    case CharKind::null:
      return std::unique_ptr<CharChannel>{};
    case CharKind::stdio:
      return open_stdio_channel(spec, loop);
    case CharKind::file:
      return open_file_channel(spec, loop);
    case CharKind::pty:
      return open_pty_channel(spec, loop);
    case CharKind::socket:
      return open_socket_channel(spec, loop);
    case CharKind::pipe:
      return open_pipe_channel(spec, loop);
  }
  CHECK(false, "kind {}", static_cast<int>(spec.kind));
}

}  // namespace

class CharDevices::Device : public std::enable_shared_from_this<CharDevices::Device> {
 public:
  // No channel: null. No log: nobody keeps what is written.
  Device(EventLoop& loop, std::unique_ptr<CharChannel> channel, std::unique_ptr<CharChannel> log, bool is_shared,
         const std::function<void()>& quit)
      : loop_(loop),
        channel_(std::move(channel)),
        log_(std::move(log)),
        is_shared_(is_shared),
        mux_({.input = [this](std::span<const u8> bytes) { give(bytes); },
              .switch_focus = [this] { switch_focus(); },
              .send_break = [this] { send_break(); },
              .quit = quit,
              .say = [this](std::string_view text) { say(text); }}) {}

  CharBackend& attach(CharPost post) {
    CHECK(is_shared_ || ports_.empty(), "a second front end on a character device that is not shared");
    ports_.push_back(std::make_unique<CharPort>(
        std::move(post),
        [this](std::span<const u8> bytes) {
          if (channel_) channel_->write(bytes);
          if (log_) log_->write(bytes);
        },
        [this, weak = weak_from_this()] {
          loop_.post([weak] {
            if (const auto device = weak.lock()) device->update_reading();
          });
        }));
    return *ports_.back();
  }

  void start() {
    if (!channel_) return;
    channel_->start({.bytes = [this](std::span<const u8> bytes) { on_bytes(bytes); },
                     .connected = [this](bool is_open) { on_connected(is_open); },
                     .line_break = [this] { send_break(); }});
  }

 private:
  CharPort* focused() { return focus_ < ports_.size() ? ports_[focus_].get() : nullptr; }

  void on_bytes(std::span<const u8> bytes) {
    if (is_shared_) {
      mux_.feed(bytes);
    } else {
      give(bytes);
    }
    update_reading();
  }
  void on_connected(bool is_open) {
    for (const auto& port : ports_) port->raise(is_open ? CharEvent::opened : CharEvent::closed);
    if (is_open && focused() != nullptr) focused()->raise(CharEvent::focus);
  }
  void send_break() {
    if (focused() != nullptr) focused()->raise(CharEvent::break_received);
  }
  void give(std::span<const u8> bytes) {
    CharPort* port = focused();
    if (port == nullptr) return;
    // Typed input beyond what a stuck guest may still take is dropped, so that Ctrl-A X is always seen.
    if (port->is_full() && stays_readable()) return;
    port->push(bytes);
  }
  bool stays_readable() const { return is_shared_ && channel_->is_interactive(); }
  void update_reading() { channel_->set_reading(stays_readable() || focused() == nullptr || !focused()->is_full()); }
  void switch_focus() {
    if (ports_.size() < 2) {
      say("\r\nnothing else uses this terminal\r\n");
      return;
    }
    focus_ = (focus_ + 1) % ports_.size();
    focused()->raise(CharEvent::focus);
  }
  void say(std::string_view text) { channel_->write({reinterpret_cast<const u8*>(text.data()), text.size()}); }

  EventLoop& loop_;
  std::unique_ptr<CharChannel> channel_;
  std::unique_ptr<CharChannel> log_;
  const bool is_shared_;
  CharMux mux_;
  std::vector<std::unique_ptr<CharPort>> ports_;
  std::size_t focus_ = 0;
};

CharDevices::CharDevices(EventLoop& loop, std::function<void()> quit) : loop_(loop), quit_(std::move(quit)) {}
CharDevices::~CharDevices() = default;

Result<> CharDevices::open(const CharSpec& spec) {
  CHECK(!devices_.contains(spec.id), "character device {} opened twice", spec.id);
  auto channel = open_channel(spec, loop_);
  if (!channel) return fail("{}: {}", spec.origin, channel.error().message);
  std::unique_ptr<CharChannel> log;
  if (!spec.log_file.empty()) {
    auto file = open_file_channel({.id = spec.id, .path = spec.log_file, .append = spec.log_append}, loop_);
    if (!file) return fail("{}: logfile={}", spec.origin, file.error().message);
    log = std::move(*file);
  }
  devices_.emplace(spec.id, std::make_shared<Device>(loop_, std::move(*channel), std::move(log), spec.mux, quit_));
  return {};
}

CharBackend& CharDevices::attach(const std::string& id, CharPost post) {
  const auto device = devices_.find(id);
  CHECK(device != devices_.end(), "no character device {}", id);
  return device->second->attach(std::move(post));
}

CharBackend& CharDevices::attach_to_loop(const std::string& id) {
  return attach(id, [this](std::function<void()> event) { loop_.post(std::move(event)); });
}

void CharDevices::start() {
  for (const auto& [id, device] : devices_) device->start();
}

}  // namespace pagoda
