// SPDX-License-Identifier: MIT
// The op enumeration and what the table says of each op.
#pragma once

#include <iterator>

#include "base/types.h"
#include "tcg/ir/types.h"
#include "tcg/ir/vec.h"

namespace pagoda::ir {

enum class Op : u16 {
#define OP(name, T, result, a, b, c, d, aux, effects, meaning) name,
#include "tcg/ir/ops.def"
#undef OP
};

inline constexpr u32 kOpCount = 0
#define OP(name, T, result, a, b, c, d, aux, effects, meaning) +1
#include "tcg/ir/ops.def"
#undef OP
    ;

// What an op does besides producing its value. 0 is pure.
enum Effect : u16 {
  kReadState = 1,    // reads a guest slot (call: may read any)
  kWriteState = 2,   // writes a guest slot (call: may write any)
  kReadMem = 4,      // reads guest memory, or orders reads
  kWriteMem = 8,     // writes guest memory, or orders writes
  kMayFault = 16,    // may leave through its before map: the guest instruction has not happened
  kFpFlags = 32,     // may set sticky floating-point exception flags
  kFpMode = 64,      // depends on the rounding mode when its aux says Round::mode
  kMarker = 128,     // start of a guest instruction
  kCall = 256,       // effects are those of the helper
  kEndsBlock = 512,  // helpers: may change memory mode, mapping or mode key; only a terminal may follow
  kHostFp = 1024,    // helpers: runs C++ floating point, wants the host's own FP mode
};

// Sets of types an op's own type field may have.
enum class TypeSet : u8 { None, I8, I16, I64, Int, IntW, Bits, Fp, Fp32, V128, V256, Mem, Flags, Any };
bool contains(TypeSet set, Type type);

// How an operand or result column is typed.
enum class Operand : u8 { _, T, I1_, I8_, I16_, I64_, F32_, V128_, FL, INT, FP, ANY };

// What aux, extra and imm hold.
enum class Aux : u8 {
  None,
  Marker,     // imm = pc offset, aux = length
  Imm,        // imm
  Offset,     // imm = pc offset
  Slot,       // extra = slot number
  Flag,       // aux = ir::Flag
  FlagMask,   // aux = mask of flags
  Mem,        // extra = MemOp::pack()
  MemRmw,     // extra = MemOp::pack(), aux = ir::Rmw
  Order,      // aux = ir::Order
  Round,      // aux = ir::Round
  RoundSign,  // aux = ir::Round | ir::Sign << 4
  FpCompare,  // aux = ir::FpCompare
  Vec,        // extra = ir::VecOp, imm = a byte
  Helper,     // extra = helper number, imm = last argument
};

struct OpInfo {
  const char* name;
  TypeSet types;
  Operand result;
  Operand operands[4];
  Aux aux;
  u16 effects;
  const char* meaning;
  constexpr u32 operand_count() const {
    u32 n = 0;
    while (n < 4 && operands[n] != Operand::_) ++n;
    return n;
  }
};

extern const OpInfo kOpInfo[kOpCount];
inline const OpInfo& op_info(Op op) { return kOpInfo[static_cast<u32>(op)]; }

// The effects column by itself, for tables made from it.
inline constexpr u16 kOpEffects[kOpCount] = {
#define OP(name, T, result, a, b, c, d, aux, effects, meaning) effects,
#include "tcg/ir/ops.def"
#undef OP
};
inline constexpr Operand kResultColumn[kOpCount] = {
#define OP(name, T, result, a, b, c, d, aux, effects, meaning) Operand::result,
#include "tcg/ir/ops.def"
#undef OP
};
// The type that a column names by itself; none for T and the sets.
constexpr Type fixed_type(Operand column) {
  constexpr Type types[] = {Type::none, Type::none, Type::i1,    Type::i8,   Type::i16,  Type::i64,
                            Type::f32,  Type::v128, Type::flags, Type::none, Type::none, Type::none};
  static_assert(std::size(types) == static_cast<u32>(Operand::ANY) + 1);
  return types[static_cast<u32>(column)];
}

// The type of the value an instruction of this op and type field produces; Type::none if it produces none.
constexpr Type result_type(Op op, Type type) {
  const Operand column = kResultColumn[static_cast<u32>(op)];
  return column == Operand::T ? type : fixed_type(column);
}

// Whether an operand column takes a value of type `type` in an instruction with the type field `own`.
bool accepts(Operand column, Type own, Type type);

// Ops whose operand and own type depend on each other beyond the columns: zext, sext, trunc, bitcast, f_to_f.
bool has_conversion_rule(Op op);
bool converts(Op op, Type from, Type to);

// Whether a memory op may access this many bytes for its type: integers of up to 64 bits may be wider than a plain
// access.
bool access_fits(Op op, Type type, MemOp access);

}  // namespace pagoda::ir
