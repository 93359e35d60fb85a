// SPDX-License-Identifier: MIT
// The block device: requests, limits, caches, queues, save and restore, workers under load.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>

#include "devices/virtio/blk.h"
#include "devices/virtio_driver.h"

namespace pagoda::test {
namespace {

constexpr u64 kSectors = 256;
constexpr u32 kIn = 0, kOut = 1, kFlush = 4, kGetId = 8, kDiscard = 11, kWriteZeroes = 13;
constexpr u64 kFlushFeature = 1u << 9, kWceFeature = 1u << 11;
constexpr u64 kAll = kVersion1 | kIndirect | kEventIdx | kFlushFeature | kWceFeature;

std::string whole_disk() {
  std::string content;
  for (u64 i = 0; i < kSectors; ++i) content += sector_pattern(i);
  return content;
}

std::string header(u32 type, u64 sector) {
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), &type, 4);
  std::memcpy(bytes.data() + 8, &sector, 8);
  return bytes;
}

std::string segment(u64 sector, u32 count, u32 flags) {
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), &sector, 8);
  std::memcpy(bytes.data() + 8, &count, 4);
  std::memcpy(bytes.data() + 12, &flags, 4);
  return bytes;
}

// A disk on a bench. Timed: completions come when the test moves time.
struct Disk {
  explicit Disk(bool timed, bool read_only = false, VirtioBlk::Options options = {}, u32 threads = 1) {
    std::unique_ptr<BlockExecutor> executor;
    if (timed) {
      executor = std::make_unique<TimedExecutor>(bench.clock, 1000);
    } else {
      executor = std::make_unique<WorkerExecutor>(threads);
    }
    auto image = make_disk(whole_disk(), read_only);
    file = image.get();
    slot = std::make_unique<VirtioMmio>(
        "virtio0", std::make_unique<VirtioBlk>(bench.memory, "disk0", std::move(image), std::move(executor), options),
        bench.irqs.line(1));
    driver = std::make_unique<VirtioDriver>(*slot, bench.memory);
  }

  struct Pending {
    u64 data = 0;
    u64 data_size = 0;
    u64 status = 0;
    u16 head = 0;
  };
  Pending start(u32 type, u64 sector, const std::string& out, u32 in_size, u16 queue = 0, bool indirect = false) {
    Pending pending;
    std::vector<Piece> pieces = {{driver->put(header(type, sector)), 16, false}};
    if (!out.empty()) pieces.push_back({driver->put(out), static_cast<u32>(out.size()), false});
    pending.data_size = in_size;
    if (in_size != 0) {
      pending.data = driver->allocate(in_size);
      pieces.push_back({pending.data, in_size, true});
    }
    pending.status = driver->put("\xee");
    pieces.push_back({pending.status, 1, true});
    pending.head = driver->add(queue, pieces, indirect);
    return pending;
  }
  u8 status(const Pending& pending) { return driver->load<u8>(pending.status); }
  // One request, to its end. Returns the status; 255 if none came.
  u8 request(u32 type, u64 sector, const std::string& out = {}, u32 in_size = 0, std::string* in = nullptr) {
    const Pending pending = start(type, sector, out, in_size);
    driver->kick(0);
    bench.now_ns += 1000;
    bench.clock.run_due();
    used = driver->wait(0);
    EXPECT_EQ(used.head, pending.head);
    if (in != nullptr) *in = driver->get(pending.data, in_size);
    return status(pending);
  }
  std::string on_disk(u64 sector, u64 count = 1) {
    std::string bytes(count * 512, '\0');
    EXPECT_EQ(file->read(sector * 512, std::as_writable_bytes(std::span(bytes))), 0);
    return bytes;
  }

  Bench bench;
  DiskImage* file = nullptr;
  std::unique_ptr<VirtioMmio> slot;
  std::unique_ptr<VirtioDriver> driver;
  Used used;
};

