// SPDX-License-Identifier: MIT
// The Internet checksum, eight bytes at a time.
#include "devices/net/checksum.h"

#include <cstring>

namespace pagoda {
namespace {

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

u16 internet_sum(std::span<const std::byte> bytes, u16 start) {
  // Two 64-bit sums of 32-bit halves cannot overflow below 2^32 words.
  u64 sum = start;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  u64 low = 0;
  u64 high = 0;
  for (; left >= 8; at += 8, left -= 8) {
    const u64 word = load<u64>(at);
    low += word & 0xffff'ffff;
    high += word >> 32;
  }
  sum += (low & 0xffff'ffff) + (low >> 32) + (high & 0xffff'ffff) + (high >> 32);
  for (; left >= 2; at += 2, left -= 2) sum += load<u16>(at);
  if (left != 0) sum += load<u8>(at);  // little-endian host: the low byte is the first in memory
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<u16>(sum);
}

bool complete_checksum(std::span<std::byte> frame, u16 checksum_start, u16 checksum_offset) {
  const std::size_t place = std::size_t{checksum_start} + checksum_offset;
  if (place + 2 > frame.size()) return false;
  // The field holds the pseudo header's sum, so summing over it adds just that.
  u16 checksum = static_cast<u16>(~internet_sum(frame.subspan(checksum_start)));
  if (checksum == 0) checksum = 0xffff;
  std::memcpy(frame.data() + place, &checksum, sizeof checksum);
  return true;
}

}  // namespace pagoda
