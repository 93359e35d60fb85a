// SPDX-License-Identifier: MIT
// Host code of regions: accesses by pages, by both levels of the TLB and in C++; what is left behind a fault or when
// the region has to be left.
#include <gtest/gtest.h>

#include "tcg/host/fp.h"
#include "unit/opt_emit_bench.h"

namespace pagoda {
namespace {

constexpr u32 kAddress = 3, kValue = 6, kPage = 8, kAddend = 9, kTemp = 11, kOther = 13;

class OptMemory : public testing::Test {
 protected:
  using Arg = OptBench::Arg;
  Arg gpr(u32 number, Role role = Role::use) { return {OptBench::reg(number), role}; }
  static bool is_store(Lir op) { return op >= Lir::store && op <= Lir::store_new_page; }
  static bool has_page(Lir op) { return op != Lir::load && op != Lir::store; }

  struct Access {
    Lir op = Lir::load;
    ir::MemOp mem;
    bool is_float = false, write = false;
    i64 imm = 0;
    u32 value = kValue;
  };
  LirInsn insn_of(const Access& access) {
    return {.op = access.op,
            .size = static_cast<u8>(access.mem.size()),
            .write = access.write,
            .imm = access.imm,
            .aux = access.mem.pack(),
            .site = 1};
  }
  void add(const Access& access) {
    const Arg value{OptBench::reg(access.value), is_store(access.op) ? Role::use : Role::def,
                    access.is_float ? RegClass::xmm : RegClass::gpr};
    const Role pair = has_page(access.op) ? Role::use_def : Role::temp;
    std::vector<Arg> args;
    if (is_store(access.op)) {
      args = {gpr(kAddress), value, gpr(kPage, pair), gpr(kAddend, pair)};
    } else {
      args = {value, gpr(kAddress), gpr(kPage, pair), gpr(kAddend, pair)};
    }
    if (has_page(access.op)) args.push_back(gpr(kTemp, Role::temp));
    bench.add(insn_of(access), args);
  }
  opt::Site site() { return {.pc = 0x40 + 12, .budget = 5}; }
  // One access between loading and storing all registers.
  void make(const Access& access) {
    bench.start();
    bench.code.sites.push_back(site());
    bench.load_all();
    add(access);
    bench.store_all();
    bench.end();
    ASSERT_TRUE(bench.make());
  }
  u64 in(u32 number) { return bench.state().in[number]; }
  u64 out(u32 number) { return bench.state().out[number]; }
  void expect_registers_but(u32 lost) {
    for (u32 i = 0; i < 16; ++i) {
      if (OptBench::is_usable(i) && (lost >> i & 1) == 0) {
        EXPECT_EQ(out(i), in(i)) << "r" << i;
      }
    }
  }
  u64 addend(u64 n) { return reinterpret_cast<u64>(bench.host_page(n)) - OptBench::page(n); }

