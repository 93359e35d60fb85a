// SPDX-License-Identifier: MIT
// What the register allocator makes of loops as guests have them: no spill code and no moves in what runs often.
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/opt/lir_program.h"

namespace pagoda::opt::test {
namespace {

constexpr u8 kPinned[] = {3, 6, 7, 8, 9, 10, 11, 12, 13, 14};

u32 moves_in(const LirCode& code, u32 block) {
  const LirBlock& at = code.blocks[block];
  return static_cast<u32>(std::ranges::count_if(
      code.moves, [&](const Move& move) { return move.at >= at.first && move.at < at.first + at.count; }));
}

// In hot blocks of loops.
u32 moves_in_loops(const LirCode& code) {
  u32 count = 0;
  for (u32 b = 0; b < code.blocks.size(); ++b) {
    if (code.blocks[b].depth > 0 && !code.blocks[b].is_cold) count += moves_in(code, b);
  }
  return count;
}

// A region: ten guest registers come in host registers, others are in the frame; a loop; everything leaves.
struct Region : LirBuilder {
  std::vector<VReg> pinned, others;
  u32 entry, head = 0, exit = 0;

  explicit Region(u32 frame_slots = 0) {
    entry = block();
    std::vector<Operand> operands;
    for (const u8 r : kPinned) {
      pinned.push_back(gpr());
      operands.push_back(def(pinned.back(), r));
    }
    add(entry, Lir::enter, operands);
    for (u32 i = 0; i < frame_slots; ++i) {
      others.push_back(gpr());
      add(entry, Lir::frame_load, {def(others.back())}).imm = 8 * i;
    }
    head = block(1);
    exit = block();
  }

  VReg op(u32 b, Lir op, VReg a, VReg c = 0) {
    const VReg d = gpr();
    if (c != 0) {
      add(b, op, {def(d), use(a), use(c)});
    } else {
      add(b, op, {def(d), use(a)}).imm = 8;
    }
    return d;
  }
  VReg load(u32 b, VReg a, const std::vector<VReg>& site_regs) {
    const VReg d = gpr();
    const u32 index = site(site_regs);
    add(b, Lir::load, {def(d), use(a), temp(gpr()), temp(gpr())}).site = index;
    return d;
  }
  void leave(u32 b, const std::vector<VReg>& regs) {
    std::vector<Operand> operands;
    for (size_t i = 0; i < regs.size() && i < std::size(kPinned); ++i) operands.push_back(use(regs[i], kPinned[i]));
    add(b, Lir::exit_link, operands);
  }
  // What is used there by memory.
  void store_frame(u32 b, VReg reg) {
    Operand operand = use(reg);
    operand.may_be_spilled = true;
    add(b, Lir::frame_store, {operand});
  }

