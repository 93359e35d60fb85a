// SPDX-License-Identifier: MIT
// VirtioP9: the virtio 9P transport (virtio 1.2, 5.14; device id 9) in front of a 9P server for a folder of the host.
//
// A message is read, served and answered in order, one at a time, on a thread of the device's own, so that no vcpu
// waits for the host's files. With a clock (-icount) it is served at once on the thread that notifies and answered at a
// deadline in virtual time. The answer is copied into the guest under the device's lock; a queue taken out of use waits
// for the message being served and forgets the rest.
// Threading: see VirtioDevice.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "devices/bus/clock.h"
#include "devices/p9/server.h"
#include "devices/virtio/virtio_device.h"

namespace pagoda {

class VirtioP9 final : public VirtioDevice {
 public:
  static constexpr std::size_t kLongestTag = 31;

  // `tag`: what the guest names the folder by, 1 to kLongestTag bytes. `clock`: null for a thread of its own.
  VirtioP9(GuestMemory& memory, std::string name, const std::string& tag, std::unique_ptr<p9::HostFolder> folder,
           VirtualClock* clock);
  ~VirtioP9() override;

 private:
  struct Request {
    VirtqChain chain;
    u64 deadline_ns = 0;
    bool is_served = false;
    std::vector<u8> reply;
  };

  void process_queue(u16 index) override;
  void stop_queue(u16 index) override;
  void reset_model() override;
  void quiesce() override;
  void visit_model(StateVisitor& visitor) override;

  void submit(Request request);
  void serve(Request& request);
  void complete(u64 id);
  void run();
  void expire();
  std::vector<u8> save_requests() const;
  void restore_requests(const std::vector<u8>& saved);

  std::mutex server_mutex_;  // after the device's lock
  p9::Server server_;
  VirtualClock* const clock_;
  std::optional<Timer> timer_;

  // Under the device's lock.
  std::map<u64, Request> requests_;  // in flight; a request stays where it is
  u64 next_id_ = 0;

  // The worker's. Lock order: device, worker.
  std::mutex work_mutex_;
  std::condition_variable work_, progress_;
  std::deque<std::pair<u64, Request*>> jobs_;
  bool is_serving_ = false;  // the request may not go away
  bool is_busy_ = false;     // serving or completing
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace pagoda
