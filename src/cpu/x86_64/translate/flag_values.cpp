// SPDX-License-Identifier: MIT
// Flags as the Translator hands them to handlers: bits put together, conditions taken apart.
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64 {

using ir::Flag;
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

void Translator::remember(Source source, Value result, Value a, Value second) {
  flag_source_ = {flags().id, source, result, a, second};
}

// Codes come in pairs: the odd one is the even one inverted.
Value Translator::condition(u32 code) {
  const Value holds = positive_condition(code >> 1);
  return (code & 1) != 0 ? invert(holds) : holds;
}

Value Translator::positive_condition(u32 pair) {
  const Value now = flags();
  const auto flag = [&](Flag which) { return b.flag(now, which); };
  const bool known = flag_source_.flags == now.id;
  const auto is = [&](Source source) { return known && flag_source_.source == source; };
  const Value result = flag_source_.result, x = flag_source_.a, y = flag_source_.b;
  switch (pair) {
    case 0:  // o
      return is(Source::logic) ? b.constant(Type::i1, 0) : flag(Flag::v);
    case 1:  // b
      if (is(Source::sub)) return b.lt_u(x, y);
      if (is(Source::add)) return b.lt_u(result, x);
      return is(Source::logic) ? b.constant(Type::i1, 0) : flag(Flag::c);
    case 2:  // z
      if (is(Source::sub)) return b.eq(x, y);
      return known ? is_zero(result) : flag(Flag::z);
    case 3:  // be
      if (is(Source::sub)) return b.le_u(x, y);
      if (is(Source::logic)) return is_zero(result);
      return b.or_(flag(Flag::c), flag(Flag::z));
    case 4:  // s
      if (is(Source::sub)) return sign_bit(result ? result : b.sub(x, y));
      return known ? sign_bit(result) : flag(Flag::n);
    case 5:  // p
      return flag(Flag::p);
    case 6:  // l
      if (is(Source::sub)) return b.lt_s(x, y);
      if (is(Source::logic)) return sign_bit(result);
      return b.xor_(flag(Flag::n), flag(Flag::v));
    default:  // le
      if (is(Source::sub)) return b.le_s(x, y);
      if (is(Source::logic)) return b.le_s(result, constant_like(result, 0));
      return b.or_(flag(Flag::z), b.xor_(flag(Flag::n), flag(Flag::v)));
  }
}

}  // namespace pagoda::x86_64
