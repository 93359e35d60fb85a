// SPDX-License-Identifier: MIT
// Op table data and type rules.
#include "tcg/ir/ops.h"

namespace pagoda::ir {

const OpInfo kOpInfo[kOpCount] = {
#define OP(name, T, result, a, b, c, d, aux, effects, meaning) \
  {#name, TypeSet::T, Operand::result, {Operand::a, Operand::b, Operand::c, Operand::d}, Aux::aux, effects, meaning},
#include "tcg/ir/ops.def"
#undef OP
};

const char* type_name(Type type) {
  constexpr const char* names[kTypeCount] = {"none", "i1",  "i8",  "i16",  "i32",  "i64",
                                             "i128", "f32", "f64", "v128", "v256", "flags"};
  return static_cast<u32>(type) < kTypeCount ? names[static_cast<u32>(type)] : "?";
}

bool contains(TypeSet set, Type type) {
  switch (set) {
    case TypeSet::None:
      return type == Type::none;
    case TypeSet::I8:
      return type == Type::i8;
    case TypeSet::I16:
      return type == Type::i16;
    case TypeSet::I64:
      return type == Type::i64;
    case TypeSet::Int:
      return is_integer(type) && type != Type::i128;
    case TypeSet::IntW:
      return type >= Type::i8 && type <= Type::i64;
    case TypeSet::Bits:
      return is_integer(type) || is_vector(type);
    case TypeSet::Fp:
      return is_float(type);
    case TypeSet::Fp32:
      return type == Type::f32;
    case TypeSet::V128:
      return type == Type::v128;
    case TypeSet::V256:
      return type == Type::v256;
    case TypeSet::Mem:
      return (is_integer(type) && type != Type::i1) || is_float(type) || is_vector(type);
    case TypeSet::Flags:
      return type == Type::flags;
    case TypeSet::Any:
      return type != Type::none;
  }
  return false;
}

bool accepts(Operand column, Type own, Type type) {
  switch (column) {
    case Operand::_:
      return false;
    case Operand::T:
      return type == own;
    case Operand::I1_:
      return type == Type::i1;
    case Operand::I8_:
      return type == Type::i8;
    case Operand::I16_:
      return type == Type::i16;
    case Operand::I64_:
      return type == Type::i64;
    case Operand::F32_:
      return type == Type::f32;
    case Operand::V128_:
      return type == Type::v128;
    case Operand::FL:
      return type == Type::flags;
    case Operand::INT:
      return contains(TypeSet::Int, type);
    case Operand::FP:
      return contains(TypeSet::Fp, type);
    case Operand::ANY:
      return type != Type::none;
  }
  return false;
}

bool has_conversion_rule(Op op) {
  return op == Op::zext || op == Op::sext || op == Op::trunc || op == Op::bitcast || op == Op::f_to_f;
}

bool converts(Op op, Type from, Type to) {
  switch (op) {
    case Op::zext:
    case Op::sext:
      return type_bits(from) < type_bits(to);
    case Op::trunc:
      return type_bits(from) > type_bits(to);
    case Op::bitcast:
      return from != to && type_bits(from) == type_bits(to) && from != Type::flags && to != Type::flags;
    case Op::f_to_f:
      return from != to;
    default:
      return true;
  }
}

bool access_fits(Op op, Type type, MemOp access) {
  const bool may_be_narrower = (op == Op::load || op == Op::store) && is_integer(type) && type_bits(type) <= 64;
  return access.size() == type_bytes(type) || (may_be_narrower && access.size() < type_bytes(type));
}

}  // namespace pagoda::ir
