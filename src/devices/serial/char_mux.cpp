// SPDX-License-Identifier: MIT
// Ctrl-A commands, the keys being QEMU's.
#include "devices/serial/char_mux.h"

namespace pagoda {
namespace {
constexpr u8 kEscape = 1;  // Ctrl-A
}  // namespace

void CharMux::feed(std::span<const u8> bytes) {
  std::size_t plain = 0;  // start of what was not handed on yet
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (escaped_) {
      escaped_ = false;
      plain = i + 1;
      command(bytes[i]);
    } else if (bytes[i] == kEscape) {
      if (i > plain) hooks_.input(bytes.subspan(plain, i - plain));
      escaped_ = true;
      plain = i + 1;
    }
  }
  if (plain < bytes.size()) hooks_.input(bytes.subspan(plain));
}

void CharMux::command(u8 key) {
  switch (key) {
    case kEscape:
      hooks_.input({&kEscape, 1});
      break;
    case 'x':
    case 'X':
      hooks_.quit();
      break;
    case 'c':
    case 'C':
      hooks_.switch_focus();
      break;
    case 'b':
    case 'B':
      hooks_.send_break();
      break;
    case 'h':
    case 'H':
    case '?':
      hooks_.say(
          "\r\n"
          "Ctrl-A H       this list\r\n"
          "Ctrl-A X       quit\r\n"
          "Ctrl-A C       switch between guest and monitor\r\n"
          "Ctrl-A B       send a break (magic SysRq)\r\n"
          "Ctrl-A Ctrl-A  send Ctrl-A\r\n");
      break;
    default:
      break;  // as QEMU: an unknown command is swallowed
  }
}

}  // namespace pagoda
