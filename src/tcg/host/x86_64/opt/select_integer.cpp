// SPDX-License-Identifier: MIT
// Selection of integer ops.
#include "base/check.h"
#include "tcg/host/x86_64/opt/select_work.h"

namespace pagoda::opt {
namespace {

constexpr u8 kRax = 0, kRcx = 1, kRdx = 2;

}  // namespace

void Selector::Work::emit_two(Lir op, NodeId id, bool commutes) {
  const Node& from = node(id);
  const u8 size = op_size(from.type);
  NodeId left = from.args[0], right = from.args[1];
  if (commutes && graph->is_constant(left) && !graph->is_constant(right)) std::swap(left, right);
  LirInsn insn{.op = op, .size = size};
  const VReg to = own(id, RegClass::gpr);
  if (const std::optional<i64> imm = immediate(right, size)) {
    insn.imm = *imm;
    emit(insn, {def(to), use(gpr(left))});
    return;
  }
  const VReg a = gpr(left), b = gpr(right);
  emit(insn, {def(to), use(a), use(b, true)});
}

void Selector::Work::emit_add(NodeId id) {
  const Node& from = node(id);
  for (const u32 side : {1u, 0u}) {
    const NodeId scaled = from.args[side];
    if (from.type != ir::Type::i64 || !is_scaled(scaled)) continue;
    const NodeId other = from.args[1 - side];
    LirInsn insn{.op = Lir::lea, .scale = static_cast<u8>(1u << node(node(scaled).args[1]).imm)};
    const VReg to = own(id, RegClass::gpr), index = gpr(node(scaled).args[0]);
    if (const std::optional<i64> imm = immediate(other, 8)) {
      insn.imm = *imm;
      emit(insn, {def(to), use(index)});
    } else if (is_scaled(other) && side == 1) {
      const VReg base = new_gpr();
      emit({.op = Lir::shl, .imm = static_cast<i64>(node(node(other).args[1]).imm)},
           {def(base), use(gpr(node(other).args[0]))});
      emit(insn, {def(to), use(base), use(index)});
    } else {
      const VReg base = gpr(other);
      emit(insn, {def(to), use(base), use(index)});
    }
    return;
  }
  emit_two(Lir::add, id, true);
}

void Selector::Work::emit_select(NodeId id, const Compare& compare, NodeId yes, NodeId no) {
  const u8 size2 = op_size(node(id).type);
  const VReg to = own(id, RegClass::gpr);
  if (compare.is_float) {
    const VReg decided = new_gpr();
    emit({.op = Lir::fset, .size = compare.size, .imm = compare.imm},
         {def(decided), use(xmm(compare.a)), use(xmm(compare.b))});
    const VReg one = gpr(yes), other = gpr(no);
    emit({.op = Lir::select, .size = 4, .size2 = size2, .cc = Condition::ne, .imm = 0},
         {def(to), late(decided), late(one), late(other)});
    return;
  }
  LirInsn insn = compare_insn(Lir::select, compare);
  insn.size2 = size2;
  const VReg left = gpr(compare.a), one = gpr(yes), other = gpr(no);
  if (compare.b != 0) {
    const VReg right = gpr(compare.b);
    emit(insn, {def(to), late(left), late(right), late(one), late(other)});
  } else {
    emit(insn, {def(to), late(left), late(one), late(other)});
  }
}

void Selector::Work::emit_conversion(NodeId id) {
  const Node& from = node(id);
  const NodeId arg = from.args[0];
  const VReg to = own(id, RegClass::gpr);
  const u8 size = type_size(graph->type_of(arg));
  const bool from_i1 = graph->type_of(arg) == ir::Type::i1;
  switch (from.op) {
    case Op::trunc:  // to i1: the others are aliases
      emit({.op = Lir::and_, .size = 4, .imm = 1}, {def(to), use(gpr(arg))});
      return;
    case Op::zext:
      emit({.op = Lir::zext, .size = size}, {def(to), use(gpr(arg))});
      return;
    default:
      if (from_i1) {
        emit({.op = Lir::neg, .size = 8}, {def(to), use(gpr(arg))});
      } else {
        emit({.op = Lir::sext, .size = size, .size2 = op_size(from.type)}, {def(to), use(gpr(arg))});
      }
  }
}

bool Selector::Work::emit_integer(NodeId id) {
  const Node& from = node(id);
  const u8 size = op_size(from.type);
  const auto unary = [&](Lir op, u8 of) {
    const VReg to = own(id, RegClass::gpr);
    emit({.op = op, .size = of}, {def(to), use(gpr(from.args[0]))});
    return true;
  };
  const auto two = [&](Lir op, bool commutes) {
    emit_two(op, id, commutes);
    return true;
  };
  // d, a, b with places of their own.
  const auto fixed_places = [&](Lir op, u8 result, u8 other, NodeId a, NodeId b, VReg to) {
    const VReg left = gpr(a), right = gpr(b);
    emit({.op = op, .size = size}, {fixed(def(to), result), fixed(use(left), kRax), late(right), temp(other)});
  };
  switch (from.op) {
    case Op::pc: {
      const VReg page = new_gpr(), to = own(id, RegClass::gpr);
      emit({.op = Lir::frame_load, .size = 8, .imm = offsetof(VcpuFrame, pc_page)}, {def(page)});
      emit({.op = Lir::add, .size = 8, .imm = static_cast<i64>(from.imm)}, {def(to), use(page)});
      return true;
    }
    case Op::add:
      emit_add(id);
      return true;
    case Op::sub:
      return two(Lir::sub, false);
    case Op::mul:
      return two(Lir::mul, true);
    case Op::or_:
      return two(Lir::or_, true);
    case Op::xor_:
      return two(Lir::xor_, true);
    case Op::and_:
      if (graph->is_constant(from.args[1])) {
        const u64 mask = node(from.args[1]).imm;
        if (mask == 0xff) return unary(Lir::zext, 1);
        if (mask == 0xffff) return unary(Lir::zext, 2);
        if (mask == 0xffffffff) return unary(Lir::zext, 4);
      }
      return two(Lir::and_, true);
    case Op::not_:
      if (from.type != ir::Type::i1) return unary(Lir::not_, size);
      emit({.op = Lir::xor_, .size = 4, .imm = 1}, {def(own(id, RegClass::gpr)), use(gpr(from.args[0]))});
      return true;
    case Op::shl:
    case Op::shr:
    case Op::sar:
    case Op::rotl:
    case Op::rotr: {
      const Lir op = from.op == Op::shl    ? Lir::shl
                     : from.op == Op::shr  ? Lir::shr
                     : from.op == Op::sar  ? Lir::sar
                     : from.op == Op::rotl ? Lir::rotl
                                           : Lir::rotr;
      const VReg to = own(id, RegClass::gpr), a = gpr(from.args[0]);
      if (graph->is_constant(from.args[1])) {
        emit({.op = op, .size = size, .imm = static_cast<i64>(node(from.args[1]).imm & (size * 8u - 1))},
             {def(to), use(a)});
      } else if (op == Lir::rotl || op == Lir::rotr) {
        emit({.op = op, .size = size}, {def(to), use(a), fixed(late(gpr(from.args[1])), kRcx)});
      } else {
        emit({.op = op, .size = size}, {def(to), use(a), use(gpr(from.args[1]))});
      }
      return true;
    }
    case Op::clz:
      return unary(Lir::lzcnt, size);
    case Op::ctz:
      return unary(Lir::tzcnt, size);
    case Op::popcnt:
      return unary(Lir::popcnt, size);
    case Op::bswap:
      return unary(Lir::bswap, type_size(from.type));
    case Op::mulh_s:
      fixed_places(Lir::mulh_s, kRdx, kRax, from.args[0], from.args[1], own(id, RegClass::gpr));
      return true;
    case Op::mulh_u:
      fixed_places(Lir::mulh_u, kRdx, kRax, from.args[0], from.args[1], own(id, RegClass::gpr));
      return true;
    case Op::mulh_su: {
      // Signed a: as unsigned it is 2^64 more if it is negative.
      const VReg high = new_gpr(), sign = new_gpr(), less = new_gpr();
      fixed_places(Lir::mulh_u, kRdx, kRax, from.args[0], from.args[1], high);
      emit({.op = Lir::sar, .size = 8, .imm = 63}, {def(sign), use(gpr(from.args[0]))});
      emit({.op = Lir::and_, .size = 8}, {def(less), use(sign), use(gpr(from.args[1]))});
      emit({.op = Lir::sub, .size = 8}, {def(own(id, RegClass::gpr)), use(high), use(less)});
      return true;
    }
    case Op::div_u:
      fixed_places(Lir::div_u, kRax, kRdx, from.args[0], from.args[1], own(id, RegClass::gpr));
      return true;
    case Op::div_s:
      fixed_places(Lir::div_s, kRax, kRdx, from.args[0], from.args[1], own(id, RegClass::gpr));
      return true;
    case Op::rem_u:
      fixed_places(Lir::rem_u, kRdx, kRax, from.args[0], from.args[1], own(id, RegClass::gpr));
      return true;
    case Op::rem_s:
      fixed_places(Lir::rem_s, kRdx, kRax, from.args[0], from.args[1], own(id, RegClass::gpr));
      return true;
    case Op::min_s:
    case Op::max_s:
    case Op::min_u:
    case Op::max_u: {
      const Condition cc = from.op == Op::min_s   ? Condition::lt_s
                           : from.op == Op::max_s ? Condition::gt_s
                           : from.op == Op::min_u ? Condition::lt_u
                                                  : Condition::gt_u;
      const VReg to = own(id, RegClass::gpr), a = gpr(from.args[0]), b = gpr(from.args[1]);
      emit({.op = Lir::select, .size = size, .size2 = size, .cc = cc}, {def(to), late(a), late(b), late(a), late(b)});
      return true;
    }
    case Op::eq:
    case Op::ne:
    case Op::lt_s:
    case Op::le_s:
    case Op::lt_u:
    case Op::le_u: {
      const VReg to = own(id, RegClass::gpr);
      if (from.type == ir::Type::i1) {  // eq and ne only: 0 or 1 both
        emit({.op = Lir::set, .size = 4, .cc = from.op == Op::eq ? Condition::eq : Condition::ne},
             {def(to), use(gpr(from.args[0])), use(gpr(from.args[1]))});
        return true;
      }
      const Compare compare = compare_of(id, at);
      const LirInsn insn = compare_insn(Lir::set, compare);
      const VReg left = gpr(compare.a);
      if (compare.b != 0) {
        const VReg right = gpr(compare.b);
        emit(insn, {def(to), late(left), late(right)});
      } else {
        emit(insn, {def(to), late(left)});
      }
      return true;
    }
    case Op::select:
      emit_select(id, compare_of(from.args[0], at), from.args[1], from.args[2]);
      return true;
    case Op::trunc:
    case Op::zext:
    case Op::sext:
      emit_conversion(id);
      return true;
    default:
      return false;
  }
}

}  // namespace pagoda::opt
