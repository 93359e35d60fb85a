// SPDX-License-Identifier: MIT
// Selection of floating point and of moves between the classes of registers.
#include "tcg/host/x86_64/opt/select_work.h"

namespace pagoda::opt {

bool Selector::Work::emit_float(NodeId id) {
  const Node& from = node(id);
  const u8 size = type_size(from.type);
  const auto arg = [&](u32 number) { return xmm(from.args[number]); };
  const bool own_rounding = static_cast<ir::Round>(from.aux & 15) != ir::Round::mode;
  const auto in_cpp = [&] {
    const VReg to = own(id, RegClass::xmm), a = arg(0);
    const u32 count = graph->arg_count(id);
    const VReg b = count > 1 ? arg(1) : a, c = count > 2 ? arg(2) : a;
    emit({.op = Lir::fp_call,
          .size = size,
          .size2 = type_size(graph->type_of(from.args[0])),
          .imm = static_cast<i64>(from.op),
          .imm2 = from.aux},
         {def(to), late(a), late(b), late(c), temp()});
    return true;
  };
  const auto two = [&](Lir op) {
    if (own_rounding) return in_cpp();
    const VReg to = own(id, RegClass::xmm), a = arg(0), b = arg(1);
    emit({.op = op, .size = size}, {def(to), use(a), use(b)});
    return true;
  };
  switch (from.op) {
    case Op::fadd:
      return two(Lir::fadd);
    case Op::fsub:
      return two(Lir::fsub);
    case Op::fmul:
      return two(Lir::fmul);
    case Op::fdiv:
      return two(Lir::fdiv);
    case Op::fsqrt:
      if (own_rounding) return in_cpp();
      emit({.op = Lir::fsqrt, .size = size}, {def(own(id, RegClass::xmm)), use(arg(0))});
      return true;
    case Op::fma: {
      if (own_rounding) return in_cpp();
      const VReg to = own(id, RegClass::xmm), a = arg(0), b = arg(1), c = arg(2);
      emit({.op = Lir::fma, .size = size}, {def(to), late(a), late(b), late(c)});
      return true;
    }
    case Op::fneg:
      emit({.op = Lir::fneg, .size = size}, {def(own(id, RegClass::xmm)), use(arg(0))});
      return true;
    case Op::fmin:
    case Op::fmax:
    case Op::fround:
    case Op::froundx:
      return in_cpp();
    case Op::f_to_f:
      if (own_rounding && size == 4) return in_cpp();
      emit({.op = Lir::f_to_f, .size = size}, {def(own(id, RegClass::xmm)), use(arg(0))});
      return true;
    case Op::fcmp:
      if (vregs[0][id] == 0) return true;
      emit({.op = Lir::fset, .size = size, .imm = from.aux}, {def(own(id, RegClass::gpr)), use(arg(0)), use(arg(1))});
      return true;
    case Op::f_to_i:
      emit({.op = Lir::f_to_i, .size = type_size(graph->type_of(from.args[0])), .size2 = size, .imm = from.aux},
           {def(own(id, RegClass::gpr)), late(arg(0)), temp()});
      return true;
    case Op::i_to_f: {
      VReg a = gpr(from.args[0]);
      u8 bytes = type_size(graph->type_of(from.args[0]));
      if (bytes < 4) {
        const bool is_signed = static_cast<ir::Sign>(from.aux >> 4) == ir::Sign::is_signed;
        const VReg wide = new_gpr();
        emit({.op = is_signed ? Lir::sext : Lir::zext, .size = bytes, .size2 = 4}, {def(wide), use(a)});
        a = wide;
        bytes = 4;
      }
      emit({.op = Lir::i_to_f, .size = size, .size2 = bytes, .imm = from.aux},
           {def(own(id, RegClass::xmm)), late(a), {code->new_vreg(RegClass::xmm), Role::temp}});
      return true;
    }
    case Op::bitcast: {
      const u8 bytes = type_size(graph->type_of(from.args[0]));
      if (vregs[1][id] != 0) {
        emit({.op = Lir::gpr_to_xmm, .size = bytes}, {def(own(id, RegClass::xmm)), use(gpr(from.args[0]))});
      }
      if (vregs[0][id] != 0) {
        emit({.op = Lir::xmm_to_gpr, .size = bytes}, {def(own(id, RegClass::gpr)), use(xmm(from.args[0]))});
      }
      return true;
    }
    case Op::f32_box: {
      const VReg a = arg(0);
      VReg boxed = 0;
      if (vregs[1][id] != 0) {
        boxed = own(id, RegClass::xmm);
      } else {
        boxed = code->new_vreg(RegClass::xmm);
      }
      emit({.op = Lir::f32_box, .size = 4}, {def(boxed), use(a)});
      if (vregs[0][id] != 0) emit({.op = Lir::xmm_to_gpr, .size = 8}, {def(own(id, RegClass::gpr)), use(boxed)});
      return true;
    }
    case Op::f32_unbox: {
      const NodeId boxed = from.args[0];
      VReg a = 0;
      if (class_of(boxed) == RegClass::xmm) {
        a = xmm(boxed);
      } else {
        const VReg bits = gpr(boxed);
        a = code->new_vreg(RegClass::xmm);
        emit({.op = Lir::gpr_to_xmm, .size = 8}, {def(a), use(bits)});
      }
      emit({.op = Lir::f32_unbox, .size = 4}, {def(own(id, RegClass::xmm)), use(a)});
      return true;
    }
    default:
      return false;
  }
}

}  // namespace pagoda::opt
