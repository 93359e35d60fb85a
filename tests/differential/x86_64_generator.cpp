// SPDX-License-Identifier: MIT
// Bytes by the row's encoding, registers so that memory operands hit the window, flags masks by the row's effect
// column.
#include "differential/x86_64_generator.h"

#include <cstring>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cpu/x86_64/processor.h"
#include "decode/x86_64_bytes.h"

namespace pagoda::x86_64 {
namespace {

bool is_any(std::string_view name, std::initializer_list<std::string_view> names) {
  for (const std::string_view one : names) {
    if (name == one) return true;
  }
  return false;
}
bool is_handler(const Row& row, std::initializer_list<std::string_view> names) {
  return is_any(row.handler_name, names);
}
bool jumps(const Row& row) {
  return is_handler(row,
                    {"jcc", "jmp", "jmp_indirect", "call", "call_indirect", "ret", "jrcxz", "loop", "loope", "loopne"});
}
bool is_rotate(const Row& row) { return is_handler(row, {"rol", "ror", "rcl", "rcr"}); }
bool is_shift(const Row& row) { return is_rotate(row) || is_handler(row, {"shl", "shr", "sar", "shld", "shrd"}); }
bool on_stack(const Row& row) {
  return is_handler(row, {"push", "pop", "pushf", "popf", "enter", "leave", "call", "call_indirect", "ret"});
}

bool uses_vectors(const Row& row) {
  for (u32 i = 0; i < row.specs.count; ++i) {
    const Method method = row.specs.list[i].method;
    if (method >= Method::vector_reg && method <= Method::vector_immediate) return true;
  }
  return false;
}

bool uses_x87(const Row& row) { return is_handler(row, {"x87_register", "x87_memory", "fxsave", "fxrstor"}); }

u64 random_value(Rng& rng) {
  constexpr u64 kSpecial[] = {0,      1,          2,          0x7f,       0x80,        0xff,         0x7fff,
                              0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, ~u64{0} >> 1, u64{1} << 63,
                              ~u64{0}};
  switch (rng() % 4) {
    case 0:
      return kSpecial[rng() % std::size(kSpecial)];
    case 1:
      return rng() >> (rng() & 63);
    default:
      return rng();
  }
}

// Mostly inside, now and then over the edge of the pages or of the window.
u64 data_address(Rng& rng, u64 alignment) {
  const u64 kind = rng() % 32;
  if (kind == 0) return kDataAddress + kDataBytes - 1 - rng() % 16;
  if (kind == 1) return kDataAddress + 0x1000 - 1 - rng() % 16;
  const u64 offset = 64 + rng() % (kDataBytes - 128);
  return kDataAddress + (kind < 20 ? offset & ~(alignment - 1) : offset);
}

// Overwrites the `size` bytes that hold the displacement; false if they are not found.
bool set_displacement(Case& c, u32 size, i64 wanted) {
  for (u32 at = c.code_bytes - size; at > 0; --at) {
    Case changed = c;
    std::memcpy(&changed.code[at], &wanted, size);
    Insn insn;
    if (decode(changed.bytes(), kAllFeatures, insn) == Decoded::ok && insn.length == c.code_bytes &&
        insn.memory.displacement == wanted) {
      c = changed;
      return true;
    }
  }
  return false;
}

// The flags of an effect column's letters.
u64 mask_of(const Row& row) {
  using namespace rflags;
  constexpr u64 kBits[] = {kOverflow, kSign, kZero, kAdjust, kParity, kCarry};
  u64 mask = kStatus | kDirection;
  for (u32 i = 0; i < 6; ++i) {
    if (row.effect[i] >= 'a' && row.effect[i] <= 'z') mask &= ~kBits[i];
  }
  return mask;
}

// SDM volume 2 on shifts and rotates: what the count makes of flags.
u64 mask_of_shift(const Insn& insn, u64 rcx, u64 mask) {
  using namespace rflags;
  const u32 last = insn.operand_count - 1u;
  const u32 width = insn.operands[0].size * 8u;
  const bool immediate = insn.operands[last].kind == OperandKind::immediate;
  const u64 count = (immediate ? insn.operands[last].value : rcx) & (width == 64 ? 63 : 31);
  if (count == 0) return kStatus | kDirection;
  if (count != 1) mask &= ~kOverflow;
  if (is_handler(*insn.row, {"shl", "shr"}) && count >= width) mask &= ~kCarry;
  return mask;
}

bool undefined_result(const Insn& insn, u64 rcx) {
  if (!is_handler(*insn.row, {"shld", "shrd"}) || insn.operands[0].size != 2) return false;
  return ((insn.operands[2].kind == OperandKind::immediate ? insn.operands[2].value : rcx) & 31) > 16;
}

void set_flags(Rng& rng, Case& c) {
  using namespace rflags;
  c.rflags = (rng() & (kStatus | kDirection)) | kFixed;
}

// 16 bytes of lanes of one kind: noise, numbers that mean something to floating point of one of three widths, or few
// bits.
void random_lanes(Rng& rng, u8* to) {
  constexpr u64 kDoubles[] = {0,
                              1,
                              0x000f'ffff'ffff'ffff,
                              0x0010'0000'0000'0000,
                              0x3ff0'0000'0000'0000,
                              0x3ff8'0000'0000'0000,
                              0x4008'0000'0000'0000,
                              0x41df'ffff'ffc0'0000,
                              0x41e0'0000'0000'0000,
                              0x43e0'0000'0000'0000,
                              0x47ef'ffff'ffff'ffff,
                              0x7fef'ffff'ffff'ffff,
                              0x7ff0'0000'0000'0000,
                              0x7ff0'0000'0000'0001,
                              0x7ff8'0000'0000'0000,
                              0x7ff8'1234'5678'9abc,
                              0x3690'0000'0000'0000,
                              0x3fe0'0000'0000'0000};
  constexpr u32 kSingles[] = {0,          1,          0x007fffff, 0x00800000, 0x3f800000, 0x3fc00000, 0x40400000,
                              0x4effffff, 0x4f000000, 0x5f000000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000,
                              0x7fc12345, 0x3f000000, 0x33800000, 0x387fc000, 0x477fe000, 0x477ff000};
  u64 pair[2];
  const u64 shape = rng() % 8;
  for (u64& quad : pair) {
    quad = rng();
    const u64 sign = (rng() & 1) << 63;
    if (shape == 1 || (shape == 2 && rng() % 2 == 0)) {
      quad = kDoubles[rng() % std::size(kDoubles)] | sign;
    } else if (shape == 3 || (shape == 4 && rng() % 2 == 0)) {
      quad = kSingles[rng() % std::size(kSingles)] | (rng() & 1) << 31 |
             u64{kSingles[rng() % std::size(kSingles)]} << 32 | sign;
    } else if (shape == 5) {  // ordinary magnitudes
      quad = (quad & 0x800f'ffff'ffff'ffff) | (0x3e8 + rng() % 48) << 52;
    } else if (shape == 6) {
      quad = (quad & 0x807f'ffff'807f'ffff) | (0x70 + rng() % 32) << 23 | (0x70 + rng() % 32) << 55;
    }
    if (rng() % 16 == 0) quad = 0;
  }
  std::memcpy(to, pair, 16);
}

// Mostly a full stack of numbers that mean something, all exceptions masked.
void random_x87(Rng& rng, FpImage& fp) {
  constexpr u16 kExponents[] = {0,      0,      1,      0x3fff, 0x3fff, 0x4000, 0x3ffe, 0x401e,
                                0x403e, 0x403d, 0x7ffe, 0x7fff, 0x7fff, 0x3f80, 0x3bff};
  constexpr u64 kMantissas[] = {u64{1} << 63,
                                u64{1} << 63,
                                u64{3} << 62,
                                ~u64{0},
                                0,
                                1,
                                (u64{1} << 63) + 1,
                                0xc000'0000'0000'0001,
                                0xffff'ffff'ffff'f800,
                                0x8000'0000'0000'0400,
                                0xa000'0000'0000'0001};
  const u64 kind = rng() % 4;
  for (u32 i = 0; i < 8; ++i) {
    u64 mantissa = rng() | u64{1} << 63;
    u32 exponent = 0x3ff0 + static_cast<u32>(rng() % 64);
    if (kind == 0) exponent = rng() & 0x7fff;
    if (kind == 1 || rng() % 3 == 0) exponent = kExponents[rng() % std::size(kExponents)];
    if (kind == 1 || rng() % 3 == 0) mantissa = kMantissas[rng() % std::size(kMantissas)];
    if (rng() % 8 == 0) {  // an integer
      exponent = 0x3fff + 63;
      mantissa = rng() >> (rng() & 63);
      while (mantissa != 0 && mantissa >> 63 == 0) mantissa <<= 1, --exponent;
      if (mantissa == 0) exponent = 0;
    }
    if (rng() % 16 == 0) mantissa = rng();  // pseudo-denormals and what is no number at all
    fp.set<u64>(FpImage::kStack + 16 * i, mantissa);
    fp.set<u16>(FpImage::kStack + 16 * i + 8, static_cast<u16>(exponent | (rng() & 1) << 15));
  }
  fp.fx[FpImage::kTags] = static_cast<u8>(rng() % 4 == 0 ? rng() : rng() % 2 == 0 ? 0xff : 0x7f);
  const u32 masks = rng() % 16 == 0 ? rng() & 0x3f : 0x3f;
  constexpr u16 kPrecisions[] = {0x300, 0x300, 0x200, 0};
  const u32 control = 0x40 | masks | (rng() & 3) << 10 | kPrecisions[rng() % 4];
  u32 status = static_cast<u32>(rng()) & 0x7f00;
  if (rng() % 4 == 0) status |= rng() & 0x7f;
  if ((status & ~control & 0x3f) != 0) status |= 0x8080;  // pending
  fp.set<u16>(FpImage::kControl, static_cast<u16>(control));
  fp.set<u16>(FpImage::kStatus, static_cast<u16>(status));
}

void special_x87_memory(Rng& rng, const Row& row, Generated& g, u64 address) {
  const u32 bytes = row.kind & 0xff;
  if (bytes > 10) return;
  u8 lanes[16];
  random_lanes(rng, lanes);
  if (bytes == 10) {
    FpImage image;
    random_x87(rng, image);
    std::memcpy(lanes, &image.fx[FpImage::kStack], 10);
    if (std::string_view(row.name) == "fbld") {
      for (u8& byte : lanes) byte = static_cast<u8>(rng() % 10 << 4 | rng() % 10);
      lanes[9] = rng() & 0x80;
    }
  }
  if (std::string_view(row.name) == "fldcw") {
    const u16 control = static_cast<u16>((rng() & 0xf40) | 0x3f);
    std::memcpy(lanes, &control, 2);
  }
  g.poke = {address, {}, bytes};
  std::memcpy(g.poke.value, lanes, bytes);
}

// Operands that make something happen: divisions that do not fault, comparisons that hold.
void special_operands(Rng& rng, const Insn& insn, Generated& g, u64 address) {
  Case& c = g.from;
  const Row& row = *insn.row;
  const Operand& first = insn.operands[0];
  if (is_handler(row, {"div", "idiv"}) && rng() % 4 != 0) {
    const bool negative = is_handler(row, {"idiv"}) && rng() % 2 == 0;
    const bool from_rdx = first.kind == OperandKind::gpr && first.reg == kRdx;
    if (!from_rdx) c.gpr[kRdx] = rng() % 3 == 0 ? rng() % 3 : negative ? ~u64{0} : 0;
    if (first.size == 1)
      c.gpr[kRax] = (c.gpr[kRax] & ~u64{0xffff}) | (negative ? 0xff80 | (rng() & 0x7f) : rng() & 0x1ff);
  }
  if (is_handler(row, {"cmpxchg"}) && rng() % 2 == 0) {
    if (first.kind == OperandKind::memory) {
      g.poke = {address, {c.gpr[kRax], 0, 0, 0}, first.size};
    } else {
      c.gpr[kRax] = first.kind == OperandKind::high_byte ? c.gpr[first.reg] >> 8 : c.gpr[first.reg];
    }
  }
  if (is_handler(row, {"cmpxchg8b"}) && rng() % 2 == 0) {
    g.poke = {address, {c.gpr[kRdx] << 32 | (c.gpr[kRax] & 0xffffffff), 0, 0, 0}, 8};
  }
  if (is_handler(row, {"cmpxchg16b"}) && rng() % 2 == 0) g.poke = {address, {c.gpr[kRax], c.gpr[kRdx]}, 16};
  const auto code_address = [&] { return kCodeAddress + 0x100 + rng() % 0x400; };
  if (is_handler(row, {"jmp_indirect", "call_indirect"})) {
    if (first.kind == OperandKind::memory) {
      g.poke = {address, {code_address(), 0, 0, 0}, 8};
    } else if (first.reg != kRsp) {
      c.gpr[first.reg] = code_address();
    }
  }
  if (is_handler(row, {"ret"})) g.poke = {c.gpr[kRsp], {code_address(), 0, 0, 0}, 8};
  if (is_handler(row, {"popf"})) {  // nothing that outlives the case: signals do not restore all of RFLAGS
    const u64 value = rng() & (rflags::kStatus | rflags::kDirection);
    g.poke = {c.gpr[kRsp], {value, 0, 0, 0}, insn.operand_size};
  }
  if (is_handler(row, {"ldmxcsr"})) {
    const u64 reserved = rng() % 4 == 0 ? rng() & 0xfffd0000 : 0;  // bit 17 is AMD's
    g.poke = {address, {(rng() & 0xffff) | 0x1f80 | reserved, 0, 0, 0}, 4};
  }
  if (is_handler(row, {"x87_memory"}) && address != 0) special_x87_memory(rng, row, g, address);
  if (is_handler(row, {"fxrstor"}) && address != 0) {
    FpImage image;
    random_x87(rng, image);
    image.set<u32>(FpImage::kMxcsr, (rng() & 0xffff) | 0x1f80 | (rng() % 8 == 0 ? 0x40000 : 0));
    g.poke = {address, {}, 32};
    std::memcpy(g.poke.value, image.fx.data(), 32);
  }
  if (is_handler(row, {"fxsave"})) g.ignored = address + FpImage::kMxcsr + 4;
  if (uses_vectors(row) && address != 0 && g.poke.bytes == 0) {
    g.poke = {address, {}, 32};
    u8 lanes[32];
    random_lanes(rng, lanes);
    random_lanes(rng, lanes + 16);
    std::memcpy(g.poke.value, lanes, 32);
    while (g.poke.bytes != 0 && g.poke.address - kDataAddress > kDataBytes - g.poke.bytes) g.poke.bytes -= 16;
    if (g.poke.bytes == 0) g.poke = {};
  }
  if (g.poke.address - kDataAddress > kDataBytes - g.poke.bytes) g.poke = {};
}

// Gives the registers of the memory operand values so that it lies at `address`, or near where they cannot.
bool place_memory(Rng& rng, const Insn& insn, Case& c, u64& address) {
  const Memory& m = insn.memory;
  const u64 offset = address - (m.segment == Segment::gs ? kGsBase : 0);
  const u64 displacement = static_cast<u64>(m.displacement);
  const bool wide_noise = m.short_address && rng() % 2 == 0;
  const auto set = [&](u32 reg, u64 value) {
    c.gpr[reg] = m.short_address ? (value & 0xffffffff) | (wide_noise ? rng() << 32 : 0) : value;
  };
  if (m.base == Memory::kRip) {
    return set_displacement(c, 4, static_cast<i64>(offset - (kCodeAddress + kCodeOffset + insn.length)));
  }
  if (m.base == Memory::kNone && m.index == Memory::kNone) {
    const u32 size = insn.row->specs.has(Method::offset) && !m.short_address ? 8 : 4;
    return set_displacement(c, size, static_cast<i64>(offset));
  }
  if (m.base == Memory::kNone || m.base == m.index) {
    const u64 factor = m.scale + (m.base == m.index ? 1u : 0u);
    const u64 value = (offset - displacement) / factor;
    set(m.index, value);
    address -= (offset - displacement) - value * factor;
    return true;
  }
  u64 scaled = 0;
  if (m.index != Memory::kNone) {
    set(m.index, rng() % 4 == 0 ? random_value(rng) : rng() % 128);
    scaled = c.gpr[m.index] * m.scale;
  }
  set(m.base, offset - displacement - scaled);
  return true;
}

}  // namespace

void random_vectors(Rng& rng, FpImage& fp) {
  for (u32 i = 0; i < 16; ++i) {
    random_lanes(rng, &fp.fx[FpImage::kXmm + 16 * i]);
    random_lanes(rng, fp.high[i].data());
    if (i != 0 && rng() % 8 == 0) std::memcpy(&fp.fx[FpImage::kXmm + 16 * i], &fp.fx[FpImage::kXmm + 16 * (i - 1)], 16);
  }
  random_x87(rng, fp);
  // Rounding, flushing of denormals now and then, some flags set already; all exceptions masked.
  u32 mxcsr = 0x1f80 | (rng() % 2 == 0 ? 0 : (rng() & 3) << 13) | (rng() % 4 == 0 ? rng() & 0x3f : 0);
  if (rng() % 4 == 0) mxcsr |= rng() & 0x8040;
  fp.set<u32>(FpImage::kMxcsr, mxcsr);
}

std::string left_out(const Row& row) {
  if (is_handler(row, {"ud2"})) return "only raises an exception; its vector is a unit test's";
  if (is_handler(row, {"int3"})) return "what ends every case";
  return "";
}

void fill_operands(Rng& rng, Generated& g, bool all) {
  Case& c = g.from;
  Insn insn;
  CHECK(decode(c.bytes(), kAllFeatures, insn) == Decoded::ok);
  const Row& row = *insn.row;
  g.poke = {};
  g.ignored = 0;
  g.any_fault_address = is_handler(row, {"mask_store_bytes", "mask_load", "mask_store", "fxsave", "fxrstor"}) ||
                        (is_handler(row, {"x87_memory"}) && (row.kind & 0xff) >= 28);
  for (u64& value : c.gpr) value = random_value(rng);
  set_flags(rng, c);
  if (all || uses_vectors(row) || uses_x87(row)) random_vectors(rng, c.fp);
  if (is_handler(row, {"mask_store_bytes"})) {
    // Whether bytes that are not selected fault is the processor's own business (SDM volume 2, MASKMOVDQU).
    c.gpr[kRdi] = kDataAddress + rng() % (kDataBytes - 16) - (insn.memory.segment == Segment::gs ? kGsBase : 0);
  }
  c.gpr[kRsp] = data_address(rng, 8);
  if (on_stack(row) && rng() % 64 == 0) c.gpr[kRsp] = random_value(rng);
  if (is_handler(row, {"leave"})) c.gpr[kRbp] = data_address(rng, 8);
  if (is_handler(row, {"enter"})) c.gpr[kRbp] = data_address(rng, 8);
  if (is_handler(row, {"xlat"}))
    c.gpr[kRbx] = data_address(rng, 1) - (insn.memory.segment == Segment::gs ? kGsBase : 0);
  if (is_handler(row, {"loop", "loope", "loopne", "jrcxz"}) && rng() % 2 == 0) c.gpr[kRcx] = rng() % 3;
  if (row.has(kString)) {
    const u64 noise = insn.memory.short_address ? rng() << 32 : 0;
    c.gpr[kRcx] = (rng() % 48) | noise;
    c.gpr[kRsi] = (data_address(rng, 8) - (insn.memory.segment == Segment::gs ? kGsBase : 0)) | noise;
    c.gpr[kRdi] = data_address(rng, 8) | noise;
    // cmps and scas end soon with random data: sometimes what they meet is equal.
    if (row.has(kCompares) && insn.memory.segment == Segment::none && rng() % 2 == 0) c.gpr[kRsi] = c.gpr[kRdi];
    // Which of two operands faults first is nobody's promise: one of them is well inside.
    if (is_handler(row, {"cmps"})) {
      const u64 inside = kDataAddress + 0x400 + rng() % 0x1000;
      if (rng() % 2 == 0) {
        c.gpr[kRdi] = inside | noise;
      } else {
        c.gpr[kRsi] = (inside - (insn.memory.segment == Segment::gs ? kGsBase : 0)) | noise;
      }
    }
    if (is_handler(row, {"scas"})) c.gpr[kRax] = rng() & 3;
  }
  u64 address = 0;
  bool memory_operand = false;
  for (u32 i = 0; i < insn.operand_count; ++i) memory_operand |= insn.operands[i].kind == OperandKind::memory;
  if (memory_operand && !row.has(kString)) {
    u64 size = insn.operands[0].size == 0 ? 8 : insn.operands[0].size;
    for (u32 i = 0; i < insn.operand_count && uses_vectors(row); ++i) {
      if (insn.operands[i].kind == OperandKind::memory) size = insn.operands[i].size;
    }
    if (is_handler(row, {"fxsave", "fxrstor"})) size = 16;
    address = data_address(rng, size);
    if ((insn.lock || row.has(kAlwaysLocked)) && rng() % 16 != 0) address &= ~(size - 1);
    const bool bits = is_handler(row, {"bt", "bts", "btr", "btc"}) && insn.operands[1].kind == OperandKind::gpr;
    if (!place_memory(rng, insn, c, address)) address = 0;
    const u32 reg = insn.operands[1].reg;
    if (bits && reg != insn.memory.base && reg != insn.memory.index && rng() % 8 != 0) {
      c.gpr[reg] = static_cast<u64>(static_cast<i64>(rng() % 16384) - 8192);
    }
  }
  special_operands(rng, insn, g, address);
  g.flags_mask = mask_of(row);
  if (is_shift(row)) {
    while (undefined_result(insn, c.gpr[kRcx])) c.gpr[kRcx] &= ~u64{31};
    g.flags_mask = mask_of_shift(insn, c.gpr[kRcx], g.flags_mask);
  }
}

std::optional<Generated> instruction_of(Rng& rng, const Row& row) {
  Generated g;
  Bytes bytes;
  // Processors differ in what 66 does to near branches, and in which bytes movsxd with it reads.
  const bool short_operands = !jumps(row) && !is_handler(row, {"movsx", "x87_memory"});
  if (row.encoding.map < Map::vex_0f && short_operands && row.encoding.prefix == Prefix::any && rng() % 4 == 0)
    bytes.add(0x66);
  if (row.encoding.prefix == Prefix::no_rep && rng() % 4 == 0) bytes.add(0x66);
  if (rng() % 16 == 0) bytes.add(0x67);
  if (rng() % 16 == 0) bytes.add(0x65);
  if (row.has(kLockable) && rng() % 4 == 0) bytes.add(0xf0);
  if (row.has(kString) && rng() % 4 != 0) bytes.add(rng() % 2 == 0 ? 0xf2 : 0xf3);
  const Bytes body = bytes_of_row(rng, row, 0);
  for (const u8 byte : body.span()) bytes.add(byte);
  Insn insn;
  if (decode(bytes.span(), kAllFeatures, insn) != Decoded::ok || insn.row != &row) return std::nullopt;
  g.from.code_bytes = insn.length;
  g.from.falls_through = !jumps(row);
  std::memcpy(g.from.code.data(), bytes.data.data(), insn.length);
  if (insn.operands[0].kind == OperandKind::relative) {
    const u64 to = insn.length + insn.operands[0].value;
    if (to < insn.length) return std::nullopt;  // into the instruction itself
  }
  const u32 last = insn.operand_count - 1u;
  if (insn.operand_count != 0 && insn.operands[last].kind == OperandKind::immediate && undefined_result(insn, 0)) {
    return std::nullopt;
  }
  fill_operands(rng, g);
  // Memory operands that need their bytes changed are changed now; later operands keep them.
  return g;
}

}  // namespace pagoda::x86_64
