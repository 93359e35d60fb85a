// SPDX-License-Identifier: MIT
// x87 instructions by the host's unit, with memory operands copied; fxsave and fxrstor (SDM volume 1, 10.5).
#include "cpu/x86_64/x87.h"

#include <algorithm>
#include <cstring>

#include "cpu/x86_64/processor.h"
#include "cpu/x86_64/vector_helpers.h"
#include "tcg/ir/types.h"

namespace pagoda::x86_64 {
namespace {

constexpr u32 kFxBytes = 512, kFxUsed = 416, kFxStack = 32, kFxXmm = 160;

Processor& processor_of(VcpuFrame* frame) { return *static_cast<Processor*>(frame); }

u64 raise(VcpuFrame* frame, Vector vector) {
  frame->fault = 1;
  frame->fault_cause = static_cast<u64>(vector);
  frame->fault_value = 0;
  return 0;
}

// The largest power of two that is left.
u8 piece(u32 bytes) { return bytes >= 8 ? 3 : bytes >= 4 ? 2 : bytes >= 2 ? 1 : 0; }
u32 access(u8 log2) { return ir::MemOp{.size_log2 = log2, .order = ir::Order::tso}.pack(); }

// Piece by piece; false after a fault.
bool read_bytes(VcpuFrame* frame, u64 address, u8* to, u32 bytes) {
  for (u32 at = 0; at < bytes;) {
    const u8 log2 = piece(bytes - at);
    const u64 value = frame->slow->load(frame, address + at, access(log2));
    if (frame->fault != 0) return false;
    std::memcpy(to + at, &value, std::size_t{1} << log2);
    at += 1u << log2;
  }
  return true;
}
// Nothing is written if anything faults.
bool write_bytes(VcpuFrame* frame, u64 address, const u8* from, u32 bytes) {
  for (u32 at = 0; at < bytes; at += 1u << piece(bytes - at)) {
    frame->slow->rmw(frame, address + at, 0, access(piece(bytes - at)), static_cast<u32>(ir::Rmw::or_));
    if (frame->fault != 0) return false;
  }
  for (u32 at = 0; at < bytes;) {
    const u8 log2 = piece(bytes - at);
    u64 value = 0;
    std::memcpy(&value, from + at, std::size_t{1} << log2);
    frame->slow->store(frame, address + at, value, access(log2));
    at += 1u << log2;
  }
  return true;
}

bool must_wait(Processor& p, const X87Job& job) { return (job.form & kX87Waits) != 0 && p.x87.is_pending(); }

// Whether a register's tag is "empty": what fxsave has a bit for is its inverse.
u8 used_registers(const X87State& state) {
  u32 used = 0;
  for (u32 i = 0; i < 8; ++i) used |= u32{(state.tags >> 2 * i & 3) != 3} << i;
  return static_cast<u8>(used);
}

}  // namespace

namespace helper {

u64 x87_register(VcpuFrame* frame, u64, u64, u64, u64 imm) {
  Processor& p = processor_of(frame);
  const X87Job job = X87Job::unpack(imm);
  if (must_wait(p, job)) return raise(frame, Vector::x87_error);
  if (job.opcode == 0x9b) return 0;
  X87Registers registers;
  registers.flags = static_cast<u8>(read_rflags(p));
  x87_execute(p.x87, registers, job.opcode, job.modrm);
  if (job.opcode == 0xdf && job.modrm == 0xe0) {
    p.gpr[kRax] = (p.gpr[kRax] & ~u64{0xffff}) | registers.ax;
    return 0;
  }
  // fcomi and its like clear OF, SF and AF; all others leave the flags.
  const bool compares = (job.opcode == 0xdb || job.opcode == 0xdf) && job.modrm >= 0xe8 && job.modrm < 0xf8;
  if (compares) {
    constexpr u64 kSet = rflags::kCarry | rflags::kParity | rflags::kZero;
    write_rflags(p, (read_rflags(p) & ~rflags::kStatus) | (registers.flags & kSet));
  }
  return 0;
}

u64 x87_memory(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  Processor& p = processor_of(frame);
  const X87Job job = X87Job::unpack(imm);
  if (must_wait(p, job)) return raise(frame, Vector::x87_error);
  u8 bytes[112] = {};
  const u32 size = job.form & kX87Bytes;
  if ((job.form & kX87Store) == 0) {
    if (!read_bytes(frame, a, bytes, size)) return 0;
    x87_execute_memory(p.x87, job.opcode, job.modrm, bytes);
    return 0;
  }
  // An unmasked exception may keep the result back: then what is there is stored again.
  X87State after = p.x87;
  const u16 pending = static_cast<u16>(~after.control & 0x3f);
  if (pending != 0 && (job.form & kX87Waits) != 0 && !read_bytes(frame, a, bytes, size)) return 0;
  x87_execute_memory(after, job.opcode, job.modrm, bytes);
  if (write_bytes(frame, a, bytes, size)) p.x87 = after;
  return 0;
}

u64 fxsave(VcpuFrame* frame, u64 a, u64, u64, u64) {
  Processor& p = processor_of(frame);
  if ((a & 15) != 0) return raise(frame, Vector::general_protection);
  u8 image[kFxBytes] = {};
  if (!read_bytes(frame, a, image, kFxBytes)) return 0;  // what it does not write stays
  const u8 used = used_registers(p.x87);
  std::memset(image, 0, kFxXmm);
  std::memcpy(image, &p.x87.control, 2);
  std::memcpy(image + 2, &p.x87.status, 2);
  image[4] = used;
  const u32 mxcsr = static_cast<u32>(read_mxcsr(frame, 0, 0, 0, 0)), mask = kMxcsrMask;
  std::memcpy(image + 24, &mxcsr, 4);
  std::memcpy(image + 28, &mask, 4);
  for (u32 i = 0; i < 8; ++i) std::memcpy(image + kFxStack + 16 * i, p.x87.stack[i], 10);
  for (u32 i = 0; i < 16; ++i) std::memcpy(image + kFxXmm + 16 * i, p.vec[i].low, 16);
  write_bytes(frame, a, image, kFxUsed);
  return 0;
}

u64 fxrstor(VcpuFrame* frame, u64 a, u64, u64, u64) {
  Processor& p = processor_of(frame);
  if ((a & 15) != 0) return raise(frame, Vector::general_protection);
  u8 image[kFxBytes];
  if (!read_bytes(frame, a, image, kFxBytes)) return 0;
  u32 mxcsr;
  std::memcpy(&mxcsr, image + 24, 4);
  if ((mxcsr & ~kMxcsrMask) != 0) return raise(frame, Vector::general_protection);
  write_mxcsr(frame, mxcsr, 0, 0, 0);
  X87State state;
  std::memcpy(&state.control, image, 2);
  std::memcpy(&state.status, image + 2, 2);
  state.control = static_cast<u16>((state.control & 0x1f3f) | 0x40);
  // Full tags are found out again by whoever stores them: "valid" for all that is used.
  state.tags = 0;
  for (u32 i = 0; i < 8; ++i) {
    if ((image[4] >> i & 1) == 0) state.tags = static_cast<u16>(state.tags | 3 << 2 * i);
  }
  for (u32 i = 0; i < 8; ++i) std::memcpy(state.stack[i], image + kFxStack + 16 * i, 10);
  p.x87 = state;
  for (u32 i = 0; i < 16; ++i) std::memcpy(p.vec[i].low, image + kFxXmm + 16 * i, 16);
  return 0;
}

}  // namespace helper
}  // namespace pagoda::x86_64
