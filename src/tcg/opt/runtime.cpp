// SPDX-License-Identifier: MIT
// The C++ side of regions: accesses that need more than the TLB, leaving by a site, rare floating point.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "tcg/host/fp.h"
#include "tcg/light/light.h"
#include "tcg/opt/lir.h"
#include "tcg/opt/region.h"

namespace pagoda::opt {
namespace {

using light::Left;

constexpr u32 kBudgetRegister = 15;

u64 read_frame(const VcpuFrame& frame, u32 offset, u32 bytes = 8) {
  u64 value = 0;
  std::memcpy(&value, reinterpret_cast<const u8*>(&frame) + offset, bytes);
  return value;
}
void write_frame(VcpuFrame& frame, u32 offset, u64 value, u32 bytes) {
  std::memcpy(reinterpret_cast<u8*>(&frame) + offset, &value, bytes);
}

u64 sign_extended(u64 value) { return static_cast<u64>(i64{static_cast<i32>(value)}); }
u64 boxed(u64 value) { return value | ~u64{0} << 32; }

u64 value_of(const RegionValue& value, const VcpuFrame& frame, const SavedRegisters& saved) {
  switch (value.form) {
    case RegionValue::Form::constant:
      return value.imm;
    case RegionValue::Form::pc:
      return frame.pc_page + value.imm;
    case RegionValue::Form::gpr:
      return saved.gpr[value.place];
    case RegionValue::Form::gpr_sext:
      return sign_extended(saved.gpr[value.place]);
    case RegionValue::Form::xmm:
      return saved.xmm[value.place];
    case RegionValue::Form::xmm_box:
      return boxed(saved.xmm[value.place]);
    case RegionValue::Form::spill:
      return read_frame(frame, value.place);
    case RegionValue::Form::spill_box:
      return boxed(read_frame(frame, value.place));
    case RegionValue::Form::spill_sext:
      return sign_extended(read_frame(frame, value.place));
  }
  CHECK(false);
}

constexpr u32 kMostSlots = 128;

// A value may lie where the frame has another slot: all are read before one is written.
void write_slots(VcpuFrame& frame, std::span<const RegionValue> slots, const SavedRegisters& saved) {
  CHECK(slots.size() <= kMostSlots);
  std::array<u64, kMostSlots> values;
  for (u32 i = 0; i < slots.size(); ++i) values[i] = value_of(slots[i], frame, saved);
  for (u32 i = 0; i < slots.size(); ++i) write_frame(frame, slots[i].slot, values[i], slots[i].bytes);
}

// pc and budget of the site's instruction, which is about to begin.
void tell_where(VcpuFrame& frame, const SavedRegisters& saved, const RegionSite& site) {
  frame.pc = frame.pc_page + static_cast<u64>(site.pc);
  frame.budget = static_cast<i64>(saved.gpr[kBudgetRegister]) + site.budget;
  frame.insn_index = 0;
}

// What the TLB says about the page of an access that C++ did: good for the accesses that follow, or not.
void find_page(const VcpuFrame& frame, SavedRegisters* saved, const RegionSite& site, u64 address) {
  const ir::MemOp op = ir::MemOp::unpack(site.memory_op);
  const MemoryContext& context = frame.contexts[op.mode == 0 ? frame.memory_mode : op.mode - 1u];
  const TlbEntry& entry = context.table->entries[tlb_index(address)];
  const u64 tag = site.is_store || site.wants_write ? entry.write_tag : entry.read_tag;
  const bool is_there = tag == tlb_tag(address, 1, context.tag);
  saved->gpr[site.page] = is_there ? address & kTlbPageMask : static_cast<u64>(kNoPage);
  saved->gpr[site.addend] = entry.addend;
}

void count_leaving(const Region& region, const SavedRegisters& saved) {
  if (region.count == nullptr) [[likely]]
    return;
  ++region.count->left_by_site;
  region.count->insns -= saved.gpr[kBudgetRegister];
}

}  // namespace

// The slots are made exact before the slow path, for whoever looks at the guest meanwhile, and become what they were
// again if the region goes on: its code takes for granted that the frame does not change.
u64 access(VcpuFrame* frame, SavedRegisters* saved, const Region* region, u32 number) {
  const RegionSite& site = region->sites[number];
  const std::span<const RegionValue> slots(region->values.data() + site.first, site.slots);
  const u64 address = saved->gpr[site.address] + static_cast<u64>(i64{site.displacement});
  const ir::MemOp op = ir::MemOp::unpack(site.memory_op);
  CHECK(slots.size() <= kMostSlots);
  std::array<u64, kMostSlots> before;
  for (u32 i = 0; i < slots.size(); ++i) before[i] = read_frame(*frame, slots[i].slot, slots[i].bytes);
  std::array<u64, kMostReplayed> results;  // before the frame changes, which may hold them
  for (u32 i = 0; i < site.replayed; ++i) {
    results[i] = value_of(region->values[site.first_replayed + i], *frame, *saved);
  }
  write_slots(*frame, slots, *saved);
  tell_where(*frame, *saved, site);
  const u32 epoch = frame->mapping_epoch;
  u64 result = 0;
  if (site.is_store) {
    u64 value = site.is_float ? saved->xmm[site.value] : saved->gpr[site.value];
    if (op.size() < 8) value &= (u64{1} << op.size() * 8) - 1;
    frame->slow->store(frame, address, value, site.memory_op);
  } else {
    result = frame->slow->load(frame, address, site.memory_op);
  }
  if (frame->fault != 0) {
    frame->leave = 0;
    count_leaving(*region, *saved);
    return static_cast<u64>(Left::later_exception) + 1;
  }
  if (frame->leave != 0 || frame->mapping_epoch != epoch) {
    frame->leave = 0;
    results[site.replayed] = result;
    frame->replay_count = site.replayed + 1;
    std::copy_n(results.begin(), frame->replay_count, frame->temps + kReplayTemps);
    count_leaving(*region, *saved);
    return static_cast<u64>(Left::lookup) + 1;
  }
  for (u32 i = 0; i < slots.size(); ++i) write_frame(*frame, slots[i].slot, before[i], slots[i].bytes);
  if (site.has_page) find_page(*frame, saved, site, address);
  if (!site.is_store) (site.is_float ? saved->xmm : saved->gpr)[site.value] = result;
  return 0;
}

u64 leave(VcpuFrame* frame, SavedRegisters* saved, const Region* region, u32 number, u32 left) {
  const RegionSite& site = region->sites[number];
  write_slots(*frame, {region->values.data() + site.first, site.slots}, *saved);
  tell_where(*frame, *saved, site);
  count_leaving(*region, *saved);
  return left;
}

namespace {

template <class T>
u64 float_op(ir::Op op, u32 bits, u32 aux, const u64* args) {
  const auto round = static_cast<ir::Round>(aux & 15);
  const auto sign = static_cast<ir::Sign>(aux >> 4 & 15);
  const T a = static_cast<T>(args[0]), b = static_cast<T>(args[1]), c = static_cast<T>(args[2]);
  const bool by_mode = round == ir::Round::mode;
  switch (op) {
    case ir::Op::fadd:
      return by_mode ? fp::fadd(a, b) : fp::fadd(round, a, b);
    case ir::Op::fsub:
      return by_mode ? fp::fsub(a, b) : fp::fsub(round, a, b);
    case ir::Op::fmul:
      return by_mode ? fp::fmul(a, b) : fp::fmul(round, a, b);
    case ir::Op::fdiv:
      return by_mode ? fp::fdiv(a, b) : fp::fdiv(round, a, b);
    case ir::Op::fsqrt:
      return by_mode ? fp::fsqrt(a) : fp::fsqrt(round, a);
    case ir::Op::fma:
      return by_mode ? fp::fma(a, b, c) : fp::fma(round, a, b, c);
    case ir::Op::fmin:
      return fp::fmin(a, b);
    case ir::Op::fmax:
      return fp::fmax(a, b);
    case ir::Op::fneg:
      return fp::fneg(a);
    case ir::Op::fcmp:
      return fp::fcmp(static_cast<ir::FpCompare>(aux), a, b);
    case ir::Op::fclass:
      return fp::fclass(a);
    case ir::Op::f_to_i:
      return fp::f_to_i(round, sign, bits, a);
    case ir::Op::i_to_f: {
      const u32 shift = 64 - bits;
      const u64 value = args[0] << shift;
      return fp::i_to_f<T>(
          round, sign,
          sign == ir::Sign::is_signed ? static_cast<u64>(static_cast<i64>(value) >> shift) : value >> shift);
    }
    case ir::Op::fround:
      return fp::fround(round, a);
    case ir::Op::froundx:
      return fp::froundx(round, a);
    case ir::Op::f16_widen:
      return fp::f16_widen<T>(static_cast<u16>(args[0]));
    case ir::Op::f16_narrow:
      return fp::f16_narrow(round, a);
    case ir::Op::f32_box:
      return fp::f32_box(static_cast<u32>(args[0]));
    case ir::Op::f32_unbox:
      return fp::f32_unbox(args[0]);
    case ir::Op::f_to_f:
      if constexpr (sizeof(T) == 4) return fp::f64_to_f32(round, args[0]);
      return fp::f32_to_f64(static_cast<u32>(args[0]));
    default:
      CHECK(false, "op {} is no floating point", ir::op_info(op).name);
  }
}

}  // namespace

u64 fp_call(VcpuFrame* frame) {
  const u64 word = frame->call_args[3];
  const auto op = static_cast<ir::Op>(word & 0xffff);
  const u32 size = word >> 16 & 255, bits = 8 * (word >> 24 & 255), aux = static_cast<u32>(word >> 32);
  return size == 8 ? float_op<u64>(op, bits, aux, frame->call_args) : float_op<u32>(op, bits, aux, frame->call_args);
}

}  // namespace pagoda::opt
