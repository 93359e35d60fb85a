// SPDX-License-Identifier: MIT
// Host code of regions: jumps inside, ways out to other units and to the caller, traps, helpers, listings.
#include <gtest/gtest.h>

#include "tcg/host/x86_64/light/emitter.h"
#include "unit/opt_emit_bench.h"

namespace pagoda {
namespace {

using opt::Condition;
using opt::Recipe;

constexpr u32 kRax = 0, kRbx = 3, kRsi = 6, kRdi = 7, kR12 = 12;

class OptControl : public testing::Test {
 protected:
  using Arg = OptBench::Arg;
  Arg gpr(u32 number, Role role = Role::use) { return {OptBench::reg(number), role}; }
  Arg xmm(u32 number, Role role = Role::use) { return {OptBench::reg(number), role, RegClass::xmm}; }
  void load(u32 reg, u32 slot) {
    bench.add({.op = Lir::frame_load, .imm = bench.offset_of(bench.state().slots[slot])}, {gpr(reg, Role::def)});
  }
  void store(u32 reg, u32 slot) {
    bench.add({.op = Lir::frame_store, .imm = bench.offset_of(bench.state().slots[slot])}, {gpr(reg)});
  }
  void mark(u64 value) {
    bench.add(
        {.op = Lir::frame_store, .imm = bench.offset_of(bench.state().slots[15]), .imm2 = static_cast<i64>(value)}, {});
  }
  u32 new_site(opt::Site site) {
    bench.code.sites.push_back(std::move(site));
    return static_cast<u32>(bench.code.sites.size() - 1);
  }
  void lead(u32 from, u32 to0, u32 to1 = 0, u32 count = 1) {
    auto& block = bench.code.blocks[from];
    block.next[0] = to0;
    block.next[1] = to1;
    block.successors = count;
    bench.code.blocks[to0].before.push_back(from);
    if (count == 2) bench.code.blocks[to1].before.push_back(from);
  }
  // Code that another unit has: marks that it was reached, and leaves.
  LoopCode other_code(u64 value) {
    bench.start();
    mark(value);
    bench.end();
    return bench.emitter->emit(bench.code, 0);
  }
  // A unit with links and data beside code, as tier 1 makes them.
  struct Neighbour {
    Unit unit;
    CodeMemory::Piece piece;
    light::HostData* data;
  };
  std::unique_ptr<Neighbour> neighbour(u64 phys) {
    auto made = std::make_unique<Neighbour>();
    made->piece = bench.memory->allocate(16);
    made->data = new (made->piece.data) light::HostData();
    made->data->unit = &made->unit;
    made->unit.host.data = made->piece.data;
    made->unit.phys = phys;
    return made;
  }
  OptState& state() { return bench.state(); }

