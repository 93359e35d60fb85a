// SPDX-License-Identifier: MIT
// Stopping for each other: parked states, posted work, exclusive sections, sleep and kick, with real threads.
#include "cpu/rendezvous.h"

#include <gtest/gtest.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "unit/cpu_bench.h"

namespace pagoda {
namespace {

constexpr i64 kEndless = i64{1} << 60;

// Vcpus on threads of their own in an endless guest loop until stop().
class Runner {
 public:
  explicit Runner(CpuBench& bench) : bench_(bench) {
    bench.put(CpuBench::kRam, {rv::addi(rv::t0, rv::t0, 1), rv::j(-4)});
    for (u32 i = 0; i < bench.vcpus.size(); ++i) start(i);
  }
  ~Runner() { stop(); }
  void stop() {
    ending_ = true;
    for (auto& vcpu : bench_.vcpus) vcpu->request_stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void start(u32 i) {
    threads_.emplace_back([this, i] {
      while (!ending_) {
        if (bench_.vcpu(i).run(kEndless) == Vcpu::Stop::waiting) bench_.vcpu(i).sleep();
      }
    });
  }
  CpuBench& bench_;
  std::atomic<bool> ending_{false};
  std::vector<std::thread> threads_;
};

TEST(Rendezvous, ThePosterServesParkedVcpus) {
  CpuBench bench(3);
  std::thread::id by[3] = {};
  // All are parked and have no thread at all.
  bench.rendezvous.post_and_wait(nullptr, [&](Vcpu& vcpu) { by[vcpu.index()] = std::this_thread::get_id(); });
  for (const std::thread::id id : by) EXPECT_EQ(id, std::this_thread::get_id());
}

TEST(Rendezvous, AVcpuDoesNotLeaveTheParkedStateWhileSomebodyWorksOnIt) {
  CpuBench bench(1);
  std::atomic<bool> working{false};
  std::thread poster([&] {
    bench.rendezvous.post_and_wait(nullptr, [&](Vcpu&) {
      working = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      working = false;
    });
  });
  while (!working) std::this_thread::yield();
  bench.rendezvous.unpark(bench.vcpu());
  EXPECT_FALSE(working);
  bench.rendezvous.park(bench.vcpu());
  poster.join();
}

// Work that arrives while a vcpu enters the parked state: its poster may have found it running still, and it stays
// parked.
TEST(Rendezvous, WorkPostedWhileAVcpuParksIsServed) {
  CpuBench bench(1);
  constexpr u32 kRounds = 30'000;
  std::atomic<u32> begun{0}, done{0};
  std::thread poster([&] {
    for (u32 round = 1; round <= kRounds; ++round) {
      while (begun.load() < round) std::this_thread::yield();
      bench.rendezvous.post_and_wait(nullptr, [&](Vcpu&) { done = round; });
    }
  });
  for (u32 round = 1; round <= kRounds; ++round) {
    bench.rendezvous.unpark(bench.vcpu());
    begun = round;
    for (u32 i = 0; i < round % 64; ++i) (void)begun.load();  // now early, now late
    bench.rendezvous.park(bench.vcpu());
    while (done.load() < round) std::this_thread::yield();
  }
  poster.join();
}

TEST(Rendezvous, RunningVcpusServeThemselvesAndSoonEachOnce) {
  CpuBench bench(2);
  Runner runner(bench);
  std::atomic<u32> done[2] = {};
  for (u32 round = 0; round < 2000; ++round) {
    bench.rendezvous.post_and_wait(nullptr, [&](Vcpu& vcpu) { ++done[vcpu.index()]; });
    ASSERT_EQ(done[0], round + 1);
    ASSERT_EQ(done[1], round + 1);
  }
}

TEST(Rendezvous, VcpusThatPostToEachOtherServeEachOther) {
  constexpr u32 kVcpus = 3, kRounds = 5000;
  CpuBench bench(kVcpus);
  // Only ever touched by who holds the vcpu: plain, so that the thread sanitizer sees a breach.
  u64 work[kVcpus] = {};
  std::vector<std::thread> threads;
  for (u32 i = 0; i < kVcpus; ++i) {
    threads.emplace_back([&, i] {
      Vcpu& self = bench.vcpu(i);
      bench.rendezvous.unpark(self);
      for (u32 round = 0; round < kRounds; ++round) {
        bench.rendezvous.post_and_wait(&self, [&](Vcpu& other) {
          EXPECT_NE(other.index(), i);
          ++work[other.index()];
        });
        bench.rendezvous.safepoint(self);
      }
      bench.rendezvous.park(self);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const u64 count : work) EXPECT_EQ(count, u64{(kVcpus - 1) * kRounds});
}

TEST(Rendezvous, ExclusiveSectionsExcludeVcpusAndEachOther) {
  constexpr u32 kVcpus = 3;
  CpuBench bench(kVcpus);
  u64 shared = 0;  // plain: only the exclusive section may touch it
  std::atomic<int> running{0}, inside{0}, broken{0};
  std::atomic<u32> left{kVcpus};
  std::vector<std::thread> threads;
  const auto section = [&] {
    if (running.load() != 0 || inside.fetch_add(1) != 0) ++broken;
    ++shared;
    inside.fetch_sub(1);
  };
  for (u32 i = 0; i < kVcpus; ++i) {
    threads.emplace_back([&, i] {
      Vcpu& self = bench.vcpu(i);
      for (u32 round = 0; round < 3000; ++round) {
        bench.rendezvous.unpark(self);
        ++running;
        for (u32 n = 0; n < round % 7; ++n) std::this_thread::yield();
        --running;
        if (round % 16 == i) bench.rendezvous.exclusive(&self, section);
        bench.rendezvous.safepoint(self);
        bench.rendezvous.park(self);
      }
      --left;
    });
  }
  u32 from_outside = 0;
  while (left != 0) {
    bench.rendezvous.exclusive(nullptr, section);
    ++from_outside;
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(broken, 0);
  u32 from_vcpus = 0;
  for (u32 i = 0; i < kVcpus; ++i) {
    for (u32 round = 0; round < 3000; ++round) from_vcpus += round % 16 == i;
  }
  EXPECT_EQ(shared, u64{from_outside + from_vcpus});
}

TEST(Rendezvous, ExclusiveSectionsStopGuestCode) {
  CpuBench bench(2);
  Runner runner(bench);
  bool both_run = false;  // on a busy host their threads may take long to start
  for (u32 round = 0; round < 200 || !both_run; ++round) {
    bench.rendezvous.exclusive(nullptr, [&] {
      const u64 a = bench.x(rv::t0, 0), b = bench.x(rv::t0, 1);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      EXPECT_EQ(bench.x(rv::t0, 0), a);
      EXPECT_EQ(bench.x(rv::t0, 1), b);
      both_run = a != 0 && b != 0;
    });
    std::this_thread::yield();
  }
  runner.stop();
}

// Posted while the vcpu is held by an exclusive section, and the vcpu will not run for long: somebody has to serve it.
TEST(Rendezvous, WorkPostedDuringAnExclusiveSectionIsServedWhenItEnds) {
  CpuBench bench(1);
  std::atomic<bool> served{false};
  std::thread poster;
  bench.rendezvous.exclusive(nullptr, [&] {
    poster = std::thread([&] { bench.rendezvous.post_and_wait(nullptr, [&](Vcpu&) { served = true; }); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(served) << "the section did not exclude";
  });
  for (u32 i = 0; i < 60'000 && !served; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(served);
  if (!served) bench.rendezvous.post_and_wait(nullptr, [](Vcpu&) {});  // lets the poster go
  poster.join();
}

struct BlockingDevice final : MmioHandler {
  u64 read(u64 offset, const Access& access) override {
    std::unique_lock lock(mutex);
    entered = true;
    seen = access;
    changed.notify_all();
    changed.wait(lock, [this] { return released; });
    return 0x1234 + offset;
  }
  void write(u64, u64, const Access&) override {}
  u64 peek(u64, u32) const override { return 0; }
  std::mutex mutex;
  std::condition_variable changed;
  bool entered = false, released = false;
  Access seen;
};

TEST(Rendezvous, DevicesAreEnteredParkedSoThatNobodyWaitsForThem) {
  CpuBench bench(2);
  BlockingDevice device;
  bench.memory.map_mmio(GuestPhys(0x10000000), 0x1000, &device, "device");
  bench.put(CpuBench::kRam, {rv::itype(3, 2, rv::t1, rv::a0, 8), rv::j(0)});  // lw
  bench.x(rv::a0, 1) = 0x10000000;
  bench.pc(1) = CpuBench::kRam;
  std::thread thread([&] { bench.vcpu(1).run(4); });
  {
    std::unique_lock lock(device.mutex);
    device.changed.wait(lock, [&] { return device.entered; });
  }
  EXPECT_EQ(device.seen.vcpu, 1);
  EXPECT_EQ(device.seen.size, 4);
  EXPECT_EQ(device.seen.privilege, Privilege::machine);
  std::thread::id by;
  bench.rendezvous.unpark(bench.vcpu(0));  // this thread is vcpu 0's
  bench.rendezvous.post_and_wait(&bench.vcpu(0), [&](Vcpu&) { by = std::this_thread::get_id(); });
  bench.rendezvous.park(bench.vcpu(0));
  EXPECT_EQ(by, std::this_thread::get_id());
  bool ran = false;
  bench.rendezvous.exclusive(nullptr, [&] { ran = true; });
  EXPECT_TRUE(ran);
  {
    const std::lock_guard lock(device.mutex);
    device.released = true;
    device.changed.notify_all();
  }
  thread.join();
  EXPECT_EQ(bench.x(rv::t1, 1), 0x123cu);
}

// A kick must never fall between a vcpu's last look and its sleep.
TEST(Vcpu, NoKickIsLost) {
  CpuBench bench(1);
  // Counts wake-ups: wfi, clear the pin's level by a store the test sees, count.
  bench.put(CpuBench::kRam, {rv::wfi(), rv::addi(rv::t0, rv::t0, 1), rv::sd(rv::t0, rv::a0, 0),
                             rv::ld(rv::t1, rv::a1, 0), rv::bne(rv::t1, rv::t0, -4), rv::j(-20)});
  constexpr u64 kCount = CpuBench::kRam + 0x2000, kAnswer = CpuBench::kRam + 0x3000;
  auto& hart = bench.vcpu().state<riscv64::Hart>();
  hart.mie = 8;
  bench.x(rv::a0) = kCount;
  bench.x(rv::a1) = kAnswer;
  bench.pc() = CpuBench::kRam;
  std::atomic<bool> ending{false};
  std::thread thread([&] {
    while (!ending) {
      if (bench.vcpu().run(kEndless) == Vcpu::Stop::waiting) bench.vcpu().sleep();
    }
  });
  // A slow host does fewer rounds; only a round that does not end is a failure.
  const auto enough = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  u64 round = 0;
  for (; round < 2000 && std::chrono::steady_clock::now() < enough; ++round) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (u64 n = 0; n < round % 64; ++n) asm volatile("" ::: "memory");
    hart.pins.fetch_or(8);
    bench.vcpu().kick();
    while (bench.get64(kCount) != round + 1 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    ASSERT_EQ(bench.get64(kCount), round + 1) << "the vcpu sleeps over a kick";
    hart.pins.fetch_and(~u64{8});
    bench.put64(kAnswer, round + 1);
  }
  EXPECT_GT(round, 0u);
  ending = true;
  bench.vcpu().request_stop();
  thread.join();
}

TEST(Vcpu, AStopRequestedBeforeRunIsRemembered) {
  CpuBench bench(1);
  bench.put(CpuBench::kRam, {rv::j(0)});
  bench.vcpu().request_stop();
  EXPECT_EQ(bench.run_from(CpuBench::kRam, kEndless), Vcpu::Stop::stopped);
  EXPECT_EQ(bench.run_from(CpuBench::kRam, 100), Vcpu::Stop::budget) << "once";
}

}  // namespace
}  // namespace pagoda
