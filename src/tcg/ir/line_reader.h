// SPDX-License-Identifier: MIT
// The words, numbers and signs of a line of IR text, and errors that say where.
#pragma once

#include <charconv>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/types.h"

namespace pagoda::ir {

class LineReader {
 public:
  // A comment at the line's end does not count.
  void begin_line(std::string_view line) {
    line_ = line.substr(0, line.find('#'));
    at_ = 0;
    ++line_number_;
    skip_blanks();
  }
  std::string_view rest() const { return line_.substr(at_); }
  size_t position() const { return at_; }
  void go_to(size_t position) { at_ = position; }

  template <class... Args>
  std::unexpected<Error> error(fmt::format_string<Args...> format, Args&&... args) {
    return fail("line {}, column {}: {}", line_number_, at_ + 1, fmt::format(format, std::forward<Args>(args)...));
  }

  bool at_end() const { return at_ >= line_.size(); }
  void skip_blanks() {
    while (!at_end() && (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r')) ++at_;
  }
  bool accept(char c) {
    skip_blanks();
    return accept_here(c);
  }
  Result<> expect(char c) {
    if (!accept(c)) return error("expected '{}'", c);
    return {};
  }
  std::string_view peek_word() {
    skip_blanks();
    size_t end = at_;
    while (end < line_.size() && is_word(line_[end])) ++end;
    return line_.substr(at_, end - at_);
  }
  // Behind a word that peek_word() gave.
  void skip(std::string_view word) { at_ += word.size(); }
  // Without blanks before it.
  bool accept_here(char c) {
    if (at_end() || line_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool accept_word(std::string_view word) {
    if (peek_word() != word) return false;
    skip(word);
    return true;
  }
  Result<u64> number() {
    const std::string_view word = peek_word();
    const bool hex = word.starts_with("0x");
    const char* first = word.data() + (hex ? 2 : 0);
    const char* last = word.data() + word.size();
    u64 value = 0;
    const auto [end, failure] = std::from_chars(first, last, value, hex ? 16 : 10);
    if (word.empty() || failure != std::errc() || end != last) return error("expected a number");
    skip(word);
    return value;
  }
  Result<i64> offset() {
    const bool minus = accept('-');
    if (!minus && !accept('+')) return error("expected an offset, with its sign");
    TRY_ASSIGN(const u64 value, number());
    return static_cast<i64>(minus ? -value : value);
  }
  // Number of the word in a list of names.
  template <size_t N>
  Result<u32> name_in(const char* const (&names)[N], const char* what) {
    const std::string_view word = peek_word();
    for (u32 i = 0; i < N; ++i) {
      if (word == names[i]) {
        skip(word);
        return i;
      }
    }
    return error("'{}' is no {}", word, what);
  }
  Result<u32> value_number() {
    const std::string_view word = peek_word();
    u32 value = 0;
    if (word.size() < 2 || word[0] != 'v') return error("expected a value");
    const auto [end, failure] = std::from_chars(word.data() + 1, word.data() + word.size(), value);
    if (failure != std::errc() || end != word.data() + word.size()) return error("expected a value");
    return value;
  }

 private:
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }

  std::string_view line_;
  size_t at_ = 0;
  u32 line_number_ = 0;
};

}  // namespace pagoda::ir
