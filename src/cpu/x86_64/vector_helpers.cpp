// SPDX-License-Identifier: MIT
// MXCSR and masked moves.
#include "cpu/x86_64/vector_helpers.h"

#include <cstring>

#include "base/log.h"
#include "cpu/x86_64/processor.h"
#include "tcg/host/fp.h"
#include "tcg/ir/types.h"

namespace pagoda::x86_64 {
namespace {

constexpr u32 kMasks = 0x1f80;

Processor& processor_of(VcpuFrame* frame) { return *static_cast<Processor*>(frame); }
u8* bytes_of(Processor& p, u64 reg) { return reinterpret_cast<u8*>(&p.vec[reg]); }

// A masked move as translate/avx.cpp packs it.
struct MaskJob {
  u64 data, mask, element, bytes;
  explicit MaskJob(u64 imm) : data(imm & 15), mask(imm >> 4 & 15), element(imm >> 8 & 0xff), bytes(imm >> 16) {}
  bool selects(Processor& p, u64 at) const { return (bytes_of(p, mask)[at + element - 1] & 0x80) != 0; }
  u32 access() const {
    const u8 log2 = element == 1 ? 0 : element == 4 ? 2 : 3;
    return ir::MemOp{.size_log2 = log2, .order = ir::Order::tso}.pack();
  }
};

}  // namespace

namespace helper {

u64 read_mxcsr(VcpuFrame* frame, u64, u64, u64, u64) { return fp::read_control() & ~processor_of(frame).unmasked; }

u64 write_mxcsr(VcpuFrame* frame, u64 a, u64, u64, u64) {
  const u32 value = static_cast<u32>(a);
  processor_of(frame).unmasked = ~value & kMasks;
  if ((value & kMasks) != kMasks)
    log(Log::unimplemented, "x86_64: MXCSR {:#x}: floating-point exceptions never trap", value);
  fp::write_control(value | kMasks);
  return 0;
}

u64 mask_load(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  Processor& p = processor_of(frame);
  const MaskJob job(imm);
  u8 result[32] = {};
  for (u64 at = 0; at < job.bytes; at += job.element) {
    if (!job.selects(p, at)) continue;
    const u64 value = frame->slow->load(frame, a + at, job.access());
    if (frame->fault != 0) return 0;
    std::memcpy(result + at, &value, job.element);
  }
  std::memcpy(bytes_of(p, job.data), result, 32);
  return 0;
}

// All of it or nothing: what is to be written is first found to be writable.
u64 mask_store(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  Processor& p = processor_of(frame);
  const MaskJob job(imm);
  for (u64 at = 0; at < job.bytes; at += job.element) {
    if (!job.selects(p, at)) continue;
    frame->slow->rmw(frame, a + at, 0, job.access(), static_cast<u32>(ir::Rmw::or_));
    if (frame->fault != 0) return 0;
  }
  for (u64 at = 0; at < job.bytes; at += job.element) {
    if (!job.selects(p, at)) continue;
    u64 value = 0;
    std::memcpy(&value, bytes_of(p, job.data) + at, job.element);
    frame->slow->store(frame, a + at, value, job.access());
  }
  return 0;
}

}  // namespace helper
}  // namespace pagoda::x86_64
