// SPDX-License-Identifier: MIT
// Decoder: tables and index. Words are looked up by opcode, funct3 and funct7 (16-bit ones by their top six and lowest two
// bits); what remains is a list of a few rows.
#include "cpu/riscv64/decode.h"

#include <string_view>
#include <vector>

#include "cpu/riscv64/translate/handlers.h"

namespace pagoda::riscv64 {
namespace {

// Fixed bits of a pattern: its mask or its match.
constexpr u32 pattern_bits(std::string_view pattern, bool match) {
  u32 bits = 0;
  for (const char c : pattern) {
    if (c == ' ') continue;
    bits = bits << 1 | (match ? c == '1' : (c == '0' || c == '1'));
  }
  return bits;
}
constexpr u32 pattern_width(std::string_view pattern) {
  u32 width = 0;
  for (const char c : pattern) width += c != ' ';
  return width;
}

template <u32 kWidth>
consteval InsnRow make_row(const char* name, const char* pattern, Extension extension, Format format, bool special,
                           Handler handler) {
  if (pattern_width(pattern) != kWidth) throw "pattern of a wrong width";  // a compile error
  return {name, pattern, pattern_bits(pattern, false), pattern_bits(pattern, true), kWidth / 8, extension, format, special,
          handler};
}

#define INSN(name, pattern, extension, format, handler) \
  make_row<kWidth>(name, pattern, Extension::extension, Format::format, false, translate::handler),
#define SPECIAL(name, pattern, extension, format, handler) \
  make_row<kWidth>(name, pattern, Extension::extension, Format::format, true, translate::handler),
#define kWidth 32
constexpr InsnRow kRows[] = {
#include "cpu/riscv64/rv64.insns"
#undef kWidth
#define kWidth 16
#include "cpu/riscv64/rv64c.insns"
};
#undef kWidth
#undef INSN
#undef SPECIAL
constexpr u32 kRowCount = sizeof(kRows) / sizeof(kRows[0]);

constexpr FormatInfo kFormats[] = {
#define FORMAT(id, registers, immediate, operands) {Registers::registers, Immediate::immediate, operands},
#include "cpu/riscv64/formats.def"
#undef FORMAT
};

constexpr u32 full_key(u32 word) { return (word >> 2 & 31) << 10 | (word >> 12 & 7) << 7 | word >> 25; }
constexpr u32 compressed_key(u32 word) { return (word >> 10 & 63) << 2 | (word & 3); }

// Candidate rows of every key, in table order (specials come before what they overlap), each list ended by kRowCount.
struct Index {
  static constexpr u32 kFullKeys = 1 << 15, kCompressedKeys = 1 << 8;
  std::vector<u16> start;  // by key; compressed keys behind the full ones
  std::vector<u16> rows;