// Requests are the same whoever carries them out.
class VirtioBlkRequests : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Executors, VirtioBlkRequests, testing::Values(false, true),
                         [](const auto& each) { return each.param ? "Timed" : "Worker"; });

TEST_P(VirtioBlkRequests, ConfigurationSpace) {
  Disk disk(GetParam());
  EXPECT_EQ(disk.driver->read(vreg::kDeviceId), 2u);
  EXPECT_EQ(mmio_read(*disk.slot, vreg::kConfig, 8), kSectors);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 12), 254u);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 20), 512u);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 32, 1), 1u);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 34, 2), 1u);
  EXPECT_GT(disk.driver->read(vreg::kConfig + 36), 0u);
  EXPECT_GT(disk.driver->read(vreg::kConfig + 48), 0u);
  const u64 features = disk.driver->device_features();
  EXPECT_EQ(features & (1u << 5 | 1u << 12), 0u) << "neither read-only nor several queues";
  EXPECT_EQ(features & (1u << 13 | 1u << 14), 1u << 13 | 1u << 14);
}

TEST_P(VirtioBlkRequests, ReadAndWrite) {
  Disk disk(GetParam());
  disk.driver->bring_up(kAll);
  std::string in;
  EXPECT_EQ(disk.request(kIn, 7, {}, 1024, &in), 0);
  EXPECT_EQ(in, sector_pattern(7) + sector_pattern(8));
  EXPECT_EQ(disk.used.length, 1025u);
  EXPECT_EQ(disk.request(kOut, 9, sector_pattern(9, 1) + sector_pattern(10, 1)), 0);
  EXPECT_EQ(disk.used.length, 1u);
  EXPECT_EQ(disk.on_disk(8, 4), sector_pattern(8) + sector_pattern(9, 1) + sector_pattern(10, 1) + sector_pattern(11));
  EXPECT_EQ(disk.request(kIn, kSectors - 1, {}, 512, &in), 0);
  EXPECT_EQ(in, sector_pattern(kSectors - 1));
  EXPECT_EQ(disk.request(kIn, 0, {}, kSectors * 512, &in), 0);
  EXPECT_EQ(in, disk.on_disk(0, kSectors));
  EXPECT_EQ(disk.request(kFlush, 0), 0);
}

TEST_P(VirtioBlkRequests, BuffersMayBeCutAnywhere) {
  Disk disk(GetParam());
  disk.driver->bring_up(kAll);
  const u64 out = disk.driver->put(header(kIn, 3));
  const u64 in = disk.driver->allocate(1025);
  disk.driver->add(
      0, {{out, 5, false}, {out + 5, 11, false}, {in, 1, true}, {in + 1, 600, true}, {in + 601, 424, true}}, true);
  disk.driver->kick(0);
  disk.bench.now_ns += 1000;
  disk.bench.clock.run_due();
  EXPECT_EQ(disk.driver->wait(0).length, 1025u);
  EXPECT_EQ(disk.driver->get(in, 1025), sector_pattern(3) + sector_pattern(4) + std::string(1, '\0'));
}

TEST_P(VirtioBlkRequests, OutsideTheDiskIsAnIoError) {
  Disk disk(GetParam());
  disk.driver->bring_up(kAll);
  const std::string before = disk.on_disk(0, kSectors);
  EXPECT_EQ(disk.request(kIn, kSectors, {}, 512), 1);
  EXPECT_EQ(disk.request(kIn, kSectors - 1, {}, 1024), 1);
  EXPECT_EQ(disk.request(kIn, ~u64{0}, {}, 512), 1);
  EXPECT_EQ(disk.request(kIn, u64{1} << 55, {}, 512), 1) << "byte offset wraps to 0";
  EXPECT_EQ(disk.request(kOut, kSectors - 1, std::string(1024, 'x')), 1);
  EXPECT_EQ(disk.request(kOut, u64{1} << 55, std::string(512, 'x')), 1);
  EXPECT_EQ(disk.request(kIn, 0, {}, 100), 1) << "part of a sector";
  EXPECT_EQ(disk.request(kOut, 0, std::string(513, 'x')), 1);
  EXPECT_EQ(disk.on_disk(0, kSectors), before);
  EXPECT_FALSE(disk.driver->needs_reset());
}

