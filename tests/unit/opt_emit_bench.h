// SPDX-License-Identifier: MIT
// A frame with memory for host code of regions, and LirCode written by hand, places included.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "ir/random_block.h"
#include "tcg/light/light.h"
#include "tcg/opt/opt.h"
#include "tcg/opt/region.h"

namespace pagoda {

using opt::Lir;
using opt::LirInsn;
using opt::Operand;
using opt::Place;
using opt::RegClass;
using opt::Role;

inline constexpr u64 kBenchPc = 0x7123456000 + 0x40;

// What it works on: registers go in and out by the frame. A guest's state is 10 pinned slots.
struct OptState : VcpuFrame {
  u64 pinned[10];
  u64 in[16], out[16], float_in[16], float_out[16];
  u64 slots[16];
};

// Four virtual pages from kBase on. Pages 0 and 1 are RAM, in the TLB only if a test says so; page 2 may be read only;
// page 3 is a device. What the slow paths did is noted.
class OptBench {
 public:
  static constexpr u64 kBase = 0xffff'8000'1234'0000, kPages = 4;
  struct Frame {
    OptState state;
    TlbTable tlb;
    SecondTlbTable second;
  };
  struct Event {
    bool is_store;
    u64 address, value;
    u32 op;
    u64 pc;
    i64 budget;
    std::array<u64, 16> slots;
  };

  OptBench() {
    auto made = CodeMemory::create(std::size_t{4} << 20);
    CHECK(made.has_value());
    memory = std::move(*made);
    for (const u64& slot : frame->state.pinned) pinned.push_back(offset_of(slot));
    light::Layout layout{.pinned = pinned, .features = host::host_features().value()};
    layout.tlb_offset[0] = distance(&frame->tlb);
    layout.second_tlb_offset[0] = distance(&frame->second);
    tier1 = std::make_unique<light::Stubs>(*memory, layout);
    stubs = std::make_unique<opt::Stubs>(*tier1);
    emitter = std::make_unique<opt::Emitter>(*stubs);
    frame->state.contexts[0] = frame->state.memory = {&frame->tlb, 7 << 4, 9 << 4};
    frame->state.slow = &kPaths;
    frame->state.vcpu = this;
    frame->state.fp_control = 0x1f80;
    code = {};
    code.vregs.resize(1);
  }
  OptState& state() { return frame->state; }
  u16 offset_of(const u64& field) const {
    return static_cast<u16>(reinterpret_cast<const u8*>(&field) - reinterpret_cast<const u8*>(&frame->state));
  }

  u32 distance(const void* field) const {
    return static_cast<u32>(static_cast<const u8*>(field) - reinterpret_cast<const u8*>(&frame->state));
  }

  // --- code
  void start() {
    code = {};
    code.vregs.resize(1);
    code.sites.resize(1);
    begin_block();
  }
  u32 begin_block() {
    code.blocks.push_back({.first = static_cast<u32>(code.insns.size())});
    return static_cast<u32>(code.blocks.size() - 1);
  }
  struct Arg {
    Place place;
    Role role = Role::use;
    RegClass of = RegClass::gpr;
  };
  LirInsn& add(LirInsn insn, const std::vector<Arg>& args) {
    insn.first = static_cast<u32>(code.operands.size());
    insn.operands = static_cast<u8>(args.size());
    for (const Arg& arg : args) {
      code.operands.push_back({.reg = code.new_vreg(arg.of), .role = arg.role});
      code.places.push_back(arg.place);
    }
    code.insns.push_back(insn);
    ++code.blocks.back().count;
    return code.insns.back();
  }
  static Place reg(u32 number) { return {.kind = Place::reg, .reg_number = static_cast<u8>(number)}; }
  static Place spill(u32 index) { return {.kind = Place::spill, .spill_index = static_cast<u16>(index + 1)}; }
  u64& spilled(u32 index) { return state().temps[index + 1]; }  // by the argument of spill()
  void load_all() {
    for (u32 i = 0; i < 16; ++i) {
      if (is_usable(i)) add({.op = Lir::frame_load, .imm = offset_of(state().in[i])}, {{reg(i), Role::def}});
      add({.op = Lir::frame_load, .imm = offset_of(state().float_in[i])}, {{reg(i), Role::def, RegClass::xmm}});
    }
  }
  void store_all() {
    for (u32 i = 0; i < 16; ++i) {
      if (is_usable(i)) add({.op = Lir::frame_store, .imm = offset_of(state().out[i])}, {{reg(i)}});
      add({.op = Lir::frame_store, .imm = offset_of(state().float_out[i])}, {{reg(i), Role::use, RegClass::xmm}});
    }
  }
  // Leaves with Leave::budget.
  void end() {
    code.sites.push_back({});
    add({.op = Lir::begin_unit, .imm = 1 << 30, .site = static_cast<u32>(code.sites.size() - 1)}, {});
  }
  static bool is_usable(u32 gpr) { return (opt::allocatable_registers().allocatable[0] >> gpr & 1) != 0; }

