// SPDX-License-Identifier: MIT
// The C++ side of compiled code: entry, exits, what it calls.
#include <cstring>

#include "base/check.h"
#include "tcg/host/fp.h"
#include "tcg/interp/handlers.h"
#include "tcg/light/light.h"

namespace pagoda::light {
namespace {

u64 call_helper(VcpuFrame* frame, u32 number, u32 host_fp) {
  const HelperFn helper = frame->helpers[number];
  const u64* args = frame->call_args;
  if (host_fp != 0) {
    const fp::HostFpScope scope;
    return helper(frame, args[0], args[1], args[2], args[3]);
  }
  return helper(frame, args[0], args[1], args[2], args[3]);
}

void step(VcpuFrame* frame, const Unit* unit, u32 op) {
  ++frame->stepped_ops;
  interp::step(*frame, unit->code[op]);
}

u64 finish(VcpuFrame* frame, const Unit* unit, u32 op, u64 value) {
  using interp::Handler;
  frame->leave = 0;
  if (frame->fault != 0) return static_cast<u64>(Left::exception);  // insn_index is set
  const Handler handler = interp::handler_of(unit->code[op].handler);
  if (interp::has_result(handler)) {
    std::memcpy(reinterpret_cast<u8*>(frame) + unit->code[op].d, &value, sizeof value);
  }
  frame->pc = frame->pc_page + (unit->phys & ~kTlbPageMask);
  frame->budget += unit->guest_insns;
  switch (interp::finish(*frame, *unit, op + interp::ops_of(handler), frame->insn_index).reason) {
    case interp::Leave::budget:
      return static_cast<u64>(Left::budget);
    case interp::Leave::poll:
      return static_cast<u64>(Left::poll);
    case interp::Leave::wait:
      return static_cast<u64>(Left::wait);
    case interp::Leave::exception:
      return static_cast<u64>(Left::later_exception);
    case interp::Leave::lookup:
    case interp::Leave::hot:
      break;
  }
  return static_cast<u64>(Left::lookup);
}

constexpr CompiledCalls kCalls{.helper = call_helper, .step = step, .finish = finish};

struct Exit {
  u64 left;
  Unit* unit;
};

}  // namespace

interp::LeaveInfo execute(const Stubs& stubs, VcpuFrame& frame, const Unit& unit) {
  using interp::Leave;
  const auto enter = reinterpret_cast<Exit (*)(VcpuFrame*, const void*)>(reinterpret_cast<u64>(stubs.enter));
  frame.temps[0] = 0;
  frame.calls = &kCalls;
  frame.pc_page = frame.pc & kTlbPageMask;
  fp::enter_guest(frame.fp_control);
  const Exit exit = enter(&frame, unit.host.entry.load(std::memory_order_acquire));
  frame.fp_control = fp::leave_guest();
  switch (static_cast<Left>(exit.left)) {
    case Left::lookup:
      return {Leave::lookup, nullptr};
    case Left::lookup_link0:
      return {Leave::lookup, &exit.unit->links[0]};
    case Left::lookup_link1:
      return {Leave::lookup, &exit.unit->links[1]};
    case Left::often_link0:
    case Left::often_link1: {
      const u32 side = static_cast<Left>(exit.left) == Left::often_link0 ? 0 : 1;
      Link& link = exit.unit->links[side];
      // To itself a unit goes without a link.
      const bool is_own = exit.unit->exit_offset[side] == 0 && !exit.unit->exit_is_far[side];
      Unit* target = is_own ? exit.unit : link.target.load(std::memory_order_acquire);
      if (target == nullptr) return {Leave::lookup, &link};
      target->host.wants_loop.store(true, std::memory_order_relaxed);
      return {Leave::hot, nullptr, target};
    }
    case Left::budget:
      return {Leave::budget, nullptr};
    case Left::poll:
      return {Leave::poll, nullptr};
    case Left::wait:
      return {Leave::wait, nullptr};
    case Left::later_exception:  // tier 0 has left
      return {Leave::exception, nullptr};
    case Left::exception: {
      // As if the instruction had not begun: its predecessors in the block count.
      const u32 index = frame.insn_index;
      interp::repair(frame, *exit.unit, index);
      frame.pc = frame.pc_page + (exit.unit->phys & ~kTlbPageMask) + exit.unit->insns[index].offset;
      frame.budget += exit.unit->guest_insns - index;
      return {Leave::exception, nullptr};
    }
  }
  CHECK(false);
}

}  // namespace pagoda::light
