// SPDX-License-Identifier: MIT
// What all RISC-V machines share: harts, their part of the device tree, and how a boot begins.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cpu/riscv64/hart_port.h"
#include "devices/bus/interrupt_file.h"
#include "devices/timer/aclint.h"
#include "machines/boot/program_image.h"
#include "machines/fdt/fdt_builder.h"
#include "machines/machine.h"

namespace pagoda {

class RiscvBoard {
 public:
  struct Window {
    u64 base, size;
  };
  struct Layout {
    Window reset_rom;  // the harts start here
    Window clint;
    u64 ram_base;
    std::optional<u64> flash;  // firmware or a program for it lies here; -kernel and -initrd reach it by fw_cfg
  };
  RiscvBoard(Machine& machine, const Layout& layout) : machine_(machine), layout_(layout) {}

  // --- construction, in this order ---
  // The harts with their extensions, and the CLINT.
  Result<> make_harts();
  // Interrupt wires of a hart.
  IrqLine pin(u32 hart, u32 interrupt) { return ports_[hart]->pin(interrupt); }
  // The hart's ends of the controllers for messages.
  void set_interrupt_files(u32 hart, InterruptFile* machine, InterruptFile* supervisor);
  // Reads the files of -bios and -kernel.
  Result<> read_programs();
  // Of the ELF file that has it: the kernel, or else the firmware.
  std::optional<u64> find_symbol(std::string_view name) const;

  // Root node, memory, harts and the CLINT in /soc.
  void describe(FdtBuilder& tree, std::string_view compatible, std::string_view model) const;
  // Phandle of a hart's interrupt controller in that tree.
  u32 intc_phandle(u32 hart) const { return intc_phandles_[hart]; }

  // Places firmware, kernel, initrd and device tree (`tree`, or the file of -dtb), and makes the reset ROM. Afterwards
  // boot_images() is complete.
  Result<> prepare_boot(FdtBuilder tree);
  const BootImages& boot_images() const { return *images_; }
  std::unique_ptr<BootImages> take_boot_images() { return std::move(images_); }

 private:
  struct Program {
    std::string what;  // "-kernel FILE"
    ProgramImage image;
  };
  Result<Program> read_program(std::string_view option, const std::string& path) const;
  // Places a program; `address` is for those that do not say where they go, or say somewhere below RAM and do not mind
  // being moved (position-independent firmware). Returns the entry.
  Result<u64> place(Program& program, u64 address);
  Result<u64> place_firmware();
  Result<u64> place_kernel(u64 after_firmware);
  Result<> place_initrd(FdtBuilder& tree);
  Result<u64> place_tree(FdtBuilder& tree);
  void reserve_firmware(FdtBuilder& tree) const;
  u64 low_ram_end() const;

  Machine& machine_;
  const Layout layout_;
  riscv64::Extensions extensions_;
  std::vector<std::shared_ptr<riscv64::HartPort>> ports_;
  mutable std::vector<u32> intc_phandles_;
  std::optional<Program> firmware_, kernel_;
  std::unique_ptr<BootImages> images_;
};

}  // namespace pagoda
