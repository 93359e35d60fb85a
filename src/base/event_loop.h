// SPDX-License-Identifier: MIT
// EventLoop: one thread's poll(2) loop: file descriptors, a wake-up deadline, functions posted from other threads.
//
// Threading: run() and the watch calls on the loop's own thread (watch/unwatch also before run()); post() and wake()
// from any thread; wake() also from a signal handler.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "base/types.h"

namespace pagoda {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // `events` are poll(2) bits (POLLIN, POLLOUT); the callback gets revents. One watch per descriptor: a second call
  // replaces the first; 0 keeps the callback but asks only for errors and hang-ups.
  void watch(int fd, short events, std::function<void(short revents)> callback);
  void unwatch(int fd);
  void post(std::function<void()> function);
  void wake();

  // Called before each wait: runs what is due and returns nanoseconds until the next deadline (none: wait for events).
  void set_before_wait(std::function<std::optional<u64>()> before_wait) { before_wait_ = std::move(before_wait); }

  // Until stop(); stop may be called from anywhere and is remembered.
  void run();
  void stop();

 private:
  struct Watch {
    short events;
    std::function<void(short)> callback;
  };
  void run_posted();

  std::map<int, Watch> watches_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  std::function<std::optional<u64>()> before_wait_;
  std::atomic<bool> stopped_{false};
  int wake_fd_ = -1;
};

}  // namespace pagoda
