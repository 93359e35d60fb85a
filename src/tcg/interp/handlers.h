// SPDX-License-Identifier: MIT
// Handler numbers of the threaded code, from handlers.def. Internal to tier 0.
#pragma once

#include "base/types.h"
#include "tcg/ir/types.h"

namespace pagoda::interp {

enum class Handler : u16 {
#define BINARY(op) op##_i8_rr, op##_i8_ri, op##_i16_rr, op##_i16_ri, op##_i32_rr, op##_i32_ri, op##_i64_rr, op##_i64_ri,
#define COMPARE(op) BINARY(op)
#define SEXT32(op) sx_##op##_rr, sx_##op##_ri,
#define UNARY(op) op##_i8, op##_i16, op##_i32, op##_i64,
#define BRANCH(op)                                                                                          \
  br_##op##_i8_rr, br_##op##_i8_ri, br_##op##_i16_rr, br_##op##_i16_ri, br_##op##_i32_rr, br_##op##_i32_ri, \
      br_##op##_i64_rr, br_##op##_i64_ri,
#define SELECT(op) sel_##op##_i32_rr, sel_##op##_i32_ri, sel_##op##_i64_rr, sel_##op##_i64_ri,
#define FLAGS(op) op##_i8, op##_i16, op##_i32, op##_i64,
#define STEP(op) FLAGS(op)
#define FLAGS_IMM(op) op##_imm_i8, op##_imm_i16, op##_imm_i32, op##_imm_i64,
#define RMW(op) rmw_##op##_i8, rmw_##op##_i16, rmw_##op##_i32, rmw_##op##_i64,
#define FLOAT(op) op##_f32, op##_f64,
#define SIMPLE(name) name,
#include "tcg/interp/handlers.def"
  count
};

// Addresses of the handlers, indexed by Handler.
const void* const* handler_addresses();
const char* handler_name(Handler handler);
// The handler with this address; count if there is none (the second half of a step of two ops).
Handler handler_of(const void* address);
constexpr bool is_select(Handler handler) {
  return handler >= Handler::sel_eq_i32_rr && handler <= Handler::sel_le_u_i64_ri;
}
// Threaded ops that a step with this handler consists of.
constexpr u32 ops_of(Handler handler) {
  const bool two = handler == Handler::call || handler == Handler::call_may_fault ||
                   (handler >= Handler::cas_8 && handler <= Handler::store_cond_64) || is_select(handler);
  return two ? 2 : 1;
}

// Memory ops and calls: whether d is the place of a result (stores have the packed MemOp there).
constexpr bool has_result(Handler handler) {
  return !(handler >= Handler::store_8 && handler <= Handler::store_64) && handler != Handler::store_slow &&
         handler != Handler::store_wide;
}

// What step() can do: one op, neither for memory nor a trap, call or block's end.
constexpr bool is_plain(Handler handler) {
  const auto within = [handler](Handler first, Handler last) { return handler >= first && handler <= last; };
  return !within(Handler::br_eq_i8_rr, Handler::sel_le_u_i64_ri) &&
         !within(Handler::rmw_swap_i8, Handler::rmw_max_u_i64) && !within(Handler::load_u8, Handler::store_cond_64) &&
         handler < Handler::trap_if;
}

constexpr Handler operator+(Handler base, u32 n) { return static_cast<Handler>(static_cast<u32>(base) + n); }
// 0..3 for i8..i64.
constexpr u32 width_index(ir::Type type) { return static_cast<u32>(type) - static_cast<u32>(ir::Type::i8); }

}  // namespace pagoda::interp
