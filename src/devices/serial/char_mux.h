// SPDX-License-Identifier: MIT
// CharMux: input of a shared terminal: which front end it goes to, and the commands after Ctrl-A. No I/O of its own.
//
// Threading: the loop's thread.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/types.h"

namespace pagoda {

class CharMux {
 public:
  struct Hooks {
    std::function<void(std::span<const u8>)> input;  // bytes for the front end with the focus
    std::function<void()> switch_focus;              // Ctrl-A C
    std::function<void()> send_break;                // Ctrl-A B
    std::function<void()> quit;                      // Ctrl-A X
    std::function<void(std::string_view)> say;       // text for the terminal
  };
  explicit CharMux(Hooks hooks) : hooks_(std::move(hooks)) {}
  void feed(std::span<const u8> bytes);

 private:
  void command(u8 key);

  Hooks hooks_;
  bool escaped_ = false;  // the byte before was Ctrl-A
};

}  // namespace pagoda
