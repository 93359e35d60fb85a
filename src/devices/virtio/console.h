// SPDX-License-Identifier: MIT
// VirtioConsole: virtio console and serial ports (virtio 1.2, 5.3), as QEMU's virtio-serial bus with its ports
// virtconsole (a console, hvcN) and virtserialport (a named channel, /dev/virtio-ports/NAME).
//
// Without VIRTIO_CONSOLE_F_MULTIPORT only port 0 exists for the driver. What a back end has for a port that has no
// buffer (or that the guest has not opened) stays with the back end until the port asks with input_ready(). Threading:
// see VirtioDevice. Back ends are called: write() under the device's lock, input_ready() without it.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "devices/serial/char_backend.h"
#include "devices/virtio/virtio_device.h"

namespace pagoda {

class VirtioConsole final : public VirtioDevice {
 public:
  static constexpr u32 kMaxPorts = 31;

  struct Port {
    u32 number = 0;                  // below max_ports; 0 is for a console
    bool console = true;             // virtconsole, else virtserialport
    std::string name;                // of a virtserialport, empty for none
    CharBackend* backend = nullptr;  // null: output is lost, there is no input; outlives the device
  };

  // `max_ports` from 1 to kMaxPorts; numbers of ports are unique (CHECK: the machine has looked at them).
  VirtioConsole(GuestMemory& memory, std::string name, std::vector<Port> ports, u32 max_ports = kMaxPorts);

  // The size of the console's window changed, in characters. Any thread.
  void resize(u16 columns, u16 rows);

 private:
  struct PortState {
    Port port;
    u8 guest_open = 0;
    bool host_open = true;  // somebody is at the back end; the host's business, not saved
  };
  // A message to the driver that waits for a buffer of the control queue.
  using Message = std::vector<u8>;

  void process_queue(u16 index) override;
  void stop_queue(u16 index) override;
  void reset_model() override;
  void config_written(u64 offset, std::span<const u8> value) override;
  void visit_model(StateVisitor& visitor) override;

  bool multiport() const;
  PortState* find_port(u32 number);
  std::size_t receive(PortState& state, std::span<const u8> bytes);
  void host_opened(PortState& state, bool is_open);
  void transmit(u16 queue, PortState* state);
  void receive_control(std::span<const std::byte> message);
  void send_control(u32 port, u16 event, u16 value, std::span<const u8> extra = {});
  void flush_control();
  void ask_for_input(const PortState& state);
  void set_size(u16 columns, u16 rows);
  void send_size(u32 port);

  std::vector<PortState> ports_;
  std::deque<Message> messages_;
  u16 columns_ = 0;
  u16 rows_ = 0;
};

}  // namespace pagoda
