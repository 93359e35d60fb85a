// SPDX-License-Identifier: MIT
// Golden text of RISC-V 64: for every row of the decode tables two instructions with their text and IR, one file for
// each extension.
//
// PAGODA_BLESS=1 writes the files anew: instructions that are there stay, rows that are not get random ones.
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/riscv64/describe.h"
#include "cpu/riscv64/random_insn.h"

namespace pagoda::riscv64 {
namespace {

constexpr u32 kPerRow = 2;

struct Case {
  std::string row, hex;
};

std::string hex_bytes(u32 word) {
  std::string hex;
  for (u32 at = 0; at < instruction_bytes(word); ++at) hex += fmt::format("{:02x}", word >> 8 * at & 0xff);
  return hex;
}

std::string path_of(Extension extension) {
  return fmt::format("{}/golden/riscv64/{}.txt", PAGODA_TEST_DIR, extension_name(extension));
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// An instruction of the row that does something: a destination other than x0, a rounding mode that exists (one case of
// the dynamic one).
u32 telling_instruction(const InsnRow& row, Rng& rng, bool dynamic) {
  const RegisterChoice choice{.d = row.length == 4 && row.name[0] != 'f' ? static_cast<int>(1 + rng() % 31) : -1};
  const auto word = random_instruction(row, rng, choice);
  return set_pattern_field(row.pattern, 'm', dynamic ? 7 : rng() % 5,
                           word ? *word : random_instruction(row, rng).value());
}

// A case starts with "== row hex".
std::vector<Case> cases_of(const std::string& text) {
  std::vector<Case> cases;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string mark;
    Case entry;
    if (words >> mark >> entry.row >> entry.hex && mark == "==") cases.push_back(entry);
  }
  return cases;
}

std::string text_of(const std::vector<Case>& cases) {
  std::string text;
  for (const Case& entry : cases) {
    const auto described = describe_code(entry.hex, described_guest());
    text +=
        fmt::format("== {} {}\n{}", entry.row, entry.hex, described ? *described : described.error().message + "\n");
  }
  return text;
}

TEST(Riscv64Golden, TextAndIrOfEveryRow) {
  const bool bless = std::getenv("PAGODA_BLESS") != nullptr;
  std::map<Extension, std::vector<const InsnRow*>> rows;
  for (const InsnRow& row : insn_rows()) {
    if (!is_reserved(row)) rows[row.needs.first].push_back(&row);
  }
  for (const auto& [extension, members] : rows) {
    const std::string path = path_of(extension), golden = read_file(path);
    const std::vector<Case> old = cases_of(golden);
    std::vector<Case> cases;
    for (const InsnRow* row : members) {
      const std::size_t before = cases.size();
      for (const Case& entry : old) {
        if (entry.row == row->name) cases.push_back(entry);
      }
      Rng rng(row->match);
      while (cases.size() < before + kPerRow) {
        cases.push_back({row->name, hex_bytes(telling_instruction(*row, rng, cases.size() == before))});
      }
    }
    const std::string text = text_of(cases);
    if (bless) {
      std::ofstream(path) << text;
      continue;
    }
    if (text == golden) continue;
    // Show the first line that differs.
    std::istringstream now(text), then(golden);
    std::string a, b, at;
    while (std::getline(now, a) && std::getline(then, b) && a == b) {
      if (a.starts_with("==")) at = a;
    }
    ADD_FAILURE() << path << ", " << at << "\n  now:    " << a << "\n  golden: " << b
                  << "\nIf the change is meant: PAGODA_BLESS=1, then look at the difference.";
  }
}

}  // namespace
}  // namespace pagoda::riscv64
