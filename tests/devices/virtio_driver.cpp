// SPDX-License-Identifier: MIT
// The test driver for virtio devices.
#include "devices/virtio_driver.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/check.h"

namespace pagoda::test {

u64 VirtioDriver::device_features() {
  write(vreg::kDeviceFeaturesSel, 1);
  const u64 high = read(vreg::kDeviceFeatures);
  write(vreg::kDeviceFeaturesSel, 0);
  return high << 32 | read(vreg::kDeviceFeatures);
}

bool VirtioDriver::negotiate(u64 features) {
  write(vreg::kStatus, 0);
  queues_.clear();
  write(vreg::kStatus, 1);
  write(vreg::kStatus, 3);
  for (u32 half = 0; half < 2; ++half) {
    write(vreg::kDriverFeaturesSel, half);
    write(vreg::kDriverFeatures, static_cast<u32>(features >> (32 * half)));
  }
  write(vreg::kStatus, 11);
  return read(vreg::kStatus) == 11;
}

void VirtioDriver::setup_queue(u16 index, u16 size) {
  Queue& q = queues_[index];
  q = Queue{};
  q.size = size;
  q.descriptors = allocate(16 * size);
  q.driver = allocate(6 + 2 * size);
  q.device = allocate(6 + 8 * size);
  for (u16 i = size; i-- > 0;) q.free.push_back(i);
  write(vreg::kQueueSel, index);
  write(vreg::kQueueNum, size);
  const std::pair<u64, u64> areas[] = {
      {vreg::kQueueDesc, q.descriptors}, {vreg::kQueueDriver, q.driver}, {vreg::kQueueDevice, q.device}};
  for (const auto& [offset, address] : areas) {
    write(offset, address & 0xffffffff);
    write(offset + 4, address >> 32);
  }
  write(vreg::kQueueReady, 1);
}

void VirtioDriver::bring_up(u64 features, u16 queues, u16 size) {
  ASSERT_TRUE(negotiate(features));
  for (u16 i = 0; i < queues; ++i) setup_queue(i, size);
  start();
  ASSERT_EQ(read(vreg::kStatus), 15u);
}

u64 VirtioDriver::allocate(u64 size) {
  const u64 address = free_;
  free_ += (size + 15) & ~u64{15};
  EXPECT_TRUE(memory_.fill(GuestPhys(address), size, 0)) << "test RAM is used up";
  return address;
}

u64 VirtioDriver::put(const std::string& bytes) {
  const u64 address = allocate(bytes.size());
  EXPECT_TRUE(memory_.write(GuestPhys(address), std::as_bytes(std::span(bytes))));
  return address;
}

std::string VirtioDriver::get(u64 address, u64 size) {
  std::string bytes(size, '\0');
  EXPECT_TRUE(memory_.read(GuestPhys(address), std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

void VirtioDriver::write_descriptor(u64 table, u16 index, u64 address, u32 size, u16 flags, u16 next) {
  store<u64>(table + 16 * index, address);
  store<u32>(table + 16 * index + 8, size);
  store<u16>(table + 16 * index + 12, flags);
  store<u16>(table + 16 * index + 14, next);
}

void VirtioDriver::offer(u16 index, u16 head) {
  Queue& q = queue(index);
  store<u16>(q.driver + 4 + 2 * (q.avail % q.size), head);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the host's stores stay in order
  store<u16>(q.driver + 2, ++q.avail);
}

u16 VirtioDriver::add(u16 index, const std::vector<Piece>& pieces, bool indirect) {
  Queue& q = queue(index);
  std::vector<u16> descriptors;
  const std::size_t needed = indirect ? 1 : pieces.size();
  CHECK(q.free.size() >= needed, "the test driver has no descriptor left");
  for (std::size_t i = 0; i < needed; ++i) {
    descriptors.push_back(q.free.back());
    q.free.pop_back();
  }
  const u64 table = indirect ? allocate(16 * pieces.size()) : q.descriptors;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    const u16 flags = static_cast<u16>((last ? 0 : kDescNext) | (pieces[i].writable ? kDescWrite : 0));
    const u16 at = indirect ? static_cast<u16>(i) : descriptors[i];
    const u16 next = last ? u16{0} : indirect ? static_cast<u16>(i + 1) : descriptors[i + 1];
    write_descriptor(table, at, pieces[i].address, pieces[i].size, flags, next);
  }
  const u16 head = descriptors[0];
  if (indirect) write_descriptor(q.descriptors, head, table, static_cast<u32>(16 * pieces.size()), kDescIndirect, 0);
  q.used_by[head] = descriptors;
  offer(index, head);
  return head;
}

std::optional<Used> VirtioDriver::take(u16 index) {
  Queue& q = queue(index);
  if (load<u16>(q.device + 2) == q.seen) return std::nullopt;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const u64 entry = q.device + 4 + 8 * (q.seen++ % q.size);
  const Used used = {load<u32>(entry), load<u32>(entry + 4)};
  const auto it = q.used_by.find(static_cast<u16>(used.head));
  EXPECT_TRUE(it != q.used_by.end()) << "head " << used.head << " was not available";
  if (it != q.used_by.end()) {
    q.free.insert(q.free.end(), it->second.rbegin(), it->second.rend());
    q.used_by.erase(it);
  }
  return used;
}

Used VirtioDriver::wait(u16 index) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  for (;;) {
    if (const auto used = take(index)) return *used;
    if (std::chrono::steady_clock::now() > give_up) {
      ADD_FAILURE() << "no answer on queue " << index;
      return {};
    }
    std::this_thread::yield();
  }
}

}  // namespace pagoda::test
