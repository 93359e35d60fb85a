// SPDX-License-Identifier: MIT
// termios and the signals around it.
#include "base/terminal.h"

#include <termios.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <initializer_list>

namespace pagoda {
namespace {

// Written before `active` is set, read by signal handlers after they saw it.
int terminal_fd = -1;
termios saved_settings;
termios raw_settings;
std::atomic<bool> active{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// Setting a terminal that another process group owns would stop this program with SIGTTOU. One that is nobody's, or not
// our session's (-1), never does.
bool owns_terminal() {
  const pid_t owner = tcgetpgrp(terminal_fd);
  return owner == -1 || owner == getpgrp();
}

void apply(const termios& settings) {
  const int saved_errno = errno;
  if (owns_terminal()) tcsetattr(terminal_fd, TCSANOW, &settings);
  errno = saved_errno;
}

void on_crash(int number) {
  terminal_restore();
  raise(number);  // SA_RESETHAND has put the default action back
}

void on_suspend(int number) {
  const int saved_errno = errno;
  if (active.load(std::memory_order_acquire)) apply(saved_settings);
  struct sigaction ours{};
  struct sigaction stop{};
  stop.sa_handler = SIG_DFL;
  sigaction(number, &stop, &ours);
  raise(number);
  // It is blocked while its handler runs: the program stops where it is let through.
  sigset_t just_this, before;
  sigemptyset(&just_this);
  sigaddset(&just_this, number);
  pthread_sigmask(SIG_UNBLOCK, &just_this, &before);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  sigaction(number, &ours, nullptr);
  // Without this an orphaned process group, which cannot stop, would go on with a cooked terminal.
  if (active.load(std::memory_order_acquire)) apply(raw_settings);
  errno = saved_errno;
}

void on_continue(int) {
  if (active.load(std::memory_order_acquire)) apply(raw_settings);
}

// Leaves handlers alone that somebody else installed (a sanitizer, a test).
void install(int number, void (*handler)(int), int flags) {
  struct sigaction old{};
  sigaction(number, nullptr, &old);
  if ((old.sa_flags & SA_SIGINFO) != 0 || old.sa_handler != SIG_DFL) return;
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

void install_handlers() {
  static bool installed = false;
  if (installed) return;
  installed = true;
  std::atexit(terminal_restore);
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGQUIT, SIGTRAP, SIGSYS}) {
    install(number, on_crash, SA_RESETHAND | SA_NODEFER);
  }
  install(SIGTSTP, on_suspend, SA_RESTART);
  install(SIGCONT, on_continue, SA_RESTART);
}

}  // namespace

bool terminal_make_raw(int fd, bool keep_signals) {
  const bool again = active.exchange(false);
  termios settings;
  if (again && fd == terminal_fd) {
    settings = saved_settings;
  } else if (isatty(fd) == 0 || tcgetattr(fd, &settings) != 0) {
    return false;
  }
  terminal_fd = fd;
  saved_settings = settings;
  settings.c_iflag &= ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  // Output processing stays on: messages of ours end in a bare newline.
  settings.c_oflag |= OPOST;
  settings.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN);
  if (!keep_signals) settings.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  settings.c_cflag = (settings.c_cflag & ~static_cast<tcflag_t>(CSIZE | PARENB)) | CS8;
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  raw_settings = settings;
  install_handlers();
  active.store(true, std::memory_order_release);
  // Not only if we own it: started in the background, the program stops here until it is brought to the front.
  tcsetattr(fd, TCSANOW, &settings);
  return true;
}

void terminal_restore() {
  if (active.exchange(false, std::memory_order_acq_rel)) apply(saved_settings);
}

}  // namespace pagoda
