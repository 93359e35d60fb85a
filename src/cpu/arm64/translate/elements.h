// SPDX-License-Identifier: MIT
// Single elements of vector registers, as integers in IR. An element has 2^size bytes.
#pragma once

#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

inline u64 element_mask(u32 size) { return size == 3 ? ~u64{0} : (u64{1} << (8u << size)) - 1; }

// Its bits, at the bottom of whatever lies above it.
inline ir::Value extracted_element(Translator& t, u32 reg, u32 size, u32 index) {
  const u32 bit = (index << size) * 8;
  const ir::Value half = bit >= 64 ? t.v_high(reg) : t.v_low(reg);
  return t.b.shr(half, t.b.i64(bit % 64));
}

// `value` has nothing above the element.
inline void insert_element(Translator& t, u32 reg, u32 size, u32 index, ir::Value value) {
  const u32 bit = (index << size) * 8;
  ir::Value low = t.v_low(reg), high = t.v_high(reg);
  ir::Value& half = bit >= 64 ? high : low;
  if (size == 3) {
    half = value;
  } else {
    const u64 mask = element_mask(size) << bit % 64;
    half = t.b.or_(t.b.and_(half, t.b.i64(~mask)), t.b.shl(value, t.b.i64(bit % 64)));
  }
  t.set_v_pair(reg, low, high);
}

// A doubleword full of it; nothing may lie above the element.
inline ir::Value replicated(Translator& t, ir::Value value, u32 size) {
  return size == 3 ? value : t.b.mul(value, t.b.i64(~u64{0} / element_mask(size)));
}

}  // namespace pagoda::arm64::translate
