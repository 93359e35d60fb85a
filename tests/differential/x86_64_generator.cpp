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
      g.poke = {address, {c.gpr[kRax], 0}, first.size};
    } else {
      c.gpr[kRax] = first.kind == OperandKind::high_byte ? c.gpr[first.reg] >> 8 : c.gpr[first.reg];
    }
  }
  if (is_handler(row, {"cmpxchg8b"}) && rng() % 2 == 0) {
    g.poke = {address, {c.gpr[kRdx] << 32 | (c.gpr[kRax] & 0xffffffff), 0}, 8};
  }
  if (is_handler(row, {"cmpxchg16b"}) && rng() % 2 == 0) g.poke = {address, {c.gpr[kRax], c.gpr[kRdx]}, 16};
  const auto code_address = [&] { return kCodeAddress + 0x100 + rng() % 0x400; };
  if (is_handler(row, {"jmp_indirect", "call_indirect"})) {
    if (first.kind == OperandKind::memory) {
      g.poke = {address, {code_address(), 0}, 8};
    } else if (first.reg != kRsp) {
      c.gpr[first.reg] = code_address();
    }
  }
  if (is_handler(row, {"ret"})) g.poke = {c.gpr[kRsp], {code_address(), 0}, 8};
  if (is_handler(row, {"popf"})) {  // nothing that outlives the case: signals do not restore all of RFLAGS
    const u64 value = rng() & (rflags::kStatus | rflags::kDirection);
    g.poke = {c.gpr[kRsp], {value, 0}, 8};
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

std::string left_out(const Row& row) {
  if (is_handler(row, {"ud2"})) return "only raises an exception; its vector is a unit test's";
  if (is_handler(row, {"int3"})) return "what ends every case";
  return "";
}

void fill_operands(Rng& rng, Generated& g) {
  Case& c = g.from;
  Insn insn;
  CHECK(decode(c.bytes(), kAllFeatures, insn) == Decoded::ok);
  const Row& row = *insn.row;
  g.poke = {};
  for (u64& value : c.gpr) value = random_value(rng);
  set_flags(rng, c);
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
    const u64 size = insn.operands[0].size == 0 ? 8 : insn.operands[0].size;
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
  const bool short_operands = !jumps(row) && !is_handler(row, {"movsx"});
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