  void allocate(Registers registers = registers_of()) {
    before = code;
    ASSERT_TRUE(allocate_registers(code, registers));
    ASSERT_EQ(check_allocation(code, registers), "") << print(code);
    for (u64 seed = 0; seed < 8; ++seed) {
      ASSERT_EQ(run_values(before, seed, 300), run_places(code, seed, 300)) << print(code);
    }
  }
  LirCode before;
};

// for (; i != 0; --i, p += 8) sum += *p
TEST(Regalloc, LoopOverMemory) {
  Region r;
  const VReg p = r.gpr(), i = r.gpr(), sum = r.gpr();
  for (const VReg reg : {p, i, sum}) r.phi(r.head, reg);
  std::vector<VReg> site = r.pinned;
  site[0] = p;
  site[1] = i;
  site[2] = sum;
  const VReg value = r.load(r.head, p, site);
  const VReg sum2 = r.op(r.head, Lir::add, sum, value);
  const VReg p2 = r.op(r.head, Lir::add, p);
  const VReg i2 = r.op(r.head, Lir::sub, i);
  r.branch(r.head, i2, r.head, r.exit);
  r.split_edges();
  r.link();
  r.phi_args(r.head, p, {r.pinned[0], p2});
  r.phi_args(r.head, i, {r.pinned[1], i2});
  r.phi_args(r.head, sum, {r.pinned[2], sum2});
  std::vector<VReg> out = r.pinned;
  out[0] = p2;
  out[1] = i2;
  out[2] = sum2;
  r.leave(r.exit, out);
  r.finish();
  r.allocate();
  EXPECT_EQ(r.code.moves.size(), 0u) << print(r.code);
  EXPECT_EQ(r.code.spills, 0u);
}

// Everything in registers is used in the loop, and much more lives through it.
void busy_loop(u32 used, u32 through, bool with_sites) {
  Region r(through);
  // The loop's own: the first `used` values, all of them carried around it.
  std::vector<VReg> all = r.pinned;
  all.insert(all.end(), r.others.begin(), r.others.end());
  std::vector<VReg> phis, next;
  for (u32 n = 0; n < used; ++n) {
    phis.push_back(r.gpr());
    r.phi(r.head, phis.back());
  }
  std::vector<VReg> live = all;
  std::copy(phis.begin(), phis.end(), live.begin());
  for (u32 n = 0; n < used; ++n) {
    next.push_back(r.op(r.head, Lir::add, phis[n]));
    live[n] = next[n];
    if (with_sites) r.add(r.head, Lir::begin_unit, {}).site = r.site(live);
  }
  r.branch(r.head, next[0], r.head, r.exit);
  r.split_edges();
  r.link();
  for (u32 n = 0; n < used; ++n) r.phi_args(r.head, phis[n], {all[n], next[n]});
  for (u32 n = 10; n < live.size(); ++n) r.store_frame(r.exit, live[n]);
  live.resize(10);
  r.leave(r.exit, live);
  r.finish();
  r.allocate();
  EXPECT_EQ(moves_in_loops(r.code), 0u) << used << ' ' << through << '\n' << print(r.code);
}

TEST(Regalloc, ThirteenValuesInALoop) {
  for (u32 used = 1; used <= 13; ++used) {
    for (const u32 through : {3u, 10u, 30u}) {
      busy_loop(used, through, false);
      busy_loop(used, through, true);
    }
  }
}

// Values of an outer loop leave registers for the inner one, which uses twelve others.
TEST(Regalloc, InnerLoopFirst) {
  Region r(16);
  const u32 inner = r.block(2), latch = r.block(1);
  const VReg outer = r.gpr(), outer2 = r.gpr();
  r.phi(r.head, outer);
  std::vector<VReg> phis, next;
  for (u32 n = 0; n < 12; ++n) {
    phis.push_back(r.gpr());
    r.phi(inner, phis.back());
  }
  r.jump(r.head, inner);
  for (u32 n = 0; n < 12; ++n) next.push_back(r.op(inner, Lir::add, phis[n], phis[(n + 1) % 12]));
  r.branch(inner, next[3], inner, latch);
  r.add(latch, Lir::add, {def(outer2), use(outer), use(next[5])});
  for (const VReg other : r.others) r.add(latch, Lir::sub, {def(r.gpr()), use(outer2), use(other)});
  r.branch(latch, outer2, r.head, r.exit);
  r.split_edges();
  r.link();
  r.phi_args(r.head, outer, {r.pinned[9], outer2});
  for (u32 n = 0; n < 12; ++n) r.phi_args(inner, phis[n], {n < 10 ? r.pinned[n] : r.others[n], next[n]});
  r.leave(r.exit, next);
  r.finish();
  r.allocate();
  u32 inside = moves_in(r.code, inner);
  for (u32 b = 0; b < r.code.blocks.size(); ++b) {
    if (r.code.blocks[b].depth == 2 && b != inner) inside += moves_in(r.code, b);
  }
  // Each new value is used together with an old one: one of them has to move at the end.
  EXPECT_LE(inside, 12u) << print(r.code);
  for (const Move& move : r.code.moves) {
    const LirBlock& block = r.code.blocks[inner];
    if (move.at < block.first || move.at >= block.first + block.count) continue;
    EXPECT_EQ(move.from.kind, Place::reg);
    EXPECT_EQ(move.to.kind, Place::reg);
  }
}

// A loop with a way through a call. Returns the moves in what runs often.
u32 loop_with_a_call(bool is_cold, bool is_seldom_seen) {
  Region r;
  const u32 cold = r.block(1, is_cold), join = r.block(1);
  const VReg i = r.gpr(), sum = r.gpr(), a = r.gpr(), sum2 = r.gpr();
  r.phi(r.head, i);
  r.phi(r.head, sum);
  r.add(r.head, Lir::add, {def(a), use(i), use(r.pinned[5])});
  r.branch(r.head, a, join, cold);
  const VReg called = r.gpr();
  LirInsn& call = r.add(cold, Lir::helper, {def(called, 0)});
  call.clobbers[0] = 0x0fc7;
  call.clobbers[1] = 0xffff;
  r.jump(cold, join);
  const VReg either = r.gpr();
  r.phi(join, either);
  r.add(join, Lir::add, {def(sum2), use(sum), use(either)});
  for (u32 n = 2; n < 9; ++n) r.add(join, Lir::sub, {def(r.gpr()), use(sum2), use(r.pinned[n])});
  const VReg i2 = r.op(join, Lir::sub, i, r.pinned[6]);
  r.branch(join, i2, r.head, r.exit);
  r.split_edges();
  r.link();
  r.phi_args(r.head, i, {r.pinned[0], i2});
  r.phi_args(r.head, sum, {r.pinned[1], sum2});
  r.phi_args(join, either,
             {r.code.blocks[join].before[0] == cold ? called : a, r.code.blocks[join].before[0] == cold ? a : called});
  std::vector<VReg> out = r.pinned;
  out[0] = i2;
  out[1] = sum2;
  r.leave(r.exit, out);
  r.finish();
  if (is_seldom_seen) {
    for (u32 b = 0; b < r.code.blocks.size(); ++b) {
      const LirBlock& block = r.code.blocks[b];
      const auto leads_to = [&](u32 to) { return block.successors == 1 && block.next[0] == to; };
      r.code.blocks[b].seen = block.depth == 0 ? 1 : b == cold ? 3 : leads_to(cold) ? 3 : 100;
    }
  }
  r.allocate();
  u32 count = 0;
  for (u32 b = 0; b < r.code.blocks.size(); ++b) {
    const LirBlock& block = r.code.blocks[b];
    if (block.depth > 0 && b != cold && !block.is_cold && (!is_seldom_seen || block.seen > 3))
      count += moves_in(r.code, b);
  }
  return count;
}

// A slow path that destroys most registers pays for what it destroys.
TEST(Regalloc, ColdCodePays) { EXPECT_EQ(loop_with_a_call(true, false), 0u); }

// So does what a sample has seldom seen.
TEST(Regalloc, WhatSeldomRunsPays) { EXPECT_EQ(loop_with_a_call(false, true), 0u); }

// Fixed registers of a division within a loop are not in the way of what lives around it.
TEST(Regalloc, DivisionInALoop) {
  Region r(3);
  const VReg i = r.gpr(), sum = r.gpr();
  r.phi(r.head, i);
  r.phi(r.head, sum);
  const VReg quotient = r.gpr();
  r.add(r.head, Lir::div_u, {def(quotient, 0), use(sum, 0), late(i), temp(r.gpr(), 2)});
  const VReg sum2 = r.op(r.head, Lir::add, quotient, r.pinned[4]);
  const VReg shifted = r.gpr();
  r.add(r.head, Lir::rotl, {def(shifted), use(sum2), use(r.others[0], 1)});
  const VReg i2 = r.op(r.head, Lir::sub, i, shifted);
  r.branch(r.head, i2, r.head, r.exit);
  r.split_edges();
  r.link();
  r.phi_args(r.head, i, {r.pinned[0], i2});
  r.phi_args(r.head, sum, {r.pinned[1], sum2});
  std::vector<VReg> out = r.pinned;
  out[0] = i2;
  out[1] = sum2;
  r.store_frame(r.exit, r.others[1]);
  r.store_frame(r.exit, r.others[2]);
  r.leave(r.exit, out);
  r.finish();
  r.allocate();
  EXPECT_EQ(moves_in_loops(r.code), 0u) << print(r.code);
}

}  // namespace
}  // namespace pagoda::opt::test
