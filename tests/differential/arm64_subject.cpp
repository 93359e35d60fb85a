// SPDX-License-Identifier: MIT
// A case into a vcpu, and out of it.
#include "differential/arm64_subject.h"

#include <array>
#include <cstring>
#include <new>

#include "cpu/arm64/cpu.h"
#include "cpu/arm64/decode.h"
#include "cpu/arm64/disassembler.h"
#include "cpu/arm64/exceptions.h"
#include "cpu/arm64/helpers.h"
#include "cpu/arm64/translate.h"
#include "differential/user_machine.h"

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

// By how often compilers use them: arguments, frame and stack pointer, then saved and temporary ones.
std::span<const u16> pinned_registers() {
  static const std::array<u16, 10> offsets = [] {
    constexpr u32 registers[] = {0, 1, 2, 3, 31, 8, 19, 20, 4, 29};
    std::array<u16, 10> result{};
    for (u32 i = 0; i < 10; ++i) result[i] = static_cast<u16>(slot_table().slots[x_slot(registers[i])].offset);
    return result;
  }();
  return offsets;
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

// PSTATE has N Z C V in bits 31-28, a flags slot has them in bits 0-3.
u8 flags_of(Word nzcv) {
  return static_cast<u8>((nzcv >> 31 & 1) | (nzcv >> 30 & 1) << 1 | (nzcv >> 29 & 1) << 2 | (nzcv >> 28 & 1) << 3);
}
Word pstate_of(u8 flags) {
  return (flags & 1u) << 31 | (flags >> 1 & 1u) << 30 | (flags >> 2 & 1u) << 29 | (flags >> 3 & 1u) << 28;
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
  machine.put(from.window, from.memory, kWindow);
  std::memcpy(cpu.x, from.x, sizeof cpu.x);
  cpu.sp = from.sp;
  std::memcpy(cpu.v, from.v, sizeof cpu.v);
  cpu.nzcv = flags_of(from.nzcv);
  cpu.exclusive_address = kNoExclusive;
  cpu.pc = from.pc;

  const interp::LeaveInfo left = machine.execute();
  to.signal = left.reason == interp::Leave::exception ? signal_of(cpu.fault_cause) : kSigIll;
  to.pc = cpu.pc;
  std::memcpy(to.x, cpu.x, sizeof cpu.x);
  to.sp = cpu.sp;
  std::memcpy(to.v, cpu.v, sizeof cpu.v);
  to.nzcv = pstate_of(cpu.nzcv);
  to.fpsr = from.fpsr;
  machine.get(from.window, to.memory, kWindow);
}

}  // namespace pagoda::arm64
