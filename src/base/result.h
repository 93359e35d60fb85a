// SPDX-License-Identifier: MIT
// Result<T>: a value, or one line saying what the user can mend (an option, a file).
//
// Use it for configuration and files only. A guest's mistakes go to the guest_error log, our own bugs to CHECK.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace pagoda {

// One line without a trailing newline; it names the option or the file.
struct Error {
  std::string message;
};

template <class T = void>
using Result = std::expected<T, Error>;

template <class... Args>
std::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace pagoda

#define PAGODA_CONCAT2(a, b) a##b
#define PAGODA_CONCAT(a, b) PAGODA_CONCAT2(a, b)

// TRY(expr): leaves the function with the error of a failed Result<void>.
#define TRY(...)                                             \
  do {                                                       \
    if (auto try_result = (__VA_ARGS__); !try_result) {      \
      return std::unexpected(std::move(try_result.error())); \
    }                                                        \
  } while (false)

// TRY_ASSIGN(auto x, expr): the value of a Result<T>, or leave with its error.
#define TRY_ASSIGN(target, ...) TRY_ASSIGN_IMPL(PAGODA_CONCAT(try_value_, __LINE__), target, __VA_ARGS__)
#define TRY_ASSIGN_IMPL(name, target, ...)                    \
  auto name = (__VA_ARGS__);                                  \
  if (!name) return std::unexpected(std::move(name.error())); \
  target = std::move(*name)
