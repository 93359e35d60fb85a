// SPDX-License-Identifier: MIT
// Console ports: data queues, control messages, window size.
#include "devices/virtio/console.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace pagoda {
namespace {

// Feature bits and configuration space, 5.3.3 and 5.3.4.
constexpr u64 kFeatureSize = 1u << 0;
constexpr u64 kFeatureMultiport = 1u << 1;
constexpr u64 kFeatureEmergencyWrite = 1u << 2;
constexpr u64 kConfigColumns = 0;
constexpr u64 kConfigRows = 2;
constexpr u64 kConfigMaxPorts = 4;
constexpr u64 kConfigEmergencyWrite = 8;
constexpr u32 kConfigSize = 12;

// Control messages, 5.3.6.2: le32 port, le16 event, le16 value, then what the event brings.
enum Event : u16 {
  kDeviceReady = 0,
  kPortAdd = 1,
  kPortReady = 3,
  kConsolePort = 4,
  kResize = 5,
  kPortOpen = 6,
  kPortName = 7,
};
constexpr std::size_t kControlHeader = 8;

constexpr u16 kDataQueueSize = 128;
constexpr u16 kControlQueueSize = 32;
constexpr u16 kControlReceive = 2;  // queue numbers, 5.3.2
constexpr u16 kControlTransmit = 3;

// Output of one buffer beyond this is dropped: no driver writes so much at once, and a notification must end.
constexpr u64 kMaxTransmit = 16 << 20;
// Messages for a driver that gives no buffers for them.
constexpr std::size_t kMaxMessages = 8 * VirtioConsole::kMaxPorts;

u16 receive_queue(u32 port) { return static_cast<u16>(port == 0 ? 0 : 2 * port + 2); }

std::vector<u16> queue_sizes(u32 max_ports) {
  std::vector<u16> sizes(2 * max_ports + 2, kDataQueueSize);
  sizes[kControlReceive] = sizes[kControlTransmit] = kControlQueueSize;
  return sizes;
}

}  // namespace

VirtioConsole::VirtioConsole(GuestMemory& memory, std::string name, std::vector<Port> ports, u32 max_ports)
    : VirtioDevice(memory, std::move(name), VirtioId::console,
                   kFeatureSize | kFeatureMultiport | kFeatureEmergencyWrite, queue_sizes(max_ports), kConfigSize) {
  CHECK(max_ports >= 1 && max_ports <= kMaxPorts);
  set_config<u32>(kConfigMaxPorts, max_ports);
  for (Port& port : ports) {
    CHECK(port.number < max_ports && find_port(port.number) == nullptr, "{}: port {}", this->name(), port.number);
    ports_.push_back({.port = std::move(port)});
  }
  // The vector is final: receivers may hold on to its elements.
  for (PortState& state : ports_) {
    if (state.port.backend == nullptr) continue;
    state.port.backend->set_receiver([this, &state](std::span<const u8> bytes) { return receive(state, bytes); });
    state.port.backend->set_event_handler([this, &state](CharEvent event) {
      if (event == CharEvent::opened || event == CharEvent::closed) host_opened(state, event == CharEvent::opened);
    });
  }
}

bool VirtioConsole::multiport() const { return negotiated(kFeatureMultiport); }

VirtioConsole::PortState* VirtioConsole::find_port(u32 number) {
  const auto it = std::find_if(ports_.begin(), ports_.end(), [&](const auto& s) { return s.port.number == number; });
  return it != ports_.end() ? &*it : nullptr;
}

void VirtioConsole::process_queue(u16 index) {
  if (index == kControlReceive) return flush_control();
  if (index == kControlTransmit) {
    bool any = false;
    for_each_chain(index, [&](VirtqChain& chain) {
      std::array<std::byte, kControlHeader> message{};  // the driver's events bring nothing more
      ChainReader reader(memory(), chain.readable);
      const bool complete = reader.read(message);
      push(index, chain.head, 0);
      any = true;
      if (complete) {
        receive_control(message);
      } else {
        log(Log::guest_error, "{}: control message of {} bytes", name(), chain.readable_size);
      }
    });
    if (any) signal(index);
    return;
  }
  // Port 0 has queues 0 and 1, port n queues 2n+2 and 2n+3.
  PortState* state = find_port(index < 2 ? 0 : (index - 2) / 2u);
  if ((index & 1) != 0) return transmit(index, state);
  if (state != nullptr) ask_for_input(*state);
}

