// SPDX-License-Identifier: MIT
// The 9P transport: messages in and out of the queue, the worker, virtual time.
#include "devices/virtio/p9.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace pagoda {
namespace {

constexpr u16 kQueueSize = 128;
constexpr u64 kFeatureMountTag = 1;
constexpr u64 kLatencyNs = 100'000;  // of an answer in virtual time

}  // namespace

VirtioP9::VirtioP9(GuestMemory& memory, std::string name, const std::string& tag,
                   std::unique_ptr<p9::HostFolder> folder, VirtualClock* clock)
    : VirtioDevice(memory, std::move(name), VirtioId::p9, kFeatureMountTag, {kQueueSize},
                   static_cast<u32>(2 + tag.size())),
      server_(std::move(folder)),
      clock_(clock) {
  CHECK(!tag.empty() && tag.size() <= kLongestTag, "{}", this->name());
  set_config<u16>(0, static_cast<u16>(tag.size()));
  for (std::size_t i = 0; i < tag.size(); ++i) set_config<u8>(2 + i, static_cast<u8>(tag[i]));
  if (clock_ == nullptr) {
    thread_ = std::thread([this] { run(); });
  } else {
    timer_.emplace(*clock_, [this] { expire(); });
  }
}

VirtioP9::~VirtioP9() {
  {
    const std::lock_guard lock(work_mutex_);
    is_stopping_ = true;
  }
  work_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void VirtioP9::process_queue(u16 index) {
  for_each_chain(index, [&](VirtqChain& chain) {
    if (chain.readable_size < p9::kHeaderSize || chain.writable_size < p9::kHeaderSize + 4) {
      return fail("a 9P message without a header, or without room for an answer");
    }
    submit({.chain = std::move(chain), .deadline_ns = 0, .is_served = false, .reply = {}});
  });
}

void VirtioP9::submit(Request request) {
  const u64 id = next_id_++;
  Request& stored = requests_.emplace(id, std::move(request)).first->second;
  if (clock_ == nullptr) {
    {
      const std::lock_guard lock(work_mutex_);
      jobs_.emplace_back(id, &stored);
    }
    work_.notify_one();
    return;
  }
  if (!stored.is_served) serve(stored);
  if (stored.deadline_ns == 0) stored.deadline_ns = clock_->now() + kLatencyNs;
  timer_->schedule(requests_.begin()->second.deadline_ns);  // deadlines rise with the ids
}

// Reads the message and has it answered. Without the device's lock, but for virtual time.
void VirtioP9::serve(Request& request) {
  const std::lock_guard lock(server_mutex_);
  request.is_served = true;
  // What is longer than a message may be is cut off, and refused by its size.
  const u64 size = std::min<u64>(request.chain.readable_size, server_.max_message());
  std::vector<u8> message(size);
  ChainReader reader(memory(), request.chain.readable);
  if (!reader.read(std::as_writable_bytes(std::span(message)))) return;
  const u64 said = u64{message[0]} | u64{message[1]} << 8 | u64{message[2]} << 16 | u64{message[3]} << 24;
  if (said < size) message.resize(std::max<u64>(said, p9::kHeaderSize));
  const u64 room = std::min<u64>(request.chain.writable_size, p9::Server::kMaxMessage);
  request.reply = server_.handle(message, static_cast<u32>(room));
}

void VirtioP9::complete(u64 id) {
  auto node = requests_.extract(id);
  if (node.empty() || !live()) return;  // dropped by stop_queue()
  const Request& request = node.mapped();
  ChainWriter writer(memory(), request.chain.writable);
  const bool written = writer.write(std::as_bytes(std::span(request.reply)));
  push(0, request.chain.head, written ? static_cast<u32>(request.reply.size()) : 0);
  signal(0);
}

void VirtioP9::run() {
  std::unique_lock lock(work_mutex_);
  for (;;) {
    work_.wait(lock, [this] { return is_stopping_ || !jobs_.empty(); });
    if (is_stopping_) return;
    const auto [id, request] = jobs_.front();
    jobs_.pop_front();
    is_serving_ = is_busy_ = true;
    lock.unlock();
    if (!request->is_served) serve(*request);
    lock.lock();
    is_serving_ = false;
    progress_.notify_all();
    lock.unlock();
    {
      const Guard guard(*this);
      complete(id);
    }
    lock.lock();
    is_busy_ = false;
    progress_.notify_all();
  }
}

void VirtioP9::expire() {
  const Guard guard(*this);
  while (!requests_.empty() && requests_.begin()->second.deadline_ns <= clock_->now()) {
    complete(requests_.begin()->first);
  }
  if (!requests_.empty()) timer_->schedule(requests_.begin()->second.deadline_ns);
}

void VirtioP9::stop_queue(u16) {
  {
    std::unique_lock lock(work_mutex_);
    jobs_.clear();
    progress_.wait(lock, [this] { return !is_serving_; });
  }
  requests_.clear();
}

// The queue has stopped: nobody is at the server.
void VirtioP9::reset_model() {
  const std::lock_guard lock(server_mutex_);
  server_.reset();
}

void VirtioP9::quiesce() {
  std::unique_lock lock(work_mutex_);
  progress_.wait(lock, [this] { return jobs_.empty() && !is_busy_; });
}

// Answers that wait for their deadline.
std::vector<u8> VirtioP9::save_requests() const {
  std::vector<u8> saved;
  p9::Writer out(saved);
  for (const auto& [id, request] : requests_) {
    out.half(request.chain.head);
    out.wide(request.deadline_ns);
    out.word(static_cast<u32>(request.reply.size()));
    out.bytes(request.reply);
  }
  return saved;
}

void VirtioP9::restore_requests(const std::vector<u8>& saved) {
  requests_.clear();
  p9::Reader in(saved);
  while (live()) {
    Request request;
    const u16 head = in.half();
    request.deadline_ns = in.wide();
    const auto reply = in.take(in.word());
    if (!in.ok()) return;
    request.reply.assign(reply.begin(), reply.end());
    request.is_served = true;
    if (!queue(0)->reload(head, &request.chain)) return fail("a saved request cannot be found again");
    submit(std::move(request));
  }
}

void VirtioP9::visit_model(StateVisitor& visitor) {
  {
    const std::lock_guard lock(server_mutex_);
    server_.visit_state(visitor);
  }
  const std::vector<u8> before = save_requests();
  std::vector<u8> requests = before;
  visitor.field("requests", requests);
  if (requests != before) restore_requests(requests);
}

}  // namespace pagoda