  OptBench bench;
};

// A sum by a loop, in every order of its blocks.
TEST_F(OptControl, LoopsRun) {
  for (u32 layout = 0; layout < 4; ++layout) {
    bench.start();  // 0: entry
    bench.code.sites.reserve(4);
    load(kRbx, 0);
    bench.add({.op = Lir::imm, .imm = 0}, {gpr(kRsi, Role::def)});
    bench.add({.op = Lir::jump}, {});
    const u32 head = bench.begin_block();  // adds, counts down
    bench.code.blocks[head].depth = 1;
    bench.add({.op = Lir::add}, {gpr(kRsi, Role::def), gpr(kRsi), gpr(kRbx)});
    bench.add({.op = Lir::sub, .imm = 1}, {gpr(kRbx, Role::def), gpr(kRbx)});
    bench.add({.op = Lir::branch, .cc = layout < 2 ? Condition::ne : Condition::eq}, {gpr(kRbx)});
    const u32 back = bench.begin_block();
    bench.code.blocks[back].is_cold = layout % 2 != 0;
    bench.add({.op = Lir::jump}, {});
    const u32 out = bench.begin_block();
    store(kRsi, 1);
    bench.end();
    lead(0, head);
    layout < 2 ? lead(head, back, out, 2) : lead(head, out, back, 2);
    lead(back, head);
    ASSERT_TRUE(bench.make());
    for (const u64 count : {u64{1}, u64{2}, u64{100}}) {
      state().slots[0] = count;
      ASSERT_EQ(bench.run().reason, interp::Leave::budget);
      EXPECT_EQ(state().slots[1], count * (count + 1) / 2);
    }
  }
}

TEST_F(OptControl, FloatBranchesGoTheirWay) {
  const double numbers[] = {1, 2, __builtin_nan("")};
  for (u32 compare = 0; compare <= static_cast<u32>(ir::FpCompare::le_signal); ++compare) {
    for (const bool swapped : {false, true}) {
      bench.start();
      bench.load_all();
      bench.add({.op = Lir::fbranch, .imm = compare}, {xmm(1), xmm(2)});
      const u32 first = bench.begin_block();
      mark(swapped ? 0 : 1);
      bench.end();
      const u32 second = bench.begin_block();
      mark(swapped ? 1 : 0);
      bench.end();
      swapped ? lead(0, second, first, 2) : lead(0, first, second, 2);
      ASSERT_TRUE(bench.make());
      for (const double one : numbers) {
        for (const double other : numbers) {
          state().float_in[1] = std::bit_cast<u64>(one);
          state().float_in[2] = std::bit_cast<u64>(other);
          bench.run();
          const u32 kind = compare % 3;
          const bool expected = kind == 0 ? one == other : kind == 1 ? one < other : one <= other;
          EXPECT_EQ(state().slots[15], u64{expected}) << compare << " " << one << " " << other;
        }
      }
    }
  }
}

TEST_F(OptControl, MovesBetweenAllPlaces) {
  bench.start();
  bench.load_all();
  const auto move = [&](RegClass of, Place from, Place to) {
    bench.code.moves.push_back({.at = static_cast<u32>(bench.code.insns.size()), .of = of, .from = from, .to = to});
  };
  const auto constant = [&](Place to, u64 value) {
    bench.code.moves.push_back(
        {.at = static_cast<u32>(bench.code.insns.size()), .of = RegClass::gpr, .to = to, .is_imm = true, .imm = value});
  };
  move(RegClass::gpr, OptBench::reg(kRbx), OptBench::spill(3));
  move(RegClass::gpr, OptBench::spill(3), OptBench::spill(4));
  move(RegClass::gpr, OptBench::spill(4), OptBench::reg(kRsi));
  move(RegClass::xmm, OptBench::reg(2), OptBench::spill(5));
  move(RegClass::xmm, OptBench::spill(5), OptBench::reg(3));
  move(RegClass::xmm, OptBench::reg(3), OptBench::reg(4));
  move(RegClass::gpr, OptBench::reg(kRbx), OptBench::reg(kRdi));
  bench.code.moves.push_back({.at = static_cast<u32>(bench.code.insns.size()),
                              .of = RegClass::gpr,
                              .from = OptBench::reg(9),
                              .to = OptBench::reg(10),
                              .is_exchange = true});
  constant(OptBench::reg(kR12), 0xfedcba9876543210);
  constant(OptBench::spill(6), 0xfedcba9876543210);
  constant(OptBench::spill(7), ~u64{0});
  bench.store_all();
  bench.end();
  ASSERT_TRUE(bench.make());
  state().in[kRbx] = 0x1234;
  state().float_in[2] = 0x5678;
  state().in[9] = 9;
  state().in[10] = 10;
  bench.run();
  EXPECT_EQ(state().out[9], 10u);
  EXPECT_EQ(state().out[10], 9u);
  EXPECT_EQ(bench.spilled(4), 0x1234u);
  EXPECT_EQ(state().out[kRsi], 0x1234u);
  EXPECT_EQ(state().out[kRdi], 0x1234u);
  EXPECT_EQ(state().float_out[3], 0x5678u);
  EXPECT_EQ(state().float_out[4], 0x5678u);
  EXPECT_EQ(state().out[kR12], 0xfedcba9876543210u);
  EXPECT_EQ(bench.spilled(6), 0xfedcba9876543210u);
  EXPECT_EQ(bench.spilled(7), ~u64{0});
}

TEST_F(OptControl, BudgetAndPollLeaveBeforeTheUnit) {
  bench.start();
  load(kRbx, 0);
  bench.code.sites.resize(1);
  const u32 first = new_site({.pc = 0x40,
                              .slots = {{.offset = bench.offset_of(state().slots[1]),
                                         .recipe = {.form = Recipe::value, .place = OptBench::reg(kRbx)}}}});
  bench.add({.op = Lir::begin_unit, .imm = 10, .imm2 = 1, .site = first}, {});
  mark(1);
  const u32 second = new_site({.pc = 0x60, .budget = 3});
  bench.add({.op = Lir::begin_unit, .imm = 990, .site = second}, {});
  mark(2);
  const u32 third = new_site({.pc = 0x80});
  bench.add({.op = Lir::begin_unit, .imm = 1, .site = third}, {});
  ASSERT_TRUE(bench.make());
  state().slots[0] = 5;
  state().poll = 1;
  EXPECT_EQ(bench.run().reason, interp::Leave::poll);
  EXPECT_EQ(state().slots[15], 0u);
  EXPECT_EQ(state().slots[1], 5u);
  EXPECT_EQ(state().pc, kBenchPc);
  EXPECT_EQ(state().budget, 1000);
  state().poll = 0;
  EXPECT_EQ(bench.run().reason, interp::Leave::budget);
  EXPECT_EQ(state().slots[15], 2u) << "the budget goes down to 0";
  EXPECT_EQ(state().pc, (kBenchPc & kTlbPageMask) + 0x80);
  EXPECT_EQ(state().budget, 0);
}

TEST_F(OptControl, TrapsLeaveAtTheirInstruction) {
  for (const bool spilled : {false, true}) {
    bench.start();
    bench.load_all();
    const u32 site = new_site({.pc = 0x44, .budget = 7});
    bench.add({.op = Lir::trap_if, .cc = Condition::lt_u, .imm2 = 0x1234567890, .site = site},
              {gpr(kRbx), gpr(kRsi), {spilled ? OptBench::spill(2) : OptBench::reg(kRdi)}});
    bench.end();
    ASSERT_TRUE(bench.make());
    state().in[kRbx] = 5;
    state().in[kRsi] = 5;
    EXPECT_EQ(bench.run().reason, interp::Leave::budget);
    state().in[kRsi] = 6;
    state().in[kRdi] = bench.spilled(2) = 0xabcdef0123456789;
    EXPECT_EQ(bench.run().reason, interp::Leave::exception);
    EXPECT_EQ(state().fault, 1u);
    EXPECT_EQ(state().fault_cause, 0x1234567890u);
    EXPECT_EQ(state().fault_value, 0xabcdef0123456789u);
    EXPECT_EQ(state().pc, (kBenchPc & kTlbPageMask) + 0x44);
    EXPECT_EQ(state().budget, 1007);
  }
}

TEST_F(OptControl, LinksInAPageAreFollowedAsTheyAre) {
  for (const i64 page : {i64{0}, i64{8192}, i64{-4096}}) {
    auto from = neighbour(0x5040);
    from->unit.exit_offset[1] = 0x20;
    const LoopCode target = other_code(11);
    from->data->links[1].jump.store(target.start);
    bench.start();
    bench.add({.op = Lir::exit_link, .side = 1, .imm = page, .unit = &from->unit}, {});
    ASSERT_TRUE(bench.make());
    state().slots[15] = 0;
    ASSERT_EQ(bench.run().reason, interp::Leave::budget);
    EXPECT_EQ(state().slots[15], 11u);
    EXPECT_EQ(state().pc_page, (kBenchPc & kTlbPageMask) + static_cast<u64>(page));
    release(target);
  }
}

TEST_F(OptControl, LinksToAnotherPageAskTheTlb) {
  for (const i64 page : {i64{0}, i64{4096}}) {
    auto from = neighbour(0x5040);
    from->unit.exit_offset[0] = 0x2000;
    from->unit.exit_is_far[0] = true;
    Unit target;
    const LoopCode code = other_code(12);
    target.host.entry.store(code.start);
    target.host_page = bench.host_page(0);
    bench.start();
    bench.add({.op = Lir::exit_link, .side = 0, .imm = page, .unit = &from->unit}, {});
    ASSERT_TRUE(bench.make());
    const u64 to = (kBenchPc & kTlbPageMask) + static_cast<u64>(page) + 0x2000;
    const auto expect_asked = [&] {
      state().slots[15] = 0;
      const interp::LeaveInfo left = bench.run();
      EXPECT_EQ(left.reason, interp::Leave::lookup);
      EXPECT_EQ(left.link, &from->unit.links[0]);
      EXPECT_EQ(state().pc, to + 0x40);
      EXPECT_EQ(state().slots[15], 0u);
    };
    const auto entry = [&](const u8* host) {
      return TlbEntry{.exec_tag = to + state().contexts[0].tag, .addend = reinterpret_cast<u64>(host) - to};
    };
    TlbEntry& first = bench.frame->tlb.entries[tlb_index(to)];
    TlbEntry& second = bench.frame->second.entries[second_tlb_index(to)];
    first = second = {};
    expect_asked();  // no target yet
    from->data->links[0].unit.store(&target);
    expect_asked();  // not in the TLB
    second = entry(bench.host_page(0));
    ASSERT_EQ(bench.run().reason, interp::Leave::budget);
    EXPECT_EQ(state().slots[15], 12u);
    EXPECT_EQ(first.exec_tag, second.exec_tag);
    second = {};
    state().slots[15] = 0;
    ASSERT_EQ(bench.run().reason, interp::Leave::budget);
    EXPECT_EQ(state().slots[15], 12u);
    first = entry(bench.host_page(1));
    expect_asked();  // another page of the host
    release(code);
    first = second = {};
  }
}

TEST_F(OptControl, IndirectJumpsGoByTheJumpCache) {
  auto cache = std::make_unique<JumpCacheEntry[]>(kJumpCacheEntries);
  static Unit none;
  for (u32 i = 0; i < kJumpCacheEntries; ++i) cache[i] = {.pc = ~u64{0}, .unit = &none, .key = 0, .entry = nullptr};
  state().jump_cache = cache.get();
  state().mode = 3;
  state().code_epoch.store(9);
  const LoopCode code = other_code(13);
  bench.start();
  load(kRax, 0);
  bench.add({.op = Lir::exit_indirect, .imm = -2}, {gpr(kRax)});
  ASSERT_TRUE(bench.make());
  const u64 to = kBenchPc + 0x7776;
  state().slots[0] = to + 1;
  state().slots[15] = 0;
  ASSERT_EQ(bench.run().reason, interp::Leave::lookup);
  EXPECT_EQ(state().pc, to);
  EXPECT_EQ(state().slots[15], 0u);
  cache[jump_cache_index(to)] = {.pc = to, .unit = &none, .key = jump_key(state()), .entry = code.start};
  ASSERT_EQ(bench.run().reason, interp::Leave::budget);
  EXPECT_EQ(state().slots[15], 13u);
  EXPECT_EQ(state().pc_page, to & kTlbPageMask);
  cache[jump_cache_index(to)].key ^= u64{1} << 32;  // to be looked at: the unit is dead
  ASSERT_EQ(bench.run().reason, interp::Leave::lookup);
  EXPECT_EQ(state().pc, to);
  release(code);
}

u64 mix(VcpuFrame* frame, u64 a, u64 b, u64 c, u64 imm) { return a + 3 * b + 5 * c + 7 * imm + frame->mode; }

TEST_F(OptControl, HelpersGetTheirOperands) {
  const HelperFn functions[] = {nullptr, mix};
  state().helpers = functions;
  state().mode = 1000;
  bench.start();
  bench.load_all();
  for (u32 i = 0; i < 4; ++i) {
    bench.add({.op = Lir::frame_store, .imm = bench.offset_of(state().call_args[i])}, {gpr(8 + i)});
  }
  bench.add({.op = Lir::helper, .imm = 1}, {gpr(kRax, Role::def)});
  store(kRax, 0);
  store(kRbx, 1);
  store(kR12, 2);
  bench.end();
  ASSERT_TRUE(bench.make());
  for (u32 i = 0; i < 16; ++i) state().in[i] = i * 100;
  bench.run();
  EXPECT_EQ(state().slots[0], 800u + 3 * 900 + 5 * 1000 + 7 * 1100 + 1000);
  EXPECT_EQ(state().slots[1], 300u);
  EXPECT_EQ(state().slots[2], 1200u);
}

// Pinned registers come in host registers while the frame has old values; a site that does not name them all the same
// leaves with them. Here they come from another region.
TEST_F(OptControl, PinnedRegistersComeAndGo) {
  std::vector<Arg> pinned;
  for (const auto& reg : light::kPinned) pinned.push_back(gpr(reg.id(), Role::def));
  bench.start();
  bench.add({.op = Lir::enter}, pinned);
  opt::Site site;
  site.slots = {
      {.offset = bench.offset_of(state().pinned[1]), .recipe = {.form = Recipe::value, .place = OptBench::reg(kRdi)}}};
  bench.add({.op = Lir::begin_unit, .imm = 1 << 30, .site = new_site(site)}, {});
  const LoopCode target = bench.emitter->emit(bench.code, 0);
  auto from = neighbour(0x5040);
  from->data->links[0].jump.store(target.start);
  bench.start();
  bench.add({.op = Lir::enter}, pinned);
  for (const Arg& each : pinned) bench.add({.op = Lir::add, .imm = 1}, {each, {each.place}});
  bench.add({.op = Lir::exit_link, .unit = &from->unit}, {});
  ASSERT_TRUE(bench.make());
  for (u32 i = 0; i < 10; ++i) state().pinned[i] = 10 * i;
  bench.run();
  for (u32 i = 0; i < 10; ++i) EXPECT_EQ(state().pinned[i], i == 1 ? 21 : 10 * i + 1);
  release(target);
}

TEST_F(OptControl, ListingsShowWhatUsuallyRuns) {
  std::string text;
  bench.emitter->set_listing(&text);
  bench.start();
  bench.code.sites.resize(2);
  bench.add({.op = Lir::load_page, .size = 8, .imm = 16, .aux = ir::MemOp{}.pack(), .site = 1},
            {gpr(kRax, Role::def), gpr(kRbx), gpr(8, Role::use_def), gpr(9, Role::use_def), gpr(10, Role::temp)});
  bench.end();
  ASSERT_TRUE(bench.make());
  EXPECT_EQ(text.substr(0, text.find("sub r15")),
            "L0:\n"
            "lea r10, [rbx+16]\n"
            "and r10, -4089\n"
            "cmp r10, r8\n"
            "jne L5\n"
            "L3:\n"
            "mov rax, qword ptr [rbx+r9+16]\n"
            "L4:\n");
  bench.emitter->set_listing(nullptr);
}

TEST_F(OptControl, CodeAndItsRegionAreReleased) {
  const std::size_t before = bench.memory->used_bytes();
  for (u32 i = 0; i < 30000; ++i) release(other_code(i));
  EXPECT_LE(bench.memory->used_bytes(), before + (u64{256} << 10));
}

}  // namespace
}  // namespace pagoda
