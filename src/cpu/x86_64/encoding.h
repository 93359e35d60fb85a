// SPDX-License-Identifier: MIT
// Reads the opcode and operand columns of the instruction tables while compiling; a mistake in one is a compile error.
//
// Opcode column, as in the manual (SDM volume 2, 3.1.1.1), tokens separated by blanks:
//   NP 66 F3 F2      mandatory prefix (NP: none of the three); NR: neither F3 nor F2, 66 is the operand size
//   REX.W  W1  W0    REX.W or VEX.W is set, set, clear
//   NOB              REX.B is clear (90 is nop, but 41 90 is xchg)
//   0F  0F38  0F3A   the map; the first byte's map if there is none
//   VEX.LZ VEX.128 VEX.256 VEX.LIG   VEX encoding with that vector length, with any
//   5A  5A+r         opcode; with the register number in its low bits
//   /r  /0../7  /FA  ModRM byte; with an opcode extension in reg; with exactly this value
//
// Operand column: codes of the manual's opcode map (SDM volume 2, appendix A.2), separated by commas: a method letter
// and a size. Methods: E register or memory by ModRM; M memory only; R register only (r/m); G register by reg; B
// register by VEX.vvvv; Z register in the opcode; I immediate; S immediate of a byte, sign-extended to the operand
// size; J offset relative to the next instruction; O absolute offset; X, Y string source and destination. Sizes: b w d
// q 1, 2, 4, 8 bytes, o 16; v the operand size; y 4, or 8 with W; z immediate of 2 or 4 bytes, sign-extended to the
// operand size; n none, only the address counts. Fixed operands: AL CL DX rAX 1.
//
// Vectors: V register by reg; W register or memory by ModRM; U register only (r/m); H register by VEX.vvvv; L register
// in the top half of an immediate byte. K is a 32-bit general register or memory of the size. Sizes: o 16 bytes, x the
// vector length, h f e a half, a fourth, an eighth of it. x87: F register by the low bits of ModRM, ST the top of the
// stack, size t 10 bytes, u some area.
#pragma once

#include "base/types.h"

namespace pagoda::x86_64 {

enum class Map : u8 { first, map_0f, map_0f38, map_0f3a, vex_0f, vex_0f38, vex_0f3a, count };
inline constexpr u32 kMapCount = static_cast<u32>(Map::count);

enum class Prefix : u8 { any, none, p66, f3, f2, no_rep };
enum class Want : u8 { any, zero, one };
inline constexpr u8 kNoDigit = 0xff;

struct Encoding {
  Map map = Map::first;
  u8 opcode = 0;
  bool register_in_opcode = false;
  bool modrm = false;
  bool exact_modrm = false;
  u8 digit = kNoDigit;  // opcode extension, or the exact ModRM byte
  Prefix prefix = Prefix::any;
  Want w = Want::any;
  Want length = Want::any;  // VEX.L
  bool no_rex_b = false;
};

enum class Method : u8 {
  none,
  rm,
  memory,
  rm_register,
  reg,
  vvvv,
  opcode_register,
  immediate,
  signed_byte,
  relative,
  offset,
  source,
  destination,
  fixed_register,
  one,
  vector_reg,
  vector_rm,
  vector_register,
  vector_vvvv,
  vector_immediate,
  rm_dword,
  x87_register,
  x87_top,
};
enum class Size : u8 { b, w, d, q, o, v, y, z, none, x, h, f, e, t, u };

struct OperandSpec {
  Method method = Method::none;
  Size size = Size::none;
  u8 fixed = 0;  // fixed_register: its number
};
inline constexpr u32 kMaxOperands = 4;
struct OperandSpecs {
  OperandSpec list[kMaxOperands];
  u8 count = 0;
  // Whether ModRM must name memory, or a register.
  constexpr bool memory_only() const { return has(Method::memory); }
  constexpr bool register_only() const {
    return has(Method::rm_register) || has(Method::vector_register) || has(Method::x87_register);
  }
  constexpr bool has(Method method) const {
    for (u32 i = 0; i < count; ++i) {
      if (list[i].method == method) return true;
    }
    return false;
  }
};

namespace encoding_detail {

// Calling this where a constant is wanted does not compile.
inline void mistake_in_table() {}

struct Token {
  const char* text;
  u32 length;
  constexpr bool is(const char* other) const {
    u32 i = 0;
    for (; i < length; ++i) {
      if (other[i] == 0 || text[i] != other[i]) return false;
    }
    return other[i] == 0;
  }
};
// Cuts the next token off `text`.
constexpr Token next_token(const char*& text, char separator) {
  while (*text == separator) ++text;
  Token token{text, 0};
  while (*text != 0 && *text != separator) ++text, ++token.length;
  return token;
}
constexpr u8 hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<u8>(c - '0');
  if (c < 'A' || c > 'F') mistake_in_table();
  return static_cast<u8>(c - 'A' + 10);
}
constexpr u8 hex_byte(const char* text) { return static_cast<u8>(hex_digit(text[0]) << 4 | hex_digit(text[1])); }
constexpr Map vex_map(Map map) {
  return map == Map::map_0f     ? Map::vex_0f
         : map == Map::map_0f38 ? Map::vex_0f38
         : map == Map::map_0f3a ? Map::vex_0f3a
                                : map;
}

}  // namespace encoding_detail

