// SPDX-License-Identifier: MIT
// Instructions that compiled code left behind one of their accesses: the run loop finishes them, and each access
// happens once. A backend of the test's own leaves there.
#include <gtest/gtest.h>

#include "cpu/riscv64/hart.h"
#include "memory/mmio.h"
#include "unit/cpu_bench.h"

namespace pagoda {
namespace {

constexpr u64 kCode = CpuBench::kRam + 0x1000, kData = CpuBench::kRam + 0x8000, kDevice = 0x10000000;
constexpr u32 kPair = 0x0000000b;  // of the custom opcodes: t0 := [a0], then t1 := [a1], then [a2] := t0 before
constexpr i64 kMany = 1000;

class CountingDevice final : public MmioHandler {
 public:
  u64 read(u64 offset, const Access&) override {
    ++reads;
    return 0xffffffff00000000 + offset + reads;
  }
  void write(u64, u64 value, const Access&) override {
    ++writes;
    written = value;
  }
  u64 peek(u64, u32) const override { return 0; }
  u64 reads = 0, writes = 0, written = 0;
};

// Executes as tier 0 does, but leaves `kPair` behind its first `accesses` accesses, with their results.
class LeavingEngine final : public tier::Engine {
 public:
  static inline u32 accesses = 0;
  tier::Outcome compile(u32, tier::Job& job) override {
    job.unit->host.start = reinterpret_cast<const u8*>(&accesses);  // it is never jumped to
    return tier::Outcome::done;
  }
  interp::LeaveInfo execute(VcpuFrame& frame, Unit& unit) override {
    auto& hart = static_cast<riscv64::Hart&>(frame);
    if (frame.pc != kCode) return interp::execute(frame, unit);
    frame.insn_index = 0;
    for (u32 i = 0; i < accesses; ++i) {
      const u64 address = hart.x[rv::a0 + i];
      u64 result = 0;
      const ir::MemOp op{.size_log2 = 3};
      i < 2 ? void(result = frame.slow->load(&frame, address, op.pack()))
            : frame.slow->store(&frame, address, hart.x[rv::t0], op.pack());
      frame.temps[kReplayTemps + i] = result;
    }
    frame.leave = 0;
    frame.replay_count = accesses;
    return {interp::Leave::lookup, nullptr};
  }
  tier::Statistics statistics() const override { return {}; }
  u64 code_bytes() const override { return 0; }
  void reset() override {}
};

Result<std::unique_ptr<tier::Engine>> make_leaving(const tier::Setup&) { return std::make_unique<LeavingEngine>(); }
constexpr tier::Backend kLeaving{.name = "leaving", .tier = 1, .summary = "", .create = make_leaving};

void translate(ir::Builder& builder, const TranslateRequest& request) {
  u32 word = 0;
  std::memcpy(&word, request.code.bytes, 4);
  if (word != kPair) return riscv64_guest().translate(builder, request);
  const ir::MemOp op{.size_log2 = 3};
  const auto x = [&](u32 reg) { return builder.get_slot(riscv64::x_slot(reg)); };
  builder.insn(0, 4);
  const ir::Value first = builder.load(ir::Type::i64, x(rv::a0), op),
                  second = builder.load(ir::Type::i64, x(rv::a1), op);
  builder.store(x(rv::a2), x(rv::t0), op);
  builder.put_slot(riscv64::x_slot(rv::t0), first);
  builder.put_slot(riscv64::x_slot(rv::t1), second);
  builder.jump(4);
}

struct ReplayTest : testing::Test {
  ReplayTest() {
    bench.memory.map_mmio(GuestPhys(kDevice), 0x1000, &device, "device");
    bench.put(kCode, {kPair, rv::addi(rv::s1, rv::s1, 1), rv::j(0)});
    bench.x(rv::a0) = kDevice + 8;
    bench.x(rv::a1) = kData;
    bench.x(rv::a2) = kDevice + 16;
    bench.x(rv::t0) = 77;
    bench.x(rv::s1) = 0;
    bench.put64(kData, 0x1234);
  }
  ~ReplayTest() override { LeavingEngine::accesses = 0; }
  CountingDevice device;
  CpuBench bench{1, {.max_tier = 1, .backend = &kLeaving, .min_tier = 1}, translate};
};

TEST_F(ReplayTest, AccessesThatWereDoneAreNotDoneAgain) {
  for (u32 done = 0; done <= 3; ++done) {
    LeavingEngine::accesses = done;
    device.reads = device.writes = 0;
    bench.x(rv::t0) = 77;
    bench.x(rv::t1) = 0;
    if (done == 0) LeavingEngine::accesses = 1;
    ASSERT_EQ(bench.run_from(kCode, 1), Vcpu::Stop::budget);
    EXPECT_EQ(bench.pc(), kCode + 4) << done;
    EXPECT_EQ(device.reads, 1u);
    EXPECT_EQ(device.writes, 1u);
    EXPECT_EQ(device.written, 77u);
    EXPECT_EQ(bench.x(rv::t0), 0xffffffff00000000 + 8 + 1);
    EXPECT_EQ(bench.x(rv::t1), 0x1234u);
    EXPECT_EQ(bench.frame().replay_count, 0u);
  }
}

TEST_F(ReplayTest, TheInstructionCountsOnceAndControlGoesOn) {
  LeavingEngine::accesses = 2;
  const u64 before = bench.vcpu().instructions();
  ASSERT_EQ(bench.run_from(kCode, kMany), Vcpu::Stop::budget);
  EXPECT_EQ(bench.vcpu().instructions() - before, static_cast<u64>(kMany));
  EXPECT_EQ(bench.x(rv::s1), 1u);
  EXPECT_EQ(device.reads, 1u);
}

TEST_F(ReplayTest, ALaterFaultIsTheInstructions) {
  LeavingEngine::accesses = 1;
  bench.map(kData, CpuBench::Page{.ok = false});
  bench.mmu().flush_all();
  bench.vcpu().state<riscv64::Hart>().mtvec = kCode + 8;
  ASSERT_EQ(bench.run_from(kCode, 1), Vcpu::Stop::budget);
  EXPECT_EQ(bench.vcpu().state<riscv64::Hart>().mepc, kCode);
  EXPECT_EQ(bench.vcpu().state<riscv64::Hart>().mtval, kData);
  EXPECT_EQ(bench.x(rv::t0), 77u) << "nothing of it may be seen";
  EXPECT_EQ(device.reads, 1u);
  EXPECT_EQ(device.writes, 0u);
  // Afterwards memory is what it was.
  EXPECT_EQ(bench.frame().slow, &Softmmu::kSlowPaths);
  EXPECT_EQ(bench.frame().memory.table, bench.frame().contexts[bench.frame().memory_mode].table);
}

TEST_F(ReplayTest, StepsAreOneInstruction) {
  LeavingEngine::accesses = 2;
  bench.pc() = kCode;
  bench.vcpu().step(false);
  EXPECT_EQ(bench.pc(), kCode + 4);
  EXPECT_EQ(device.reads, 1u);
  EXPECT_EQ(device.writes, 1u);
}

TEST_F(ReplayTest, MappingsHaveAnEpoch) {
  const auto moves = [&](auto&& change) {
    const u32 before = bench.frame().mapping_epoch;
    change();
    return bench.frame().mapping_epoch != before;
  };
  EXPECT_TRUE(moves([&] { bench.mmu().flush_all(); }));
  EXPECT_TRUE(moves([&] { bench.mmu().flush_page(GuestVirt(kData)); }));
  EXPECT_TRUE(moves([&] { bench.mmu().watchpoints_changed(); }));
  bench.store(kData, 5);
  EXPECT_TRUE(moves([&] { bench.mmu().drop_write_tags(GuestPhys(kData)); }));
  EXPECT_TRUE(moves([&] { bench.mmu().drop_write_tags(GuestPhys(kData)); })) << "without an entry, too";
  EXPECT_FALSE(moves([&] { bench.load(kData + 0x3000); }));
}

}  // namespace
}  // namespace pagoda
