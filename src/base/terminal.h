// SPDX-License-Identifier: MIT
// Raw mode of the terminal on standard input, undone on every way out: return from main, exit(), a crash (SIGABRT,
// SIGSEGV and their like, where nobody else handles them), suspension (SIGTSTP, undone again by SIGCONT).
//
// Threading: terminal_make_raw on one thread; terminal_restore from any, also from a signal handler.
#pragma once

namespace pagoda {

// No echo, no line editing, no flow control by Ctrl-S; `keep_signals` leaves Ctrl-C, Ctrl-\ and Ctrl-Z their meaning.
// False, and nothing changed, if `fd` is no terminal. One terminal a process: a second call replaces the settings.
bool terminal_make_raw(int fd, bool keep_signals);

// As it was before the first terminal_make_raw. Does nothing when there is nothing to restore.
void terminal_restore();

}  // namespace pagoda
