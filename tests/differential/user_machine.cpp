// SPDX-License-Identifier: MIT
// The vcpu, its memory, and one execution.
#include "differential/user_machine.h"

#include <algorithm>

#include "base/check.h"

namespace pagoda {

Guest user_guest(Guest front) {
  front.memory_modes = 1;
  front.walk = [](Vcpu&, GuestVirt address, AccessKind, u32) -> Translation {
    return {.ok = true,
            .page = GuestPhys(address.value & ~u64{0xfff}),
            .readable = true,
            .writable = true,
            .executable = true,
            .privilege = Privilege::user};
  };
  front.fetch_mode = [](const Vcpu&) -> u32 { return 0; };
  front.take_exception = [](Vcpu&) { CHECK(false, "nobody handles exceptions of user code"); };
  front.take_interrupt = [](Vcpu&) { return false; };
  front.should_wake = [](const Vcpu&) { return true; };
  front.until_event = [](Vcpu&) { return ~u64{0} >> 1; };
  front.reset = [](Vcpu& vcpu) {
    vcpu.mmu().set_context(0, 0);
    vcpu.mmu().select_mode(0);
  };
  return front;
}

UserMachine::UserMachine(const Guest& guest, const CodeOptions& options, std::span<const Region> regions,
                         void (*prepare)(Vcpu&))
    : clock_([this] { return now_ += 100; }),
      code_(memory_, rendezvous_, guest, 1, options),
      vcpu_(0, guest, kEverything, {&memory_, &clock_, &rendezvous_, &code_}) {
  for (const Region& region : regions) {
    CHECK(memory_.add_ram(GuestPhys(region.base), region.size, fmt::format("ram{:x}", region.base)).has_value());
  }
  rendezvous_.add(&vcpu_);
  if (prepare != nullptr) prepare(vcpu_);
  vcpu_.reset();
  rendezvous_.unpark(vcpu_);
}

UserMachine::~UserMachine() { rendezvous_.park(vcpu_); }

void UserMachine::put(u64 address, const void* from, u64 size) {
  CHECK(memory_.write(GuestPhys(address), std::as_bytes(std::span(static_cast<const u8*>(from), size))));
}

void UserMachine::get(u64 address, void* to, u64 size) {
  CHECK(memory_.read(GuestPhys(address), std::as_writable_bytes(std::span(static_cast<u8*>(to), size))));
}

void UserMachine::place(u64 pc, std::span<const u8> code) {
  if (placed_pc_ == pc && std::ranges::equal(placed_, code)) return;
  const std::vector<u8> nothing(placed_.size());
  if (placed_pc_ != 0) put(placed_pc_, nothing.data(), nothing.size());
  put(pc, code.data(), code.size());
  placed_pc_ = pc;
  placed_.assign(code.begin(), code.end());
  code_.cache().enter_epoch(0, false);
  rendezvous_.safepoint(vcpu_);
}

interp::LeaveInfo UserMachine::execute() {
  VcpuFrame& frame = vcpu_.frame();
  frame.budget = 1000;
  frame.poll.store(0, std::memory_order_relaxed);  // host code looks at it before its first instruction
  Unit* unit = code_.unit_at(vcpu_, code_.max_block_insns());
  CHECK(unit != nullptr, "no fetch from the code region");
  unit_ = unit;
  const interp::LeaveInfo left = code_.execute(vcpu_, *unit);
  runs_of_host_code_ += unit->host.entry.load(std::memory_order_relaxed) != nullptr;
  frame.fault = 0;
  frame.insn_index = 0;
  return left;
}

}  // namespace pagoda
