// SPDX-License-Identifier: MIT
// HTIF: the Berkeley host-target interface, console and exit of the `spike` machine.
//
// Two doublewords, tohost and fromhost, lie in a page of the guest program's own data (symbols of those names). The
// machine lays this window over that page: it keeps all 4 KiB as plain bytes and acts on tohost. A command is
// device << 56 | command << 48 | payload, as the riscv-isa-sim and riscv-tests sources use it:
//   device 0, command 0, payload bit 0 set   exit with code payload >> 1 (so 1 is a pass)
//   device 1, command 1                      console: write the character in payload bits 7..0
//   device 1, command 0                      console: read; the answer comes in fromhost as device | command | 0x100 |
//                                            character, once there is one and fromhost is zero
// Proxied system calls (device 0 with an address) are not implemented. A command is complete when tohost was written
// whole: 8 bytes, or both 4-byte halves, or one half twice (a program that ends in a loop of 4-byte stores). tohost
// reads zero afterwards. Threading: one mutex; the console is called outside it, the power sink under it.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "devices/bus/device.h"
#include "devices/bus/power.h"
#include "devices/serial/char_backend.h"
#include "memory/mmio.h"

namespace pagoda {

class HtifWindow final : public Device, public MmioHandler {
 public:
  static constexpr u64 kWindowSize = 0x1000;

  struct Layout {
    u64 tohost = 0;               // offset in the window, a multiple of 8
    std::optional<u64> fromhost;  // likewise; none: console input is never answered
    std::vector<u8> content;      // what the page holds at reset; shorter is zero-filled
  };
  // `console` may be null.
  HtifWindow(std::string name, Layout layout, PowerSink power, CharBackend* console);
  ~HtifWindow() override;

  u64 read(u64 offset, const Access& access) override;
  void write(u64 offset, u64 value, const Access& access) override;
  u64 peek(u64 offset, u32 size) const override;

  const std::string& name() const override { return name_; }
  void reset() override;
  void visit_state(StateVisitor& visitor) override;
  void state_restored() override;

 private:
  u64 load(u64 offset, u32 size) const;
  void store(u64 offset, u64 value, u32 size);
  bool tohost_complete(u64 offset, u32 size);
  std::optional<u8> command(u64 value);
  bool wants_input() const;
  std::size_t receive(std::span<const u8> bytes);

  std::string name_;
  Layout layout_;
  PowerSink power_;
  CharBackend* console_;
  mutable std::mutex mutex_;
  std::vector<u8> page_;
  u8 halves_written_ = 0;  // bits: which halves of tohost since the last command
  u32 reads_wanted_ = 0;   // console reads without an answer yet
};

}  // namespace pagoda
