// SPDX-License-Identifier: MIT
// One unit at a time, without the run loop: the unit holds the instruction and the illegal one behind it, or ends with
// a branch that nothing is linked to, so that one execution is one case.
#include "differential/subject.h"

#include <cstring>

#include "base/check.h"
#include "cpu/rendezvous.h"
#include "cpu/riscv64/fp_state.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/modes.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "cpu/vcpu.h"

namespace pagoda::riscv64 {
namespace {

constexpr Word kSigIll = 4, kSigTrap = 5, kSigBus = 7, kSigSegv = 11;

// Signals that Linux sends for these causes (Privileged ISA, table of mcause).
Word signal_of(u64 cause) {
  switch (cause) {
    case 0:
    case 4:
    case 6:
      return kSigBus;
    case 3:
      return kSigTrap;
    case 2:
      return kSigIll;
    default:
      return kSigSegv;
  }
}

}  // namespace

struct Subject::Machine {
  explicit Machine(const CodeOptions& options)
      : clock([this] { return now += 100; }),
        code(memory, rendezvous, riscv64_guest(), 1, options),
        vcpu(0, riscv64_guest(), kEverything, {&memory, &clock, &rendezvous, &code}) {
    CHECK(memory.add_ram(GuestPhys(kCodeBase), kCodeSize, "code").has_value());
    CHECK(memory.add_ram(GuestPhys(kDataBase), kDataSize, "data").has_value());
    rendezvous.add(&vcpu);
    configure_hart(vcpu, 0, kCodeBase);
    vcpu.reset();
    rendezvous.unpark(vcpu);
  }
  ~Machine() { rendezvous.park(vcpu); }

  Hart& hart() { return vcpu.state<Hart>(); }
  void put(u64 address, const void* from, u64 size) {
    CHECK(memory.write(GuestPhys(address), std::as_bytes(std::span(static_cast<const Byte*>(from), size))));
  }

  static constexpr u64 kEverything = ~u64{0};
  u64 now = 0;
  GuestMemory memory;
  VirtualClock clock;
  Rendezvous rendezvous;
  CodeManager code;
  Vcpu vcpu;
  u64 placed_pc = 0;
  Word placed_bits = 0;
};

Subject::Subject(const CodeOptions& options) : machine_(std::make_unique<Machine>(options)) {}
Subject::~Subject() = default;

void Subject::run(const Case& from, Outcome& to) {
  Machine& machine = *machine_;
  Hart& hart = machine.hart();
  if (machine.placed_pc != from.pc || machine.placed_bits != from.bits) {
    constexpr Word kNothing = 0;
    if (machine.placed_pc != 0) machine.put(machine.placed_pc, &kNothing, 4);
    machine.put(from.pc, &from.bits, 4);
    machine.placed_pc = from.pc;
    machine.placed_bits = from.bits;
    machine.code.cache().enter_epoch(0, false);
    machine.rendezvous.safepoint(machine.vcpu);
  }
  machine.put(from.window, from.memory, kWindow);
  std::memcpy(hart.x, from.x, sizeof hart.x);
  hart.x[0] = 0;
  std::memcpy(hart.f, from.f, sizeof hart.f);
  hart.frm = static_cast<u8>(from.fcsr >> 5 & 7);
  hart.fp_control = fp_control(hart.frm, static_cast<u8>(from.fcsr & 31));
  // FS is Initial in some cases, Dirty in the others: different translations.
  hart.mstatus = (hart.mstatus & ~status::kFs) | ((from.x[1] & 3) == 0 ? status::kFs & (0 - status::kFs) : status::kFs);
  update_mode(machine.vcpu, hart);
  hart.reserved_address = kNoReservation;
  hart.pc = from.pc;
  hart.budget = 1000;
  hart.poll.store(0, std::memory_order_relaxed);  // host code looks at it before its first instruction

  Unit* unit = machine.code.unit_at(machine.vcpu, machine.code.max_block_insns());
  CHECK(unit != nullptr, "no fetch from the code region");
  const interp::LeaveInfo left = machine.code.execute(machine.vcpu, *unit);
  runs_of_host_code_ += unit->host.entry.load(std::memory_order_relaxed) != nullptr;
  to.signal = kSigIll;
  if (left.reason == interp::Leave::exception) {
    to.signal = signal_of(hart.fault_cause);
    hart.fault = 0;
  }
  hart.insn_index = 0;
  to.pc = hart.pc;
  std::memcpy(to.x, hart.x, sizeof hart.x);
  std::memcpy(to.f, hart.f, sizeof hart.f);
  to.fcsr = static_cast<Word>(hart.frm) << 5 | fp_flags(hart, false);
  CHECK(machine.memory.read(GuestPhys(from.window), std::as_writable_bytes(std::span(to.memory))));
}

}  // namespace pagoda::riscv64