void VirtioConsole::ask_for_input(const PortState& state) {
  if (CharBackend* backend = state.port.backend) after_unlock([backend] { backend->input_ready(); });
}

void VirtioConsole::transmit(u16 index, PortState* state) {
  bool any = false;
  for_each_chain(index, [&](VirtqChain& chain) {
    std::array<u8, 4096> bytes;
    ChainReader reader(memory(), chain.readable);
    if (chain.readable_size > kMaxTransmit)
      log(Log::guest_error, "{}: {} bytes to send in one buffer are too many", name(), chain.readable_size);
    for (u64 left = std::min(chain.readable_size, kMaxTransmit); left != 0;) {
      const std::span part = std::span(bytes).first(std::min<u64>(left, bytes.size()));
      if (!reader.read(std::as_writable_bytes(part))) break;
      if (state != nullptr && state->port.backend != nullptr) state->port.backend->write(part);
      left -= part.size();
    }
    push(index, chain.head, 0);
    any = true;
  });
  if (any) signal(index);
}

std::size_t VirtioConsole::receive(PortState& state, std::span<const u8> bytes) {
  const Guard guard(*this);
  const u16 index = receive_queue(state.port.number);
  Virtqueue& receiver = *queue(index);
  if (!live() || !receiver.ready() || bytes.empty()) return 0;
  if (multiport() ? state.guest_open == 0 : state.port.number != 0) return 0;
  std::size_t taken = 0;
  VirtqChain chain;
  while (taken < bytes.size()) {
    if (!pop(index, &chain)) {
      // Ask to be told of the next buffer; if it has come meanwhile, go on.
      if (!live() || receiver.request_notifications()) break;
      continue;
    }
    const auto part = bytes.subspan(taken, std::min<u64>(bytes.size() - taken, chain.writable_size));
    ChainWriter writer(memory(), chain.writable);
    const bool written = writer.write(std::as_bytes(part));
    push(index, chain.head, written ? static_cast<u32>(part.size()) : 0);
    if (written) taken += part.size();
  }
  if (taken != 0) signal(index);
  return taken;
}

void VirtioConsole::host_opened(PortState& state, bool is_open) {
  const Guard guard(*this);
  // A console stays open whoever looks at it: a closed one would hang up the guest's terminal.
  if (state.port.console || std::exchange(state.host_open, is_open) == is_open) return;
  if (live() && multiport()) send_control(state.port.number, kPortOpen, is_open ? 1 : 0);
}

void VirtioConsole::receive_control(std::span<const std::byte> message) {
  const auto get = [&](std::size_t at, std::size_t size) {
    u32 value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= static_cast<u32>(message[at + i]) << (8 * i);
    return value;
  };
  const u32 number = get(0, 4);
  const u32 event = get(4, 2);
  const u32 value = get(6, 2);
  if (event == kDeviceReady) {
    if (value == 0) return log(Log::guest_error, "{}: the driver failed to set up the device", name());
    for (const PortState& state : ports_) send_control(state.port.number, kPortAdd, 0);
    return;
  }
  PortState* state = find_port(number);
  if (state == nullptr) return log(Log::guest_error, "{}: control message {} for port {}", name(), event, number);
  switch (event) {
    case kPortReady:
      if (value == 0) return log(Log::guest_error, "{}: the driver failed to set up port {}", name(), number);
      if (state->port.console) {
        send_control(number, kConsolePort, 1);
        if (columns_ != 0) send_size(number);
      }
      if (const std::string& port_name = state->port.name; !port_name.empty())
        send_control(number, kPortName, 1, {reinterpret_cast<const u8*>(port_name.data()), port_name.size()});
      if (state->host_open) send_control(number, kPortOpen, 1);
      return;
    case kPortOpen:
      state->guest_open = value != 0;
      if (value != 0) ask_for_input(*state);
      return;
    default:
      log(Log::guest_error, "{}: control message {} for port {}", name(), event, number);
  }
}

