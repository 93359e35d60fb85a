// SPDX-License-Identifier: MIT
// Runs llvm-mc on a file of bytes and lines up what it prints with what it complains about.
#include "decode/llvm_mc.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace pagoda {
namespace {

// What the command prints; its status does not matter.
std::string run(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[4096];
  while (const std::size_t n = fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  pclose(pipe);
  return output;
}

// Lines of the input that are no instruction, by the messages "file:line:column: warning: invalid ...".
std::vector<bool> invalid_lines(const std::string& errors, std::size_t count) {
  std::vector<bool> invalid(count + 1);
  FILE* file = fopen(errors.c_str(), "r");
  if (file == nullptr) return invalid;
  char line[1024];
  while (fgets(line, sizeof line, file) != nullptr) {
    const std::string message = line;
    const auto at = message.find(": warning: invalid");
    if (at == std::string::npos) continue;
    const auto column = message.rfind(':', at - 1), row = message.rfind(':', column - 1);
    const auto number = std::strtoul(message.c_str() + row + 1, nullptr, 10);
    if (number <= count) invalid[number] = true;
  }
  fclose(file);
  return invalid;
}

}  // namespace

std::string llvm_mc() {
  for (const char* name : {"llvm-mc-19", "llvm-mc"}) {
    if (!run(std::string("command -v ") + name).empty()) return name;
  }
  return {};
}

std::vector<std::string> llvm_disassemble(const std::string& arguments, std::span<const OracleWord> words) {
  const std::string path = testing::TempDir() + fmt::format("pagoda_llvm_{}", getpid()), errors = path + ".err";
  FILE* file = fopen(path.c_str(), "w");
  if (file == nullptr) return {};
  for (const auto& [word, length] : words) {
    std::string bytes;
    for (u32 at = 0; at < length; ++at) bytes += fmt::format(" {:#04x}", word >> 8 * at & 0xff);
    fmt::print(file, "[{}]\n", bytes);
  }
  fclose(file);
  std::istringstream lines(run(llvm_mc() + " --disassemble -M no-aliases " + arguments + " " + path + " 2> " + errors));
  const std::vector<bool> invalid = invalid_lines(errors, words.size());
  remove(path.c_str());
  remove(errors.c_str());

  const auto next_line = [&] {
    std::string line;
    while (std::getline(lines, line)) {
      const auto start = line.find_first_not_of(" \t");
      if (start != std::string::npos && line[start] != '.') return line.substr(start);
    }
    return std::string();
  };
  std::vector<std::string> texts(words.size());
  for (std::size_t n = 0; n < words.size(); ++n) {
    if (!invalid[n + 1]) texts[n] = next_line();
  }
  EXPECT_EQ(next_line(), "") << "words and answers do not line up";
  return texts;
}

u64 oracle_words(u64 otherwise) {
  const char* asked = std::getenv("PAGODA_ORACLE_WORDS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : otherwise;
}

}  // namespace pagoda
