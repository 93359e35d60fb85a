// SPDX-License-Identifier: MIT
// Delivery of input with back-pressure.
#include "devices/serial/char_port.h"

#include <algorithm>
#include <utility>

namespace pagoda {

struct CharPort::State : std::enable_shared_from_this<CharPort::State> {
  State(CharPost p, std::function<void()> h) : post(std::move(p)), has_room(std::move(h)) {}

  const CharPost post;
  const std::function<void()> has_room;
  Receiver receiver;                             // set before the machine runs
  std::function<void(CharEvent)> event_handler;  // likewise
  mutable std::mutex mutex;
  std::string held;
  bool posted = false;      // a delivery is under way
  bool ready_seen = false;  // input_ready() came while the receiver was being called
  bool was_full = false;

  // Changes the state under the lock, then asks for a delivery unless one is coming: without the lock, since post may
  // run it at once.
  template <class Change>
  void change_and_deliver(Change change) {
    {
      const std::lock_guard lock(mutex);
      change();
      if (held.empty() || posted) return;
      posted = true;
    }
    post([weak = weak_from_this()] {
      if (const auto state = weak.lock()) state->deliver();
    });
  }

  // On the front end's thread. `posted` stays set, so there is only one at a time.
  void deliver() {
    std::string chunk;
    for (;;) {
      bool turned = false;
      {
        const std::lock_guard lock(mutex);
        if (!receiver) held.clear();  // nobody will ever want it
        turned = held.size() < kHeldBytes && std::exchange(was_full, false);
        chunk = held;
        ready_seen = false;
        if (chunk.empty()) posted = false;
      }
      if (turned) has_room();
      if (chunk.empty()) return;
      // Without the lock: the receiver takes its device's lock, under which input_ready() may be called.
      const std::size_t taken =
          std::min(receiver({reinterpret_cast<const u8*>(chunk.data()), chunk.size()}), chunk.size());
      const std::lock_guard lock(mutex);
      held.erase(0, taken);
      if (taken != 0 || ready_seen) continue;
      posted = false;  // input_ready() posts the next
      return;
    }
  }
};

CharPort::CharPort(CharPost post, std::function<void(std::span<const u8>)> write, std::function<void()> has_room)
    : write_(std::move(write)), state_(std::make_shared<State>(std::move(post), std::move(has_room))) {}

CharPort::~CharPort() = default;

void CharPort::set_receiver(Receiver receiver) { state_->receiver = std::move(receiver); }

void CharPort::set_event_handler(std::function<void(CharEvent)> handler) { state_->event_handler = std::move(handler); }

void CharPort::input_ready() {
  state_->change_and_deliver([this] { state_->ready_seen = true; });
}

void CharPort::push(std::span<const u8> bytes) {
  state_->change_and_deliver([this, bytes] {
    state_->held.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (state_->held.size() >= kHeldBytes) state_->was_full = true;
  });
}

void CharPort::raise(CharEvent event) {
  if (!state_->event_handler) return;
  state_->post([weak = state_->weak_from_this(), event] {
    if (const auto state = weak.lock()) state->event_handler(event);
  });
}

bool CharPort::is_full() const {
  const std::lock_guard lock(state_->mutex);
  return state_->held.size() >= kHeldBytes;
}

}  // namespace pagoda
