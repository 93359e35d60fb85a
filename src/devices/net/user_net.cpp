// SPDX-License-Identifier: MIT
// The thread around libslirp, its callbacks and timers.
#include "devices/net/user_net.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstring>
#include <iterator>
#include <utility>

#include <slirp/libslirp.h>

#include "base/check.h"
#include "base/log.h"
#include "devices/net/checksum.h"

namespace pagoda {
namespace {

// libslirp keeps a cache of the host's name servers that all its instances share without a lock.
std::mutex library_mutex;

i64 now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

in_addr address_of(u32 address) { return {.s_addr = htonl(address)}; }
const char* text_or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

}  // namespace

// Called on the thread, or during start() before there is one.
struct UserNet::Library {
  static UserNet& self(void* opaque) { return *static_cast<UserNet*>(opaque); }

  static ssize_t send_packet(const void* bytes, size_t size, void* opaque) {
    UserNet& net = self(opaque);
    net.coalescer_.add({static_cast<const std::byte*>(bytes), size}, net.join_ipv4_, net.join_ipv6_);
    return static_cast<ssize_t>(size);
  }
  static void guest_error(const char* message, void*) { log(Log::guest_error, "user network: {}", message); }
  static int64_t clock_get_ns(void*) { return now_ns(); }
  static void* timer_new(SlirpTimerCb callback, void* argument, void* opaque) {
    return &self(opaque).timers_.emplace_back(Timer{callback, argument, -1});
  }
  static void timer_free(void* timer, void* opaque) {
    self(opaque).timers_.remove_if([&](const Timer& each) { return &each == timer; });
  }
  static void timer_mod(void* timer, int64_t deadline_ms, void*) {
    static_cast<Timer*>(timer)->deadline_ms = deadline_ms;
  }
  static void register_poll_fd(int, void*) {}
  static void unregister_poll_fd(int, void*) {}
  static void notify(void* opaque) { self(opaque).wake(); }

  static int add_poll(int fd, int events, void* opaque) {
    short wanted = 0;
    if ((events & SLIRP_POLL_IN) != 0) wanted |= POLLIN;
    if ((events & SLIRP_POLL_OUT) != 0) wanted |= POLLOUT;
    if ((events & SLIRP_POLL_PRI) != 0) wanted |= POLLPRI;
    std::vector<pollfd>& polled = self(opaque).polled_;
    polled.push_back({.fd = fd, .events = wanted, .revents = 0});
    return static_cast<int>(polled.size() - 1);
  }
  static int get_revents(int index, void* opaque) {
    const short got = self(opaque).polled_[static_cast<std::size_t>(index)].revents;
    return ((got & POLLIN) != 0 ? SLIRP_POLL_IN : 0) | ((got & POLLOUT) != 0 ? SLIRP_POLL_OUT : 0) |
           ((got & POLLPRI) != 0 ? SLIRP_POLL_PRI : 0) | ((got & POLLERR) != 0 ? SLIRP_POLL_ERR : 0) |
           ((got & POLLHUP) != 0 ? SLIRP_POLL_HUP : 0);
  }

