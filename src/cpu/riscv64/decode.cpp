// SPDX-License-Identifier: MIT
// Decoder: tables and index. Words are looked up by opcode, funct3 and funct7 (16-bit ones by their top six and lowest
// two bits); what remains is a list of a few rows.
#include "cpu/riscv64/decode.h"

#include <iterator>
#include <vector>

#include "cpu/decode_table.h"
#include "cpu/riscv64/translate/handlers.h"

namespace pagoda::riscv64 {
namespace {

template <u32 kWidth>
consteval InsnRow make_row(const char* name, const char* pattern, Requirement needs, Format format, bool special,
                           Handler handler) {
  if (pattern_width(pattern) != kWidth) throw "pattern of a wrong width";  // a compile error
  return {name,    pattern, pattern_bits(pattern, false), pattern_bits(pattern, true), kWidth / 8, needs, format,
          special, handler};
}

// The extension column is an expression of enumerators.
#define NEEDS(extension)  \
  []() -> Requirement {   \
    using enum Extension; \
    return extension;     \
  }()
#define INSN(name, pattern, extension, format, handler) \
  make_row<kWidth>(name, pattern, NEEDS(extension), Format::format, false, translate::handler),
#define SPECIAL(name, pattern, extension, format, handler) \
  make_row<kWidth>(name, pattern, NEEDS(extension), Format::format, true, translate::handler),
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
#undef NEEDS
constexpr u32 kRowCount = sizeof(kRows) / sizeof(kRows[0]);

constexpr FormatInfo kFormats[] = {
#define FORMAT(id, registers, immediate, operands) {Registers::registers, Immediate::immediate, operands},
#include "cpu/riscv64/formats.def"
#undef FORMAT
};

constexpr u32 full_key(u32 word) { return (word >> 2 & 31) << 10 | (word >> 12 & 7) << 7 | word >> 25; }
constexpr u32 compressed_key(u32 word) { return (word >> 10 & 63) << 2 | (word & 3); }

// What a row asks of a word, next to those it competes with, and what decoding needs of the row: half a cache line.
struct Candidate {
  u32 mask, match;
  u64 needs[2];  // Requirement::all
  u16 row;
  Immediate immediate;
  Registers registers;
};
static_assert(sizeof(Candidate) == 32);

Candidate candidate_of(u16 row) {
  const InsnRow& r = kRows[row];
  const FormatInfo& format = kFormats[static_cast<u32>(r.format)];
  return {.mask = r.mask,
          .match = r.match,
          .needs = {r.needs.all[0], r.needs.all[1]},
          .row = row,
          .immediate = format.immediate,
          .registers = format.registers};
}

// One group for each opcode and funct3, keyed by funct7 (where funct7 does not matter, as for most of the immediates,
// the keys share one list); the last group is that of the 16-bit instructions. Specials come before what they overlap.
constexpr u32 kFunct7Bits = 7, kFullGroups = 1 << 8, kCompressedKeys = 1 << 8;
using Index = DecodeIndex<Candidate, kFullGroups + 1>;
const Index kIndex = [] {
  constexpr u32 kFullKeys = kFullGroups << kFunct7Bits;
  std::vector<std::vector<u16>> rows_of(kFullKeys + kCompressedKeys);
  for (u32 row = 0; row < kRowCount; ++row) {
    const bool full = kRows[row].length == 4;
    const u32 mask = full ? full_key(kRows[row].mask) : compressed_key(kRows[row].mask);
    const u32 match = full ? full_key(kRows[row].match) : compressed_key(kRows[row].match);
    const u32 base = full ? 0 : kFullKeys, count = full ? kFullKeys : kCompressedKeys;
    for_each_key(mask, match, count, [&](u32 key) { rows_of[base + key].push_back(static_cast<u16>(row)); });
  }
  constexpr Candidate end{.mask = 0, .match = 0, .needs = {}, .row = kRowCount, .immediate = {}, .registers = {}};
  Index index;
  for (u32 group = 0; group <= kFullGroups; ++group) {
    const u32 count = group < kFullGroups ? 1 << kFunct7Bits : kCompressedKeys;
    index.add_group(group, std::span(rows_of.begin() + (group << kFunct7Bits), count), candidate_of, end);
  }
  index.finish();
  return index;
}();

constexpr u32 field(u32 word, u32 low, u32 width) { return word >> low & ((1u << width) - 1); }
// Bits high..low of the word, placed so that the lowest lands on bit `at`.
constexpr u32 place(u32 word, u32 high, u32 low, u32 at) { return field(word, low, high - low + 1) << at; }
constexpr i64 extend(u32 value, u32 bits) { return static_cast<i32>(value << (32 - bits)) >> (32 - bits); }

i64 immediate_of(Immediate kind, u32 w) {
  switch (kind) {
    case Immediate::none:
      return 0;
    case Immediate::i:
      return static_cast<i32>(w) >> 20;
    case Immediate::s:
      return extend(place(w, 31, 25, 5) | place(w, 11, 7, 0), 12);
    case Immediate::b:
      return extend(place(w, 31, 31, 12) | place(w, 7, 7, 11) | place(w, 30, 25, 5) | place(w, 11, 8, 1), 13);
    case Immediate::u:
      return static_cast<i32>(w & 0xfffff000);
    case Immediate::j:
      return extend(place(w, 31, 31, 20) | place(w, 19, 12, 12) | place(w, 20, 20, 11) | place(w, 30, 21, 1), 21);
    case Immediate::shift:
      return field(w, 20, 6);
    case Immediate::csr:
      return field(w, 20, 12);
    case Immediate::prefetch:
      return extend(place(w, 31, 25, 5), 12);
    case Immediate::round_number:
      return field(w, 20, 4);
    case Immediate::byte_select:
      return field(w, 30, 2);
    case Immediate::c_byte:
      return place(w, 6, 6, 0) | place(w, 5, 5, 1);
    case Immediate::c_half:
      return place(w, 5, 5, 1);
    case Immediate::c_addi4spn:
      return place(w, 12, 11, 4) | place(w, 10, 7, 6) | place(w, 6, 6, 2) | place(w, 5, 5, 3);
    case Immediate::c_word:
      return place(w, 12, 10, 3) | place(w, 6, 6, 2) | place(w, 5, 5, 6);
    case Immediate::c_double:
      return place(w, 12, 10, 3) | place(w, 6, 5, 6);
    case Immediate::c_six:
      return extend(place(w, 12, 12, 5) | place(w, 6, 2, 0), 6);
    case Immediate::c_addi16sp:
      return extend(place(w, 12, 12, 9) | place(w, 6, 6, 4) | place(w, 5, 5, 6) | place(w, 4, 3, 7) | place(w, 2, 2, 5),
                    10);
    case Immediate::c_upper:
      return extend(place(w, 12, 12, 17) | place(w, 6, 2, 12), 18);
    case Immediate::c_shift:
      return place(w, 12, 12, 5) | place(w, 6, 2, 0);
    case Immediate::c_jump:
      return extend(place(w, 12, 12, 11) | place(w, 11, 11, 4) | place(w, 10, 9, 8) | place(w, 8, 8, 10) |
                        place(w, 7, 7, 6) | place(w, 6, 6, 7) | place(w, 5, 3, 1) | place(w, 2, 2, 5),
                    12);
    case Immediate::c_branch:
      return extend(
          place(w, 12, 12, 8) | place(w, 11, 10, 3) | place(w, 6, 5, 6) | place(w, 4, 3, 1) | place(w, 2, 2, 5), 9);
    case Immediate::c_word_sp:
      return place(w, 12, 12, 5) | place(w, 6, 4, 2) | place(w, 3, 2, 6);
    case Immediate::c_double_sp:
      return place(w, 12, 12, 5) | place(w, 6, 5, 3) | place(w, 4, 2, 6);
    case Immediate::c_word_to_sp:
      return place(w, 12, 9, 2) | place(w, 8, 7, 6);
    case Immediate::c_double_to_sp:
      return place(w, 12, 10, 3) | place(w, 9, 7, 6);
  }
  return 0;
}

// One register operand: (word >> shift & mask) | fixed.
struct RegisterField {
  u8 shift, mask, fixed;
  constexpr u8 of(u32 word) const { return static_cast<u8>((word >> shift & mask) | fixed); }
};
struct RegisterLayout {
  RegisterField rd, rs1, rs2;
};
constexpr RegisterField kX0{0, 0, 0}, kRa{0, 0, 1}, kSp{0, 0, 2}, kHigh{7, 31, 0}, kLow{2, 31, 0}, kHigh3{7, 7, 8},
    kLow3{2, 7, 8};
constexpr RegisterLayout kLayouts[] = {
    {{7, 31, 0}, {15, 31, 0}, {20, 31, 0}},  // full
    {kLow3, kHigh3, kLow3},                  // low3
    {kLow3, kSp, kX0},                       // low3_sp
    {kX0, kHigh3, kX0},                      // low3_zero
    {kHigh, kHigh, kLow},                    // twice
    {kHigh3, kHigh3, kLow3},                 // twice3
    {kHigh, kX0, kLow},                      // zero
    {kHigh, kSp, kLow},                      // sp
    {kX0, kHigh, kX0},                       // jump
    {kRa, kHigh, kX0},                       // link
    {kX0, kX0, kX0},                         // nowhere
};
static_assert(std::size(kLayouts) == static_cast<u32>(Registers::nowhere) + 1);

}  // namespace

const FormatInfo& format_info(Format format) { return kFormats[static_cast<u32>(format)]; }
std::span<const InsnRow> insn_rows() { return kRows; }
bool is_reserved(const InsnRow& row) { return row.handler == translate::reserved; }

bool decode(u32 word, Extensions extensions, Insn& insn) {
  const Candidate* candidate = nullptr;
  if ((word & 3) == 3) {
    const u32 key = full_key(word);
    candidate = kIndex.first(key >> kFunct7Bits, key);
  } else {
    if (!extensions.has(Extension::zca)) return false;
    word &= 0xffff;
    candidate = kIndex.first(kFullGroups, compressed_key(word));
  }
  const auto is_met = [&](u64 needs) { return (extensions.bits & needs) == needs; };
  while ((word & candidate->mask) != candidate->match ||
         !(is_met(candidate->needs[0]) || is_met(candidate->needs[1]))) {
    ++candidate;
  }
  if (candidate->row == kRowCount) return false;
  const InsnRow& row = kRows[candidate->row];
  if (is_reserved(row)) return false;
  const RegisterLayout& layout = kLayouts[static_cast<u32>(candidate->registers)];
  insn.row = &row;
  insn.bits = word;
  insn.rd = layout.rd.of(word);
  insn.rs1 = layout.rs1.of(word);
  insn.rs2 = layout.rs2.of(word);
  insn.rs3 = static_cast<u8>(word >> 27);
  insn.rm = static_cast<u8>(word >> 12 & 7);
  insn.immediate = immediate_of(candidate->immediate, word);
  return true;
}

}  // namespace pagoda::riscv64