void VirtioConsole::send_control(u32 port, u16 event, u16 value, std::span<const u8> extra) {
  if (messages_.size() >= kMaxMessages)
    return log(Log::guest_error, "{}: control message {} dropped, the driver takes none", name(), event);
  Message message;
  const auto put = [&](u32 number, u32 size) {
    for (u32 i = 0; i < size; ++i) message.push_back(static_cast<u8>(number >> (8 * i)));
  };
  put(port, 4);
  put(event, 2);
  put(value, 2);
  message.insert(message.end(), extra.begin(), extra.end());
  messages_.push_back(std::move(message));
  flush_control();
}

void VirtioConsole::flush_control() {
  bool any = false;
  VirtqChain chain;
  while (!messages_.empty() && live()) {
    if (!pop(kControlReceive, &chain)) {
      if (!live() || queue(kControlReceive)->request_notifications()) break;
      continue;
    }
    const Message& message = messages_.front();
    if (chain.writable_size < message.size())
      log(Log::guest_error, "{}: control buffer of {} bytes cuts a message", name(), chain.writable_size);
    const u64 size = std::min<u64>(message.size(), chain.writable_size);
    ChainWriter writer(memory(), chain.writable);
    const bool written = writer.write(std::as_bytes(std::span(message)).first(size));
    push(kControlReceive, chain.head, written ? static_cast<u32>(size) : 0);
    messages_.pop_front();
    any = true;
  }
  if (any) signal(kControlReceive);
}

void VirtioConsole::config_written(u64 offset, std::span<const u8> value) {
  // 5.3.4: works before the driver has set anything up.
  if (offset != kConfigEmergencyWrite) return VirtioDevice::config_written(offset, value);
  if (PortState* state = find_port(0); state != nullptr && state->port.backend != nullptr)
    state->port.backend->write(value.first(1));
}

void VirtioConsole::set_size(u16 columns, u16 rows) {
  columns_ = columns;
  rows_ = rows;
  set_config<u16>(kConfigColumns, columns);
  set_config<u16>(kConfigRows, rows);
}

void VirtioConsole::send_size(u32 port) {
  const std::array<u8, 4> size = {static_cast<u8>(columns_), static_cast<u8>(columns_ >> 8), static_cast<u8>(rows_),
                                  static_cast<u8>(rows_ >> 8)};
  send_control(port, kResize, 0, size);
}

void VirtioConsole::resize(u16 columns, u16 rows) {
  const Guard guard(*this);
  if (columns == columns_ && rows == rows_) return;
  set_size(columns, rows);
  if (!live()) return;
  if (negotiated(kFeatureSize)) config_changed();
  if (!multiport()) return;
  for (const PortState& state : ports_) {
    if (state.port.console && state.guest_open != 0) send_size(state.port.number);
  }
}

void VirtioConsole::stop_queue(u16 index) {
  if (index == kControlReceive) messages_.clear();
}

void VirtioConsole::reset_model() {
  messages_.clear();
  for (PortState& state : ports_) state.guest_open = 0;
}

void VirtioConsole::visit_model(StateVisitor& visitor) {
  for (PortState& state : ports_) visitor.field(fmt::format("port{}.guest_open", state.port.number), state.guest_open);
  visitor.field("columns", columns_);
  visitor.field("rows", rows_);
  set_size(columns_, rows_);
  // Messages one after the other, each behind a length byte pair.
  std::vector<u8> waiting;
  for (const Message& message : messages_) {
    waiting.push_back(static_cast<u8>(message.size()));
    waiting.push_back(static_cast<u8>(message.size() >> 8));
    waiting.insert(waiting.end(), message.begin(), message.end());
  }
  visitor.field("messages", waiting);
  messages_.clear();
  for (std::size_t at = 0; at + 2 <= waiting.size();) {
    const std::size_t size = std::min<std::size_t>(waiting[at] | waiting[at + 1] << 8, waiting.size() - at - 2);
    const auto first = waiting.begin() + static_cast<std::ptrdiff_t>(at + 2);
    messages_.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
    at += 2 + size;
  }
}

}  // namespace pagoda
