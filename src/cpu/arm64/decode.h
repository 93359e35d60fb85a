// SPDX-License-Identifier: MIT
// Decoder: A64 instruction words to table rows, in constant time (Arm ARM, chapter C4).
//
// The rows stand in *.insns, one file for each class of the manual's encoding index:
//   INSN(row, pattern, feature, constraint, text, handler)
// row         name of the row, the manual's page; unique
// pattern     bits from 31 down: 0 1 fixed, any other letter a field (a dot: any value). Capital letters are fields of
//             which each value is a form of its own: width, size, ordering. Tests cover rows form by form
// feature     features.def
// constraint  what else the fields must meet, constraints.h; a word that does not is no instruction
// text        the assembler's notation, operands in braces: operands.def
// handler     translate/handlers.h
// All functions are pure and may be called from any thread.
#pragma once

#include <span>

#include "base/types.h"
#include "cpu/arm64/feature.h"

namespace pagoda::arm64 {

class Translator;
struct Insn;
// Writes one instruction's meaning as IR.
using Handler = void (*)(Translator&, const Insn&);

struct InsnRow {
  const char* name;
  const char* pattern;
  u32 mask;   // bits that are fixed
  u32 match;  // and their values
  Feature needs;
  bool (*constraint)(u32 word);  // null: none
  const char* text;
  Handler handler;
};
// All rows in table order.
std::span<const InsnRow> insn_rows();

inline constexpr u32 kInsnBytes = 4;

// A decoded instruction. The fields stand where most encodings have them; which of them an instruction has, its pattern
// tells.
struct Insn {
  const InsnRow* row;
  u32 bits;

  constexpr u32 field(u32 low, u32 width) const { return bits >> low & ((1u << width) - 1); }
  constexpr i64 signed_field(u32 low, u32 width) const {
    return static_cast<i32>(bits << (32 - low - width)) >> (32 - width);
  }
  constexpr bool bit(u32 at) const { return (bits >> at & 1) != 0; }
  constexpr u32 rd() const { return field(0, 5); }  // also Rt
  constexpr u32 rn() const { return field(5, 5); }
  constexpr u32 rm() const { return field(16, 5); }  // also Rs
  constexpr u32 ra() const { return field(10, 5); }  // also Rt2
  constexpr bool is_64() const { return bit(31); }   // sf
  constexpr u32 size() const { return field(30, 2); }
};

// Decodes a word. False: no instruction of these features.
bool decode(u32 word, Features features, Insn& insn);

// The value of a bit mask immediate (N:imms:immr, Arm ARM DecodeBitMasks) repeated to 64 bits.
u64 bit_mask(u32 n, u32 imms, u32 immr);

}  // namespace pagoda::arm64
