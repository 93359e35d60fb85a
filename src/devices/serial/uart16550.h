// SPDX-License-Identifier: MIT
// UART 16550A: the serial port of `virt` machines and PCs ("ns16550a"), byte-wide registers.
//
// After National Semiconductor's PC16550D data sheet, section 8 (registers, FIFO interrupt modes, loopback). Characters
// leave at once: the transmitter is always empty, whatever the divisor. Received ones come as the host has them, never
// faster than the FIFO takes; only loopback can overrun. The baud rate sets the length of the character time-out.
// The transmitter-empty interrupt rises when the transmitter empties and with its enable bit, and is cleared by a read
// of IIR that shows it or by a write of THR (table 8-5): as a write empties at once, it clears and raises. The wire is
// high while any enabled cause stands, and is renewed (devices/bus/irq_line.h) by each event: a character that came or
// went while others stay, a cause that was added or served.
// Threading: the back end is called outside the device's lock, on the thread of the access; its receiver takes the
// lock.
#pragma once

#include <optional>

#include "devices/bus/clock.h"
#include "devices/bus/irq_line.h"
#include "devices/bus/register_map.h"
#include "devices/serial/char_backend.h"

namespace pagoda {

class Uart16550 final : public RegisterDevice {
 public:
  static constexpr u64 kWindowSize = 0x100;
  static constexpr u32 kFifoDepth = 16;
  static constexpr u64 kVirtClockHz = 3'686'400;  // of QEMU's `virt` machines

  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/serial/uart16550.def"
#undef REG
  };

  // `clock_hz` is the input clock, 16 times the highest baud rate. `backend` may be null: output is lost then.
  Uart16550(std::string name, VirtualClock& clock, u64 clock_hz, IrqLine irq, CharBackend* backend);
  ~Uart16550() override;

  u64 read(u64 offset, const Access& access) override;
  void write(u64 offset, u64 value, const Access& access) override;
  void reset() override;
  void visit_state(StateVisitor& visitor) override;
  void state_restored() override;

 protected:
  u8 bank() const override;

 private:
  static std::vector<Register> make_rows();

  // Register hooks.
  u64 next_character() const { return received_.empty() ? 0 : received_.front(); }
  u64 take_character();
  void transmit(u64 value);
  void ier_written(u64 value);
  u64 interrupt_id() const;
  u64 read_iir();
  u64 fifo_control() const { return fcr_; }
  void fcr_written(u64 value);
  void mcr_written();
  u64 line_status() const;
  u64 read_lsr();
  u64 modem_status() const;
  u64 read_msr();

  bool fifo_enabled() const;
  bool loopback() const;
  u32 room() const;
  u8 modem_inputs() const;
  u64 character_ns() const;
  void clear_received();
  void loop_back(u8 character);
  void restart_timeout();
  void timeout_reached();
  u8 causes() const;
  void update_irq(bool event = false);
  std::size_t receive(std::span<const u8> bytes);
  void receive_break();
  void set_break_position(u8 position);
  bool take_room_made();

  VirtualClock& clock_;
  u64 clock_hz_;
  IrqLine irq_;
  CharBackend* backend_;
  std::vector<u8> received_;  // oldest first, at most kFifoDepth; one in 16450 mode
  u8 fcr_ = 0;
  bool overrun_ = false;        // LSR's overrun error
  u8 break_position_ = 0;       // which received character is a break, 1 is the next to be read; 0: none
  bool break_ = false;          // LSR's break interrupt: it became the next character
  bool thre_seen_ = false;      // the transmitter-empty interrupt was acknowledged since the last character
  bool timeout_ = false;        // character time-out interrupt
  u64 timeout_deadline_ = 0;    // virtual ns, 0: none
  u8 modem_delta_ = 0;          // MSR bits 3..0
  u8 modem_seen_ = 0;           // MSR bits 7..4 that the deltas are made against
  u8 told_ = 0;                 // causes() when the wire was last driven
  std::optional<u8> outgoing_;  // from transmit() to the end of the same access
  bool refused_input_ = false;  // the back end holds input back: tell it when there is room
  Timer timer_;
};

}  // namespace pagoda
