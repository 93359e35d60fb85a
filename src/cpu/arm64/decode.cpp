// SPDX-License-Identifier: MIT
// Decoder: the tables and their index. Words are looked up by bits 31-21 and, where those do not suffice, 15-10.
#include "cpu/arm64/decode.h"

#include <bit>
#include <iterator>
#include <vector>

#include "cpu/arm64/constraints.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/decode_table.h"

namespace pagoda::arm64 {
namespace {

consteval InsnRow make_row(const char* name, const char* pattern, Feature needs, bool (*constraint)(u32),
                           const char* text, Handler handler) {
  if (pattern_width(pattern) != 32) throw "pattern of a wrong width";  // a compile error
  return {name, pattern, pattern_bits(pattern, false), pattern_bits(pattern, true), needs, constraint, text, handler};
}

constexpr InsnRow kRows[] = {
#define INSN(name, pattern, feature, constraint, text, handler) \
  make_row(#name, pattern, Feature::feature, constraints::constraint, text, translate::handler),
#include "cpu/arm64/all.insns"
#undef INSN
};
constexpr u32 kRowCount = std::size(kRows);

struct Candidate {
  u32 mask, match;
  bool (*constraint)(u32 word);
  u16 row;
  Feature needs;
};

constexpr u32 kGroupBits = 11, kKeyBits = 6;
constexpr u32 group_of(u32 word) { return word >> (32 - kGroupBits); }
constexpr u32 key_of(u32 word) { return word >> 10 & ((1u << kKeyBits) - 1); }

using Index = DecodeIndex<Candidate, 1 << kGroupBits>;
const Index kIndex = [] {
  constexpr u32 groups = 1 << kGroupBits, keys = 1 << kKeyBits;
  std::vector<std::vector<u16>> rows_of(groups * keys);
  for (u32 row = 0; row < kRowCount; ++row) {
    const InsnRow& r = kRows[row];
    for_each_key(group_of(r.mask), group_of(r.match), groups, [&](u32 group) {
      for_each_key(key_of(r.mask), key_of(r.match), keys,
                   [&](u32 key) { rows_of[group * keys + key].push_back(static_cast<u16>(row)); });
    });
  }
  const auto candidate_of = [](u16 row) {
    return Candidate{kRows[row].mask, kRows[row].match, kRows[row].constraint, row, kRows[row].needs};
  };
  constexpr Candidate end{0, 0, nullptr, kRowCount, Feature::base};
  Index index;
  for (u32 group = 0; group < groups; ++group) {
    index.add_group(group, std::span(rows_of.begin() + group * keys, keys), candidate_of, end);
  }
  index.finish();
  return index;
}();

}  // namespace

std::span<const InsnRow> insn_rows() { return kRows; }

const char* feature_name(Feature feature) {
  constexpr const char* names[] = {
#define FEATURE(name, official, meaning) official,
#include "cpu/arm64/features.def"
#undef FEATURE
  };
  return names[static_cast<u32>(feature)];
}

bool decode(u32 word, Features features, Insn& insn) {
  const Candidate* candidate = kIndex.first(group_of(word), key_of(word));
  while ((word & candidate->mask) != candidate->match ||
         (candidate->constraint != nullptr && !candidate->constraint(word))) {
    ++candidate;
  }
  if (candidate->row == kRowCount || !features.has(candidate->needs)) return false;
  insn = {&kRows[candidate->row], word};
  return true;
}

u64 bit_mask(u32 n, u32 imms, u32 immr) {
  const u32 size = 1u << (31 - std::countl_zero(n << 6 | (~imms & 63)));
  const u32 ones = (imms & (size - 1)) + 1, rotation = immr & (size - 1);
  const u64 element_mask = size == 64 ? ~u64{0} : (u64{1} << size) - 1;
  u64 element = (u64{1} << ones) - 1;  // ones < size <= 64
  if (rotation != 0) element = (element >> rotation | element << (size - rotation)) & element_mask;
  for (u32 width = size; width < 64; width *= 2) element |= element << width;
  return element;
}

}  // namespace pagoda::arm64