TEST_P(VirtioBlkRequests, SerialNumberIsPaddedAndCut) {
  VirtioBlk::Options options;
  options.serial = "pagoda-1";
  Disk disk(GetParam(), false, options);
  disk.driver->bring_up(kAll);
  std::string in;
  EXPECT_EQ(disk.request(kGetId, 0, {}, 20, &in), 0);
  EXPECT_EQ(in, std::string("pagoda-1") + std::string(12, '\0'));
  EXPECT_EQ(disk.used.length, 21u);
  EXPECT_EQ(disk.request(kGetId, 0, {}, 4, &in), 0);
  EXPECT_EQ(in, "pago");
}

TEST_P(VirtioBlkRequests, UnknownRequestsAreUnsupported) {
  Disk disk(GetParam());
  disk.driver->bring_up(kAll);
  EXPECT_EQ(disk.request(2, 0, {}, 512), 2);
  EXPECT_EQ(disk.request(0x80000000, 0, std::string(512, 'x')), 2);
  EXPECT_EQ(disk.request(14, 0, segment(0, 1, 0)), 2);
}

TEST_P(VirtioBlkRequests, DiscardAndWriteZeroes) {
  Disk disk(GetParam());
  disk.driver->bring_up(kAll);
  EXPECT_EQ(disk.request(kWriteZeroes, 0, segment(3, 2, 0)), 0);
  EXPECT_EQ(disk.on_disk(2, 4), sector_pattern(2) + std::string(1024, '\0') + sector_pattern(5));
  EXPECT_EQ(disk.request(kWriteZeroes, 0, segment(16, 8, 1) + segment(40, 1, 1)), 0);
  EXPECT_EQ(disk.on_disk(16, 8), std::string(8 * 512, '\0'));
  EXPECT_EQ(disk.on_disk(39, 3), sector_pattern(39) + std::string(512, '\0') + sector_pattern(42 - 1));
  EXPECT_EQ(disk.request(kDiscard, 0, segment(64, 64, 0)), 0);
  EXPECT_EQ(disk.on_disk(63), sector_pattern(63));
  EXPECT_EQ(disk.on_disk(128), sector_pattern(128));

  const std::string before = disk.on_disk(0, kSectors);
  EXPECT_EQ(disk.request(kDiscard, 0, segment(0, 1, 1)), 2) << "unmap belongs to WRITE_ZEROES";
  EXPECT_EQ(disk.request(kWriteZeroes, 0, segment(0, 1, 2)), 2);
  EXPECT_EQ(disk.request(kWriteZeroes, 0, segment(kSectors, 1, 0)), 1);
  EXPECT_EQ(disk.request(kWriteZeroes, 0, segment(0, 1, 0) + segment(kSectors - 1, 2, 0)), 1) << "nothing is done";
  EXPECT_EQ(disk.request(kWriteZeroes, 0, segment(0, 0xffffffff, 0)), 1);
  EXPECT_EQ(disk.request(kDiscard, 0, segment(~u64{0}, 8, 0)), 1);
  EXPECT_EQ(disk.request(kDiscard, 0, "short"), 1);
  EXPECT_EQ(disk.request(kDiscard, 0), 1);
  std::string many;
  for (int i = 0; i < 17; ++i) many += segment(0, 1, 0);
  EXPECT_EQ(disk.request(kWriteZeroes, 0, many), 1);
  EXPECT_EQ(disk.on_disk(0, kSectors), before);
}

