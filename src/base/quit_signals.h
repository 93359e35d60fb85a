// SPDX-License-Identifier: MIT
// QuitSignals: SIGINT, SIGTERM and SIGHUP as requests for an orderly end.
//
// The first one calls back on the loop's thread, so that files are flushed and the terminal is restored. A second one,
// which means that the orderly end hangs, restores the terminal and ends the program at once with status 128 + N. A
// signal that was ignored when the program started (nohup, a shell's background job) stays ignored. Threading: create
// and destroy on the loop's thread, one at a time in a process.
#pragma once

#include <functional>

#include "base/event_loop.h"

namespace pagoda {

class QuitSignals {
 public:
  // `sender` is the process that sent it, 0 for the terminal's Ctrl-C.
  using Callback = std::function<void(int signal, int sender)>;
  QuitSignals(EventLoop& loop, Callback callback);
  ~QuitSignals();  // default actions again
  QuitSignals(const QuitSignals&) = delete;
  QuitSignals& operator=(const QuitSignals&) = delete;

 private:
  EventLoop& loop_;
  Callback callback_;
};

}  // namespace pagoda
