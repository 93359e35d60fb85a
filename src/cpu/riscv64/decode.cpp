// SPDX-License-Identifier: MIT
// Decoder: tables and index. Words are looked up by opcode, funct3 and funct7 (16-bit ones by their top six and lowest
// two bits); what remains is a list of a few rows.
#include "cpu/riscv64/decode.h"

#include <initializer_list>
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

}  // namespace
bool is_reserved(const InsnRow& row) { return row.handler == translate::reserved; }
namespace {

// What a row asks of a word, next to those it competes with, and what decoding needs of the row: half a cache line.
struct Candidate {
  u32 mask, match;
  u64 needs;  // Requirement::all[0]; the other one is looked up when this is not met
  Handler handler;
  u16 row;  // kRowCount: no instruction
  Immediate immediate;
  Registers registers;
};
static_assert(sizeof(Candidate) == 32);

Candidate candidate_of(u16 row) {
  const InsnRow& r = kRows[row];
  const FormatInfo& format = kFormats[static_cast<u32>(r.format)];
  return {.mask = r.mask,
          .match = r.match,
          .needs = r.needs.all[0],
          .handler = r.handler,
          .row = is_reserved(r) ? static_cast<u16>(kRowCount) : row,
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
  constexpr Candidate end{
      .mask = 0, .match = 0, .needs = 0, .handler = nullptr, .row = kRowCount, .immediate = {}, .registers = {}};
  Index index;
  for (u32 group = 0; group <= kFullGroups; ++group) {
    const u32 count = group < kFullGroups ? 1 << kFunct7Bits : kCompressedKeys;
    index.add_group(group, std::span(rows_of.begin() + (group << kFunct7Bits), count), candidate_of, end);
  }
  index.finish();
  return index;
}();

// Bits high..low of a word, placed so that the lowest lands on bit `at` of the immediate.
struct Piece {
  u8 high, low, at;
};
// An immediate as a sum: bits of equal distance together, moved by a multiplication whose upper half is the result.
// That has no branch: words of all kinds alternate, and a switch over kinds would be mispredicted at every other one.
struct ImmediateLayout {
  static constexpr u32 kTerms = 6;
  u64 factor[kTerms] = {};
  u32 mask[kTerms] = {};
  u64 sign = 0;  // the bit to extend; 0: none

  i64 of(u32 word) const {
    u64 sum = 0;
    for (u32 i = 0; i < kTerms; ++i) sum += (word & mask[i]) * factor[i];
    return static_cast<i64>((sum >> 32 ^ sign) - sign);
  }
};
// `width` is that of the signed immediate; 0: it is unsigned.
consteval ImmediateLayout immediate_layout(u32 width, std::initializer_list<Piece> pieces) {
  ImmediateLayout layout;
  if (width != 0) layout.sign = u64{1} << (width - 1);
  for (const Piece piece : pieces) {
    const u64 factor = u64{1} << (32 + piece.at - piece.low);
    u32 term = 0;
    while (layout.mask[term] != 0 && layout.factor[term] != factor) ++term;  // too many terms: a compile error
    layout.factor[term] = factor;
    layout.mask[term] |= ((u32{2} << (piece.high - piece.low)) - 1) << piece.low;
  }
  return layout;
}

constexpr ImmediateLayout kImmediates[] = {
    immediate_layout(0, {}),                                                          // none
    immediate_layout(12, {{31, 20, 0}}),                                              // i
    immediate_layout(12, {{31, 25, 5}, {11, 7, 0}}),                                  // s
    immediate_layout(13, {{31, 31, 12}, {7, 7, 11}, {30, 25, 5}, {11, 8, 1}}),        // b
    immediate_layout(32, {{31, 12, 12}}),                                             // u
    immediate_layout(21, {{31, 31, 20}, {19, 12, 12}, {20, 20, 11}, {30, 21, 1}}),    // j
    immediate_layout(0, {{25, 20, 0}}),                                               // shift
    immediate_layout(0, {{31, 20, 0}}),                                               // csr
    immediate_layout(12, {{31, 25, 5}}),                                              // prefetch
    immediate_layout(0, {{23, 20, 0}}),                                               // round_number
    immediate_layout(0, {{31, 30, 0}}),                                               // byte_select
    immediate_layout(0, {{12, 11, 4}, {10, 7, 6}, {6, 6, 2}, {5, 5, 3}}),             // c_addi4spn
    immediate_layout(0, {{6, 6, 0}, {5, 5, 1}}),                                      // c_byte
    immediate_layout(0, {{5, 5, 1}}),                                                 // c_half
    immediate_layout(0, {{12, 10, 3}, {6, 6, 2}, {5, 5, 6}}),                         // c_word
    immediate_layout(0, {{12, 10, 3}, {6, 5, 6}}),                                    // c_double
    immediate_layout(6, {{12, 12, 5}, {6, 2, 0}}),                                    // c_six
    immediate_layout(10, {{12, 12, 9}, {6, 6, 4}, {5, 5, 6}, {4, 3, 7}, {2, 2, 5}}),  // c_addi16sp
    immediate_layout(18, {{12, 12, 17}, {6, 2, 12}}),                                 // c_upper
    immediate_layout(0, {{12, 12, 5}, {6, 2, 0}}),                                    // c_shift
    immediate_layout(
        12, {{12, 12, 11}, {11, 11, 4}, {10, 9, 8}, {8, 8, 10}, {7, 7, 6}, {6, 6, 7}, {5, 3, 1}, {2, 2, 5}}),  // c_jump
    immediate_layout(9, {{12, 12, 8}, {11, 10, 3}, {6, 5, 6}, {4, 3, 1}, {2, 2, 5}}),  // c_branch
    immediate_layout(0, {{12, 12, 5}, {6, 4, 2}, {3, 2, 6}}),                          // c_word_sp
    immediate_layout(0, {{12, 12, 5}, {6, 5, 3}, {4, 2, 6}}),                          // c_double_sp
    immediate_layout(0, {{12, 9, 2}, {8, 7, 6}}),                                      // c_word_to_sp
    immediate_layout(0, {{12, 10, 3}, {9, 7, 6}}),                                     // c_double_to_sp
};
static_assert(std::size(kImmediates) == static_cast<u32>(Immediate::c_double_to_sp) + 1);

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
  while ((word & candidate->mask) != candidate->match ||
         ((extensions.bits & candidate->needs) != candidate->needs && !kRows[candidate->row].needs.met(extensions))) {
    ++candidate;
  }
  if (candidate->row == kRowCount) return false;
  const RegisterLayout& layout = kLayouts[static_cast<u32>(candidate->registers)];
  insn.row = &kRows[candidate->row];
  insn.handler = candidate->handler;
  insn.bits = word;
  insn.rd = layout.rd.of(word);
  insn.rs1 = layout.rs1.of(word);
  insn.rs2 = layout.rs2.of(word);
  insn.rs3 = static_cast<u8>(word >> 27);
  insn.rm = static_cast<u8>(word >> 12 & 7);
  insn.immediate = kImmediates[static_cast<u32>(candidate->immediate)].of(word);
  return true;
}

}  // namespace pagoda::riscv64
