// SPDX-License-Identifier: MIT
// Addressing modes that loads and stores of general and vector registers share (Arm ARM C1.3.3).
#pragma once

#include "cpu/arm64/translate/arithmetic.h"

namespace pagoda::arm64::translate {

struct Address {
  ir::Value access;
  ir::Value base;  // what the base register becomes; no value: it stays
};

inline ir::Value offset_from(Translator& t, ir::Value base, i64 offset) {
  return t.b.add(base, t.b.i64(static_cast<u64>(offset)));
}

// Post-indexed, pre-indexed or plain.
inline Address indexed(Translator& t, ir::Value base, i64 offset, bool post, bool writes_back) {
  const ir::Value moved = offset_from(t, base, offset);
  return {post ? base : moved, writes_back ? moved : ir::Value{}};
}

// Of the encodings with one register, for an access of 2^size bytes: bit 24 an unsigned scaled offset, else bit 21 a
// register, else bits 11-10: unscaled, post-indexed, unprivileged, pre-indexed.
inline Address single_address(Translator& t, const Insn& i, u32 size) {
  const ir::Value base = t.x_sp(i.rn());
  if (i.bit(24)) return {offset_from(t, base, i64{i.field(10, 12)} << size), {}};
  if (i.bit(21)) {
    const ir::Value index = extended(t, i.rm(), i.field(13, 3), i.bit(12) ? size : 0, true);
    return {t.b.add(base, index), {}};
  }
  return indexed(t, base, i.signed_field(12, 9), i.field(10, 2) == 1, i.bit(10));
}

// Of the encodings with two registers: bits 24-23 no allocation, post-indexed, plain, pre-indexed.
inline Address pair_address(Translator& t, const Insn& i, u32 size) {
  const ir::Value base = t.x_sp(i.rn());
  return indexed(t, base, i.signed_field(15, 7) << size, i.field(23, 2) == 1, i.bit(23));
}

inline void write_back(Translator& t, const Insn& i, const Address& address) {
  if (address.base) t.set_x_sp(i.rn(), address.base);
}

}  // namespace pagoda::arm64::translate
