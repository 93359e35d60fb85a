// SPDX-License-Identifier: MIT
// Op table data and type rules.
#include "tcg/ir/ops.h"

namespace pagoda::ir {

const OpInfo kOpInfo[kOpCount] = {
#define OP(name, T, result, a, b, c, d, aux, effects, meaning)                                                  \
  {#name, TypeSet::T, Operand::result, {Operand::a, Operand::b, Operand::c, Operand::d}, Aux::aux, effects, meaning},
#include "tcg/ir/ops.def"
#undef OP
};

const char* type_name(Type type) {
  constexpr const char* names[kTypeCount] = {"none", "i1",  "i8",  "i16",  "i32",  "i64",
                                             "i128", "f32", "f64", "v128", "v256", "flags"};
  return names[static_cast<u32>(type)];
}

bool contains(TypeSet set, Type type) {
  switch (set) {
    case TypeSet::None: return type == Type::none;
    case TypeSet::I8: return type == Type::i8;
    case TypeSet::I64: return type == Type::i64;
    case TypeSet::Int: return is_integer(type) && type != Type::i128;
    case TypeSet::IntW: return type >= Type::i8 && type <= Type::i64;
    case TypeSet::Bits: return is_integer(type) || is_vector(type);
    case TypeSet::Fp: return is_float(type);
    case TypeSet::Fp32: return type == Type::f32;
    case TypeSet::Mem: return (is_integer(type) && type != Type::i1) || is_float(type) || is_vector(type);
    case TypeSet::Flags: return type == Type::flags;
    case TypeSet::Any: return type != Type::none;
  }
  return false;
}

Type result_type(Op op, Type type) {
  switch (op_info(op).result) {
    case Operand::T: return type;
    case Operand::I1_: return Type::i1;
    case Operand::I8_: return Type::i8;
    case Operand::I64_: return Type::i64;
    case Operand::F32_: return Type::f32;
    case Operand::FL: return Type::flags;
    default: return Type::none;
  }
}

}  // namespace pagoda::ir