consteval Encoding parse_encoding(const char* text) {
  using namespace encoding_detail;
  Encoding e;
  bool vex = false, has_opcode = false;
  for (Token t = next_token(text, ' '); t.length != 0; t = next_token(text, ' ')) {
    if (t.is("NP")) {
      e.prefix = Prefix::none;
    } else if (t.is("NR")) {
      e.prefix = Prefix::no_rep;
    } else if (t.is("66") && e.map == Map::first) {
      e.prefix = Prefix::p66;
    } else if (t.is("F3") && e.map == Map::first) {
      e.prefix = Prefix::f3;
    } else if (t.is("F2") && e.map == Map::first) {
      e.prefix = Prefix::f2;
    } else if (t.is("REX.W") || t.is("W1")) {
      e.w = Want::one;
    } else if (t.is("W0")) {
      e.w = Want::zero;
    } else if (t.is("NOB")) {
      e.no_rex_b = true;
    } else if (t.is("VEX.LIG")) {
      vex = true;
    } else if (t.is("VEX.LZ") || t.is("VEX.128") || t.is("VEX.256")) {
      vex = true;
      e.length = t.is("VEX.256") ? Want::one : Want::zero;
    } else if (t.is("0F") && !has_opcode && e.map == Map::first) {
      e.map = Map::map_0f;
    } else if (t.is("0F38")) {
      e.map = Map::map_0f38;
    } else if (t.is("0F3A")) {
      e.map = Map::map_0f3a;
    } else if (t.text[0] == '/') {
      e.modrm = true;
      if (t.length == 3) {
        e.exact_modrm = true;
        e.digit = hex_byte(t.text + 1);
      } else if (t.text[1] != 'r') {
        e.digit = hex_digit(t.text[1]);
      }
    } else {
      if (has_opcode) mistake_in_table();
      has_opcode = true;
      e.opcode = hex_byte(t.text);
      e.register_in_opcode = t.length == 4;
    }
  }
  if (!has_opcode) mistake_in_table();
  if (vex) e.map = vex_map(e.map);
  return e;
}

consteval OperandSpecs parse_operands(const char* text) {
  using namespace encoding_detail;
  OperandSpecs specs;
  for (Token t = next_token(text, ','); t.length != 0; t = next_token(text, ',')) {
    OperandSpec& spec = specs.list[specs.count++];
    if (t.is("AL") || t.is("CL")) {
      spec = {Method::fixed_register, Size::b, static_cast<u8>(t.is("CL") ? 1 : 0)};
    } else if (t.is("rAX")) {
      spec = {Method::fixed_register, Size::v, 0};
    } else if (t.is("ST")) {
      spec = {Method::x87_top, Size::none, 0};
    } else if (t.is("AX")) {
      spec = {Method::fixed_register, Size::w, 0};
    } else if (t.is("1")) {
      spec = {Method::one, Size::b, 0};
    } else {
      if (t.length != 2) mistake_in_table();
      constexpr char kLetters[] = "EMRGBZISJOXYVWUHLKF";
      constexpr Method kMethods[] = {Method::rm,
                                     Method::memory,
                                     Method::rm_register,
                                     Method::reg,
                                     Method::vvvv,
                                     Method::opcode_register,
                                     Method::immediate,
                                     Method::signed_byte,
                                     Method::relative,
                                     Method::offset,
                                     Method::source,
                                     Method::destination,
                                     Method::vector_reg,
                                     Method::vector_rm,
                                     Method::vector_register,
                                     Method::vector_vvvv,
                                     Method::vector_immediate,
                                     Method::rm_dword,
                                     Method::x87_register};
      constexpr char kSizes[] = "bwdqovyznxhfetu";
      bool known_method = false, known_size = false;
      for (u32 i = 0; kLetters[i] != 0; ++i) {
        if (t.text[0] == kLetters[i]) spec.method = kMethods[i], known_method = true;
      }
      for (u32 i = 0; kSizes[i] != 0; ++i) {
        if (t.text[1] == kSizes[i]) spec.size = static_cast<Size>(i), known_size = true;
      }
      if (!known_method || !known_size) mistake_in_table();
    }
  }
  return specs;
}

}  // namespace pagoda::x86_64
