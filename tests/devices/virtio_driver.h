// SPDX-License-Identifier: MIT
// A virtio driver for tests: negotiates over MMIO and keeps its ends of the queues in guest RAM, as a kernel would.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "devices/device_factories.h"
#include "devices/memory_disk.h"
#include "devices/virtio/virtio_mmio.h"

namespace pagoda::test {

// Register offsets, virtio 1.2, 4.2.2.
namespace vreg {
inline constexpr u64 kMagic = 0x00, kVersion = 0x04, kDeviceId = 0x08, kVendor = 0x0c, kDeviceFeatures = 0x10,
                     kDeviceFeaturesSel = 0x14, kDriverFeatures = 0x20, kDriverFeaturesSel = 0x24, kQueueSel = 0x30,
                     kQueueNumMax = 0x34, kQueueNum = 0x38, kQueueReady = 0x44, kQueueNotify = 0x50, kIrqStatus = 0x60,
                     kIrqAck = 0x64, kStatus = 0x70, kQueueDesc = 0x80, kQueueDriver = 0x90, kQueueDevice = 0xa0,
                     kShmSel = 0xac, kShmLen = 0xb0, kShmBase = 0xb8, kQueueReset = 0xc0, kGeneration = 0xfc,
                     kConfig = 0x100;
}  // namespace vreg

inline constexpr u16 kDescNext = 1, kDescWrite = 2, kDescIndirect = 4;

struct Piece {
  u64 address = 0;
  u32 size = 0;
  bool writable = false;
};

struct Used {
  u32 head = 0;
  u32 length = 0;
};

class VirtioDriver {
 public:
  VirtioDriver(MmioHandler& mmio, GuestMemory& memory, u64 scratch = Bench::kRamBase + 0x10000)
      : mmio_(mmio), memory_(memory), free_(scratch) {}

  u32 read(u64 offset, u8 size = 4) { return static_cast<u32>(mmio_read(mmio_, offset, size)); }
  void write(u64 offset, u64 value, u8 size = 4) { mmio_write(mmio_, offset, value, size); }
  u64 device_features();
  // Reset, ACKNOWLEDGE, DRIVER, these features, FEATURES_OK; true if it stuck.
  bool negotiate(u64 features);
  void start() { write(vreg::kStatus, 15); }
  // Allocates and enables a queue.
  void setup_queue(u16 index, u16 size);
  // negotiate, set up queues [0, queues) and start.
  void bring_up(u64 features, u16 queues = 1, u16 size = 8);

  // RAM from the scratch area, aligned to 16.
  u64 allocate(u64 size);
  u64 put(const std::string& bytes);
  std::string get(u64 address, u64 size);
  template <class T>
  T load(u64 address) {
    T value{};
    EXPECT_TRUE(memory_.load(GuestPhys(address), &value)) << std::hex << address;
    return value;
  }
  template <class T>
  void store(u64 address, T value) {
    EXPECT_TRUE(memory_.store(GuestPhys(address), value)) << std::hex << address;
  }

  // Makes a chain available without notifying; returns its head.
  u16 add(u16 queue, const std::vector<Piece>& pieces, bool indirect = false);
  void kick(u16 queue) { write(vreg::kQueueNotify, queue); }
  // What the device gave back next; its descriptors are free again.
  std::optional<Used> take(u16 queue);
  // The same, waiting for a worker; fails the test after 30 s.
  Used wait(u16 queue);

  // For hostile tests: everything is where the driver put it.
  struct Queue {
    u16 size = 0;
    u64 descriptors = 0;
    u64 driver = 0;
    u64 device = 0;
    u16 avail = 0;
    u16 seen = 0;
    std::vector<u16> free;
    std::map<u16, std::vector<u16>> used_by;  // descriptors of the chain with this head
  };
  Queue& queue(u16 index) { return queues_[index]; }
  void write_descriptor(u64 table, u16 index, u64 address, u32 size, u16 flags, u16 next);
  // Puts a head into the available ring, whatever it is.
  void offer(u16 queue, u16 head);

  bool needs_reset() { return (read(vreg::kStatus) & 0x40) != 0; }

 private:
  MmioHandler& mmio_;
  GuestMemory& memory_;
  u64 free_;
  std::map<u16, Queue> queues_;
};

inline constexpr u64 kVersion1 = u64{1} << 32, kIndirect = u64{1} << 28, kEventIdx = u64{1} << 29;

}  // namespace pagoda::test
