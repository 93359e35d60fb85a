// SPDX-License-Identifier: MIT
// describe: bytes to instructions, IR and the lowered form.
#include "cpu/describe.h"

#include <cctype>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "tcg/ir/builder.h"
#include "tcg/ir/printer.h"

namespace pagoda {
namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

Result<std::vector<u8>> parse_bytes(std::string_view hex) {
  std::vector<u8> bytes;
  int high = -1;
  for (const char c : hex) {
    if (std::isspace(static_cast<unsigned char>(c))) continue;
    const int value = digit(c);
    if (value < 0) return fail("describe: '{}' is not a hexadecimal digit", c);
    if (high < 0) {
      high = value;
    } else {
      bytes.push_back(static_cast<u8>(high << 4 | value));
      high = -1;
    }
  }
  if (high >= 0) return fail("describe: an odd number of hexadecimal digits");
  return bytes;
}

}  // namespace

Result<std::string> describe_code(std::string_view hex, const DescribedGuest& guest) {
  TRY_ASSIGN(const std::vector<u8> bytes, parse_bytes(hex));
  if (bytes.size() < guest.least_bytes || bytes.size() < guest.instruction_length(bytes)) {
    return fail("describe: no whole instruction in {} bytes", bytes.size());
  }
  std::string text;
  std::size_t at = 0;
  u32 count = 0;
  while (at + guest.least_bytes <= bytes.size()) {
    const u32 length = guest.instruction_length(std::span(bytes).subspan(at));
    if (at + length > bytes.size()) break;
    text += guest.lines(std::span(bytes).subspan(at, length), at);
    at += length;
    ++count;
  }
  if (at < bytes.size()) {
    fmt::format_to(std::back_inserter(text), "+{:#x}: {} bytes of an instruction that is cut off\n", at,
                   bytes.size() - at);
  }

  ir::Block block;
  ir::Builder builder;
  builder.start(&block, guest.slots);
  guest.translate(builder, {.code = {.bytes = bytes.data(), .size = static_cast<u32>(bytes.size()), .pc = 0},
                            .mode = guest.mode,
                            .max_insns = count,
                            .features = guest.features});
  text += "ir:\n" + ir::print(block, guest.slots, guest.helpers);
  if (guest.lowered) text += "code:\n" + guest.lowered(block);
  return text;
}

}  // namespace pagoda
