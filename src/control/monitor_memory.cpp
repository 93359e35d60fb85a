// SPDX-License-Identifier: MIT
// Addresses and dumps of the monitor.
#include "control/monitor_memory.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace pagoda {
namespace {

constexpr u32 kMostItems = 65536;
constexpr u32 kLongestInstruction = 16;

struct Format {
  u32 count = 1;
  char letter = 'x';
  u32 size = 4;
};

std::optional<u64> number(std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  if (hex) text.remove_prefix(2);
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

std::optional<u64> register_value(const DebugHooks& hooks, u32 vcpu, std::string_view name) {
  for (const DebugFeature& feature : hooks.features) {
    for (const DebugRegister& reg : feature.registers) {
      std::vector<u8> bytes;
      if (reg.name != name || !hooks.read_register(vcpu, reg.number, bytes)) continue;
      u64 value = 0;
      for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 8); ++i) value |= u64{bytes[i]} << (8 * i);
      return value;
    }
  }
  return {};
}

// "/10i" and the like; nothing if it is none.
std::optional<Format> parse_format(std::string_view text) {
  Format format;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (digits != 0) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + digits, format.count);
    if (error != std::errc{} || format.count == 0 || format.count > kMostItems) return {};
  }
  for (const char c : text.substr(digits)) {
    constexpr std::string_view kSizes = "bhwg";
    if (std::string_view("xduoci").find(c) != std::string_view::npos) {
      format.letter = c;
      if (c == 'c') format.size = 1;
    } else if (const auto log = kSizes.find(c); log != std::string_view::npos) {
      format.size = 1u << log;
    } else {
      return {};
    }
  }
  return format;
}

std::string item(u64 value, const Format& format) {
  const u32 bits = format.size * 8;
  switch (format.letter) {
    case 'd': {
      const u32 shift = 64 - bits;
      return fmt::format("{}", static_cast<i64>(value << shift) >> shift);
    }
    case 'u':
      return fmt::format("{}", value);
    case 'o':
      return fmt::format("{:#o}", value);
    case 'c':
      return value >= ' ' && value < 0x7f ? fmt::format("'{}'", static_cast<char>(value))
                                          : fmt::format("'\\x{:02x}'", value);
    default:
      return fmt::format("0x{:0{}x}", value, format.size * 2);
  }
}

std::string unreadable(u64 address) { return fmt::format("{:016x}: Cannot access memory\n", address); }

std::string instructions(const DebugHooks& hooks, u32 vcpu, u64 address, u32 count, bool is_physical) {
  std::string out;
  for (; count != 0; --count) {
    std::byte bytes[kLongestInstruction];
    const u64 got = hooks.read_memory(vcpu, address, bytes, is_physical);
    std::string text;
    const u32 length = hooks.disassemble(address, {reinterpret_cast<const u8*>(bytes), got}, text);
    if (length == 0) return out + unreadable(address);
    std::string word;
    for (u32 i = length; i-- != 0;) word += fmt::format("{:02x}", static_cast<u8>(bytes[i]));
    out += fmt::format("0x{:08x}:  {:<17} {}\n", address, word, text);
    address += length;
  }
  return out;
}

}  // namespace

std::optional<u64> monitor_address(const DebugHooks& hooks, u32 vcpu, std::string_view text, std::string* problem) {
  u64 sum = 0;
  bool minus = false;
  while (true) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    std::string_view term = text.substr(0, text.find_first_of("+- "));
    text.remove_prefix(term.size());
    std::optional<u64> value;
    if (term.starts_with('$')) {
      value = register_value(hooks, vcpu, term.substr(1));
      if (!value) *problem = fmt::format("unknown register '{}'\n", term);
    } else {
      value = number(term);
      if (!value) *problem = term.empty() ? "an address is missing\n" : fmt::format("'{}' is no number\n", term);
    }
    if (!value) return {};
    sum = minus ? sum - *value : sum + *value;
    while (text.starts_with(' ')) text.remove_prefix(1);
    if (text.empty()) return sum;
    if (text[0] != '+' && text[0] != '-') {
      *problem = fmt::format("'{}' is too much\n", text);
      return {};
    }
    minus = text[0] == '-';
    text.remove_prefix(1);
  }
}

std::string monitor_dump(const DebugHooks& hooks, u32 vcpu, std::string_view words, bool is_physical) {
  Format format;
  if (words.starts_with('/')) {
    const std::string_view spec =
        words.substr(1, words.find(' ') == std::string_view::npos ? words.npos : words.find(' ') - 1);
    const auto parsed = parse_format(spec);
    if (!parsed) return fmt::format("'/{}': a count, one of xduoci and one of bhwg\n", spec);
    format = *parsed;
    words.remove_prefix(spec.size() + 1);
  }
  std::string problem;
  const auto start = monitor_address(hooks, vcpu, words, &problem);
  if (!start) return problem;
  if (format.letter == 'i') return instructions(hooks, vcpu, *start, format.count, is_physical);
  constexpr u32 kLineBytes = 16;
  const u32 in_line = format.letter == 'c' ? 8 : kLineBytes / format.size;
  std::string out;
  u64 address = *start;
  for (u32 i = 0; i < format.count; ++i, address += format.size) {
    std::byte bytes[8];
    const auto piece = std::span(bytes).first(format.size);
    if (hooks.read_memory(vcpu, address, piece, is_physical) != format.size) {
      return out + (i % in_line == 0 ? "" : "\n") + unreadable(address);
    }
    u64 value = 0;
    for (u32 k = 0; k < format.size; ++k) value |= u64{static_cast<u8>(bytes[k])} << (8 * k);
    if (i % in_line == 0) out += fmt::format("{}{:016x}:", i == 0 ? "" : "\n", address);
    out += ' ';
    out += item(value, format);
  }
  return out + "\n";
}

}  // namespace pagoda
