// SPDX-License-Identifier: MIT
// PLIC, or APLIC domains and IMSICs: wiring and device tree nodes.
#include "machines/riscv_interrupts.h"

#include "base/log.h"
#include "devices/irq/aplic.h"
#include "devices/irq/imsic.h"
#include "devices/irq/plic.h"
#include "machines/riscv_virt.h"

namespace pagoda {
namespace {

using namespace riscv_virt;

constexpr u32 kLevelHigh = 4;  // of an interrupt specifier with two cells

std::vector<IrqLine> pins(RiscvBoard& board, u32 harts, u32 interrupt) {
  std::vector<IrqLine> lines;
  for (u32 hart = 0; hart < harts; ++hart) lines.push_back(board.pin(hart, interrupt));
  return lines;
}

// interrupts-extended of a controller that drives one pin of each hart.
std::vector<u32> wires(const RiscvBoard& board, u32 harts, u32 interrupt) {
  std::vector<u32> cells;
  for (u32 hart = 0; hart < harts; ++hart) cells.insert(cells.end(), {board.intc_phandle(hart), interrupt});
  return cells;
}

std::string controller_node(FdtBuilder& tree, u64 base, u64 size, u32 phandle, u32 cells) {
  const std::string node = fmt::format("/soc/interrupt-controller@{:x}", base);
  tree.set_cells(node, "phandle", {phandle});
  tree.set_reg(node, base, size);
  tree.set_flag(node, "interrupt-controller");
  tree.set_cells(node, "#interrupt-cells", {cells});
  return node;
}

}  // namespace

RiscvInterrupts::RiscvInterrupts(Machine& machine, RiscvBoard& board)
    : harts_(machine.config().smp.cpus),
      kind_(machine.config().aia),
      hides_machine_level_(machine.config().firmware == FirmwareKind::builtin) {
  if (kind_ == Aia::none) {
    add_plic(machine, board);
  } else {
    add_aia(machine, board);
  }
}

// Contexts are M and S mode of each hart in turn.
void RiscvInterrupts::add_plic(Machine& machine, RiscvBoard& board) {
  std::vector<IrqLine> contexts;
  for (u32 hart = 0; hart < harts_; ++hart) {
    contexts.push_back(board.pin(hart, riscv64::irq::kMei));
    contexts.push_back(board.pin(hart, riscv64::irq::kSei));
  }
  plic_ = &machine.add_device(std::make_unique<Plic>("plic", kSources, std::move(contexts)));
  machine.memory().map_mmio(GuestPhys(kPlic.base), kPlic.size, plic_, "plic");
}

void RiscvInterrupts::add_aia(Machine& machine, RiscvBoard& board) {
  GuestMemory& memory = machine.memory();
  const auto machine_pins = pins(board, harts_, riscv64::irq::kMei);
  const auto supervisor_pins = pins(board, harts_, riscv64::irq::kSei);
  Aplic::Message to_machine;
  Aplic::Message to_supervisor;
  if (kind_ == Aia::aplic_imsic) {
    machine_files_ = &machine.add_device(std::make_unique<Imsic>("imsic.m", machine_pins));
    supervisor_files_ = &machine.add_device(std::make_unique<Imsic>("imsic.s", supervisor_pins));
    const u64 size = Imsic::window_size(harts_);
    memory.map_mmio(GuestPhys(kImsicMachine.base), size, machine_files_, "imsic.m");
    memory.map_mmio(GuestPhys(kImsicSupervisor.base), size, supervisor_files_, "imsic.s");
    for (u32 hart = 0; hart < harts_; ++hart)
      board.set_interrupt_files(hart, &machine_files_->file(hart), &supervisor_files_->file(hart));
    to_machine = [files = machine_files_](u32 hart, u32 identity) { files->send(hart, identity); };
    to_supervisor = [files = supervisor_files_](u32 hart, u32 identity) { files->send(hart, identity); };
  }
  Aplic& child = machine.add_device(std::make_unique<Aplic>(
      "aplic.s",
      Aplic::Wiring{
          .sources = kSources, .pins = supervisor_pins, .message = std::move(to_supervisor), .is_root = false}));
  root_ =
      &machine.add_device(std::make_unique<Aplic>("aplic.m", Aplic::Wiring{.sources = kSources,
                                                                           .pins = machine_pins,
                                                                           .message = std::move(to_machine),
                                                                           .child = &child,
                                                                           .is_root = true,
                                                                           .machine_files = kImsicMachine.base,
                                                                           .supervisor_files = kImsicSupervisor.base}));
  memory.map_mmio(GuestPhys(kAplicMachine.base), kAplicMachine.size, root_, "aplic.m");
  memory.map_mmio(GuestPhys(kAplicSupervisor.base), kAplicSupervisor.size, &child, "aplic.s");
}

IrqLine RiscvInterrupts::input(u32 source) const {
  return plic_ != nullptr ? plic_->input(source) : root_->input(source);
}

IrqLine RiscvInterrupts::event_input(u32 source) const {
  return plic_ != nullptr ? plic_->event_input(source) : root_->input(source);
}

void RiscvInterrupts::receive_message(u64 address, u32 data) const {
  for (const auto& [files, base] :
       {std::pair{supervisor_files_, kImsicSupervisor.base}, std::pair{machine_files_, kImsicMachine.base}}) {
    const u64 offset = address - base;
    if (files != nullptr && offset < Imsic::window_size(harts_) && offset % Imsic::kPageSize == 0)
      return files->send(static_cast<u32>(offset / Imsic::kPageSize), data);
  }
  log(Log::guest_error, "message {:#x} to {:#x}, where no interrupt file is", data, address);
}

void RiscvInterrupts::describe(FdtBuilder& tree, const RiscvBoard& board) {
  if (kind_ == Aia::none) {
    describe_plic(tree, board);
  } else {
    describe_aia(tree, board);
  }
}

void RiscvInterrupts::describe_plic(FdtBuilder& tree, const RiscvBoard& board) {
  phandle_ = tree.new_phandle();
  const std::string node = fmt::format("/soc/plic@{:x}", kPlic.base);
  tree.set_reg(node, kPlic.base, kPlic.size);
  std::vector<u32> contexts;
  for (u32 hart = 0; hart < harts_; ++hart) {
    const u32 intc = board.intc_phandle(hart);
    contexts.insert(contexts.end(), {intc, riscv64::irq::kMei, intc, riscv64::irq::kSei});
  }
  tree.set_cells(node, "phandle", {phandle_});
  tree.set_cells(node, "riscv,ndev", {kSources - 1});
  tree.set_cells(node, "interrupts-extended", contexts);
  tree.set_flag(node, "interrupt-controller");
  tree.set_strings(node, "compatible", {"sifive,plic-1.0.0", "riscv,plic0"});
  tree.set_cells(node, "#address-cells", {0});
  tree.set_cells(node, "#interrupt-cells", {1});
}

// Bindings riscv,imsics and riscv,aplic. All sources are the supervisor's domain's.
void RiscvInterrupts::describe_aia(FdtBuilder& tree, const RiscvBoard& board) {
  u32 machine_messages = 0;
  if (supervisor_files_ != nullptr) {
    const auto files = [&](u64 base, u32 interrupt) {
      const u32 phandle = tree.new_phandle();
      const std::string node = controller_node(tree, base, Imsic::window_size(harts_), phandle, 0);
      tree.set_string(node, "compatible", "riscv,imsics");
      tree.set_flag(node, "msi-controller");
      tree.set_cells(node, "#msi-cells", {0});
      tree.set_cells(node, "riscv,num-ids", {Imsic::kIdentities});
      if (interrupt == riscv64::irq::kMei && hides_machine_level_) tree.set_string(node, "status", "disabled");
      tree.set_cells(node, "interrupts-extended", wires(board, harts_, interrupt));
      return phandle;
    };
    machine_messages = files(kImsicMachine.base, riscv64::irq::kMei);
    message_phandle_ = files(kImsicSupervisor.base, riscv64::irq::kSei);
  }
  const auto domain = [&](u64 base, u32 interrupt, u32 phandle, u32 messages) {
    const std::string node = controller_node(tree, base, Aplic::kWindowSize, phandle, 2);
    tree.set_string(node, "compatible", "riscv,aplic");
    tree.set_cells(node, "#address-cells", {0});
    tree.set_cells(node, "riscv,num-sources", {kSources - 1});
    if (messages != 0) {
      tree.set_cells(node, "msi-parent", {messages});
    } else {
      tree.set_cells(node, "interrupts-extended", wires(board, harts_, interrupt));
    }
    if (interrupt == riscv64::irq::kMei && hides_machine_level_) tree.set_string(node, "status", "disabled");
    return node;
  };
  const u32 root = tree.new_phandle();
  phandle_ = tree.new_phandle();
  const std::string node = domain(kAplicMachine.base, riscv64::irq::kMei, root, machine_messages);
  tree.set_cells(node, "riscv,children", {phandle_});
  // The name of the binding, and the one that older firmware looks for.
  for (const char* name : {"riscv,delegation", "riscv,delegate"})
    tree.set_cells(node, name, {phandle_, 1, kSources - 1});
  domain(kAplicSupervisor.base, riscv64::irq::kSei, phandle_, message_phandle_);
}

std::vector<u32> RiscvInterrupts::specifier(u32 source) const {
  if (kind_ == Aia::none) return {source};
  return {source, kLevelHigh};
}

void RiscvInterrupts::set_interrupt(FdtBuilder& tree, const std::string& node, u32 source) const {
  tree.set_cells(node, "interrupts", specifier(source));
  tree.set_cells(node, "interrupt-parent", {phandle_});
}

}  // namespace pagoda