TEST_P(VirtioBlkRequests, AReadOnlyDiskRefusesWrites) {
  Disk disk(GetParam(), true);
  EXPECT_NE(disk.driver->device_features() & (1u << 5), 0u);
  EXPECT_EQ(disk.driver->device_features() & (1u << 13 | 1u << 14), 0u);
  disk.driver->bring_up(kAll | 1u << 5);
  const std::string before = disk.on_disk(0, kSectors);
  EXPECT_EQ(disk.request(kOut, 0, std::string(512, 'x')), 1);
  EXPECT_EQ(disk.request(kWriteZeroes, 0, segment(0, 1, 0)), 1);
  EXPECT_EQ(disk.request(kDiscard, 0, segment(0, 8, 0)), 1);
  EXPECT_EQ(disk.request(kFlush, 0), 0);
  EXPECT_EQ(disk.on_disk(0, kSectors), before);
}

TEST_P(VirtioBlkRequests, MissingHeaderOrStatusNeedsAReset) {
  Disk disk(GetParam());
  const std::vector<std::vector<Piece>> bad = {
      {{0x80000000, 16, false}},                         // no status
      {{0x80000000, 1, true}},                           // no header
      {{0x80000000, 15, false}, {0x80000100, 1, true}},  // short header
  };
  for (const auto& pieces : bad) {
    disk.driver->bring_up(kAll);
    disk.driver->add(0, pieces);
    disk.driver->kick(0);
    EXPECT_TRUE(disk.driver->needs_reset());
    EXPECT_EQ(disk.driver->read(vreg::kIrqStatus) & 2, 2u);
  }
  disk.driver->bring_up(kAll);
  EXPECT_EQ(disk.request(kFlush, 0), 0);
}

TEST_P(VirtioBlkRequests, WriteCacheFollowsTheDriver) {
  Disk disk(GetParam());
  disk.driver->bring_up(kAll);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 32, 1), 1u);
  disk.driver->write(vreg::kConfig + 32, 0, 1);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 32, 1), 0u);
  EXPECT_EQ(disk.request(kOut, 1, sector_pattern(1, 5)), 0);
  disk.driver->write(vreg::kConfig, 0, 1);
  EXPECT_EQ(mmio_read(*disk.slot, vreg::kConfig, 8), kSectors) << "the rest is read-only";
  disk.driver->bring_up(kVersion1);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 32, 1), 0u) << "no FLUSH: no write cache";
  disk.driver->write(vreg::kConfig + 32, 1, 1);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 32, 1), 0u) << "no CONFIG_WCE: read-only";
}

TEST_P(VirtioBlkRequests, TellsThePhysicalBlockSize) {
  VirtioBlk::Options options;
  EXPECT_EQ(Disk(GetParam(), false, options).driver->read(vreg::kConfig + 24, 1), 0u);
  options.block_size = 1024;
  EXPECT_EQ(Disk(GetParam(), false, options).driver->read(vreg::kConfig + 24, 1), 0u);
  options.physical_block_size = 4096;
  EXPECT_EQ(Disk(GetParam(), false, options).driver->read(vreg::kConfig + 24, 1), 2u);
}

TEST_P(VirtioBlkRequests, SeveralQueues) {
  VirtioBlk::Options options;
  options.queues = 4;
  options.queue_size = 16;
  Disk disk(GetParam(), false, options);
  EXPECT_NE(disk.driver->device_features() & (1u << 12), 0u);
  EXPECT_EQ(disk.driver->read(vreg::kConfig + 34, 2), 4u);
  disk.driver->bring_up(kAll | 1u << 12, 4);
  std::vector<Disk::Pending> pending;
  for (u16 queue = 0; queue < 4; ++queue) {
    pending.push_back(disk.start(kIn, 10u + queue, {}, 512, queue));
    disk.driver->kick(queue);
  }
  disk.bench.now_ns += 1000;
  disk.bench.clock.run_due();
  for (u16 queue = 0; queue < 4; ++queue) {
    EXPECT_EQ(disk.driver->wait(queue).length, 513u);
    EXPECT_EQ(disk.driver->get(pending[queue].data, 512), sector_pattern(10u + queue));
  }
}

