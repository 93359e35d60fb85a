// SPDX-License-Identifier: MIT
// pcmpestri, pcmpestrm, pcmpistri, pcmpistrm (SDM volume 2, 4.1).
#include "cpu/x86_64/string_compare.h"

#include <bit>
#include <cstring>

#include "cpu/x86_64/processor.h"

namespace pagoda::x86_64 {
namespace {

struct Text {
  i32 elements[16];
  u32 length;  // valid ones
};

Text text_of(const u64* from, u32 control, const u64* length) {
  Text text{};
  const bool words = (control & 1) != 0, is_signed = (control & 2) != 0;
  const u32 count = words ? 8 : 16;
  for (u32 i = 0; i < count; ++i) {
    u16 element = 0;
    std::memcpy(&element, reinterpret_cast<const u8*>(from) + i * (words ? 2 : 1), words ? 2 : 1);
    text.elements[i] = !is_signed ? element : words ? static_cast<i16>(element) : static_cast<i8>(element);
  }
  if (length != nullptr) {
    const u64 magnitude = static_cast<i64>(*length) < 0 ? u64{0} - *length : *length;
    text.length = static_cast<u32>(magnitude < count ? magnitude : count);
  } else {
    while (text.length < count && text.elements[text.length] != 0) ++text.length;
  }
  return text;
}

// Bit j: what the aggregation says of element j of the second operand.
u32 aggregate(const Text& a, const Text& b, u32 count, u32 mode) {
  u32 result = 0;
  for (u32 j = 0; j < count; ++j) {
    bool holds = false;
    const i32 element = b.elements[j];
    switch (mode) {
      case 0:  // equal any
        for (u32 i = 0; i < a.length && j < b.length; ++i) holds |= a.elements[i] == element;
        break;
      case 1:  // ranges
        for (u32 i = 0; i + 1 < a.length && j < b.length; i += 2) {
          holds |= a.elements[i] <= element && element <= a.elements[i + 1];
        }
        break;
      case 2:  // equal each
        holds = j < a.length && j < b.length ? a.elements[j] == element : j >= a.length && j >= b.length;
        break;
      default:  // equal ordered: a is found at j
        holds = true;
        for (u32 i = 0; i < a.length && i + j < count; ++i) {
          holds &= i + j < b.length && a.elements[i] == b.elements[i + j];
        }
    }
    result |= u32{holds} << j;
  }
  return result;
}

}  // namespace

namespace helper {

u64 compare_strings(VcpuFrame* frame, u64 a, u64 b, u64, u64 imm) {
  Processor& p = *static_cast<Processor*>(frame);
  const StringCompareJob job = StringCompareJob::unpack(imm);
  const u32 count = (job.control & 1) != 0 ? 8 : 16;
  const Text first = text_of(p.vec[job.first].low, job.control, job.with_lengths ? &a : nullptr);
  const u64* second_bytes = job.second == StringCompareJob::kScratch ? p.scratch : p.vec[job.second].low;
  const Text second = text_of(second_bytes, job.control, job.with_lengths ? &b : nullptr);
  u32 result = aggregate(first, second, count, job.control >> 2 & 3);
  const u32 all = (1u << count) - 1, valid = (1u << second.length) - 1;
  if ((job.control & 0x10) != 0) result ^= (job.control & 0x20) != 0 ? valid : all;

  using namespace rflags;
  u64 flags = read_rflags(p) & ~kStatus;
  if (result != 0) flags |= kCarry;
  if (second.length < count) flags |= kZero;
  if (first.length < count) flags |= kSign;
  if ((result & 1) != 0) flags |= kOverflow;
  write_rflags(p, flags);

  const bool high = (job.control & 0x40) != 0;
  if (job.gives_index) {
    p.gpr[kRcx] = result == 0 ? count : static_cast<u32>(high ? std::bit_width(result) - 1 : std::countr_zero(result));
    return 0;
  }
  u8 mask[16] = {};
  if (high) {
    for (u32 i = 0; i < 16; ++i) mask[i] = (result >> (count == 16 ? i : i / 2) & 1) != 0 ? 0xff : 0;
  } else {
    std::memcpy(mask, &result, 2);
  }
  std::memcpy(p.vec[0].low, mask, 16);
  if (job.clears_high) std::memset(p.vec[0].high, 0, 16);
  return 0;
}

}  // namespace helper
}  // namespace pagoda::x86_64
