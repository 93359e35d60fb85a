// SPDX-License-Identifier: MIT
// What takes too many IR ops: wide division, bit gathering, checksums, RFLAGS as a whole, 16-byte exchange.
#include "cpu/x86_64/helpers.h"

#include "cpu/x86_64/processor.h"
#include "cpu/x86_64/string_compare.h"
#include "cpu/x86_64/string_repeat.h"
#include "cpu/x86_64/vector_helpers.h"
#include "cpu/x86_64/x87.h"
#include "tcg/ir/types.h"

namespace pagoda::x86_64 {
namespace helper {
namespace {

using Wide = unsigned __int128;
using SignedWide = __int128;

Processor& processor_of(VcpuFrame* frame) { return *static_cast<Processor*>(frame); }
Wide join(u64 high, u64 low) { return static_cast<Wide>(high) << 64 | low; }

u64 raise(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  frame->fault = 1;
  frame->fault_cause = imm;
  frame->fault_value = a;
  return 0;
}

u64 divide_wide(VcpuFrame*, u64 a, u64 b, u64 c, u64) { return c <= a ? 0 : static_cast<u64>(join(a, b) / c); }

// The quotient of magnitudes decides: it may be 2^63 only if the result is negative.
bool idivide(u64 high, u64 low, u64 divisor, u64& quotient) {
  const auto dividend = static_cast<SignedWide>(join(high, low));
  const auto signed_divisor = static_cast<i64>(divisor);
  if (signed_divisor == 0) return false;
  const bool negative = (dividend < 0) != (signed_divisor < 0);
  const Wide left = dividend < 0 ? Wide{0} - static_cast<Wide>(dividend) : static_cast<Wide>(dividend);
  const u64 right = signed_divisor < 0 ? u64{0} - divisor : divisor;
  const Wide magnitude = left / right;
  constexpr Wide kHalf = Wide{1} << 63;
  if (magnitude > kHalf || (magnitude == kHalf && !negative)) return false;
  quotient = negative ? u64{0} - static_cast<u64>(magnitude) : static_cast<u64>(magnitude);
  return true;
}
u64 idivide_fits(VcpuFrame*, u64 a, u64 b, u64 c, u64) {
  u64 quotient;
  return idivide(a, b, c, quotient);
}
u64 idivide_wide(VcpuFrame*, u64 a, u64 b, u64 c, u64) {
  u64 quotient = 0;
  return idivide(a, b, c, quotient) ? quotient : 0;
}

u64 pdep(VcpuFrame*, u64 a, u64 b, u64, u64) {
  u64 result = 0;
  for (u64 bit = 1; b != 0; bit <<= 1, b &= b - 1) {
    if ((a & bit) != 0) result |= b & (0 - b);
  }
  return result;
}
u64 pext(VcpuFrame*, u64 a, u64 b, u64, u64) {
  u64 result = 0;
  for (u64 bit = 1; b != 0; bit <<= 1, b &= b - 1) {
    if ((a & b & (0 - b)) != 0) result |= bit;
  }
  return result;
}

// SDM volume 2, CRC32: polynomial 0x11edc6f41, bits of each byte reflected.
u64 crc32(VcpuFrame*, u64 a, u64 b, u64, u64 imm) {
  constexpr u32 kReflected = 0x82f63b78;
  u32 sum = static_cast<u32>(a);
  for (u64 i = 0; i < imm; ++i, b >>= 8) {
    sum ^= static_cast<u32>(b & 0xff);
    for (u32 bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? kReflected : 0);
  }
  return sum;
}

u64 cmpxchg16b(VcpuFrame* frame, u64 a, u64, u64, u64) {
  Processor& p = processor_of(frame);
  if ((a & 15) != 0) return raise(frame, 0, 0, 0, static_cast<u64>(Vector::general_protection));
  u64 old[2] = {p.gpr[kRax], p.gpr[kRdx]};
  const u64 desired[2] = {p.gpr[kRbx], p.gpr[kRcx]};
  const ir::MemOp access{.size_log2 = 4, .order = ir::Order::seq_cst};
  frame->slow->cas_wide(frame, a, old, desired, access.pack());
  if (frame->fault != 0) return 0;
  const bool equal = old[0] == p.gpr[kRax] && old[1] == p.gpr[kRdx];
  constexpr u32 kZero = 1u << static_cast<u32>(ir::Flag::z);
  p.flags = equal ? p.flags | kZero : p.flags & ~u64{kZero};
  p.gpr[kRax] = old[0];
  p.gpr[kRdx] = old[1];
  return 0;
}

// SDM volume 2, ENTER: rbp, the pointers of the outer frames, that of the new one.
u64 enter_nested(VcpuFrame* frame, u64, u64, u64, u64 imm) {
  Processor& p = processor_of(frame);
  const u64 level = imm & 0xff, bytes = imm >> 8 & 0xff, allocated = imm >> 16;
  const u32 access = ir::MemOp{.size_log2 = static_cast<u8>(bytes == 8 ? 3 : 1), .order = ir::Order::tso}.pack();
  u64 top = p.gpr[kRsp];
  const auto push = [&](u64 value) {
    if (frame->fault == 0) frame->slow->store(frame, top -= bytes, value, access);
  };
  push(p.gpr[kRbp]);
  const u64 new_frame = top;
  for (u64 outer = 1; outer < level && frame->fault == 0; ++outer) {
    const u64 pointer = frame->slow->load(frame, p.gpr[kRbp] - outer * bytes, access);
    push(pointer);
  }
  push(new_frame);
  top -= allocated;
  // The new top must be writable; what is there stays.
  if (frame->fault == 0) frame->slow->rmw(frame, top, 0, access, static_cast<u32>(ir::Rmw::or_));
  if (frame->fault != 0) return 0;
  p.gpr[kRbp] = bytes == 8 ? new_frame : (p.gpr[kRbp] & ~u64{0xffff}) | (new_frame & 0xffff);
  p.gpr[kRsp] = top;
  return 0;
}

u64 read_rflags(VcpuFrame* frame, u64, u64, u64, u64) { return x86_64::read_rflags(processor_of(frame)); }

// SDM volume 2, POPF, with CPL 3 and IOPL 0: IF and IOPL stay.
u64 write_rflags(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  using namespace rflags;
  Processor& p = processor_of(frame);
  u64 writable = kStatus | kTrap | kDirection | kNested | kAlignment | kIdentify;
  if (imm == 2) writable &= 0xffff;
  const u64 old = x86_64::read_rflags(p);
  x86_64::write_rflags(p, (old & ~writable) | (a & writable));
  return 0;
}

}  // namespace
}  // namespace helper

#define HELPERS "cpu/x86_64/helpers.def"
#include "cpu/helper_table.inc"
#undef HELPERS

}  // namespace pagoda::x86_64