TEST_P(VirtioBlkRequests, AResetForgetsWhatIsUnderWay) {
  Disk disk(GetParam());
  for (int round = 0; round < 50; ++round) {
    disk.driver = std::make_unique<VirtioDriver>(*disk.slot, disk.bench.memory);
    disk.driver->bring_up(kAll, 1, 64);
    for (int i = 0; i < 15; ++i) disk.start(kOut, 20, sector_pattern(20, i), 0);
    disk.driver->kick(0);
    disk.driver->write(vreg::kStatus, 0);
    // From here on the RAM is somebody else's: nothing may change in it, and no interrupt may come.
    ASSERT_TRUE(disk.bench.memory.fill(GuestPhys(Bench::kRamBase), Bench::kRamSize, 0xcc));
    disk.bench.now_ns += 10'000;
    disk.bench.clock.run_due();
    if (round % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_FALSE(disk.bench.irqs.level(1));
    const std::string ram = disk.driver->get(Bench::kRamBase, Bench::kRamSize);
    ASSERT_EQ(ram.find_first_not_of('\xcc'), std::string::npos);
  }
}

TEST(VirtioBlk, DeterministicRequestsCompleteAtTheirDeadlineInOrder) {
  Disk disk(true);
  disk.driver->bring_up(kAll);
  const auto first = disk.start(kIn, 1, {}, 512);
  disk.driver->kick(0);
  disk.bench.now_ns += 600;
  const auto second = disk.start(kOut, 2, sector_pattern(2, 9), 0);
  disk.driver->kick(0);
  EXPECT_EQ(disk.on_disk(2), sector_pattern(2, 9)) << "carried out at once";
  disk.bench.now_ns += 399;
  disk.bench.clock.run_due();
  EXPECT_FALSE(disk.driver->take(0));
  EXPECT_EQ(disk.status(first), 0xee);
  EXPECT_FALSE(disk.bench.irqs.level(1));
  disk.bench.now_ns += 1;
  EXPECT_EQ(disk.bench.clock.run_due(), disk.bench.now_ns + 600);
  EXPECT_EQ(disk.driver->take(0)->head, first.head);
  EXPECT_EQ(disk.status(first), 0);
  EXPECT_TRUE(disk.bench.irqs.level(1));
  EXPECT_FALSE(disk.driver->take(0));
  disk.bench.now_ns += 600;
  EXPECT_EQ(disk.bench.clock.run_due(), std::nullopt);
  EXPECT_EQ(disk.driver->take(0)->head, second.head);
}

TEST(VirtioBlk, RequestsInFlightAreSavedWithTheirDeadline) {
  Disk disk(true);
  disk.driver->bring_up(kAll);
  const auto read = disk.start(kIn, 5, {}, 512, 0, true);
  const auto write = disk.start(kOut, 6, sector_pattern(6, 3), 0);
  disk.driver->kick(0);
  const std::vector<u8> saved = save_state(*disk.slot);

  // The same RAM and disk in another process would be copies; here the first machine just goes no further.
  Disk other(true);
  other.bench.now_ns = disk.bench.now_ns + 300;
  const std::string ram = disk.driver->get(Bench::kRamBase, Bench::kRamSize);
  ASSERT_TRUE(other.bench.memory.write(GuestPhys(Bench::kRamBase), std::as_bytes(std::span(ram))));
  ASSERT_TRUE(restore_state(*other.slot, saved));
  EXPECT_EQ(save_state(*other.slot), saved);
  other.driver->queue(0) = disk.driver->queue(0);
  EXPECT_EQ(other.bench.clock.next_deadline(), disk.bench.now_ns + 1000);
  other.bench.now_ns += 700;
  other.bench.clock.run_due();
  EXPECT_EQ(other.driver->take(0)->head, read.head);
  EXPECT_EQ(other.driver->take(0)->head, write.head);
  EXPECT_EQ(other.driver->get(read.data, 512), sector_pattern(5));
  EXPECT_EQ(other.on_disk(6), sector_pattern(6, 3));
}

TEST(VirtioBlk, SavingWaitsForTheWorkers) {
  Disk disk(false);
  disk.driver->bring_up(kAll, 1, 64);
  std::vector<Disk::Pending> pending;
  for (u64 i = 0; i < 20; ++i) pending.push_back(disk.start(kOut, i, sector_pattern(i, 8), 0));
  disk.driver->kick(0);
  const std::vector<u8> saved = save_state(*disk.slot);
  for (const auto& each : pending) {
    EXPECT_EQ(disk.status(each), 0);
    EXPECT_TRUE(disk.driver->take(0));
  }
  EXPECT_EQ(save_state(*disk.slot), saved);
}

TEST(VirtioBlk, DestructionEndsTheWorkers) {
  for (int i = 0; i < 50; ++i) {
    Disk disk(false, false, {}, 3);
    disk.driver->bring_up(kAll, 1, 64);
    for (u64 n = 0; n < 20; ++n) disk.start(n % 2 == 0 ? kIn : kFlush, n, {}, 512);
    disk.driver->kick(0);
  }
}

// Three workers against a driver that keeps four queues full from two threads; at the end disk and model agree.
TEST(VirtioBlk, WorkersUnderLoad) {
  VirtioBlk::Options options;
  options.queues = 4;
  options.queue_size = 64;
  Disk disk(false, false, options, 3);
  disk.driver->bring_up(kAll | 1u << 12, 4, 64);
  // Each thread has two queues and a quarter of the disk each, so that no two requests in flight overlap.
  const auto drive = [&](u16 first_queue) {
    std::mt19937_64 random(first_queue);
    for (u16 queue = first_queue; queue < first_queue + 2; ++queue) {
      VirtioDriver mine(*disk.slot, disk.bench.memory, Bench::kRamBase + 0x40000 + queue * 0x20000u);
      mine.queue(queue) = disk.driver->queue(queue);
      const u64 base = queue * (kSectors / 4);
      std::vector<u64> salts(kSectors / 4, 0);
      const u64 header_at = mine.allocate(16);
      const u64 data_at = mine.allocate(8 * 512);
      const u64 status_at = mine.allocate(16);
      for (int i = 0; i < 400; ++i) {
        const u64 count = 1 + random() % 8;
        const u64 sector = random() % (kSectors / 4 - count + 1);
        const bool write = random() % 2 == 0;
        const std::string head = header(write ? kOut : kIn, base + sector);
        ASSERT_TRUE(disk.bench.memory.write(GuestPhys(header_at), std::as_bytes(std::span(head))));
        std::string data;
        for (u64 s = sector; write && s < sector + count; ++s) data += sector_pattern(base + s, salts[s] = random());
        if (write) {
          ASSERT_TRUE(disk.bench.memory.write(GuestPhys(data_at), std::as_bytes(std::span(data))));
        }
        mine.store<u8>(status_at, 0xee);
        mine.add(queue,
                 {{header_at, 16, false}, {data_at, static_cast<u32>(512 * count), !write}, {status_at, 1, true}});
        mine.kick(queue);
        mine.wait(queue);
        ASSERT_EQ(mine.load<u8>(status_at), 0);
        if (write) continue;
        const std::string got = mine.get(data_at, 512 * count);
        for (u64 s = 0; s < count; ++s)
          ASSERT_EQ(got.substr(512 * s, 512), sector_pattern(base + sector + s, salts[sector + s])) << i;
      }
    }
  };
  std::atomic<bool> done{false};
  std::thread one(drive, u16{0});
  std::thread two(drive, u16{2});
  // A third vcpu acknowledges interrupts.
  std::thread three([&] {
    while (!done) mmio_write(*disk.slot, vreg::kIrqAck, mmio_read(*disk.slot, vreg::kIrqStatus));
  });
  one.join();
  two.join();
  done = true;
  three.join();
  EXPECT_FALSE(disk.driver->needs_reset());
  EXPECT_GT(disk.bench.irqs.rises(1), 0u);
}

}  // namespace
}  // namespace pagoda::test
