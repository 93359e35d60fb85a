// SPDX-License-Identifier: MIT
// The toy's slot table, helpers, slow paths of memory, and comparison.
#include "differential/toy_guest.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include <fmt/format.h>

#include "tcg/host/fp.h"
#include "tcg/interp/integer_ops.h"

namespace pagoda {
namespace {

using ir::Type;

// The state has a base; its members have fixed offsets all the same.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

#define SLOT(name, type, member) {name, Type::type, static_cast<u32>(offsetof(ToyState, member))}
// In the order of ToySlot.
const ir::SlotInfo kSlots[] = {
    SLOT("base0", i64, base[0]), SLOT("base1", i64, base[1]), SLOT("a0", i64, a[0]),  SLOT("a1", i64, a[1]),
    SLOT("a2", i64, a[2]),       SLOT("b0", i64, b[0]),       SLOT("b1", i64, b[1]),  SLOT("w0", i32, w[0]),
    SLOT("w1", i32, w[1]),       SLOT("h0", i16, h[0]),       SLOT("h1", i16, h[1]),  SLOT("c0", i8, c[0]),
    SLOT("c1", i8, c[1]),        SLOT("t0", i1, t[0]),        SLOT("t1", i1, t[1]),   SLOT("q0", i128, q[0]),
    SLOT("q1", i128, q[2]),      SLOT("f0", f64, f[0]),       SLOT("f1", f64, f[1]),  SLOT("s0", f32, s[0]),
    SLOT("s1", f32, s[1]),       SLOT("cc", flags, cc),       SLOT("v0", v128, v[0]), SLOT("v1", v128, v[2]),
    SLOT("y0", v256, y[0]),
};
#undef SLOT
static_assert(std::size(kSlots) == static_cast<u32>(ToySlot::count));

ToyState& toy(VcpuFrame* frame) { return *static_cast<ToyState*>(frame); }

constexpr u64 kMix = 0x9e3779b97f4a7c15;
u64 sum(VcpuFrame*, u64 a, u64 b, u64 c, u64 imm) { return a + b + c + imm; }
u64 probe(VcpuFrame* frame, u64 a, u64 b, u64 c, u64 imm) {
  if ((a & 7) == 0) {
    frame->fault = 1;
    frame->fault_cause = 300 + (imm & 15);
    frame->fault_value = b;
    return 0;
  }
  return (a ^ b) * kMix + c;
}
u64 scramble(VcpuFrame* frame, u64 a, u64 b, u64 c, u64 imm) {
  ToyState& state = toy(frame);
  state.a[0] = (state.a[0] ^ a) * kMix + state.w[1];
  state.b[1] += b;
  state.w[0] ^= static_cast<u32>(state.a[1] >> 7);
  state.h[1] = static_cast<u16>(state.h[1] + c);
  state.q[1] ^= imm;
  return state.b[0];
}
u64 enter(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  if ((a & 15) == 1) {
    frame->fault = 1;
    frame->fault_cause = 320;
    frame->fault_value = imm;
    return 0;
  }
  toy(frame).a[2] = a + imm;
  return a;
}
u64 switch_mode(VcpuFrame*, u64 a, u64 b, u64, u64) { return a - b; }

const HelperInfo kHelpers[] = {
    {"sum", sum, 0},
    {"probe", probe, ir::kReadMem | ir::kMayFault},
    {"scramble", scramble, ir::kReadState | ir::kWriteState},
    {"enter", enter, ir::kMayFault | ir::kWriteState | ir::kEndsBlock},
    {"switch_mode", switch_mode, ir::kEndsBlock},
};

void raise(VcpuFrame* frame, u64 cause, u64 value) {
  frame->fault = 1;
  frame->fault_cause = cause;
  frame->fault_value = value;
}

template <class T>
u64 rmw_value(T old, T value, ir::Rmw kind) {
  using namespace interp;
  switch (kind) {
    case ir::Rmw::swap:
      return value;
    case ir::Rmw::add:
      return op_add(old, value);
    case ir::Rmw::and_:
      return op_and_(old, value);
    case ir::Rmw::or_:
      return op_or_(old, value);
    case ir::Rmw::xor_:
      return op_xor_(old, value);
    case ir::Rmw::min_s:
      return op_min_s(old, value);
    case ir::Rmw::max_s:
      return op_max_s(old, value);
    case ir::Rmw::min_u:
      return op_min_u(old, value);
    default:
      return op_max_u(old, value);
  }
}

u64 rmw_of_size(u32 size, u64 old, u64 value, ir::Rmw kind) {
  switch (size) {
    case 1:
      return rmw_value(static_cast<u8>(old), static_cast<u8>(value), kind);
    case 2:
      return rmw_value(static_cast<u16>(old), static_cast<u16>(value), kind);
    case 4:
      return rmw_value(static_cast<u32>(old), static_cast<u32>(value), kind);
    default:
      return rmw_value(old, value, kind);
  }
}

}  // namespace

ir::SlotTable toy_slots() { return {kSlots, static_cast<u32>(std::size(kSlots))}; }
HelperTable toy_helpers() { return {kHelpers, static_cast<u32>(std::size(kHelpers))}; }

struct Toy::Paths {
  // Whether an access is possible; else the fault is recorded.
  static bool may_access(VcpuFrame* frame, u64 address, ir::MemOp op, bool must_align) {
    if ((op.align || must_align) && (address & (op.size() - 1)) != 0) return raise(frame, 100, address), false;
    if (address - kToyMemoryBase > kToyMemoryBytes - op.size()) return raise(frame, 101, address), false;
    if ((address & 0x30e0) == 0x3040) {
      Toy& toy = *static_cast<Toy*>(frame->vcpu);
      std::swap(toy.host_page_[0], toy.host_page_[kPages]);
      toy.fill_tlb();
    }
    return true;
  }
  static u8& byte(VcpuFrame* frame, u64 address) {
    Toy& toy = *static_cast<Toy*>(frame->vcpu);
    const u64 offset = address - kToyMemoryBase;
    return toy.memory_[(u64{toy.host_page_[offset >> kTlbPageBits]} << kTlbPageBits) + (offset & ~kTlbPageMask)];
  }
  static void read(VcpuFrame* frame, u64 address, void* to, u32 size) {
    for (u32 i = 0; i < size; ++i) static_cast<u8*>(to)[i] = byte(frame, address + i);
  }
  static void write(VcpuFrame* frame, u64 address, const void* from, u32 size) {
    for (u32 i = 0; i < size; ++i) byte(frame, address + i) = static_cast<const u8*>(from)[i];
    // In the page without write tags, where every store of every tier comes.
    if ((address & 0x3030) == 0x1010) frame->leave = 1;
  }
  static u64 extend(u64 value, ir::MemOp op) {
    const u32 shift = 64 - op.size() * 8;
    return op.sign ? static_cast<u64>(static_cast<i64>(value << shift) >> shift) : value << shift >> shift;
  }
  static u64 swapped(u64 value, ir::MemOp op) {
    return op.big_endian ? __builtin_bswap64(value) >> (64 - op.size() * 8) : value;
  }

