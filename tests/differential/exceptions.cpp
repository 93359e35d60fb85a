// SPDX-License-Identifier: MIT
// Reading exceptions.txt and asking it.
#include "differential/exceptions.h"

#include <fstream>
#include <iterator>
#include <sstream>

namespace pagoda {

Result<> Exceptions::read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail("{}: cannot be read", path);
  constexpr const char* kKinds[] = {"pc", "x", "f", "fcsr", "memory"};
  std::string line;
  for (u32 number = 1; std::getline(file, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string row, what, reason;
    if (!(words >> row)) continue;
    if (!(words >> what) || !std::getline(words >> std::ws, reason))
      return fail("{}:{}: needs row, what differs, section and reason", path, number);
    u32 kinds = 0;
    for (u32 i = 0; i < std::size(kKinds); ++i) kinds |= what == kKinds[i] ? 1u << i : 0;
    if (kinds == 0 && what != "all") return fail("{}:{}: '{}' is none of pc x f fcsr memory all", path, number, what);
    entries_.push_back({row, kinds, reason});
  }
  return {};
}

const std::string* Exceptions::no_oracle(std::string_view row) const {
  for (const Entry& entry : entries_) {
    if (entry.row == row && entry.kinds == 0) return &entry.reason;
  }
  return nullptr;
}

bool Exceptions::covers(std::string_view row, u32 kinds) const {
  for (const Entry& entry : entries_) {
    if (entry.row == row) kinds &= ~entry.kinds;
  }
  return kinds == 0;
}

}  // namespace pagoda
