// SPDX-License-Identifier: MIT
// The threaded-code interpreter: one function, one label per handler, each ending in a computed goto to the next.
//
// The handlers stand in execute_*.inc by subject; they are text of this function, because computed goto cannot leave
// one. `op` is the current ThreadedOp, `f` the vcpu frame.
#include <cstring>
#include <vector>

#include "base/check.h"
#include "tcg/host/fp.h"
#include "tcg/host/vec.h"
#include "tcg/interp/handlers.h"
#include "tcg/interp/integer_ops.h"
#include "tcg/interp/interp.h"

namespace pagoda::interp {
namespace {

template <class T>
T& at(VcpuFrame* f, u16 offset) {
  return *reinterpret_cast<T*>(reinterpret_cast<u8*>(f) + offset);
}

// An operand. Handlers of doublewords also meet narrower registers of the guest, which need not be aligned for more:
// what lies above such a value is read and does not count.
template <class T>
T value_at(const VcpuFrame* f, u16 offset) {
  T value;
  std::memcpy(&value, reinterpret_cast<const u8*>(f) + offset, sizeof(T));
  return value;
}

// Whether the TLB maps `pc` for execution to the page that `unit` was made from.
bool maps_to_page(const VcpuFrame* f, u64 pc, const u8* host_page) {
  const TlbEntry& entry = f->memory.table->entries[tlb_index(pc)];
  return entry.exec_tag == tlb_tag(pc & kTlbPageMask, 1, f->memory.tag) &&
         reinterpret_cast<const u8*>((pc & kTlbPageMask) + entry.addend) == host_page;
}
bool maps_to(const VcpuFrame* f, u64 pc, const Unit* unit) { return maps_to_page(f, pc, unit->host_page); }

// Address in host memory if the first level of the TLB grants the access; the tag is chosen by member.
template <u64 TlbEntry::* kTag>
u8* lookup(const VcpuFrame* f, u64 address, u32 size) {
  const TlbEntry& entry = f->memory.table->entries[tlb_index(address)];
  if (entry.*kTag != tlb_tag(address, size, f->memory.tag)) [[unlikely]]
    return nullptr;
  return reinterpret_cast<u8*>(address + entry.addend);
}
inline u8* lookup_read(const VcpuFrame* f, u64 address, u32 size) {
  return lookup<&TlbEntry::read_tag>(f, address, size);
}
inline u8* lookup_write(const VcpuFrame* f, u64 address, u32 size) {
  return lookup<&TlbEntry::write_tag>(f, address, size);
}

template <class T>
T atomic_step(T* memory, T value, ir::Rmw kind) {
  switch (kind) {
    case ir::Rmw::swap:
      return __atomic_exchange_n(memory, value, __ATOMIC_SEQ_CST);
    case ir::Rmw::add:
      return __atomic_fetch_add(memory, value, __ATOMIC_SEQ_CST);
    case ir::Rmw::and_:
      return __atomic_fetch_and(memory, value, __ATOMIC_SEQ_CST);
    case ir::Rmw::or_:
      return __atomic_fetch_or(memory, value, __ATOMIC_SEQ_CST);
    case ir::Rmw::xor_:
      return __atomic_fetch_xor(memory, value, __ATOMIC_SEQ_CST);
    default:
      break;
  }
  T old = __atomic_load_n(memory, __ATOMIC_RELAXED);
  for (;;) {
    const T now = kind == ir::Rmw::min_s   ? op_min_s(old, value)
                  : kind == ir::Rmw::max_s ? op_max_s(old, value)
                  : kind == ir::Rmw::min_u ? op_min_u(old, value)
                                           : op_max_u(old, value);
    if (__atomic_compare_exchange_n(memory, &old, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return old;
  }
}

// A copy of the ops from `first` up to instruction number `next`, then `leave`: what runs when an access asked to leave
// behind its instruction. Good until this thread makes another one.
const ThreadedOp* rest_of_insn(const Unit& unit, const ThreadedOp* first, u32 next, const void* leave) {
  thread_local std::vector<ThreadedOp> rest;
  rest.assign(first, unit.code + unit.insns[next].first_op);
  rest.push_back({leave, 0, 0, 0, static_cast<u16>(next), 0});
  return rest.data();
}

LeaveInfo run(VcpuFrame* f, const Unit* unit, const ThreadedOp* op, const void* const** addresses_out) {
  static const void* const addresses[] = {
#define BINARY(op)                                                                                                \
  &&L_##op##_i8_rr, &&L_##op##_i8_ri, &&L_##op##_i16_rr, &&L_##op##_i16_ri, &&L_##op##_i32_rr, &&L_##op##_i32_ri, \
      &&L_##op##_i64_rr, &&L_##op##_i64_ri,
#define COMPARE(op) BINARY(op)
#define SEXT32(op) &&L_sx_##op##_rr, &&L_sx_##op##_ri,
#define UNARY(op) &&L_##op##_i8, &&L_##op##_i16, &&L_##op##_i32, &&L_##op##_i64,
#define BRANCH(op)                                                                                            \
  &&L_br_##op##_i8_rr, &&L_br_##op##_i8_ri, &&L_br_##op##_i16_rr, &&L_br_##op##_i16_ri, &&L_br_##op##_i32_rr, \
      &&L_br_##op##_i32_ri, &&L_br_##op##_i64_rr, &&L_br_##op##_i64_ri,
#define SELECT(op) &&L_sel_##op##_i32_rr, &&L_sel_##op##_i32_ri, &&L_sel_##op##_i64_rr, &&L_sel_##op##_i64_ri,
#define FLAGS(op) &&L_##op##_i8, &&L_##op##_i16, &&L_##op##_i32, &&L_##op##_i64,
#define STEP(op) FLAGS(op)
#define FLAGS_IMM(op) &&L_##op##_imm_i8, &&L_##op##_imm_i16, &&L_##op##_imm_i32, &&L_##op##_imm_i64,
#define RMW(op) &&L_rmw_##op##_i8, &&L_rmw_##op##_i16, &&L_rmw_##op##_i32, &&L_rmw_##op##_i64,
#define FLOAT(op) &&L_##op##_f32, &&L_##op##_f64,
#define SIMPLE(name) &&L_##name,
#include "tcg/interp/handlers.def"
  };
  static_assert(sizeof(addresses) / sizeof(addresses[0]) == static_cast<u32>(Handler::count));
  if (addresses_out != nullptr) {
    *addresses_out = addresses;
    return {};
  }

#define D(T) at<T>(f, op->d)
#define A(T) value_at<T>(f, op->a)
#define B(T) value_at<T>(f, op->b)
#define C(T) value_at<T>(f, op->c)
#define NEXT()          \
  do {                  \
    ++op;               \
    goto * op->handler; \
  } while (false)

  const Unit* next = nullptr;
  u32 side = 0;
  u64 pc = 0;
  goto * op->handler;

#include "tcg/interp/execute_control.inc"
#include "tcg/interp/execute_float.inc"
#include "tcg/interp/execute_integer.inc"
#include "tcg/interp/execute_memory.inc"

#undef D
#undef A
#undef B
#undef C
#undef NEXT
}

}  // namespace

const void* const* handler_addresses() {
  static const void* const* const addresses = [] {
    const void* const* table = nullptr;
    run(nullptr, nullptr, nullptr, &table);
    return table;
  }();
  return addresses;
}

LeaveInfo execute(VcpuFrame& frame, const Unit& unit) {
  frame.temps[0] = 0;
  fp::enter_guest(frame.fp_control);
  const LeaveInfo info = run(&frame, &unit, unit.code, nullptr);
  frame.fp_control = fp::leave_guest();
  return info;
}

void repair(VcpuFrame& frame, const Unit& unit, u32 index) {
  const u16 first = unit.insns[index].repair;
  if (first != 0) run(&frame, &unit, unit.code + first, nullptr);
}

LeaveInfo finish(VcpuFrame& frame, const Unit& unit, u32 op, u32 index) {
  const u32 next = index + 1;
  if (next >= unit.guest_insns) return run(&frame, &unit, unit.code + op, nullptr);
  const void* leave = handler_addresses()[static_cast<u32>(Handler::leave_between)];
  return run(&frame, &unit, rest_of_insn(unit, unit.code + op, next, leave), nullptr);
}

void step(VcpuFrame& frame, const ThreadedOp& op) {
  const ThreadedOp code[] = {op, {handler_addresses()[static_cast<u32>(Handler::stop)], 0, 0, 0, 0, 0}};
  run(&frame, nullptr, code, nullptr);
}

}  // namespace pagoda::interp