  // Emits what was added; releases what was emitted before.
  bool make() {
    if (host.start != nullptr) release(host);
    host = emitter->emit(code, 0);
    if (host.start == nullptr) return false;
    unit.host.entry.store(host.start);
    return true;
  }
  interp::LeaveInfo run() {
    state().pc = kBenchPc;
    state().budget = 1000;
    state().fault = state().leave = state().replay_count = 0;
    events.clear();
    return light::execute(*tier1, state(), unit);
  }
  ~OptBench() {
    if (host.start != nullptr) release(host);
  }

  // --- memory
  static u64 page(u64 n) { return kBase + n * 4096; }
  u8* host_page(u64 n) { return ram.data() + ((n * 3 + 1) % 5) * 4096; }  // neighbours are no neighbours
  // Puts the entry of a page into the levels: what the page grants.
  void fill(u64 n, bool first, bool second, bool global = false, bool readable = true) {
    TlbEntry entry{.addend = reinterpret_cast<u64>(host_page(n)) - page(n)};
    const auto with = [&](u64 tag) {
      if (readable) entry.read_tag = page(n) + tag;
      if (n < 2) entry.write_tag = page(n) + tag;
      return entry;
    };
    const MemoryContext& context = state().contexts[0];
    frame->tlb.entries[tlb_index(page(n))] = first ? with(context.tag) : TlbEntry{};
    frame->second.entries[second_tlb_index(page(n))] =
        second ? with(global ? context.global_tag : context.tag) : TlbEntry{};
  }
  void empty() {
    for (u64 n = 0; n < kPages; ++n) fill(n, false, false);
  }
  u8& byte(u64 address) { return host_page((address - kBase) >> 12)[address & 0xfff]; }
  u64 peek(u64 address, u32 size) {
    u64 value = 0;
    for (u32 i = 0; i < size; ++i) value |= u64{byte(address + i)} << 8 * i;
    return value;
  }

  std::unique_ptr<CodeMemory> memory;
  std::unique_ptr<Frame> frame = std::make_unique<Frame>();
  std::vector<u16> pinned;
  std::unique_ptr<light::Stubs> tier1;
  std::unique_ptr<opt::Stubs> stubs;
  std::unique_ptr<opt::Emitter> emitter;
  opt::LirCode code;
  LoopCode host;
  Unit unit;
  alignas(4096) std::array<u8, 5 * 4096> ram{};
  std::vector<Event> events;
  u64 device_value = 0xfeedfacecafebeef;
  bool fills = false;               // slow paths fill the first level
  std::function<void()> on_access;  // what else happens meanwhile

 private:
  static u64 extend(u64 value, ir::MemOp op) {
    const u32 shift = 64 - 8 * op.size();
    if (op.big_endian) value = __builtin_bswap64(value) >> shift;
    return op.sign ? static_cast<u64>(static_cast<i64>(value << shift) >> shift) : value << shift >> shift;
  }
  static OptBench* note(VcpuFrame* frame, bool is_store, u64 address, u64 value, u32 bits) {
    auto* bench = static_cast<OptBench*>(frame->vcpu);
    Event event{is_store, address, value, bits, frame->pc, frame->budget, {}};
    std::copy_n(bench->state().slots, 16, event.slots.begin());
    bench->events.push_back(event);
    const ir::MemOp op = ir::MemOp::unpack(bits);
    const bool misaligned = op.align && (address & (op.size() - 1)) != 0;
    if (misaligned || address - kBase > kPages * 4096 - op.size()) {
      frame->fault = 1;
      frame->fault_cause = misaligned ? 4 : 13;
      frame->fault_value = address;
      return nullptr;
    }
    if (bench->on_access) bench->on_access();
    if (bench->fills && address < page(3)) bench->fill((address - kBase) >> 12, true, true);
    return bench;
  }
  static u64 load(VcpuFrame* frame, u64 address, u32 bits) {
    OptBench* bench = note(frame, false, address, 0, bits);
    if (bench == nullptr) return 0;
    const ir::MemOp op = ir::MemOp::unpack(bits);
    if (address >= page(3)) return extend(bench->device_value, op);
    return extend(bench->peek(address, op.size()), op);
  }
  static void store(VcpuFrame* frame, u64 address, u64 value, u32 bits) {
    OptBench* bench = note(frame, true, address, value, bits);
    if (bench == nullptr) return;
    const ir::MemOp op = ir::MemOp::unpack(bits);
    if (op.big_endian) value = __builtin_bswap64(value) >> (64 - 8 * op.size());
    for (u32 i = 0; i < op.size(); ++i) bench->byte(address + i) = static_cast<u8>(value >> 8 * i);
  }
  static constexpr MemorySlowPaths kPaths{load, store, nullptr, nullptr, nullptr, nullptr, nullptr};
};

}  // namespace pagoda
