// SPDX-License-Identifier: MIT
// What decode tables of bit patterns have in common: patterns to bits, and the index that finds a word's rows.
//
// A pattern is text from the highest bit down: 0 and 1 are fixed, blanks separate, anything else is free. The index is
// made once from the rows and then only read, by any thread.
#pragma once

#include <algorithm>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace pagoda {

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
// The bits of a word where the pattern has this letter.
constexpr u32 pattern_letter_bits(std::string_view pattern, char letter) {
  u32 bits = 0;
  for (const char c : pattern) {
    if (c != ' ') bits = bits << 1 | (c == letter);
  }
  return bits;
}
// Puts a value into the bits of the word that a pattern names by this letter, lowest value bit to lowest position.
constexpr u32 set_pattern_field(std::string_view pattern, char letter, u32 value, u32 word) {
  const u32 field = pattern_letter_bits(pattern, letter);
  for (u32 bit = 0; bit < 32; ++bit) {
    if ((field >> bit & 1) == 0) continue;
    word = (word & ~(1u << bit)) | (value & 1) << bit;
    value >>= 1;
  }
  return word;
}

// Calls `visit` for every value of a key of `count` (a power of two) that agrees with `match` in the bits of `mask`.
template <class Visit>
void for_each_key(u32 mask, u32 match, u32 count, Visit visit) {
  const u32 free = ~mask & (count - 1);
  for (u32 bits = free;; bits = (bits - 1) & free) {
    visit(match | bits);
    if (bits == 0) break;
  }
}

// Lists of candidates by key, a key being a group and a number within it. The rows of one key are tried in order; a
// candidate that all words satisfy ends each list. Groups whose keys all have the same list share it, which keeps the
// index small enough to stay in the first-level cache.
template <class Candidate, u32 kGroups>
class DecodeIndex {
 public:
  // Makes group number `group`, in the order of numbers, with the rows of each of its keys (a power of two of them).
  template <class CandidateOf>
  void add_group(u32 group, std::span<const std::vector<u16>> rows_of_key, const CandidateOf& candidate_of,
                 const Candidate& end) {
    const bool all_equal = std::ranges::all_of(rows_of_key, [&](const auto& rows) { return rows == rows_of_key[0]; });
    groups_[group] = {static_cast<u16>(lists_.size()), static_cast<u16>(all_equal ? 0 : rows_of_key.size() - 1)};
    for (const auto& rows : rows_of_key.first(all_equal ? 1 : rows_of_key.size())) {
      const auto [at, is_new] = seen_.emplace(rows, static_cast<u16>(candidates_.size()));
      lists_.push_back(at->second);
      if (!is_new) continue;
      for (const u16 row : rows) candidates_.push_back(candidate_of(row));
      candidates_.push_back(end);
    }
  }
  void finish() { seen_.clear(); }

  const Candidate* first(u32 group, u32 key) const {
    const Group& of = groups_[group];
    return &candidates_[lists_[of.first + (key & of.key_mask)]];
  }

 private:
  struct Group {
    u16 first;     // in `lists_`
    u16 key_mask;  // all of the key, or 0
  };
  Group groups_[kGroups] = {};
  std::vector<u16> lists_;  // index of the first candidate
  std::vector<Candidate> candidates_;
  std::map<std::vector<u16>, u16> seen_;  // many keys have the same list: one copy of it
};

}  // namespace pagoda
