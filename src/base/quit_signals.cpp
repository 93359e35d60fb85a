// SPDX-License-Identifier: MIT
// The handler writes to an eventfd that the loop watches.
#include "base/quit_signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "base/check.h"
#include "base/terminal.h"

namespace pagoda {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

int event_fd = -1;
std::atomic<int> first_signal{0};
std::atomic<int> first_sender{0};

void on_signal(int number, siginfo_t* info, void*) {
  const int saved_errno = errno;
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, number)) {
    terminal_restore();
    _exit(128 + number);
  }
  first_sender.store(info->si_code <= 0 ? info->si_pid : 0);
  const u64 one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_fd, &one, sizeof(one));
  errno = saved_errno;
}

}  // namespace

QuitSignals::QuitSignals(EventLoop& loop, Callback callback) : loop_(loop), callback_(std::move(callback)) {
  CHECK(event_fd < 0, "a second QuitSignals");
  event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(event_fd >= 0);
  first_signal.store(0);
  loop_.watch(event_fd, POLLIN, [this](short) {
    loop_.unwatch(event_fd);
    callback_(first_signal.load(), first_sender.load());
  });
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : kSignals) {
    struct sigaction old{};
    sigaction(number, nullptr, &old);
    if (old.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

QuitSignals::~QuitSignals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (const int number : kSignals) {
    struct sigaction old{};
    sigaction(number, nullptr, &old);
    if ((old.sa_flags & SA_SIGINFO) != 0 && old.sa_sigaction == on_signal) sigaction(number, &action, nullptr);
  }
  loop_.unwatch(event_fd);
  close(event_fd);
  event_fd = -1;
}

}  // namespace pagoda
