// SPDX-License-Identifier: MIT
// From operand formats to registers, memory and places in memory.
#include "differential/generator.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace pagoda::riscv64 {
namespace {

constexpr u32 kOperandSets = 16;  // per instruction word
constexpr u64 kCodeCentre = kCodeBase + kCodeSize / 2;

struct LeftOut {
  const char* name;
  const char* reason;
};
constexpr LeftOut kLeftOut[] = {
    {"ecall", "traps"},
    {"ebreak", "traps"},
    {"c.ebreak", "traps"},
    {"pause", "waits"},
    {"wrs.nto", "waits"},
    {"wrs.sto", "waits"},
    {"wfi", "privileged"},
    {"mret", "privileged"},
    {"sret", "privileged"},
    {"sfence.vma", "privileged"},
    {"sinval.vma", "privileged"},
    {"sfence.w.inval", "privileged"},
    {"sfence.inval.ir", "privileged"},
};

bool has(std::string_view text, char letter) { return text.find(letter) != std::string_view::npos; }

}  // namespace

const char* reason_left_out(const InsnRow& row) {
  for (const LeftOut& out : kLeftOut) {
    if (std::string_view(row.name) == out.name) return out.reason;
  }
  return nullptr;
}

RowPlan::RowPlan(const InsnRow& r) : row(&r) {
  const FormatInfo& format = format_info(r.format);
  const std::string_view operands = format.operands, name = r.name;
  is_jump = r.format == Format::jump_register || r.format == Format::c_jump_register ||
            r.format == Format::c_jump_link_register;
  is_relative = has(operands, 't');
  is_memory = !is_jump && operands.find("(a)") != std::string_view::npos;
  is_swap = r.format == Format::atomic_cas;
  must_align = is_swap || r.format == Format::atomic || r.format == Format::load_reserved;
  is_csr = format.immediate == Immediate::csr;
  rounds = has(r.pattern, 'm');
  // Operand width is the last part of the name: fcvt.s.d reads f64, fmv.x.w and fcvt.w.s f32. Plain stores copy bits.
  // fcvtmod.w.d: f64.
  if (has(operands, 'A') || has(operands, 'B')) {
    const std::string_view last = name.substr(name.rfind('.') + 1);
    float_width = last == "h" ? 16 : last == "s" || last == "w" ? 32 : 64;
  }
  const bool twice = format.registers == Registers::twice || format.registers == Registers::twice3;
  reads_integers =
      (has(operands, 'a') && !is_memory && !is_jump) || has(operands, 'b') || (twice && has(operands, 'd'));
}

u32 RowPlan::classes() const {
  u32 result = 0;
  if (reads_integers) result |= kEdgeInteger;
  if (float_width != 0) result |= kFloatClasses;
  if (float_width == 16 || float_width == 32) result |= kUnboxed;
  return result;
}

u32 rounding_of(const RowPlan& plan, const Case& c) {
  if (!plan.rounds) return kNoRounding;
  const u32 field = c.bits >> 12 & 7, dynamic = c.fcsr >> 5 & 7;
  if (field == 7) return dynamic < 5 ? 5 + dynamic : kNoRounding;
  return field < 5 ? field : kNoRounding;
}

u32 specials_of(const RowPlan& plan, const Case& c) {
  Insn insn;
  if (!decode(c.bits, kAllExtensions, insn)) return 0;
  const std::string_view operands = format_info(plan.row->format).operands;
  u32 result = 0;
  if (has(operands, 'A')) result |= float_class(c.f[insn.rs1], plan.float_width);
  if (has(operands, 'B')) result |= float_class(c.f[insn.rs2], plan.float_width);
  if (has(operands, 'C')) result |= float_class(c.f[insn.rs3], plan.float_width);
  if (plan.reads_integers) {
    const bool has_a = !plan.is_memory && !plan.is_jump && format_info(plan.row->format).registers != Registers::zero;
    if (has_a) result |= integer_class(insn.rs1 == 0 ? 0 : c.x[insn.rs1]);
    if (has(operands, 'b')) result |= integer_class(insn.rs2 == 0 ? 0 : c.x[insn.rs2]);
  }
  return result;
}

