// SPDX-License-Identifier: MIT
// The Guest object, reset, and the list of a hart's state.
#include "cpu/riscv64/riscv64_guest.h"

#include <array>
#include <cstddef>
#include <new>

#include "base/log.h"
#include "cpu/riscv64/counters.h"
#include "cpu/riscv64/cpu_model.h"
#include "cpu/riscv64/csr.h"
#include "cpu/riscv64/debug.h"
#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/fp_state.h"
#include "cpu/riscv64/hart_port.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/mmu.h"
#include "cpu/riscv64/modes.h"
#include "cpu/riscv64/translate.h"
#include "cpu/riscv64/trap.h"
#include "cpu/vcpu.h"

namespace pagoda {
namespace riscv64 {
namespace {

// Brings mode key, memory mode and contexts in line with the architectural state, whatever they were.
void resynchronise(Vcpu& vcpu, Hart& hart) {
  const u64 context = context_key(hart);
  for (u32 mode = 0; mode < kMemoryModeCount; ++mode) {
    vcpu.mmu().set_context(mode, mode == static_cast<u32>(MemoryMode::bare) ? 0 : context);
  }
  vcpu.mmu().flush_all();
  hart.mode = mode_key(hart);
  vcpu.mmu().select_mode(hart.mode >> ModeKey::kMemoryShift);
}

// Privileged ISA 3.4. What it leaves open is zero here, so that runs repeat.
void reset(Vcpu& vcpu) {
  Hart& hart = vcpu.state<Hart>();
  hart.extensions.bits = vcpu.features();
  for (u64& value : hart.x) value = 0;
  for (u64& value : hart.f) value = 0;
  hart.reserved_address = kNoReservation;
  hart.reserved_value = 0;
  hart.privilege = Mode::machine;
  hart.frm = 0;
  hart.fp_control = fp_control(0, 0);
  hart.fault = 0;
  for (u64& instruction : hart.top_read_at) instruction = ~u64{0};
  hart.pc = hart.reset_pc;
  csr_reset(hart);
  // Hardware A/D updates are on unless Svade promises page faults; with both it is the firmware's choice (Svadu).
  // Memory types are on, as in QEMU, for software in machine mode that knows of no menvcfg.
  const bool updates = hart.extensions.has(Extension::svadu) && !hart.extensions.has(Extension::svade);
  hart.menvcfg = updates ? envcfg::kAdue : 0;
  if (hart.extensions.has(Extension::svpbmt)) hart.menvcfg |= envcfg::kPbmte;
  for (u64& enabled : hart.mstateen) enabled = 0;
  for (u64& config : hart.counter_config) config = 0;
  constexpr u64 kZero[kCounters] = {};
  set_all_counters(hart, kZero, vcpu.instructions());
  hart.pmp = {};
  hart.pmp.update();
  if (hart.port != nullptr) hart.port->set_compare(hart.stimecmp);
  resynchronise(vcpu, hart);
  log(Log::reset, "hart {}: reset, pc {:#x}, {}", hart.hart_id, hart.pc, isa_string(hart.extensions));
}

}  // namespace

void configure_hart(Vcpu& vcpu, u64 hart_id, u64 reset_pc) {
  Hart& hart = vcpu.state<Hart>();
  hart.hart_id = hart_id;
  hart.reset_pc = reset_pc;
}

void visit_hart(Vcpu& vcpu, StateVisitor& visitor) {
  Hart& hart = vcpu.state<Hart>();
  visitor.field("pc", hart.pc);
#define STATE(name, type, member, group) visitor.field(#name, hart.member);
#include "cpu/riscv64/state.def"
#undef STATE
  visitor.field("privilege", hart.privilege);
  visitor.field("frm", hart.frm);
  u8 flags = fp_flags(hart, false);  // not the host's format
  visitor.field("fflags", flags);
  hart.fp_control = fp_control(hart.frm, flags);

  for_each_csr([&](u32 number, const std::string& name) {
    const CsrInfo* info = find_csr(number);
    if (info->storage != nullptr) visitor.field(name, hart.*info->storage);
  });
  for (u32 i = 0; i < kPmpEntries; ++i) {
    visitor.field(fmt::format("pmp{}cfg", i), hart.pmp.cfg[i]);
    visitor.field(fmt::format("pmpaddr{}", i), hart.pmp.address[i]);
  }
  u64 pins = hart.pins.load(), offset = hart.time_offset.load();
  visitor.field("pins", pins);
  visitor.field("time_offset", offset);
  hart.pins.store(pins);
  hart.time_offset.store(offset);

  for (u32 i = 0; i < 4; ++i) visitor.field(fmt::format("mstateen{}", i), hart.mstateen[i]);

  // Counters as values: the count of retired instructions starts anew in another process.
  u64 values[kCounters];
  for (u32 i = 0; i < kCounters; ++i) {
    values[i] = counter_value(hart, i, vcpu.instructions());
    visitor.field(fmt::format("counter{}", i), values[i]);
    visitor.field(fmt::format("counter{}cfg", i), hart.counter_config[i]);
  }
  set_all_counters(hart, values, vcpu.instructions());
}

void hart_restored(Vcpu& vcpu) {
  Hart& hart = vcpu.state<Hart>();
  hart.pmp.update();
  counters_changed(hart, vcpu.instructions());
  if (hart.port != nullptr) hart.port->refresh();
  resynchronise(vcpu, hart);
  vcpu.kick();
}

// By how often compilers use them: arguments, return address, stack and frame pointer, then saved and temporary ones.
std::span<const u16> pinned_registers() {
  static const std::array<u16, 10> offsets = [] {
    constexpr u32 registers[] = {15, 14, 10, 13, 8, 2, 11, 12, 9, 1};
    std::array<u16, 10> result{};
    for (u32 i = 0; i < 10; ++i) result[i] = static_cast<u16>(slot_table().slots[x_slot(registers[i])].offset);
    return result;
  }();
  return offsets;
}

// The state has a base; its members have fixed offsets all the same.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
constexpr StateRange kHostState[] = {{offsetof(Hart, files), sizeof(Hart::files)},
                                     {offsetof(Hart, port), sizeof(Hart::port)}};
#pragma GCC diagnostic pop

}  // namespace riscv64

const Guest& riscv64_guest() {
  using namespace riscv64;
  static const Guest guest{
      .name = "riscv64",
      .state_size = sizeof(Hart),
      .construct = [](void* memory) -> VcpuFrame* { return new (memory) Hart(); },
      .destroy = [](VcpuFrame* frame) { static_cast<Hart*>(frame)->~Hart(); },
      .slots = slot_table(),
      .helpers = helper_table(),
      .memory_modes = kMemoryModeCount,
      .pinned = pinned_registers(),
      .host_state = kHostState,
      .max_insn_bytes = 4,
      .instruction_length = instruction_length,
      .translate = translate_block,
      .disassemble = disassemble_block,
      .walk = walk,
      .fetch_mode = [](const Vcpu& vcpu) { return static_cast<u32>(fetch_memory_mode(vcpu.state<Hart>())); },
      .bus_error_cause = access_fault,
      .misaligned_cause = misaligned_fault,
      .take_exception = take_exception,
      .take_interrupt = take_interrupt,
      .should_wake = should_wake,
      .until_event = until_overflow,
      .reset = reset,
      .debug = &guest_debug(),
  };
  return guest;
}

}  // namespace pagoda
