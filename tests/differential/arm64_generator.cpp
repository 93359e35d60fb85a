// SPDX-License-Identifier: MIT
// Operands: addresses that lie in the window whatever the addressing mode, jumps that stay in the code, the rest drawn.
#include "differential/arm64_generator.h"

#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "cpu/arm64/sysreg.h"
#include "differential/operands.h"

namespace pagoda::arm64 {
namespace {

constexpr u64 kWindowAt = kDataBase + 0x800;

bool has(const InsnRow& row, std::string_view text) {
  return std::string_view(row.text).find(text) != std::string_view::npos;
}
bool is(const InsnRow& row, std::string_view name) { return row.name == name; }
bool starts(const InsnRow& row, std::string_view name) { return std::string_view(row.name).starts_with(name); }

bool is_memory(const InsnRow& row) { return has(row, "[{Xn|SP}"); }
bool is_literal(const InsnRow& row) { return std::string_view(row.name).ends_with("_literal"); }
bool is_relative_jump(const InsnRow& row) { return has(row, "{label") && !is_literal(row) && !is(row, "adr"); }
bool is_register_jump(const InsnRow& row) { return is(row, "br") || is(row, "blr") || is(row, "ret"); }
bool is_store_exclusive(const InsnRow& row) {
  return starts(row, "stxr") || starts(row, "stlxr") || starts(row, "stxp") || starts(row, "stlxp");
}
// One address in a register, nothing added.
bool is_bare(const InsnRow& row) { return has(row, "[{Xn|SP}]") && !has(row, "[{Xn|SP}], "); }
bool is_post(const InsnRow& row) { return has(row, "[{Xn|SP}], "); }
bool is_pair(const InsnRow& row) { return has(row, "{imm7"); }
// What is loaded and stored are vector registers, which the base is none of.
bool is_vector_memory(const InsnRow& row) {
  return is_memory(row) && (has(row, "{Vt") || has(row, "{list") || has(row, "{elements"));
}
bool writes_back(const InsnRow& row) { return is_post(row) || has(row, "]!"); }

// What the encoding adds to the base before the access; of register offsets only the shift counts.
u64 access_offset(const Insn& i) {
  const InsnRow& row = *i.row;
  if (is_bare(row) || is_post(row)) return 0;
  if (has(row, "{imm7_vector}")) return static_cast<u64>(i.signed_field(15, 7) * (i64{4} << i.size()));
  if (has(row, "{imm12_vector}")) return u64{i.field(10, 12)} << (i.bit(23) ? 4 : i.size());
  if (is_pair(row)) {
    const u32 size = has(row, "{imm7_word}") ? 2 : i.is_64() ? 3 : 2;
    return static_cast<u64>(i.signed_field(15, 7) << size);
  }
  if (has(row, "{imm12_size}")) return u64{i.field(10, 12)} << i.size();
  if (has(row, "{imm9}")) return static_cast<u64>(i.signed_field(12, 9));
  return 0;
}

u64 extended_index(const Insn& i, u64 value) {
  switch (i.field(13, 3)) {
    case 2:
      value = static_cast<u32>(value);
      break;
    case 6:
      value = static_cast<u64>(i64{static_cast<i32>(value)});
      break;
    default:
      break;
  }
  return i.bit(12) ? value << (is_vector_memory(*i.row) && i.bit(23) ? 4 : i.size()) : value;
}

}  // namespace

const char* reason_left_out(const InsnRow& row) {
  if (is(row, "svc")) return "a system call of the oracle";
  if (is(row, "udf")) return "what ends every case";
  return nullptr;
}

bool has_float_operands(const InsnRow& row) {
  const std::string_view name = row.name;
  const bool is_fp = row.needs == Feature::fp || row.needs == Feature::fp16 || row.needs == Feature::simd;
  if (!is_fp || name[0] != 'f' || is_memory(row) || has(row, "fimm8")) return false;
  return !name.starts_with("fmov");
}

bool has_integer_operands(const InsnRow& row) {
  for (const char* operand : {"{Rn}", "{Rn|SP}", "{Wn}", "{Xn}", "{Rt}", "{Rd}", "{St}"}) {
    if (has(row, operand)) return true;
  }
  return false;
}

// What the manual leaves to processors ("constrained unpredictable") is not compared.
bool Generator::is_usable(const Insn& i) const {
  const InsnRow& row = *i.row;
  if (writes_back(row) && !is_vector_memory(row) && i.rn() != 31 &&
      (i.rd() == i.rn() || (is_pair(row) && i.ra() == i.rn())))
    return false;
  const bool loads_two = starts(row, "ldp") || starts(row, "ldnp") || starts(row, "ldxp") || starts(row, "ldaxp");
  if (loads_two && i.rd() == i.ra()) return false;
  if (has(row, "_step}") && i.rm() == i.rn()) return false;  // one register cannot be both
  if (is_store_exclusive(row)) {
    const bool pair = has(row, "{Su}");
    if (i.rm() == i.rd() || (pair && i.rm() == i.ra()) || (i.rm() == i.rn() && i.rn() != 31)) return false;
  }
  if (has(row, "{index") && i.rm() == i.rn()) return false;  // one register cannot be both
  if (is_memory(row) && has(row, "{Ss}") && i.rm() == i.rn() && i.rn() != 31) return false;
  if (is(row, "casp") && i.rn() != 31 && (i.rn() | 1) == (i.rm() | 1)) return false;
  if (row.constraint == nullptr || !has(row, "{sysreg}")) return true;
  const auto reg = find_sysreg(sysreg_number(i.bits));
  return reg == SysReg::nzcv || reg == SysReg::fpcr || reg == SysReg::fpsr;  // the others are the oracle's own
}

// Direct jumps stay within the code and do not come back to their case, which would be for good; literals lie behind
// the code.
u32 Generator::confine(const Insn& i) {
  // Where the manual wants ones and processors do not look, the oracle does.
  u32 word = i.bits | pattern_letter_bits(i.row->pattern, '.');
  const auto set_distance = [&](u32 low, u32 width, i64 words) {
    if (words <= 0 && words > -i64{kMostWords}) words = kMostWords;
    const u32 mask = ((1u << width) - 1) << low;
    word = (word & ~mask) | (static_cast<u32>(words) << low & mask);
  };
  if (is_literal(*i.row)) {
    set_distance(5, 19, static_cast<i64>(0x2000 + below(0x20000)));
  } else if (has(*i.row, "{label26}")) {
    set_distance(0, 26, static_cast<i64>(below(0x20000)) - 0x10000);
  } else if (has(*i.row, "{label19}")) {
    set_distance(5, 19, static_cast<i64>(below(0x40000)) - 0x20000);
  } else if (has(*i.row, "{label14}")) {
    set_distance(5, 14, static_cast<i64>(below(0x4000)) - 0x2000);
  }
  return word;
}

RowTraits traits_of(const InsnRow& row) {
  RowTraits t{};
  t.memory = is_memory(row);
  t.vector_memory = is_vector_memory(row);
  t.literal = is_literal(row);
  t.relative_jump = is_relative_jump(row);
  t.register_jump = is_register_jump(row);
  t.store_exclusive = is_store_exclusive(row);
  t.exclusive_pair = t.store_exclusive && has(row, "{Su}");
  t.bare = is_bare(row);
  t.index = has(row, "{index");
  t.compare_and_swap = t.memory && has(row, "cas");
  t.cas_pair = is(row, "casp");
  t.writes_fpcr = is(row, "msr");
  t.zero_often = starts(row, "cb") || starts(row, "cs");
  t.floats = has_float_operands(row);
  t.vectors = row.needs >= Feature::fp;
  return t;
}

void Generator::fill_controls(Case& c) {
  c.nzcv = static_cast<Word>(below(16) << 28);
  const auto sometimes = [&](u32 bit, u64 seldom) { return one_in(seldom) ? 1u << bit : 0u; };
  c.fpcr =
      static_cast<Word>(below(4) << 22) | sometimes(24, 5) | sometimes(25, 5) | sometimes(26, 5) | sometimes(19, 5);
  c.fpsr = one_in(4) ? static_cast<Word>(rng_()) & 0x0800009f : 0;
}

void Generator::fill_memory(Case& c) {
  const bool edges = one_in(3);
  for (u32 at = 0; at < kWindow; at += 8) {
    u64 value = edges ? random_integer(rng_) : rng_();
    if (one_in(8)) value &= ~(u64{0xff} << 8 * below(8));
    std::memcpy(c.memory + at, &value, 8);
  }
}

// Every register.
void Generator::fill(Case& c) {
  for (auto& x : c.x) x = random_integer(rng_);
  if (one_in(4)) c.x[below(31)] = c.x[below(31)];
  c.sp = random_integer(rng_);
  for (auto& v : c.v) fill_vector(v);
  fill_controls(c);
  c.window = kWindowAt;
}

// The registers that an instruction may name, and those behind them, which lists and pairs have.
void Generator::refresh(const Insn& i, const RowTraits& traits, Case& c) {
  for (const u32 reg : {i.rd(), i.rn(), i.rm(), i.ra()}) {
    if (reg < 31) c.x[reg] = random_integer(rng_);
    if (reg < 30 && traits.cas_pair) c.x[reg + 1] = random_integer(rng_);
    if (traits.vectors) fill_vector(c.v[reg]);
  }
  if (traits.vectors) {
    for (u32 next = 1; next < 4; ++next) {
      for (const u32 reg : {i.rd(), i.rn()}) c.v[(reg + next) % 32] = {{rng_(), rng_()}};
    }
  }
  if (i.rn() == 31 || i.rd() == 31) c.sp = random_integer(rng_);
  if (one_in(8)) c.x[below(31)] = c.x[below(31)];
  fill_controls(c);
}

void Generator::set_base(const Insn& i, const RowTraits& traits, u64 offset, u32 bytes, Case& c) {
  const bool must_align = traits.bare && !traits.vector_memory;
  u64 address = c.window + 64 + below(96);
  if (must_align || one_in(2)) address &= ~u64{bytes - 1};
  if (one_in(64)) address = one_in(2) ? 0x1000 : kDataBase + kDataSize + 64;  // nothing there
  (i.rn() == 31 ? c.sp : c.x[i.rn()]) = address - offset;
}

// Elements of one width.
void Generator::fill_vector(Vector128& v) {
  const u32 width = 8u << below(4);
  for (Double& half : v.half) {
    half = 0;
    for (u32 bit = 0; bit < 64; bit += width) {
      const u64 value = one_in(4) && width < 64 ? random_integer(rng_) >> (64 - width) : random_integer(rng_);
      half |= (width == 64 ? value : value & ((u64{1} << width) - 1)) << bit;
    }
  }
}

u32 float_width(const Insn& i) {
  const InsnRow& row = *i.row;
  const std::string_view name = row.name;
  if (name.starts_with("fcvtl")) return i.bit(22) ? 32 : 16;
  if (name.starts_with("fcvtn") && name.size() == 5) return i.bit(22) ? 64 : 32;
  if (name.starts_with("fcvtxn")) return 64;
  if (has(row, "_fixed") || std::string_view(row.pattern).find("hhhh") != std::string_view::npos) {
    return 8u << (31 - static_cast<u32>(std::countl_zero(i.field(19, 4))));
  }
  if (name.ends_with("_half")) return 16;
  if (!i.bit(28) || !i.bit(30)) {  // scalar arithmetic has two bits of precision
    if (i.field(24, 5) == 0b11110 || i.field(24, 5) == 0b11111) {
      constexpr u32 widths[] = {32, 64, 64, 16};
      return widths[i.field(22, 2)];
    }
  }
  return i.bit(22) ? 64 : 32;
}

void Generator::place_floats(const Insn& i, u32 width, Case& c) {
  const u64 mask = width == 64 ? ~u64{0} : (u64{1} << width) - 1;
  const bool small = width == 16 && i.bit(28) == 0;  // register number of half-precision elements
  const u32 registers[] = {i.rn(), one_in(2) || !small ? i.rm() : i.field(16, 4), i.rd(), i.ra()};
  for (u32 bit = 0; bit < 128; bit += width) {
    u64 values[4];
    random_floats(rng_, width, values, 3);
    values[3] = random_float(rng_, width);
    if (one_in(2)) std::swap(values[2], values[3]);
    for (u32 k = 0; k < 4; ++k) {
      Double& half = c.v[registers[k]].half[bit / 64];
      half = (half & ~(mask << bit % 64)) | (values[k] & mask) << bit % 64;
    }
  }
}

u32 float_classes(const Insn& i, u32 width, const Case& c) {
  const u64 box = width == 64 ? 0 : ~u64{0} << width;
  return float_class(c.v[i.rn()].half[0] | box, width);
}

// Compare-and-swap finds what it expects.
void Generator::place_expected(const Insn& i, const RowTraits& traits, Case& c) {
  const u64 at = base_register(c, i.rn()) - c.window;
  if (at >= kWindow - 16) return;
  const auto expect = [&](u32 reg, u64 from) {
    if (reg != 31) std::memcpy(&c.x[reg], c.memory + from, 8);
  };
  if (!traits.cas_pair) {
    if (i.rm() != i.rn()) expect(i.rm(), at);
  } else if (i.bit(30)) {
    expect(i.rm(), at);
    expect(i.rm() + 1, at + 8);
  } else {
    u64 both;
    std::memcpy(&both, c.memory + at, 8);
    if (i.rm() != 31) c.x[i.rm()] = both;
    if (i.rm() + 1 != 31) c.x[i.rm() + 1] = both >> 32;
  }
}

void Generator::place_operands(const Insn& i, const RowTraits& traits, Case& c) {
  if (traits.floats) place_floats(i, float_width(i), c);
  if (traits.memory) {
    u64 offset = access_offset(i);
    if (traits.index) {
      if (i.rm() != 31 && one_in(2)) c.x[i.rm()] = below(2) == 0 ? below(64) : 0 - below(64);
      offset = extended_index(i, i.rm() == 31 ? 0 : c.x[i.rm()]);
    }
    set_base(i, traits, offset, traits.bare || traits.vector_memory ? 16 : 8, c);
  }
  if (traits.register_jump && i.rn() != 31) c.x[i.rn()] = kCodeBase + 0x10000 + below(0x1000) * 4;
  // FPCR bits of FEAT_AFP, which is not implemented; and the oracle does not take them back between cases.
  if (traits.writes_fpcr && i.rd() != 31) c.x[i.rd()] &= ~u64{7};
  if (traits.zero_often && one_in(2) && i.rd() != 31) c.x[i.rd()] = one_in(2) ? 0 : u64{1} << 32;
  // Register 31 is zero: a jump there is a fetch of nothing.
}

bool Generator::make(const Form& form, std::span<Case> cases) {
  constexpr u32 kTries = 2000;
  Insn insn{};
  bool found = false;
  for (u32 attempt = 0; attempt < kTries && !found; ++attempt) {
    const auto word = random_instruction(form, rng_);
    if (!word) return false;
    decode(*word, kAllFeatures, insn);
    insn.bits = confine(insn);
    found = is_usable(insn) && !(is_register_jump(*insn.row) && insn.rn() == 31);
  }
  if (!found) return false;
  const RowTraits traits = traits_of(*insn.row);
  Case first{};
  fill(first);
  first.words = 1;
  first.code[0] = insn.bits;
  if (!traits.relative_jump && !traits.register_jump) first.kinds |= kStraight;
  if (traits.memory || traits.literal) first.kinds |= kUsesMemory;
  first.pc = traits.literal ? kWindowAt + 64 - static_cast<u64>(insn.signed_field(5, 19) * 4) : code_address();
  if (traits.store_exclusive && !one_in(4)) {
    // The load that goes with it, into registers that the store does not use.
    const u32 load = (insn.bits | 1u << 22 | 31u << 16) & ~0x7c1fu;
    u32 into = 0, second = 0;
    const auto free = [&](u32 reg) {
      return reg != insn.rn() && reg != insn.rd() && reg != insn.ra() && reg != insn.rm();
    };
    while (!free(into)) ++into;
    second = into + 1;
    while (!free(second)) ++second;
    first.code[0] = load | into | (traits.exclusive_pair ? second : 31u) << 10;
    first.code[1] = insn.bits;
    first.words = 2;
  }
  for (Case& c : cases) {
    refresh(insn, traits, first);
    place_operands(insn, traits, first);
    if ((first.kinds & kUsesMemory) != 0) {
      std::memcpy(&c, &first, sizeof c);
      fill_memory(c);
      if (traits.compare_and_swap && one_in(2)) place_expected(insn, traits, c);
    } else {
      std::memcpy(&c, &first, offsetof(Case, memory));
    }
  }
  return true;
}

void Generator::make_sequence(const std::vector<Form>& all, std::span<Case> cases) {
  bool jumps = false;
  Case code{};
  code.words = static_cast<Word>(2 + below(kMostWords - 3));
  code.pc = code_address();
  // Registers 0 to 3 and sometimes 31, so that results meet.
  const auto few = [&](u32 word) {
    for (const u32 at : {0u, 5u, 16u}) {
      if (!one_in(6)) word = (word & ~(31u << at)) | static_cast<u32>(one_in(8) ? 31 : below(4)) << at;
    }
    return word;
  };
  for (u32 n = 0; n < code.words;) {
    const Form& form = all[below(all.size())];
    const InsnRow& row = *form.row;
    const bool last = n + 1 == code.words;
    if (is_memory(row) || is_literal(row) || reason_left_out(row) != nullptr || is_register_jump(row) ||
        is(row, "brk") || is(row, "isb") || has(row, "{sysreg}") || has(row, "{Xn}, {imm6}")) {
      continue;
    }
    if (is_relative_jump(row) != (last && one_in(2))) continue;
    jumps = jumps || is_relative_jump(row);
    const u32 drawn = random_instruction(form, rng_).value();
    Insn insn{};
    if (!decode(few(drawn), kAllFeatures, insn) || insn.row != &row) decode(drawn, kAllFeatures, insn);
    code.code[n++] = confine(insn);
  }
  for (Case& c : cases) {
    fill(c);
    c.pc = code.pc;
    c.words = code.words;
    c.kinds = jumps ? Word{0} : Word{kStraight};
    std::memcpy(c.code, code.code, sizeof c.code);
  }
}

}  // namespace pagoda::arm64