bool Generator::draw_word() {
  constexpr u32 kTries = 200;
  // In the middle of a page, on its last halfword, and away from natural alignment.
  constexpr u64 kPlaces[] = {0, 0x800, 0x7fe, 0xffe, 0x102};
  for (u32 attempt = 0; attempt < kTries; ++attempt) {
    std::optional<u32> word = random_instruction(*plan_.row, rng_);
    if (!word) return false;
    if (plan_.rounds) {
      const u64 choice = rng_() % 16;
      const u32 mode = static_cast<u32>(choice < 7 ? 7 : choice < 15 ? rng_() % 5 : 5 + rng_() % 2);
      *word = set_pattern_field(plan_.row->pattern, 'm', mode, *word);
    }
    if (plan_.is_csr) *word = set_pattern_field(plan_.row->pattern, 'i', static_cast<u32>(1 + rng_() % 3), *word);
    if (!decode(*word, kAllExtensions, insn_) || insn_.row != plan_.row) continue;
    if (format_info(plan_.row->format).immediate == Immediate::none) insn_.immediate = 0;
    const bool is_hint = format_info(plan_.row->format).immediate == Immediate::prefetch;
    if (plan_.is_memory && insn_.rs1 == 0 && !is_hint) continue;  // page 0 is not mapped
    // Not onto the instruction itself, nor into it.
    if (plan_.is_relative && (insn_.immediate == 0 || (insn_.immediate == 2 && plan_.row->length == 4))) continue;
    pc_ = kCodeCentre + kPlaces[rng_() % std::size(kPlaces)];
    return true;
  }
  return false;
}

void Generator::fill(Case& c) {
  c.bits = insn_.bits;
  c.length = plan_.row->length;
  c.pc = pc_;
  c.unused = 0;
  for (Double& x : c.x) x = random_integer(rng_);
  c.x[0] = 0;
  if (insn_.rs2 != 0 && rng_() % 4 == 0) c.x[insn_.rs2 & 31] = c.x[insn_.rs1 & 31];
  constexpr u32 widths[] = {64, 32, 64, 16};
  for (u32 i = 0; i < 32; ++i) c.f[i] = random_float(rng_, widths[i % 4]);
  if (plan_.float_width != 0) {
    u64 values[3];
    random_floats(rng_, plan_.float_width, values, 3);
    c.f[insn_.rs1 & 31] = values[0];
    c.f[insn_.rs2 & 31] = values[1];
    if (has(format_info(plan_.row->format).operands, 'C')) c.f[insn_.rs3 & 31] = values[2];
  }
  const u64 frm = rng_() % 32 == 0 ? 5 + rng_() % 3 : rng_() % 5;
  c.fcsr = static_cast<Word>(frm << 5 | (rng_() % 4 == 0 ? rng_() % 32 : 0));

  // The window stands inside a page or across two.
  c.window = rng_() % 2 == 0 ? kDataBase + 0x400 : kDataBase + 0x1000 - kWindow / 2;
  for (u32 i = 0; i < kWindow; i += 8) {
    const u64 value = rng_() % 2 == 0 ? random_integer(rng_) : random_float(rng_, rng_() % 2 == 0 ? 32 : 64);
    std::memcpy(c.memory + i, &value, 8);
  }
  const u64 immediate = static_cast<u64>(insn_.immediate);
  if (plan_.is_memory && insn_.rs1 != 0) {
    u64 offset = rng_() % 2 == 0 ? kWindow / 2 - 8 + rng_() % 16 : rng_() % (kWindow - 16);
    if (plan_.must_align) offset &= ~((u64{1} << (insn_.bits >> 12 & 7)) - 1);
    c.x[insn_.rs1] = c.window + offset - immediate;
    // A swap that is to happen expects what memory holds.
    if (plan_.is_swap && rng_() % 2 == 0 && insn_.rd != 0 && (insn_.rd | 1) != (insn_.rs1 | 1)) {
      std::memcpy(&c.x[insn_.rd], c.memory + offset, 8);
      if (insn_.rd % 2 == 0) std::memcpy(&c.x[insn_.rd + 1], c.memory + offset + 8, 8);
    }
  }
  if (plan_.is_jump && insn_.rs1 != 0) {
    u64 landing;
    do {
      landing = rng_() % 2 == 0 ? pc_ - 64 + rng_() % 128 : kCodeBase + rng_() % kCodeSize;
    } while ((landing & ~u64{1}) - pc_ < plan_.row->length);
    c.x[insn_.rs1] = landing - immediate;
  }
}

bool Generator::append(std::vector<Case>& cases) {
  if (!draw_word()) return false;
  for (u32 i = 0; i < kOperandSets; ++i) fill(cases.emplace_back());
  return true;
}

}  // namespace pagoda::riscv64