  ir::Rng rng{1};
  OptBench bench;
};

constexpr Lir kLoads[] = {Lir::load, Lir::load_page, Lir::load_new_page};
constexpr Lir kStores[] = {Lir::store, Lir::store_page, Lir::store_new_page};

TEST_F(OptMemory, AccessesFindTheirBytesWhateverTheTlbHolds) {
  u64 inline_ones = 0, in_cxx = 0;
  for (u32 round = 0; round < 800; ++round) {
    Access access;
    access.op = rng() % 2 == 0 ? kLoads[rng() % 3] : kStores[rng() % 3];
    const bool store = is_store(access.op);
    access.mem.size_log2 = rng() & 3;
    access.is_float = access.mem.size() >= 4 && rng() % 4 == 0;
    access.mem.sign = !store && !access.is_float && access.mem.size() < 8 && rng() % 2 == 0;
    access.mem.big_endian = !access.is_float && rng() % 4 == 0;
    access.mem.align = rng() % 3 == 0;
    access.write = rng() % 2 == 0;
    access.imm = rng() % 2 == 0 ? 0 : static_cast<i64>(rng() % 0x2000) - 0x1000;
    if (!store && rng() % 4 == 0) access.value = kAddress;  // a load over its own address
    if (access.is_float) access.value = kValue;
    ASSERT_NO_FATAL_FAILURE(make(access));
    for (u32 n = 0; n < 6; ++n) {
      OptState& state = bench.state();
      for (u64& each : state.in) each = rng();
      for (u64& each : state.float_in) each = rng();
      for (u8& byte : bench.ram) byte = static_cast<u8>(rng());
      const u32 size = access.mem.size();
      u64 address = OptBench::kBase + rng() % (OptBench::kPages * 4096 - 8);
      if (rng() % 3 == 0) address = OptBench::page(1 + rng() % 3) - rng() % 8;  // at an edge
      if (access.mem.align || rng() % 2 == 0) address &= ~u64{size - 1};
      state.in[kAddress] = address - static_cast<u64>(access.imm);
      const u64 page = (address - OptBench::kBase) >> 12, last = (address + size - 1 - OptBench::kBase) >> 12;
      for (u64 each = 0; each < 3; ++each) {
        const u64 how = rng() % 4;
        bench.fill(each, how == 0, how <= 2, how == 2);
      }
      bench.fill(3, false, false);
      bench.fills = rng() % 2 == 0;
      bench.device_value = rng();
      // Pages kept from before: this one, another one, none.
      const u64 kept = rng() % 3;
      const bool may_keep = kept == 0 ? page < 3 && (page < 2 || !(store || access.write)) : true;
      state.in[kPage] = kept == 0 && may_keep ? OptBench::page(page)
                        : kept == 1           ? OptBench::page((page + 1) % 2)
                                              : opt::kNoPage;
      state.in[kAddend] = kept == 0 && may_keep ? addend(page) : kept == 1 ? addend((page + 1) % 2) : rng();
      if (access.op == Lir::load_new_page || access.op == Lir::store_new_page) state.in[kPage] = rng();
      u64 bytes = bench.peek(address, size);
      if (last == 3) bench.fill(3, false, false);
      const auto ram = bench.ram;
      ASSERT_EQ(bench.run().reason, interp::Leave::budget);
      ASSERT_EQ(state.replay_count, 0u);
      bench.events.empty() ? ++inline_ones : ++in_cxx;
      if (!bench.events.empty()) {
        ASSERT_EQ(bench.events.size(), 1u);
        EXPECT_EQ(bench.events[0].address, address);
        EXPECT_EQ(bench.events[0].is_store, store);
        EXPECT_EQ(bench.events[0].pc, (kBenchPc & kTlbPageMask) + 0x40 + 12);
        EXPECT_EQ(bench.events[0].budget, 1005);
      }
      const u32 shift = 64 - 8 * size;
      if (!store) {
        if (!bench.events.empty() && address >= OptBench::page(3)) bytes = bench.device_value << shift >> shift;
        if (access.mem.big_endian) bytes = __builtin_bswap64(bytes) >> shift;
        if (access.mem.sign) bytes = static_cast<u64>(static_cast<i64>(bytes << shift) >> shift);
        EXPECT_EQ(access.is_float ? state.float_out[access.value] : out(access.value), bytes);
        ASSERT_EQ(bench.ram, ram);
      } else {
        u64 value = access.is_float ? state.float_in[access.value] : in(access.value);
        if (access.mem.big_endian) value = __builtin_bswap64(value << shift);
        value = value << shift >> shift;
        ASSERT_EQ(bench.peek(address, size), value);
        for (u32 i = 0; i < size; ++i) bench.byte(address + i) = static_cast<u8>(bytes >> 8 * i);
        ASSERT_EQ(bench.ram, ram);
      }
      const u32 defs = !store && !access.is_float ? 1u << access.value : 0;
      expect_registers_but(1u << kPage | 1u << kAddend | (has_page(access.op) ? 1u << kTemp : 0) | defs);
      for (u32 i = 0; i < 16; ++i) {
        if (!store && access.is_float && i == access.value) continue;
        EXPECT_EQ(state.float_out[i], state.float_in[i]);
      }
      if (has_page(access.op) && out(kPage) != opt::kNoPage) {
        // What is kept is a page, and one that may be accessed as it is kept for.
        const u64 now = (out(kPage) - OptBench::kBase) >> 12;
        ASSERT_LT(now, store || access.write ? 2u : 3u);
        EXPECT_EQ(out(kPage), OptBench::page(now));
        EXPECT_EQ(out(kAddend), addend(now));
        if (access.op != Lir::load_page && access.op != Lir::store_page) {
          EXPECT_EQ(now, page);
        }
      }
      ASSERT_FALSE(HasFailure()) << "round " << round << " operation " << static_cast<u32>(access.op) << " size "
                                 << size << " address " << std::hex << address << " imm " << access.imm;
    }
  }
  EXPECT_GT(inline_ones, 500u);
  EXPECT_GT(in_cxx, 500u);
}

TEST_F(OptMemory, AKeptPageNeedsNoTlb) {
  for (const Lir op : {Lir::load_page, Lir::store_page}) {
    make({.op = op, .imm = 8});
    bench.empty();
    bench.state().in[kAddress] = OptBench::page(1) + 0x100;
    bench.state().in[kPage] = OptBench::page(1);
    bench.state().in[kAddend] = addend(1);
    bench.run();
    EXPECT_TRUE(bench.events.empty());
    bench.state().in[kAddress] = OptBench::page(0) + 0x100;
    bench.run();
    EXPECT_EQ(bench.events.size(), 1u);
  }
}

TEST_F(OptMemory, MisalignedAccessesFaultWhereTheyShould) {
  for (const Lir op :
       {Lir::load, Lir::load_page, Lir::load_new_page, Lir::store, Lir::store_page, Lir::store_new_page}) {
    for (u8 log = 1; log < 4; ++log) {
      for (const bool align : {false, true}) {
        make({.op = op, .mem = {.size_log2 = log, .align = align}});
        bench.empty();
        bench.fill(1, true, true);
        bench.state().in[kAddress] = OptBench::page(1) + 0x101;
        bench.state().in[kPage] = OptBench::page(1);
        bench.state().in[kAddend] = addend(1);
        const interp::LeaveInfo left = bench.run();
        EXPECT_EQ(left.reason, align ? interp::Leave::exception : interp::Leave::budget);
        EXPECT_EQ(bench.events.size(), align ? 1u : 0u) << "inside a page it needs no C++";
        if (align) {
          EXPECT_EQ(bench.state().fault_cause, 4u);
        }
      }
    }
  }
}

TEST_F(OptMemory, NoAddressIsInThePageThatThereIsNone) {
  for (u8 log = 0; log < 4; ++log) {
    for (const bool align : {false, true}) {
      for (const Lir op : {Lir::load_page, Lir::store_page}) {
        make({.op = op, .mem = {.size_log2 = log, .align = align}});
        for (const u64 address : {u64{0}, u64{1}, u64{0x7ff}, u64{0x800}, u64{0x801}, u64{0x804}, u64{0xfff},
                                  u64{0x1000}, ~u64{0}, ~u64{0} - 7, ~u64{0} << 12, u64{1} << 63}) {
          bench.state().in[kAddress] = address;
          bench.state().in[kPage] = opt::kNoPage;
          bench.state().in[kAddend] = 0;
          EXPECT_EQ(bench.run().reason, interp::Leave::exception) << std::hex << address;
          EXPECT_EQ(bench.state().fault_value, address);
        }
      }
    }
  }
}

// The first level of the TLB has the page, all bytes lie in it, and it is aligned: else there is none.
TEST_F(OptMemory, PagesAreFoundForARun) {
  u64 found = 0, not_there = 0, over_the_end = 0, misaligned = 0;
  for (u32 round = 0; round < 60; ++round) {
    const bool writes = rng() % 2 == 0;
    const u32 align = 1u << rng() % 4, bytes = 1 + static_cast<u32>(rng() % 600);
    const i64 low = rng() % 2 == 0 ? 0 : static_cast<i64>(rng() % 0x2000) - 0x1000;
    bench.start();
    bench.load_all();
    bench.add(
        {.op = Lir::find_page, .size = static_cast<u8>(align), .write = writes, .imm = low, .imm2 = bytes - 1},
        {gpr(kValue, Role::def), gpr(kAddress, Role::use_late), gpr(kPage, Role::temp), gpr(kAddend, Role::temp)});
    bench.store_all();
    bench.end();
    ASSERT_TRUE(bench.make());
    for (u32 n = 0; n < 30; ++n) {
      OptState& state = bench.state();
      for (u64& each : state.in) each = rng();
      u64 address = OptBench::page(rng() % 3) + rng() % 4096;
      if (rng() % 3 == 0) address = OptBench::page(1 + rng() % 2) - bytes + rng() % 3 - 1;  // at an edge
      if (rng() % 2 == 0) address &= ~u64{align - 1};
      state.in[kAddress] = address - static_cast<u64>(low);
      bool may[3][2];
      for (u64 page = 0; page < 3; ++page) {
        const u64 how = rng() % 4;  // in the first level or not; with or without leave to write
        bench.fill(page, how == 0, how <= 2, how == 2);
        may[page][0] = bench.frame->tlb.entries[tlb_index(OptBench::page(page))].read_tag ==
                       tlb_tag(OptBench::page(page), 1, state.contexts[0].tag);
        may[page][1] = bench.frame->tlb.entries[tlb_index(OptBench::page(page))].write_tag ==
                       tlb_tag(OptBench::page(page), 1, state.contexts[0].tag);
      }
      const u64 page = (address - OptBench::kBase) >> 12;
      const bool is_in_one = (address + bytes - 1 - OptBench::kBase) >> 12 == page;
      const bool is_aligned = address % align == 0, is_there = may[page][writes ? 1 : 0];
      const bool is_found = is_in_one && is_aligned && is_there;
      ASSERT_EQ(bench.run().reason, interp::Leave::budget);
      EXPECT_EQ(out(kValue), is_found ? addend(page) : 0) << std::hex << address << " " << bytes;
      expect_registers_but(1u << kValue | 1u << kPage | 1u << kAddend);
      (is_found ? found : !is_in_one ? over_the_end : !is_aligned ? misaligned : not_there) += 1;
    }
  }
  for (const u64 each : {found, not_there, over_the_end, misaligned}) EXPECT_GT(each, 50u);
}

TEST_F(OptMemory, AccessesWhosePageWasFound) {
  for (u32 round = 0; round < 200; ++round) {
    Access access{.op = rng() % 2 == 0 ? Lir::load_at : Lir::store_at};
    const bool store = access.op == Lir::store_at;
    access.mem.size_log2 = rng() & 3;
    access.is_float = access.mem.size() >= 4 && rng() % 4 == 0;
    access.mem.sign = !store && !access.is_float && access.mem.size() < 8 && rng() % 2 == 0;
    access.imm = static_cast<i64>(rng() % 0x2000) - 0x1000;
    if (!store && !access.is_float && rng() % 4 == 0) access.value = rng() % 2 == 0 ? kAddress : kAddend;
    bench.start();
    bench.load_all();
    const Arg value{OptBench::reg(access.value), store ? Role::use : Role::def,
                    access.is_float ? RegClass::xmm : RegClass::gpr};
    LirInsn insn = insn_of(access);
    insn.site = 0;
    bench.add(insn, {value, gpr(kAddress), gpr(kAddend)});
    bench.store_all();
    bench.end();
    ASSERT_TRUE(bench.make());
    OptState& state = bench.state();
    for (u64& each : state.in) each = rng();
    for (u64& each : state.float_in) each = rng();
    for (u8& byte : bench.ram) byte = static_cast<u8>(rng());
    const u32 size = access.mem.size();
    const u64 page = rng() % 2, address = OptBench::page(page) + rng() % (4096 - 8);
    state.in[kAddress] = address - static_cast<u64>(access.imm);
    state.in[kAddend] = addend(page);
    const u64 before = bench.peek(address, size);
    const u64 given = access.is_float ? state.float_in[kValue] : state.in[kValue];
    ASSERT_EQ(bench.run().reason, interp::Leave::budget);
    const u64 mask = size == 8 ? ~u64{0} : (u64{1} << 8 * size) - 1;
    if (store) {
      EXPECT_EQ(bench.peek(address, size), given & mask);
    } else if (access.is_float) {
      EXPECT_EQ(state.float_out[kValue] & mask, before);
    } else {
      const u32 shift = 64 - 8 * size;
      const u64 extended = access.mem.sign ? static_cast<u64>(static_cast<i64>(before << shift) >> shift) : before;
      EXPECT_EQ(out(access.value), extended);
    }
    expect_registers_but(store || access.is_float ? 0 : 1u << access.value);
  }
}

TEST_F(OptMemory, AFaultLeavesWithTheStateOfTheSite) {
  using Form = opt::Recipe::Form;
  for (const Lir op : {Lir::load, Lir::load_page, Lir::load_new_page, Lir::store, Lir::store_page}) {
    bench.start();
    opt::Site at = site();
    const auto slot = [&](u32 n, u8 bytes, opt::Recipe recipe) {
      at.slots.push_back({.offset = bench.offset_of(bench.state().slots[n]), .bytes = bytes, .recipe = recipe});
    };
    slot(0, 8, {.form = Form::constant, .imm = 0x123456789abcdef0});
    slot(1, 8, {.form = Form::pc, .imm = 0x88});
    slot(2, 8, {.form = Form::value, .place = OptBench::reg(kOther)});
    slot(3, 4, {.form = Form::value, .of = RegClass::xmm, .place = OptBench::reg(5)});
    slot(4, 8, {.form = Form::box32, .of = RegClass::xmm, .place = OptBench::reg(5)});
    slot(5, 8, {.form = Form::value, .place = OptBench::spill(7)});
    slot(6, 8, {.form = Form::box32, .of = RegClass::xmm, .place = OptBench::spill(8)});
    slot(7, 1, {.form = Form::value, .place = OptBench::reg(kAddress)});
    slot(8, 8, {.form = Form::sext32, .place = OptBench::reg(kOther)});
    slot(9, 8, {.form = Form::sext32, .place = OptBench::spill(9)});
    at.slots.push_back({.offset = bench.offset_of(bench.state().pinned[2]),
                        .recipe = {.form = Form::value, .place = OptBench::reg(kOther)}});
    bench.code.sites.push_back(at);
    bench.load_all();
    add({.op = op});
    bench.store_all();
    bench.end();
    ASSERT_TRUE(bench.make());
    bench.empty();
    OptState& state = bench.state();
    const auto prepare = [&](u64 address) {
      for (u64& each : state.in) each = rng();
      for (u64& each : state.float_in) each = rng();
      for (u64& each : state.slots) each = 0xaaaaaaaaaaaaaaaa;
      for (u64& each : state.pinned) each = 77;
      for (u32 i = 0; i < 16; ++i) bench.spilled(i) = rng();
      state.in[kAddress] = address;
      state.in[kPage] = opt::kNoPage;
    };
    const auto expect_exact = [&](const auto& slots) {
      EXPECT_EQ(slots[0], 0x123456789abcdef0u);
      EXPECT_EQ(slots[1], (kBenchPc & kTlbPageMask) + 0x88);
      EXPECT_EQ(slots[2], in(kOther));
      EXPECT_EQ(slots[3], 0xaaaaaaaa00000000 | (state.float_in[5] & 0xffffffff));
      EXPECT_EQ(slots[4], state.float_in[5] | ~u64{0} << 32);
      EXPECT_EQ(slots[5], bench.spilled(7));
      EXPECT_EQ(slots[6], bench.spilled(8) | ~u64{0} << 32);
      EXPECT_EQ(slots[7], 0xaaaaaaaaaaaaaa00 | (in(kAddress) & 0xff));
      EXPECT_EQ(slots[8], static_cast<u64>(i64{static_cast<i32>(in(kOther))}));
      EXPECT_EQ(slots[9], static_cast<u64>(i64{static_cast<i32>(bench.spilled(9))}));
    };
    prepare(OptBench::page(4) + 8);
    ASSERT_EQ(bench.run().reason, interp::Leave::exception);
    expect_exact(state.slots);
    EXPECT_EQ(state.pinned[2], in(kOther));
    EXPECT_EQ(state.pinned[3], 77u);
    EXPECT_EQ(state.pc, (kBenchPc & kTlbPageMask) + 0x40 + 12);
    EXPECT_EQ(state.budget, 1005);
    EXPECT_EQ(state.fault_cause, 13u);
    // Exact while the slow path runs; then, as the region goes on, what they were.
    prepare(OptBench::page(3) + 8);
    ASSERT_EQ(bench.run().reason, interp::Leave::budget);
    ASSERT_EQ(bench.events.size(), 1u);
    expect_exact(bench.events[0].slots);
    for (const u64 each : state.slots) EXPECT_EQ(each, 0xaaaaaaaaaaaaaaaa);
    EXPECT_EQ(state.pinned[2], 77u);
  }
}

TEST_F(OptMemory, WhatHasToLeaveBehindAnAccessIsReplayed) {
  for (const bool by_epoch : {false, true}) {
    for (const Lir op : {Lir::load, Lir::load_page, Lir::store, Lir::store_new_page}) {
      bench.start();
      opt::Site at = site();
      at.slots.push_back({.offset = bench.offset_of(bench.state().slots[0]), .recipe = {.imm = 99}});
      at.replayed.push_back({.form = opt::Recipe::value, .place = OptBench::reg(kOther)});
      at.replayed.push_back({.form = opt::Recipe::value, .place = OptBench::spill(0)});
      at.replayed.push_back({.imm = 0});
      bench.code.sites.push_back(at);
      bench.load_all();
      add({.op = op});
      bench.end();
      ASSERT_TRUE(bench.make());
      bench.empty();
      OptState& state = bench.state();
      for (u64& each : state.in) each = rng();
      state.in[kAddress] = OptBench::page(3) + 8;
      state.in[kPage] = opt::kNoPage;
      bench.spilled(0) = 0x5555;
      bench.on_access = [&] { by_epoch ? ++state.mapping_epoch : state.leave = 1; };
      ASSERT_EQ(bench.run().reason, interp::Leave::lookup);
      bench.on_access = nullptr;
      EXPECT_EQ(state.leave, 0u);
      EXPECT_EQ(state.slots[0], 99u);
      EXPECT_EQ(state.pc, (kBenchPc & kTlbPageMask) + 0x40 + 12);
      EXPECT_EQ(state.budget, 1005);
      ASSERT_EQ(state.replay_count, 4u);
      EXPECT_EQ(state.temps[kReplayTemps], in(kOther));
      EXPECT_EQ(state.temps[kReplayTemps + 1], 0x5555u);
      EXPECT_EQ(state.temps[kReplayTemps + 2], 0u);
      EXPECT_EQ(state.temps[kReplayTemps + 3], is_store(op) ? 0 : bench.device_value);
    }
  }
}

// A page that is kept for writing but may only be read: nothing is kept, and nothing goes wrong.
TEST_F(OptMemory, LoadsForWritingTakePagesThatMayOnlyBeRead) {
  for (const Lir op : {Lir::load_page, Lir::load_new_page}) {
    make({.op = op, .write = true});
    bench.empty();
    bench.fill(2, true, true);
    bench.byte(OptBench::page(2) + 16) = 0x77;
    bench.state().in[kAddress] = OptBench::page(2) + 16;
    bench.state().in[kPage] = opt::kNoPage;
    ASSERT_EQ(bench.run().reason, interp::Leave::budget);
    EXPECT_TRUE(bench.events.empty());
    EXPECT_EQ(out(kValue), 0x77u);
    EXPECT_EQ(out(kPage), opt::kNoPage);
  }
}

TEST_F(OptMemory, FencesChangeNothing) {
  bench.start();
  bench.load_all();
  bench.add({.op = Lir::fence}, {});
  bench.store_all();
  bench.end();
  ASSERT_TRUE(bench.make());
  for (u64& each : bench.state().in) each = rng();
  ASSERT_EQ(bench.run().reason, interp::Leave::budget);
  expect_registers_but(0);
}

TEST_F(OptMemory, TooMuchForASiteIsRefused) {
  bench.start();
  opt::Site at = site();
  for (u32 i = 0; i < kMostReplayed; ++i) at.replayed.push_back({});
  bench.code.sites.push_back(at);
  add({});
  bench.end();
  EXPECT_FALSE(bench.make());
}

}  // namespace
}  // namespace pagoda