  static u64 load(VcpuFrame* frame, u64 address, u32 bits) {
    const auto op = ir::MemOp::unpack(bits);
    u64 value = 0;
    if (may_access(frame, address, op, false)) read(frame, address, &value, op.size());
    return extend(swapped(value, op), op);
  }
  static void store(VcpuFrame* frame, u64 address, u64 value, u32 bits) {
    const auto op = ir::MemOp::unpack(bits);
    if (!may_access(frame, address, op, false)) return;
    value = swapped(value, op);
    write(frame, address, &value, op.size());
  }
  static u64 rmw(VcpuFrame* frame, u64 address, u64 value, u32 bits, u32 kind) {
    const auto op = ir::MemOp::unpack(bits);
    if (!may_access(frame, address, op, true)) return 0;
    u64 old = 0;
    read(frame, address, &old, op.size());
    const u64 now = rmw_of_size(op.size(), old, value, static_cast<ir::Rmw>(kind));
    write(frame, address, &now, op.size());
    return old;
  }
  static u64 cas(VcpuFrame* frame, u64 address, u64 expected, u64 desired, u32 bits) {
    const auto op = ir::MemOp::unpack(bits);
    if (!may_access(frame, address, op, true)) return 0;
    u64 old = 0;
    read(frame, address, &old, op.size());
    if (std::memcmp(&old, &expected, op.size()) == 0) write(frame, address, &desired, op.size());
    return old;
  }
  static void load_wide(VcpuFrame* frame, u64 address, void* to, u32 bits) {
    const auto op = ir::MemOp::unpack(bits);
    if (!may_access(frame, address, op, false)) return;
    read(frame, address, to, op.size());
    if (op.big_endian) std::reverse(static_cast<u8*>(to), static_cast<u8*>(to) + op.size());
  }
  static void store_wide(VcpuFrame* frame, u64 address, const void* from, u32 bits) {
    const auto op = ir::MemOp::unpack(bits);
    if (!may_access(frame, address, op, false)) return;
    std::array<u8, 32> bytes;
    std::memcpy(bytes.data(), from, op.size());
    if (op.big_endian) std::reverse(bytes.begin(), bytes.begin() + op.size());
    write(frame, address, bytes.data(), op.size());
  }
  static constexpr MemorySlowPaths kPaths{load, store, rmw, cas, load_wide, store_wide, nullptr};
};

Toy::Toy()
    : frame_(std::make_unique<Frame>()),
      state_(&frame_->state),
      tlb_(&frame_->tlb),
      jump_cache_(std::make_unique<JumpCacheEntry[]>(kJumpCacheEntries)) {
  static Unit none;
  for (u32 i = 0; i < kJumpCacheEntries; ++i)
    jump_cache_[i] = {.pc = ~u64{0}, .unit = &none, .key = 0, .entry = nullptr};
  for (TlbEntry& entry : tlb_->entries) entry = {kTlbInvalid, kTlbInvalid, kTlbInvalid, 0};
  ToyState& state = *state_;
  state.memory = state.contexts[0] = {tlb_, u64{1} << 4, kNoTlbTag};
  fill_tlb();
  state.slow = &Paths::kPaths;
  state.vcpu = this;
  state.jump_cache = jump_cache_.get();
}

void Toy::fill_tlb() {
  ++state_->mapping_epoch;
  for (u64 page = 0; page < 3; ++page) {
    const u64 address = kToyMemoryBase + (page << kTlbPageBits);
    TlbEntry& entry = tlb_->entries[tlb_index(address)];
    if (page != 2) entry.read_tag = address + state_->memory.tag;
    if (page != 1) entry.write_tag = address + state_->memory.tag;
    entry.addend = reinterpret_cast<u64>(&memory_[std::size_t{host_page_[page]} << kTlbPageBits]) - address;
    frame_->second_tlb.entries[second_tlb_index(address)] = entry;
  }
}

void Toy::randomize(ir::Rng& rng) {
  ToyState& state = *state_;
  u8* at = reinterpret_cast<u8*>(&state) + offsetof(ToyState, base);
  for (u32 i = 0; i < sizeof(ToyState) - offsetof(ToyState, base); ++i) at[i] = static_cast<u8>(rng());
  for (u64& value : state.a) value = (rng() & 3) == 0 ? rng() & 15 : rng() >> (rng() & 63);
  for (u8& value : state.t) value &= 1;
  state.cc &= ir::kAllFlags;
  // Anywhere but so near to the end that an access could leave the memory.
  for (u64& value : state.base) value = kToyMemoryBase + (rng() % ((kToyMemoryBytes - 4096) / 64)) * 64;
  for (u8& byte : memory_) byte = static_cast<u8>(rng());
  for (bool& only : only_second_level_) only = (rng() & 3) == 0;
  state.fp_control = fp::control_word(static_cast<ir::Round>(1 + rng() % 4), 0);
}

void Toy::copy_from(const Toy& other) {
  constexpr u32 kStart = offsetof(ToyState, base);
  std::memcpy(reinterpret_cast<u8*>(state_) + kStart, reinterpret_cast<const u8*>(other.state_) + kStart,
              sizeof(ToyState) - kStart);
  memory_ = other.memory_;
  host_page_ = other.host_page_;
  only_second_level_ = other.only_second_level_;
  fill_tlb();
  for (u64 page = 0; page < only_second_level_.size(); ++page) {
    if (only_second_level_[page]) tlb_->entries[tlb_index(kToyMemoryBase + (page << kTlbPageBits))] = {};
  }
  state_->fp_control = other.state_->fp_control;
}

void Toy::prepare() {
  ToyState& state = *state_;
  state.pc = kToyPc;
  state.code_epoch.store(1, std::memory_order_relaxed);
  state.budget = 1000;
  state.fault = state.leave = 0;
  state.fault_cause = state.fault_value = 0;
}

tier::Setup toy_setup() {
  static const std::vector<u16> pinned = [] {
    std::vector<u16> offsets;
    for (const ToySlot slot : {ToySlot::a0, ToySlot::b0, ToySlot::base0, ToySlot::a1, ToySlot::f0}) {
      offsets.push_back(static_cast<u16>(toy_slots().slots[static_cast<u32>(slot)].offset));
    }
    return offsets;
  }();
  tier::Setup setup{.slots = toy_slots(), .helpers = toy_helpers(), .pinned = pinned};
  setup.code_bytes = u64{1} << 20;
  setup.tlb_offset[0] = offsetof(Toy::Frame, tlb);
  setup.second_tlb_offset[0] = offsetof(Toy::Frame, second_tlb);
  return setup;
}

std::unique_ptr<ToyHost> make_toy_host() {
  auto memory = CodeMemory::create(std::size_t{1} << 20);
  if (!memory) return nullptr;
  const tier::Setup setup = toy_setup();
  auto host = std::make_unique<ToyHost>();
  host->memory = std::move(*memory);
  light::Layout layout{.pinned = setup.pinned, .helpers = setup.helpers, .features = host::host_features().value()};
  layout.tlb_offset[0] = setup.tlb_offset[0];
  layout.second_tlb_offset[0] = setup.second_tlb_offset[0];
  host->stubs = std::make_unique<light::Stubs>(*host->memory, layout);
  host->compiler = std::make_unique<light::Compiler>(*host->stubs);
  return host;
}

const HelperFn* Toy::helper_functions() {
  static const std::vector<HelperFn> functions = [] {
    std::vector<HelperFn> result;
    for (u32 i = 0; i < toy_helpers().count; ++i) result.push_back(toy_helpers().helpers[i].function);
    return result;
  }();
  return functions.data();
}

bool Toy::run_compiled(ToyHost& host, interp::Lowering& lowering, const ir::Block& block) {
  prepare();
  state_->helpers = helper_functions();
  Unit* unit = lowering.lower(block);
  unit->linkable = false;  // once, even if it leads to itself
  const bool compiled = host.compiler->compile(*unit, 0);
  if (compiled) {
    unit->host.entry.store(unit->host.start, std::memory_order_relaxed);
    reason_ = light::execute(*host.stubs, *state_, *unit).reason;
    host.memory->release(unit->host.start, unit->host.data);
  }
  interp::free_unit(unit);
  return compiled;
}

void Toy::run_on(tier::Engine& engine, Unit& unit) {
  prepare();
  state_->helpers = helper_functions();
  reason_ = engine.execute(*state_, unit).reason;
}

interp::LeaveInfo Toy::run(interp::Lowering& lowering, const ir::Block& block) {
  prepare();
  ToyState& state = *state_;
  Unit* unit = lowering.lower(block);
  const interp::LeaveInfo left = interp::execute(state, *unit);
  reason_ = left.reason;
  interp::free_unit(unit);
  return left;
}

std::string Toy::difference(const Toy& other) const {
  std::string text;
  const auto compare = [&](const std::string& name, u64 a, u64 b) {
    if (a != b) text += fmt::format("{}: {:#x}, {:#x}\n", name, a, b);
  };
  const ToyState& a = *state_;
  const ToyState& b = *other.state_;
  compare("left for", static_cast<u64>(reason_), static_cast<u64>(other.reason_));
  compare("pc", a.pc, b.pc);
  compare("budget", static_cast<u64>(a.budget), static_cast<u64>(b.budget));
  compare("fault", a.fault, b.fault);
  compare("fault cause", a.fault_cause, b.fault_cause);
  compare("fault value", a.fault_value, b.fault_value);
  // The host's sixth flag, a denormal operand, is nobody's.
  compare("floating-point flags", fp::flags_of(a.fp_control), fp::flags_of(b.fp_control));
  compare("rounding", fp::with_flags(a.fp_control, 0), fp::with_flags(b.fp_control, 0));
  for (const ir::SlotInfo& slot : kSlots) {
    const u32 size = ir::type_bytes(slot.type);
    for (u32 done = 0; done < size; done += 8) {
      u64 mine = 0, its = 0;
      const u32 step = size < 8 ? size : 8;
      std::memcpy(&mine, reinterpret_cast<const u8*>(&a) + slot.offset + done, step);
      std::memcpy(&its, reinterpret_cast<const u8*>(&b) + slot.offset + done, step);
      compare(slot.name, mine, its);
    }
  }
  for (u64 page = 0; page <= kPages; ++page) {
    compare("page of the host", host_page_[page], other.host_page_[page]);
    for (u64 offset = u64{host_page_[page]} << kTlbPageBits, end = offset + 4096; offset < end; offset += 8) {
      u64 mine, its;
      std::memcpy(&mine, &memory_[offset], 8);
      std::memcpy(&its, &other.memory_[offset], 8);
      if (mine != its) compare(fmt::format("memory {:#x}", kToyMemoryBase + (page << 12) + offset % 4096), mine, its);
    }
  }
  return text;
}

}  // namespace pagoda