  static constexpr SlirpCb kCallbacks = {
      .send_packet = send_packet,
      .guest_error = guest_error,
      .clock_get_ns = clock_get_ns,
      .timer_new = timer_new,
      .timer_free = timer_free,
      .timer_mod = timer_mod,
      .register_poll_fd = register_poll_fd,
      .unregister_poll_fd = unregister_poll_fd,
      .notify = notify,
      .init_completed = nullptr,
      .timer_new_opaque = nullptr,
  };
};

UserNet::UserNet(Post post)
    : post_(std::move(post)), coalescer_([this](NetFrame frame) { arrived_.push_back(std::move(frame)); }) {}

Result<std::unique_ptr<UserNet>> UserNet::open(const UserNetSpec& spec, Post post) {
  std::unique_ptr<UserNet> net(new UserNet(std::move(post)));
  TRY(net->start(spec));
  return net;
}

Result<> UserNet::start(const UserNetSpec& spec) {
  struct stat folder{};
  if (!spec.tftp.empty() && (stat(spec.tftp.c_str(), &folder) != 0 || !S_ISDIR(folder.st_mode)))
    return fail("{}: tftp={}: there is no such folder", spec.origin, spec.tftp);
  const auto in_network = [&](u32 wish, u32 otherwise) {
    return address_of(wish != 0 ? wish : spec.network | (otherwise & ~spec.mask));
  };
  SlirpConfig config{};
  config.version = 1;
  config.restricted = spec.restricted ? 1 : 0;
  config.in_enabled = spec.ipv4;
  config.vnetwork = address_of(spec.network);
  config.vnetmask = address_of(spec.mask);
  config.vhost = in_network(spec.host, 2);
  config.vnameserver = in_network(spec.dns, 3);
  config.vdhcp_start = in_network(spec.dhcp_start, 15);
  config.in6_enabled = spec.ipv6;
  inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
  config.vprefix_len = 64;
  inet_pton(AF_INET6, "fec0::2", &config.vhost6);
  inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
  config.vhostname = text_or_null(spec.hostname);
  config.vdomainname = text_or_null(spec.domain);
  config.tftp_path = text_or_null(spec.tftp);
  config.tftp_server_name = text_or_null(spec.tftp_server_name);
  config.bootfile = text_or_null(spec.bootfile);
  std::vector<const char*> search;
  for (const std::string& domain : spec.dns_search) search.push_back(domain.c_str());
  search.push_back(nullptr);
  if (search.size() > 1) config.vdnssearch = search.data();

  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(wake_fd_ >= 0);
  const std::lock_guard library(library_mutex);
  slirp_ = slirp_new(&config, &Library::kCallbacks, this);
  if (slirp_ == nullptr) return fail("{}: the user network does not start with these addresses", spec.origin);
  for (const HostForward& forward : spec.forwards) {
    if (slirp_add_hostfwd(slirp_, forward.udp ? 1 : 0, address_of(forward.host_address), forward.host_port,
                          address_of(forward.guest_address), forward.guest_port) != 0)
      return fail("{}: hostfwd={}: {}", spec.origin, forward.text, std::strerror(errno));
  }
  thread_ = std::thread([this, name = fmt::format("net {}", spec.id).substr(0, 15)] {
    pthread_setname_np(pthread_self(), name.c_str());
    // libslirp writes to sockets whose other end may have gone.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    run();
  });
  return {};
}

UserNet::~UserNet() {
  stopping_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard library(library_mutex);
  if (slirp_ != nullptr) slirp_cleanup(slirp_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

void UserNet::connect(NetClient* client) {
  const std::lock_guard lock(client_mutex_);
  client_ = client;
  waiting_.clear();
}

void UserNet::wake() {
  kicked_.store(true);
  // Either the thread sees the kick before it sleeps or it is seen asleep here.
  if (!sleeping_.load()) return;
  const u64 one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
}

void UserNet::kick() {
  if (pulls()) return wake();
  std::vector<NetFrame> none;
  hand_over(&none);
}

void UserNet::send(const NetFrame& frame) {
  if (pulls()) return input(frame);
  {
    const std::lock_guard lock(outbox_mutex_);
    outbox_.push_back(frame);
  }
  wake();
}

// To the network.
void UserNet::input(const NetFrame& frame) {
  const NetFrame* whole = &frame;
  if (frame.checksum_start != 0) {
    completed_ = frame;
    if (!complete_checksum(completed_.bytes, frame.checksum_start, frame.checksum_offset)) return;
    whole = &completed_;
  }
  // A large TCP frame goes in as the one large packet that it looks like: nothing behind here cares for segments.
  const std::lock_guard library(library_mutex);
  slirp_input(slirp_, reinterpret_cast<const u8*>(whole->bytes.data()), static_cast<int>(whole->bytes.size()));
}

// What the guest has for the network; false: there is more.
bool UserNet::fetch() {
  kicked_.store(false);
  if (!pulls()) {
    std::vector<NetFrame> frames;
    {
      const std::lock_guard lock(outbox_mutex_);
      frames.swap(outbox_);
    }
    for (const NetFrame& frame : frames) input(frame);
    return true;
  }
  const std::lock_guard lock(client_mutex_);
  return client_ == nullptr || client_->transmit();
}

// What arrived goes to the guest, behind what waits.
void UserNet::deliver() {
  coalescer_.flush();
  if (!post_) return hand_over(&arrived_);
  if (arrived_.empty()) return;
  post_([this, frames = std::make_shared<std::vector<NetFrame>>(std::exchange(arrived_, {}))] {
    hand_over(frames.get());
  });
}

void UserNet::hand_over(std::vector<NetFrame>* frames) {
  const std::lock_guard lock(client_mutex_);
  std::move(frames->begin(), frames->end(), std::back_inserter(waiting_));
  frames->clear();
  if (client_ == nullptr) waiting_.clear();
  if (waiting_.empty()) return;
  const std::size_t taken = client_->receive(waiting_);
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
  std::size_t bytes = 0;
  const auto too_many = std::ranges::find_if(
      waiting_, [&](const NetFrame& frame) { return (bytes += frame.bytes.size()) > kMaxWaiting; });
  waiting_.erase(too_many, waiting_.end());
}

void UserNet::run_timers() {
  const i64 now = now_ns() / 1'000'000;
  for (Timer& timer : timers_) {
    if (timer.deadline_ms < 0 || timer.deadline_ms > now) continue;
    timer.deadline_ms = -1;
    timer.callback(timer.argument);
  }
}

void UserNet::wait(int shortest_ms) {
  u32 timeout = static_cast<u32>(shortest_ms);
  const i64 now = now_ns() / 1'000'000;
  for (const Timer& timer : timers_) {
    if (timer.deadline_ms >= 0)
      timeout = static_cast<u32>(std::min<i64>(timeout, std::max<i64>(timer.deadline_ms - now, 0)));
  }
  polled_.clear();
  polled_.push_back({.fd = wake_fd_, .events = POLLIN, .revents = 0});
  {
    const std::lock_guard library(library_mutex);
    slirp_pollfds_fill(slirp_, &timeout, Library::add_poll, this);
  }
  sleeping_.store(true);
  if (kicked_.load() || stopping_.load()) timeout = 0;
  const int ready = poll(polled_.data(), polled_.size(), static_cast<int>(std::min<u32>(timeout, INT_MAX)));
  sleeping_.store(false);
  u64 count = 0;
  if ((polled_[0].revents & POLLIN) != 0) [[maybe_unused]]
    const ssize_t got = ::read(wake_fd_, &count, sizeof count);
  const std::lock_guard library(library_mutex);
  slirp_pollfds_poll(slirp_, ready < 0 ? 1 : 0, Library::get_revents, this);
}

void UserNet::run() {
  bool all_fetched = true;
  while (!stopping_.load()) {
    {
      const std::lock_guard lock(client_mutex_);
      join_ipv4_ = client_ != nullptr && client_->takes_large_frames(false);
      join_ipv6_ = client_ != nullptr && client_->takes_large_frames(true);
    }
    wait(all_fetched ? INT_MAX : 0);
    {
      const std::lock_guard library(library_mutex);
      run_timers();
    }
    all_fetched = fetch();
    deliver();
  }
}

}  // namespace pagoda
