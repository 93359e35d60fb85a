// SPDX-License-Identifier: MIT
// RiscvInterrupts: the interrupt controllers of the `virt` machine: a PLIC, or what -M virt,aia= puts in its place,
// with their part of the device tree.
#pragma once

#include <string>

#include "devices/bus/irq_line.h"
#include "machines/config.h"
#include "machines/fdt/fdt_builder.h"
#include "machines/machine.h"
#include "machines/riscv_board.h"

namespace pagoda {

class Aplic;
class Imsic;
class Plic;

class RiscvInterrupts {
 public:
  // Makes the controllers for the board's harts and maps them.
  RiscvInterrupts(Machine& machine, RiscvBoard& board);

  // The wire of a source, from 1 up.
  IrqLine input(u32 source) const;
  // The same for a device that drivers may leave asserted: its events count (devices/irq/plic.h). An APLIC is told by
  // the guest what to go by.
  IrqLine event_input(u32 source) const;
  // A write of `data` to `address` by a device; what is not an interrupt file's is the guest's mistake.
  void receive_message(u64 address, u32 data) const;
  bool takes_messages() const { return supervisor_files_ != nullptr; }

  // Their nodes; then the others may refer to them.
  void describe(FdtBuilder& tree, const RiscvBoard& board);
  // The interrupt of a device's node.
  void set_interrupt(FdtBuilder& tree, const std::string& node, u32 source) const;
  // What follows the phandle in an interrupt map.
  std::vector<u32> specifier(u32 source) const;
  u32 phandle() const { return phandle_; }
  u32 message_phandle() const { return message_phandle_; }

 private:
  void add_plic(Machine& machine, RiscvBoard& board);
  void add_aia(Machine& machine, RiscvBoard& board);
  void describe_plic(FdtBuilder& tree, const RiscvBoard& board);
  void describe_aia(FdtBuilder& tree, const RiscvBoard& board);

  const u32 harts_;
  const Aia kind_;
  // Firmware hides from the kernel what is machine mode's; ours leaves that to this tree.
  const bool hides_machine_level_;
  Plic* plic_ = nullptr;
  Aplic* root_ = nullptr;
  Imsic* machine_files_ = nullptr;
  Imsic* supervisor_files_ = nullptr;
  u32 phandle_ = 0;          // of the controller that devices are wired to
  u32 message_phandle_ = 0;  // of the one that takes supervisor messages
};

}  // namespace pagoda
