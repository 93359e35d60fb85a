// SPDX-License-Identifier: MIT
// Lists, switches, numbers and sizes as options spell them.
#include "cli/text.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace pagoda::cli {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool has_hex_prefix(std::string_view text) { return text.starts_with("0x") || text.starts_with("0X"); }

// All of `text` as an unsigned number.
std::optional<u64> whole_number(std::string_view text) {
  const bool hex = has_hex_prefix(text);
  const std::string_view digits = hex ? text.substr(2) : text;
  u64 value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  return value;
}

std::optional<u64> suffix_unit(char c) {
  constexpr std::string_view kSuffixes = "bkmgtpe";
  const auto index = kSuffixes.find(static_cast<char>(c | 0x20));
  if (!is_letter(c) || index == std::string_view::npos) return std::nullopt;
  return u64{1} << (10 * index);
}

}  // namespace

Result<std::vector<KeyValue>> parse_key_values(std::string_view text, std::string_view implied_key) {
  std::vector<KeyValue> items;
  std::size_t at = 0;
  bool more = true;
  while (more) {
    KeyValue item;
    const std::size_t stop = std::min(text.find_first_of("=,", at), text.size());
    const bool has_equals = stop < text.size() && text[stop] == '=';
    const bool is_implied = !has_equals && items.empty() && !implied_key.empty();
    if (has_equals) {
      item.key = text.substr(at, stop - at);
      at = stop + 1;
    } else if (is_implied) {
      item.key = implied_key;
    }
    std::string word;
    more = false;
    for (; at < text.size(); ++at) {
      if (text[at] == ',') {
        const bool doubled = at + 1 < text.size() && text[at + 1] == ',';
        if (!doubled) {
          more = true;
          ++at;
          break;
        }
        ++at;
      }
      word += text[at];
    }
    if (has_equals || is_implied) {
      item.value = word;
    } else {
      item.key = word;
      item.has_value = false;
    }
    if (item.key.empty()) return fail("{}", has_equals ? "a key is missing before '='" : "an empty item");
    if (is_implied && item.value.empty()) return fail("the {} is missing", implied_key);
    items.push_back(std::move(item));
  }
  return items;
}

Result<bool> parse_switch(const KeyValue& item) {
  for (const std::string_view word : {"on", "yes", "true", "y"}) {
    if (item.has_value && item.value == word) return true;
  }
  for (const std::string_view word : {"off", "no", "false", "n"}) {
    if (item.has_value && item.value == word) return false;
  }
  if (!item.has_value) return fail("'{}' needs a value: {}=on or {}=off", item.key, item.key, item.key);
  return fail("{}={}: only 'on' or 'off'", item.key, item.value);
}

Result<u64> parse_number(std::string_view text, std::string_view what, u64 least, u64 most) {
  const std::optional<u64> value = whole_number(text);
  if (!value || *value < least || *value > most) {
    if (least == most) return fail("{} must be {}", what, least);
    if (most == ~u64{0}) return fail("{} must be a number from {} up", what, least);
    return fail("{} must be a number from {} to {}", what, least, most);
  }
  return *value;
}

Result<u64> parse_size(std::string_view text, u64 unit) {
  const auto bad = [] { return fail("not a size: a number with an optional suffix k, M, G or T"); };
  if (has_hex_prefix(text)) {  // "b" and "e" are digits here, so suffixes are not taken, as in QEMU
    const std::optional<u64> value = whole_number(text);
    if (!value) return bad();
    if (*value != 0 && unit > ~u64{0} / *value) return fail("too big");
    return *value * unit;
  }
  std::string_view number = text;
  if (!number.empty() && is_letter(number.back())) {
    const std::optional<u64> named = suffix_unit(number.back());
    if (!named) return bad();
    unit = *named;
    number.remove_suffix(1);
  }
  const std::size_t point = number.find('.');
  const std::string_view whole = number.substr(0, point);
  if (whole.empty() || !std::ranges::all_of(whole, is_digit)) return bad();
  const std::optional<u64> value = whole_number(whole);
  if (!value || (*value != 0 && unit > ~u64{0} / *value)) return fail("too big");
  u64 bytes = *value * unit;
  if (point != std::string_view::npos) {
    const std::string_view fraction = number.substr(point + 1);
    if (fraction.empty() || fraction.size() > 9 || !std::ranges::all_of(fraction, is_digit)) return bad();
    u64 scale = 1;
    for (std::size_t i = 0; i < fraction.size(); ++i) scale *= 10;
    const u64 part = static_cast<u64>(static_cast<u128>(*whole_number(fraction)) * unit / scale);
    if (bytes > ~u64{0} - part) return fail("too big");
    bytes += part;
  }
  return bytes;
}

bool is_help(std::string_view value) { return value == "help" || value == "?"; }

Result<> check_id(std::string_view id) {
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_'; };
  if (id.empty() || !is_letter(id[0]) || !std::ranges::all_of(id, allowed)) {
    return fail("id '{}': an id is a letter, then letters, digits, '-', '.' or '_'", id);
  }
  return {};
}

}  // namespace pagoda::cli
