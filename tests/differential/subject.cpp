// SPDX-License-Identifier: MIT
// A case into a hart, and out of it.
#include "differential/subject.h"

#include <cstring>

#include "cpu/riscv64/fp_state.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/modes.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "differential/user_machine.h"

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

constexpr UserMachine::Region kRegions[] = {{kCodeBase, kCodeSize}, {kDataBase, kDataSize}};

}  // namespace

struct Subject::Machine : UserMachine {
  explicit Machine(const CodeOptions& options)
      : UserMachine(riscv64_guest(), options, kRegions, [](Vcpu& vcpu) { configure_hart(vcpu, 0, kCodeBase); }) {}
};

Subject::Subject(const CodeOptions& options) : machine_(std::make_unique<Machine>(options)) {}
Subject::~Subject() = default;

u64 Subject::runs_of_host_code() const { return machine_->runs_of_host_code(); }

void Subject::run(const Case& from, Outcome& to) {
  Machine& machine = *machine_;
  Hart& hart = machine.vcpu().state<Hart>();
  machine.place(from.pc, {reinterpret_cast<const u8*>(&from.bits), 4});
  machine.put(from.window, from.memory, kWindow);
  std::memcpy(hart.x, from.x, sizeof hart.x);
  hart.x[0] = 0;
  std::memcpy(hart.f, from.f, sizeof hart.f);
  hart.frm = static_cast<u8>(from.fcsr >> 5 & 7);
  hart.fp_control = fp_control(hart.frm, static_cast<u8>(from.fcsr & 31));
  // FS is Initial in some cases, Dirty in the others: different translations.
  hart.mstatus = (hart.mstatus & ~status::kFs) | ((from.x[1] & 3) == 0 ? status::kFs & (0 - status::kFs) : status::kFs);
  update_mode(machine.vcpu(), hart);
  hart.reserved_address = kNoReservation;
  hart.pc = from.pc;

  const interp::LeaveInfo left = machine.execute();
  to.signal = left.reason == interp::Leave::exception ? signal_of(hart.fault_cause) : kSigIll;
  to.pc = hart.pc;
  std::memcpy(to.x, hart.x, sizeof hart.x);
  std::memcpy(to.f, hart.f, sizeof hart.f);
  to.fcsr = static_cast<Word>(hart.frm) << 5 | fp_flags(hart, false);
  machine.get(from.window, to.memory, kWindow);
}

}  // namespace pagoda::riscv64
