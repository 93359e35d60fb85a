// SPDX-License-Identifier: MIT
// RISC-V harts and their device tree nodes.
#include "machines/riscv_board.h"

#include <array>

#include "cpu/riscv64/cpu_model.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "machines/riscv_registers.h"

namespace pagoda {
namespace {

using riscv64::Extension;
using riscv64::Extensions;

Result<Extensions> configured_extensions(const CpuConfig& cpu) {
  std::string option = cpu.model;
  for (const CpuFeatureSwitch& feature : cpu.features) {
    option += fmt::format(",{}={}", feature.name, feature.enabled ? "on" : "off");
  }
  return riscv64::parse_cpu(option);
}

// Software that finds Sstc also reads the time CSR.
Extensions listed_extensions(Extensions extensions) {
  if (!extensions.has(Extension::zicntr)) extensions.set(Extension::sstc, false);
  return extensions;
}

// "rv64imac_zicsr" as a list: i, m, a, c, zicsr (the binding riscv/extensions of the device tree).
std::vector<std::string> extension_names(std::string_view isa) {
  std::vector<std::string> names;
  isa.remove_prefix(4);  // rv64
  const std::size_t letters = std::min(isa.find('_'), isa.size());
  for (const char letter : isa.substr(0, letters)) names.emplace_back(1, letter);
  isa.remove_prefix(letters);
  while (!isa.empty()) {
    isa.remove_prefix(1);
    const std::size_t end = std::min(isa.find('_'), isa.size());
    names.emplace_back(isa.substr(0, end));
    isa.remove_prefix(end);
  }
  return names;
}

constexpr u32 kCacheBlockBytes = 64;

}  // namespace

Result<> RiscvBoard::make_harts() {
  TRY_ASSIGN(extensions_, configured_extensions(machine_.config().cpu));
  if (machine_.config().aia != Aia::none) {
    extensions_.set(Extension::smaia, true);
    extensions_.set(Extension::ssaia, true);
  }
  machine_.make_vcpus(riscv64_guest(), extensions_.bits,
                      {.visit_state = riscv64::visit_hart, .registers = riscv_registers});
  std::vector<Aclint::HartLines> lines;
  for (Vcpu* vcpu : machine_.vcpus()) {
    riscv64::configure_hart(*vcpu, vcpu->index(), layout_.reset_rom.base);
    ports_.push_back(std::make_shared<riscv64::HartPort>(*vcpu));
    machine_.keep(ports_.back());
    lines.push_back({.msip = ports_.back()->pin(riscv64::irq::kMsi), .mtip = ports_.back()->pin(riscv64::irq::kMti)});
  }
  Aclint& aclint =
      machine_.add_device(std::make_unique<Aclint>("clint", machine_.clock(), riscv64::kTimebaseHz, std::move(lines)));
  aclint.set_time_observer([&aclint, ports = ports_] {
    for (const auto& port : ports) port->set_time_offset(aclint.time_offset());
  });
  machine_.memory().map_mmio(GuestPhys(layout_.clint.base), layout_.clint.size, &aclint, "clint");
  return {};
}

void RiscvBoard::set_interrupt_files(u32 hart, InterruptFile* machine, InterruptFile* supervisor) {
  riscv64::Hart& state = machine_.vcpus()[hart]->state<riscv64::Hart>();
  state.files[static_cast<u32>(riscv64::AiaLevel::machine)] = machine;
  state.files[static_cast<u32>(riscv64::AiaLevel::supervisor)] = supervisor;
}

void RiscvBoard::describe(FdtBuilder& tree, std::string_view compatible, std::string_view model) const {
  tree.set_cells("/", "#address-cells", {2});
  tree.set_cells("/", "#size-cells", {2});
  tree.set_string("/", "compatible", compatible);
  tree.set_string("/", "model", model);
  tree.add_node("/chosen");

  const std::string memory = fmt::format("/memory@{:x}", layout_.ram_base);
  tree.set_string(memory, "device_type", "memory");
  tree.set_reg(memory, layout_.ram_base, machine_.config().ram_bytes);

  tree.set_cells("/cpus", "#address-cells", {1});
  tree.set_cells("/cpus", "#size-cells", {0});
  tree.set_cells("/cpus", "timebase-frequency", {static_cast<u32>(riscv64::kTimebaseHz)});
  const Extensions listed = listed_extensions(extensions_);
  const std::string isa = riscv64::isa_string(listed);
  const SmpConfig& smp = machine_.config().smp;
  const u32 harts = static_cast<u32>(ports_.size());
  intc_phandles_.assign(harts, 0);
  // A new node comes first: from the last to the first.
  for (u32 hart = harts; hart-- != 0;) {
    const std::string cpu = fmt::format("/cpus/cpu@{:x}", hart);
    const u32 phandle = tree.new_phandle();
    intc_phandles_[hart] = tree.new_phandle();
    tree.set_cells(cpu, "phandle", {phandle});
    tree.set_string(cpu, "device_type", "cpu");
    tree.set_cells(cpu, "reg", {hart});
    tree.set_string(cpu, "status", "okay");
    tree.set_string(cpu, "compatible", "riscv");
    tree.set_string(cpu, "riscv,isa", isa);
    tree.set_string(cpu, "riscv,isa-base", "rv64i");
    tree.set_strings(cpu, "riscv,isa-extensions", extension_names(isa));
    tree.set_string(cpu, "mmu-type", "riscv,sv57");
    if (listed.has(Extension::zicbom)) tree.set_cells(cpu, "riscv,cbom-block-size", {kCacheBlockBytes});
    if (listed.has(Extension::zicbop)) tree.set_cells(cpu, "riscv,cbop-block-size", {kCacheBlockBytes});
    if (listed.has(Extension::zicboz)) tree.set_cells(cpu, "riscv,cboz-block-size", {kCacheBlockBytes});
    const std::string intc = cpu + "/interrupt-controller";
    tree.set_cells(intc, "#interrupt-cells", {1});
    tree.set_flag(intc, "interrupt-controller");
    tree.set_string(intc, "compatible", "riscv,cpu-intc");
    tree.set_cells(intc, "phandle", {intc_phandles_[hart]});
    const u32 thread = hart % smp.threads, core = hart / smp.threads % smp.cores,
              cluster = hart / smp.threads / smp.cores;
    std::string place = fmt::format("/cpus/cpu-map/cluster{}/core{}", cluster, core);
    if (smp.threads > 1) place += fmt::format("/thread{}", thread);
    tree.set_cells(place, "cpu", {phandle});
  }

  if (listed.has(Extension::zihpm)) {
    // SBI's general events 1 and 2, cycles and instructions, and the counters that count them (binding perf/riscv,pmu).
    tree.set_string("/pmu", "compatible", "riscv,pmu");
    tree.set_cells("/pmu", "riscv,event-to-mhpmcounters", {1, 1, 0x7fff9, 2, 2, 0x7fffc});
  }

  tree.set_cells("/soc", "#address-cells", {2});
  tree.set_cells("/soc", "#size-cells", {2});
  tree.set_string("/soc", "compatible", "simple-bus");
  tree.set_flag("/soc", "ranges");
  const std::string clint = fmt::format("/soc/clint@{:x}", layout_.clint.base);
  std::vector<u32> wires;
  for (const u32 phandle : intc_phandles_) {
    wires.insert(wires.end(), {phandle, riscv64::irq::kMsi, phandle, riscv64::irq::kMti});
  }
  tree.set_cells(clint, "interrupts-extended", wires);
  tree.set_reg(clint, layout_.clint.base, layout_.clint.size);
  tree.set_strings(clint, "compatible", {"sifive,clint0", "riscv,clint0"});
}

}  // namespace pagoda
