// SPDX-License-Identifier: MIT
// Bytes put together from a row's encoding.
#include "decode/x86_64_bytes.h"

namespace pagoda::x86_64 {
namespace {

void prefixes(Rng& rng, Bytes& bytes, u32 most) {
  constexpr u8 kPrefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0x48, 0x41, 0x4f};
  const u64 count = rng() % (most + 1);
  for (u64 i = 0; i < count; ++i) bytes.add(kPrefixes[rng() % std::size(kPrefixes)]);
}

u8 prefix_byte(Prefix prefix) {
  return prefix == Prefix::p66 ? 0x66 : prefix == Prefix::f3 ? 0xf3 : prefix == Prefix::f2 ? 0xf2 : 0;
}

bool is_vex(Map map) { return map >= Map::vex_0f; }

void vex(Rng& rng, const Row& row, Bytes& bytes) {
  const Encoding& e = row.encoding;
  const u32 map = static_cast<u32>(e.map) - static_cast<u32>(Map::vex_0f) + 1;
  constexpr u8 kCodes[] = {0, 0, 1, 2, 3, 0};  // by Prefix
  const u64 vvvv =
      row.specs.has(Method::vvvv) || row.specs.has(Method::vector_vvvv) || rng() % 8 == 0 ? rng() & 15 : 15;
  const u64 length = e.length == Want::any ? rng() & 1 : e.length == Want::one;
  const u64 w = e.w == Want::any ? rng() & 1 : e.w == Want::one;
  const u64 last = vvvv << 3 | (rng() % 16 == 0 ? length ^ 1 : length) << 2 | kCodes[static_cast<u32>(e.prefix)];
  if (map == 1 && w == 0 && rng() % 2 == 0) {
    bytes.add(0xc5);
    return bytes.add(last | (rng() & 0x80));
  }
  bytes.add(0xc4);
  bytes.add((rng() & 0xe0) | map);
  bytes.add(last | w << 7);
}

}  // namespace

Bytes random_bytes(Rng& rng) {
  Bytes bytes;
  while (bytes.size < bytes.data.size()) bytes.add(rng());
  return bytes;
}

Bytes bytes_of_row(Rng& rng, const Row& row, u32 most_prefixes) {
  const Encoding& e = row.encoding;
  Bytes bytes;
  prefixes(rng, bytes, most_prefixes);
  if (is_vex(e.map)) {
    vex(rng, row, bytes);
  } else {
    if (const u8 prefix = prefix_byte(e.prefix)) bytes.add(prefix);
    u64 rex = 0x40 | (rng() & 15);
    if (e.w == Want::one) rex |= 8;
    if (e.no_rex_b) rex &= ~u64{1};
    if (e.w == Want::one || rng() % 2 == 0) bytes.add(rex);
    if (e.map != Map::first) bytes.add(0x0f);
    if (e.map == Map::map_0f38) bytes.add(0x38);
    if (e.map == Map::map_0f3a) bytes.add(0x3a);
  }
  bytes.add(e.opcode | (e.register_in_opcode ? rng() & 7 : 0));
  if (e.modrm) {
    u64 modrm = rng() & 0xff;
    if (e.exact_modrm) {
      modrm = e.digit;
    } else {
      if (e.digit != kNoDigit) modrm = (modrm & 0xc7) | u64{e.digit} << 3;
      if (row.specs.memory_only() && modrm >= 0xc0) modrm &= 0x7f;
      if (row.specs.register_only()) modrm |= 0xc0;
    }
    bytes.add(modrm);
  }
  while (bytes.size < bytes.data.size()) bytes.add(rng() % 4 == 0 ? 0 : rng());
  return bytes;
}

}  // namespace pagoda::x86_64
