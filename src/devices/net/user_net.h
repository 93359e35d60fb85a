// SPDX-License-Identifier: MIT
// UserNet: a network in user mode on libslirp: NAT to the host's sockets, DHCP, DNS, TFTP, forwarded ports.
//
// libslirp and the host's sockets live on a thread of their own. In real time the card's frames are fetched there
// (pulls()) and its input is delivered there. With a `post` function (-icount) the card sends from its vcpu's thread
// and everything for the guest goes through `post`, which delivers it there. Threading: see NetBackend.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "devices/net/net_backend.h"
#include "devices/net/tcp_coalescer.h"
#include "devices/net/user_net_spec.h"

struct Slirp;
struct pollfd;

namespace pagoda {

class UserNet final : public NetBackend {
 public:
  // Hands a function to the machine's input (Inputs::post), to be called on the thread guest input belongs to.
  using Post = std::function<void(std::function<void()>)>;

  // Fails if a folder is missing or a host's port cannot be had; the message names the option.
  static Result<std::unique_ptr<UserNet>> open(const UserNetSpec& spec, Post post);
  ~UserNet() override;
  UserNet(const UserNet&) = delete;
  UserNet& operator=(const UserNet&) = delete;

  void connect(NetClient* client) override;
  bool pulls() const override { return !post_; }
  void send(const NetFrame& frame) override;
  void kick() override;

 private:
  struct Library;  // what libslirp calls
  struct Timer {
    void (*callback)(void*);
    void* argument;
    i64 deadline_ms;  // negative: not armed
  };
  // Frames beyond this wait in vain: a guest that takes none must not use up the host's memory.
  static constexpr std::size_t kMaxWaiting = 8 << 20;  // bytes

  explicit UserNet(Post post);
  Result<> start(const UserNetSpec& spec);
  void run();
  void wake();
  bool fetch();
  void wait(int shortest_ms);
  void run_timers();
  void input(const NetFrame& frame);
  void deliver();
  void hand_over(std::vector<NetFrame>* frames);

  const Post post_;
  Slirp* slirp_ = nullptr;
  int wake_fd_ = -1;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> kicked_{false};
  std::atomic<bool> sleeping_{false};

  // The thread's own.
  std::list<Timer> timers_;
  std::vector<pollfd> polled_;
  std::vector<NetFrame> arrived_;  // of this round
  TcpCoalescer coalescer_;
  bool join_ipv4_ = false;
  bool join_ipv6_ = false;
  NetFrame completed_;  // buffer

  // Under client_mutex_, which is held during calls to the client.
  std::mutex client_mutex_;
  NetClient* client_ = nullptr;
  std::vector<NetFrame> waiting_;  // for room in the guest

  std::mutex outbox_mutex_;
  std::vector<NetFrame> outbox_;  // if not pulls()
};

}  // namespace pagoda
