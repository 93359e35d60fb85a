// SPDX-License-Identifier: MIT
// What the command-line tests share: options in one string, the message of an error.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/parse.h"

namespace pagoda::cli {

using Words = std::vector<std::string>;

// Words separated by single spaces.
inline Words split(std::string_view text) {
  Words words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// "pagoda riscv64 OPTIONS".
inline Result<ParsedCommandLine> parse_riscv64(Words options) {
  options.insert(options.begin(), {"/usr/bin/pagoda", "riscv64"});
  return parse(options);
}

inline MachineConfig config_of(const Words& options) {
  auto parsed = parse_riscv64(options);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().message;
    return {};
  }
  EXPECT_EQ(parsed->command, ParsedCommandLine::Command::run);
  return parsed->config;
}
inline MachineConfig config_of(std::string_view options) { return config_of(split(options)); }

inline std::string error_of(const Words& options) {
  const auto parsed = parse_riscv64(options);
  return parsed ? std::string("no error") : parsed.error().message;
}
inline std::string error_of(std::string_view options) { return error_of(split(options)); }

inline std::string text_of(std::string_view options) {
  const auto parsed = parse_riscv64(split(options));
  if (!parsed) return "error: " + parsed.error().message;
  return parsed->command == ParsedCommandLine::Command::print ? parsed->text : "nothing printed";
}

}  // namespace pagoda::cli
