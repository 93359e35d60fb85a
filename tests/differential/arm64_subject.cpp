// SPDX-License-Identifier: MIT
// A case into a vcpu, and out of it.
#include "differential/arm64_subject.h"

#include <cstring>
#include <new>

#include "cpu/arm64/cpu.h"
#include "cpu/arm64/decode.h"
#include "cpu/arm64/disassembler.h"
#include "cpu/arm64/exceptions.h"
#include "cpu/arm64/fp_math.h"
#include "cpu/arm64/helpers.h"
#include "cpu/arm64/translate.h"
#include "differential/user_machine.h"
#include "tcg/ir/types.h"

namespace pagoda::arm64 {
namespace {

constexpr Word kSigIll = 4, kSigTrap = 5, kSigBus = 7, kSigSegv = 11;

Word signal_of(u64 cause) {
  switch (static_cast<Cause>(cause)) {
    case Cause::undefined:
    case Cause::supervisor_call:
      return kSigIll;
    case Cause::breakpoint:
      return kSigTrap;
    case Cause::alignment:
      return kSigBus;
    default:
      return kSigSegv;
  }
}

const Guest& guest() {
  static const Guest guest = user_guest({
      .name = "arm64",
      .state_size = sizeof(Cpu),
      .construct = [](void* memory) -> VcpuFrame* { return new (memory) Cpu(); },
      .destroy = [](VcpuFrame* frame) { static_cast<Cpu*>(frame)->~Cpu(); },
      .slots = slot_table(),
      .helpers = helper_table(),
      .pinned = pinned_registers(),
      .max_insn_bytes = kInsnBytes,
      .instruction_length = instruction_length,
      .translate = translate_block,
      .disassemble = disassemble_block,
      .bus_error_cause =
          [](AccessKind kind) {
            return static_cast<u64>(kind == AccessKind::execute ? Cause::instruction_abort : Cause::data_abort);
          },
      .misaligned_cause = [](AccessKind) { return static_cast<u64>(Cause::alignment); },
  });
  return guest;
}

// PSTATE has N Z C V in bits 31-28, a flags slot by ir::Flag.
struct FlagBit {
  u32 pstate, slot;
};
constexpr FlagBit kFlagBits[] = {{31, static_cast<u32>(ir::Flag::n)},
                                 {30, static_cast<u32>(ir::Flag::z)},
                                 {29, static_cast<u32>(ir::Flag::c)},
                                 {28, static_cast<u32>(ir::Flag::v)}};
u8 flags_of(Word nzcv) {
  u32 flags = 0;
  for (const FlagBit& bit : kFlagBits) flags |= (nzcv >> bit.pstate & 1) << bit.slot;
  return static_cast<u8>(flags);
}
Word pstate_of(u8 flags) {
  Word nzcv = 0;
  for (const FlagBit& bit : kFlagBits) nzcv |= (u32{flags} >> bit.slot & 1) << bit.pstate;
  return nzcv;
}

constexpr UserMachine::Region kRegions[] = {{kCodeBase, kCodeSize}, {kDataBase, kDataSize}};

}  // namespace

struct Subject::Machine : UserMachine {
  explicit Machine(const CodeOptions& options) : UserMachine(guest(), options, kRegions) {}
};

Subject::Subject(const CodeOptions& options) : machine_(std::make_unique<Machine>(options)) {}
Subject::~Subject() = default;
u64 Subject::runs_of_host_code() const { return machine_->runs_of_host_code(); }

void Subject::run(const Case& from, Outcome& to) {
  Machine& machine = *machine_;
  Cpu& cpu = machine.vcpu().state<Cpu>();
  machine.place(from.pc, {reinterpret_cast<const u8*>(from.code), sizeof from.code});
  const bool memory = (from.kinds & kUsesMemory) != 0;
  if (memory) machine.put(from.window, from.memory, kWindow);
  std::memcpy(cpu.x, from.x, sizeof cpu.x);
  cpu.sp = from.sp;
  std::memcpy(cpu.v, from.v, sizeof cpu.v);
  cpu.nzcv = flags_of(from.nzcv);
  cpu.fpcr = from.fpcr;
  cpu.mode = fpcr_mode(from.fpcr);
  cpu.fpsr = from.fpsr & kFpsrHeld;
  cpu.saturated = {};
  cpu.fp_control = fp::control_word(fpcr_round(from.fpcr), flags_of_fpsr(from.fpsr));
  cpu.exclusive_address = kNoExclusive;
  cpu.pc = from.pc;

  const interp::LeaveInfo left = machine.execute();
  to.signal = left.reason == interp::Leave::exception ? signal_of(cpu.fault_cause) : kSigIll;
  to.pc = cpu.pc;
  std::memcpy(to.x, cpu.x, sizeof cpu.x);
  to.sp = cpu.sp;
  std::memcpy(to.v, cpu.v, sizeof cpu.v);
  to.nzcv = pstate_of(static_cast<u8>(cpu.nzcv));
  to.fpsr = held_fpsr(cpu) | fpsr_bits(fp::flags_of(cpu.fp_control));
  if (memory) machine.get(from.window, to.memory, kWindow);
}

}  // namespace pagoda::arm64
