// SPDX-License-Identifier: MIT
// "pagoda describe": instruction bytes through decoder, translator and tier 0.
#include "machines/describe.h"

#include <cstdio>

#include "cpu/arm64/describe.h"
#include "cpu/riscv64/describe.h"
#include "cpu/x86_64/describe.h"
#include "tcg/interp/interp.h"

namespace pagoda {
namespace {

struct Row {
  const char* name;
  DescribedGuest (*guest)();
};
constexpr Row kGuests[] = {
    {"arm64", arm64::described_guest},
    {"riscv64", riscv64::described_guest},
    {"x86_64", x86_64::described_guest},
};

}  // namespace

int describe(std::span<const std::string> arguments) {
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "pagoda: {}\n", error.message);
    return 1;
  };
  if (arguments.empty()) return complain(Error{"describe: it wants a guest and bytes: describe riscv64 13050500"});
  const Row* row = nullptr;
  std::string names;
  for (const Row& each : kGuests) {
    if (arguments[0] == each.name) row = &each;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", each.name);
  }
  if (row == nullptr)
    return complain(Error{fmt::format("describe: unknown guest '{}' (there are: {})", arguments[0], names)});
  std::string hex;
  for (const std::string& word : arguments.subspan(1)) hex += word.starts_with("0x") ? word.substr(2) : word;

  DescribedGuest guest = row->guest();
  guest.lowered = [&guest](const ir::Block& block) {
    interp::Lowering lowering(guest.slots, guest.helpers, interp::kAllFusions);
    Unit* unit = lowering.lower(block);
    std::string text = interp::print_code(*unit, guest.slots);
    interp::free_unit(unit);
    return text;
  };
  const auto text = describe_code(hex, guest);
  if (!text) return complain(text.error());
  fmt::print("{}", *text);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace pagoda
