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
  const u32 next = frame->insn_index + 1;
  const bool last = next >= unit->guest_insns;
  const u32 stop = last ? unit->op_count : unit->insns[next].first_op;
  const Handler handler = interp::handler_of(unit->code[op].handler);
  if (interp::has_result(handler)) {
    std::memcpy(reinterpret_cast<u8*>(frame) + unit->code[op].d, &value, sizeof value);
  }
  for (u32 i = op + interp::ops_of(handler); i < stop;) {
    const Handler rest = interp::handler_of(unit->code[i].handler);
    if (rest != Handler::jump) interp::step(*frame, unit->code[i]);
    i += interp::ops_of(rest);
  }
  if (!last) interp::repair(*frame, *unit, next);
  const i64 offset = last ? unit->exit_offset[0] : unit->insns[next].offset;
  frame->pc = frame->pc_page + (unit->phys & ~kTlbPageMask) + static_cast<u64>(offset);
  frame->budget += unit->guest_insns - next;
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
    case Left::budget:
      return {Leave::budget, nullptr};
    case Left::poll:
      return {Leave::poll, nullptr};
    case Left::wait:
      return {Leave::wait, nullptr};
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
