// SPDX-License-Identifier: MIT
// "pagoda describe": instruction bytes through decoder, translator and tier 0.
#include "machines/describe.h"

#include <cstdio>

#include "cpu/riscv64/describe.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "tcg/interp/interp.h"

namespace pagoda {

int describe(std::span<const std::string> arguments) {
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "pagoda: {}\n", error.message);
    return 1;
  };
  if (arguments.empty()) return complain(Error{"describe: it wants a guest and bytes: describe riscv64 13050500"});
  if (arguments[0] != "riscv64") return complain(Error{fmt::format("describe: unknown guest '{}'", arguments[0])});
  std::string hex;
  for (const std::string& word : arguments.subspan(1)) hex += word.starts_with("0x") ? word.substr(2) : word;

  riscv64::DescribeOptions options = riscv64::default_describe_options();
  options.lowered = [](const ir::Block& block) {
    const Guest& guest = riscv64_guest();
    interp::Lowering lowering(guest.slots, guest.helpers, interp::kAllFusions);
    Unit* unit = lowering.lower(block);
    std::string text = interp::print_code(*unit, guest.slots);
    interp::free_unit(unit);
    return text;
  };
  const auto text = riscv64::describe(hex, options);
  if (!text) return complain(text.error());
  fmt::print("{}", *text);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace pagoda
