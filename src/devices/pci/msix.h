// SPDX-License-Identifier: MIT
// Msix: the MSI-X interrupts of a PCI function: table, pending bits, masks.
//
// Its window, which lies behind a base address register, holds the table from 0 and the pending bits from
// kPendingOffset. The capability in configuration space is the function's; set_control() tells what it says.
// Threading: notify() from any thread under the device's lock; messages are sent under the table's lock.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "devices/bus/register_map.h"

namespace pagoda {

class Msix final : public RegisterDevice {
 public:
  static constexpr u64 kWindowSize = 0x1000;
  static constexpr u64 kPendingOffset = 0x800;
  static constexpr u32 kMaxVectors = 128;
  // Bits of the capability's message control, as bits of its first double word.
  static constexpr u64 kFunctionMask = u64{1} << 30;
  static constexpr u64 kEnable = u64{1} << 31;
  using Send = std::function<void(u64 address, u32 data)>;
  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/pci/msix.def"
#undef REG
  };

  Msix(std::string name, u32 vectors, Send send);

  u32 vectors() const { return vectors_; }
  void set_control(bool enabled, bool masked);
  // Sends the vector's message, or notes it while it is masked; nothing if MSI-X is off.
  void notify(u32 vector);

  // reset() and visit_state() leave out the capability, which is the function's.
  void reset() override;
  void visit_state(StateVisitor& visitor) override;

 private:
  static std::vector<Register> make_rows(u32 vectors);
  void control_written(u32 vector, u64 value);
  u64 pending(u32 index) const;
  void send_pending();
  bool is_masked(u32 vector) const { return masked_ || (reg(Reg::msix_control, vector) & 1) != 0; }
  void send(u32 vector);

  const u32 vectors_;
  const Send send_;
  bool enabled_ = false;
  bool masked_ = false;
  std::vector<bool> pending_;
};

}  // namespace pagoda
