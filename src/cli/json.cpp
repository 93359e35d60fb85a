// SPDX-License-Identifier: MIT
// A JSON reader that makes key=value items.
#include "cli/json.h"

#include <algorithm>
#include <charconv>

namespace pagoda::cli {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<std::vector<KeyValue>> read() {
    TRY(read_value("", 0));
    skip_space();
    if (at_ != text_.size()) return bad("nothing may follow the object");
    return std::move(items_);
  }

 private:
  static constexpr u32 kDeepest = 16;

  std::unexpected<Error> bad(std::string_view what) const { return fail("JSON, character {}: {}", at_ + 1, what); }
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  char next() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  Result<> read_value(const std::string& key, u32 depth) {
    const char first = next();
    if (first == '{' || first == '[') {
      if (depth == kDeepest) return bad("nested too deep");
      return first == '{' ? read_object(key, depth + 1) : read_array(key, depth + 1);
    }
    std::string value;
    if (first == '"' || first == '\'') {
      TRY_ASSIGN(value, read_string());
    } else {
      TRY_ASSIGN(value, read_word());
    }
    items_.push_back({.key = key, .value = std::move(value)});
    return {};
  }

  Result<> read_object(const std::string& key, u32 depth) {
    ++at_;
    if (take('}')) return {};
    std::vector<std::string> names;
    do {
      if (next() != '"' && next() != '\'') return bad("a key in quotes is expected");
      TRY_ASSIGN(const std::string name, read_string());
      if (name.empty()) return bad("an empty key");
      if (std::ranges::find(names, name) != names.end()) return bad(fmt::format("key '{}' is given twice", name));
      names.push_back(name);
      if (!take(':')) return bad("':' is expected");
      TRY(read_value(key.empty() ? name : key + "." + name, depth));
    } while (take(','));
    if (!take('}')) return bad("',' or '}' is expected");
    return {};
  }

  Result<> read_array(const std::string& key, u32 depth) {
    ++at_;
    if (take(']')) return {};
    u32 index = 0;
    do {
      TRY(read_value(fmt::format("{}.{}", key, index++), depth));
    } while (take(','));
    if (!take(']')) return bad("',' or ']' is expected");
    return {};
  }

  // true, false or a number: a number goes on as it is written.
  Result<std::string> read_word() {
    const std::size_t end = std::min(text_.find_first_of(" \t\r\n,:]}", at_), text_.size());
    const std::string word(text_.substr(at_, end - at_));
    if (word.empty()) return bad("a value is expected");
    const bool is_number = word.find_first_not_of("0123456789+-.eE") == std::string::npos;
    if (word != "true" && word != "false" && !is_number)
      return bad(fmt::format("'{}' is no value that an option can have", word));
    at_ = end;
    if (is_number) return word;
    return std::string(word == "true" ? "on" : "off");
  }

  Result<std::string> read_string() {
    const char quote = text_[at_++];
    std::string value;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) return bad("a control character in a string");
      if (text_[at_] != '\\') {
        value += text_[at_];
        continue;
      }
      if (++at_ == text_.size()) break;
      constexpr std::string_view kEscapes = "\"'\\/bfnrt";
      constexpr std::string_view kMeanings = "\"'\\/\b\f\n\r\t";
      if (text_[at_] == 'u') {
        TRY(read_code_point(&value));
      } else if (const std::size_t which = kEscapes.find(text_[at_]); which != std::string_view::npos) {
        value += kMeanings[which];
      } else {
        return bad("an escape that does not exist");
      }
    }
    if (at_ >= text_.size()) return bad("the string does not end");
    ++at_;
    return value;
  }

  // Four hexadecimal digits after the "u" at at_, which is left on the last of them.
  Result<u32> read_unit() {
    u32 unit = 0;
    const std::string_view digits = text_.substr(at_ + 1, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
    if (error != std::errc{} || digits.size() != 4 || end != digits.data() + 4)
      return bad("\\u needs four hexadecimal digits");
    at_ += 4;
    return unit;
  }

  // As UTF-8. A zero would end the name of a file early; half of a surrogate pair is no character.
  Result<> read_code_point(std::string* out) {
    TRY_ASSIGN(u32 code, read_unit());
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_ + 1, 2) == "\\u") {
      at_ += 2;
      TRY_ASSIGN(const u32 low, read_unit());
      if (low < 0xdc00 || low > 0xdfff) return bad("half a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code == 0 || (code >= 0xd800 && code <= 0xdfff)) return bad("a code point that cannot be used");
    const auto add = [out](u32 byte) { *out += static_cast<char>(byte); };
    if (code < 0x80) {
      add(code);
    } else if (code < 0x800) {
      add(0xc0 | code >> 6);
      add(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      add(0xe0 | code >> 12);
      add(0x80 | (code >> 6 & 0x3f));
      add(0x80 | (code & 0x3f));
    } else {
      add(0xf0 | code >> 18);
      add(0x80 | (code >> 12 & 0x3f));
      add(0x80 | (code >> 6 & 0x3f));
      add(0x80 | (code & 0x3f));
    }
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<KeyValue> items_;
};

}  // namespace

Result<std::vector<KeyValue>> parse_json_object(std::string_view text) { return Reader(text).read(); }

Result<std::vector<KeyValue>> parse_items(std::string_view text, std::string_view implied_key) {
  return text.starts_with('{') ? parse_json_object(text) : parse_key_values(text, implied_key);
}

}  // namespace pagoda::cli
