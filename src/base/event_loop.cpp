// SPDX-License-Identifier: MIT
// The poll(2) loop.
#include "base/event_loop.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cerrno>

#include "base/check.h"

namespace pagoda {

EventLoop::EventLoop() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { CHECK(wake_fd_ >= 0); }
EventLoop::~EventLoop() { close(wake_fd_); }

void EventLoop::watch(int fd, short events, std::function<void(short)> callback) {
  watches_[fd] = Watch{events, std::move(callback)};
}

void EventLoop::unwatch(int fd) { watches_.erase(fd); }

void EventLoop::post(std::function<void()> function) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(function));
  }
  wake();
}

void EventLoop::wake() {
  const u64 one = 1;
  const int saved_errno = errno;
  // A full counter (EAGAIN) means that a wake-up is already pending.
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof(one));
  errno = saved_errno;
}

void EventLoop::stop() {
  stopped_.store(true, std::memory_order_release);
  wake();
}

void EventLoop::run_posted() {
  std::vector<std::function<void()>> functions;
  {
    const std::lock_guard lock(mutex_);
    functions.swap(posted_);
  }
  for (auto& function : functions) function();
}

void EventLoop::run() {
  std::vector<pollfd> fds;
  while (!stopped_.load(std::memory_order_acquire)) {
    run_posted();
    const std::optional<u64> wait_ns = before_wait_ ? before_wait_() : std::nullopt;
    if (stopped_.load(std::memory_order_acquire)) return;
    fds.assign(1, pollfd{wake_fd_, POLLIN, 0});
    for (const auto& [fd, watch] : watches_) fds.push_back(pollfd{fd, watch.events, 0});
    timespec timeout{};
    if (wait_ns) {
      timeout.tv_sec = static_cast<time_t>(*wait_ns / 1'000'000'000);
      timeout.tv_nsec = static_cast<long>(*wait_ns % 1'000'000'000);
    }
    const int ready = ppoll(fds.data(), fds.size(), wait_ns ? &timeout : nullptr, nullptr);
    if (ready < 0) {
      CHECK(errno == EINTR, "ppoll: errno {}", errno);
      continue;
    }
    if (fds[0].revents != 0) {
      u64 count = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &count, sizeof(count));
    }
    for (std::size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      const auto it = watches_.find(fds[i].fd);  // an earlier callback may have removed it
      if (it == watches_.end()) continue;
      const auto callback = it->second.callback;
      callback(fds[i].revents);
    }
  }
}

}  // namespace pagoda
