// SPDX-License-Identifier: MIT
// Flags as the Translator hands them to handlers: bits put together, conditions taken apart.
#include "cpu/x86_64/translator.h"
#include "tcg/ir/condition.h"

namespace pagoda::x86_64 {

using ir::Condition;
using ir::Type;
using ir::Value;

Value Translator::flag_bits(std::initializer_list<OneFlag> list) {
  Value bits = b.constant(Type::i8, 0);
  for (const OneFlag& one : list) {
    const Value at = b.shl(b.zext(one.value, Type::i8), b.constant(Type::i8, static_cast<u64>(one.flag)));
    bits = b.or_(bits, at);
  }
  return b.flags_bits(bits);
}

// Codes come in pairs: the odd one is the even one inverted.
Value Translator::condition(u32 code) {
  constexpr Condition kPairs[] = {Condition::v, Condition::c, Condition::z,       Condition::c_or_z,
                                  Condition::n, Condition::p, Condition::n_xor_v, Condition::less_equal};
  const Condition condition = kPairs[code >> 1];
  const bool invert = (code & 1) != 0;
  const Value now = flags();
  if (result_of_.flags == now.id && (condition == Condition::z || condition == Condition::n)) {
    const Value result = result_of_.result, zero = constant_like(result, 0);
    if (condition == Condition::z) return invert ? b.ne(result, zero) : b.eq(result, zero);
    return invert ? b.le_s(zero, result) : b.lt_s(result, zero);
  }
  return ir::condition_value(b, now, condition, invert);
}

}  // namespace pagoda::x86_64