  Index() : start(kFullKeys + kCompressedKeys) {
    rows.push_back(kRowCount);  // the empty list
    std::vector<std::vector<u16>> lists(start.size());
    for (u32 row = 0; row < kRowCount; ++row) {
      const bool full = kRows[row].length == 4;
      const u32 mask = full ? full_key(kRows[row].mask) : compressed_key(kRows[row].mask);
      const u32 match = full ? full_key(kRows[row].match) : compressed_key(kRows[row].match);
      const u32 base = full ? 0 : kFullKeys, count = full ? kFullKeys : kCompressedKeys;
      for (u32 key = 0; key < count; ++key) {
        if ((key & mask) == match) lists[base + key].push_back(static_cast<u16>(row));
      }
    }
    // Most neighbouring keys have the same list: keep one copy of it.
    for (u32 key = 0; key < lists.size(); ++key) {
      if (lists[key].empty()) continue;
      if (key > 0 && lists[key] == lists[key - 1]) {
        start[key] = start[key - 1];
        continue;
      }
      start[key] = static_cast<u16>(rows.size());
      rows.insert(rows.end(), lists[key].begin(), lists[key].end());
      rows.push_back(kRowCount);
    }
  }
};
const Index kIndex;

constexpr u32 field(u32 word, u32 low, u32 width) { return word >> low & ((1u << width) - 1); }
// Bits high..low of the word, placed so that the lowest lands on bit `at`.
constexpr u32 place(u32 word, u32 high, u32 low, u32 at) { return field(word, low, high - low + 1) << at; }
constexpr i64 extend(u32 value, u32 bits) { return static_cast<i32>(value << (32 - bits)) >> (32 - bits); }

i64 immediate_of(Immediate kind, u32 w) {
  switch (kind) {
    case Immediate::none: return 0;
    case Immediate::i: return static_cast<i32>(w) >> 20;
    case Immediate::s: return extend(place(w, 31, 25, 5) | place(w, 11, 7, 0), 12);
    case Immediate::b: return extend(place(w, 31, 31, 12) | place(w, 7, 7, 11) | place(w, 30, 25, 5) | place(w, 11, 8, 1), 13);
    case Immediate::u: return static_cast<i32>(w & 0xfffff000);
    case Immediate::j:
      return extend(place(w, 31, 31, 20) | place(w, 19, 12, 12) | place(w, 20, 20, 11) | place(w, 30, 21, 1), 21);
    case Immediate::shift: return field(w, 20, 6);
    case Immediate::csr: return field(w, 20, 12);
    case Immediate::prefetch: return extend(place(w, 31, 25, 5), 12);
    case Immediate::c_addi4spn:
      return place(w, 12, 11, 4) | place(w, 10, 7, 6) | place(w, 6, 6, 2) | place(w, 5, 5, 3);
    case Immediate::c_word: return place(w, 12, 10, 3) | place(w, 6, 6, 2) | place(w, 5, 5, 6);
    case Immediate::c_double: return place(w, 12, 10, 3) | place(w, 6, 5, 6);
    case Immediate::c_six: return extend(place(w, 12, 12, 5) | place(w, 6, 2, 0), 6);
    case Immediate::c_addi16sp:
      return extend(place(w, 12, 12, 9) | place(w, 6, 6, 4) | place(w, 5, 5, 6) | place(w, 4, 3, 7) | place(w, 2, 2, 5), 10);
    case Immediate::c_upper: return extend(place(w, 12, 12, 17) | place(w, 6, 2, 12), 18);
    case Immediate::c_shift: return place(w, 12, 12, 5) | place(w, 6, 2, 0);
    case Immediate::c_jump:
      return extend(place(w, 12, 12, 11) | place(w, 11, 11, 4) | place(w, 10, 9, 8) | place(w, 8, 8, 10) |
                        place(w, 7, 7, 6) | place(w, 6, 6, 7) | place(w, 5, 3, 1) | place(w, 2, 2, 5),
                    12);
    case Immediate::c_branch:
      return extend(place(w, 12, 12, 8) | place(w, 11, 10, 3) | place(w, 6, 5, 6) | place(w, 4, 3, 1) | place(w, 2, 2, 5), 9);
    case Immediate::c_word_sp: return place(w, 12, 12, 5) | place(w, 6, 4, 2) | place(w, 3, 2, 6);
    case Immediate::c_double_sp: return place(w, 12, 12, 5) | place(w, 6, 5, 3) | place(w, 4, 2, 6);
    case Immediate::c_word_to_sp: return place(w, 12, 9, 2) | place(w, 8, 7, 6);
    case Immediate::c_double_to_sp: return place(w, 12, 10, 3) | place(w, 9, 7, 6);
  }
  return 0;
}

void registers_of(Registers kind, u32 w, Insn& insn) {
  constexpr u8 kRa = 1, kSp = 2;
  const auto set = [&](u32 rd, u32 rs1, u32 rs2) {
    insn.rd = static_cast<u8>(rd);
    insn.rs1 = static_cast<u8>(rs1);
    insn.rs2 = static_cast<u8>(rs2);
  };
  const u32 high = field(w, 7, 5), low = field(w, 2, 5), high3 = 8 + field(w, 7, 3), low3 = 8 + field(w, 2, 3);
  switch (kind) {
    case Registers::full: set(field(w, 7, 5), field(w, 15, 5), field(w, 20, 5)); break;
    case Registers::low3: set(low3, high3, low3); break;
    case Registers::low3_sp: set(low3, kSp, 0); break;
    case Registers::low3_zero: set(0, high3, 0); break;
    case Registers::twice: set(high, high, low); break;
    case Registers::twice3: set(high3, high3, low3); break;
    case Registers::zero: set(high, 0, low); break;
    case Registers::sp: set(high, kSp, low); break;
    case Registers::jump: set(0, high, 0); break;
    case Registers::link: set(kRa, high, 0); break;
    case Registers::nowhere: set(0, 0, 0); break;
  }
}

}  // namespace

const FormatInfo& format_info(Format format) { return kFormats[static_cast<u32>(format)]; }
std::span<const InsnRow> insn_rows() { return kRows; }
bool is_reserved(const InsnRow& row) { return row.handler == translate::reserved; }

bool decode(u32 word, Extensions extensions, Insn& insn) {
  u32 key = 0;
  if ((word & 3) == 3) {
    key = full_key(word);
  } else {
    if (!extensions.has(Extension::c)) return false;
    word &= 0xffff;
    key = Index::kFullKeys + compressed_key(word);
  }
  for (const u16* candidate = &kIndex.rows[kIndex.start[key]]; *candidate != kRowCount; ++candidate) {
    const InsnRow& row = kRows[*candidate];
    if ((word & row.mask) != row.match || !extensions.has(row.extension)) continue;
    if (is_reserved(row)) return false;
    const FormatInfo& format = kFormats[static_cast<u32>(row.format)];
    insn.row = &row;
    insn.bits = word;
    insn.rs3 = static_cast<u8>(word >> 27);
    insn.rm = static_cast<u8>(word >> 12 & 7);
    registers_of(format.registers, word, insn);
    insn.immediate = immediate_of(format.immediate, word);
    return true;
  }
  return false;
}

}  // namespace pagoda::riscv64
