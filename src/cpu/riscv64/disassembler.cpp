// SPDX-License-Identifier: MIT
// Disassembler: expands the operand text of formats.def.
#include "cpu/riscv64/disassembler.h"

#include <cstring>
#include <iterator>

#include <fmt/format.h>

#include "cpu/riscv64/csr.h"
#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/hart.h"

namespace pagoda::riscv64 {
namespace {

// Fence sets: device input and output, memory reads and writes.
void append_fence_set(std::string& text, u32 set) {
  if (set == 0) text += '0';
  for (u32 bit = 0; bit < 4; ++bit) {
    if ((set & 8u >> bit) != 0) text += "iorw"[bit];
  }
}

void append_rounding(std::string& text, u32 rm, u32 unsaid) {
  constexpr const char* names[] = {"rne", "rtz", "rdn", "rup", "rmm", "reserved5", "reserved6", "dyn"};
  if (rm != unsaid) fmt::format_to(std::back_inserter(text), ", {}", names[rm]);
}

// Operand of fli (Zfa 25.1).
const char* constant_name(const Insn& i) {
  constexpr const char* names[] = {"-1",   "min",    "2^-16", "2^-15",  "2^-8", "2^-7",  "0.0625", "0.125",
                                   "0.25", "0.3125", "0.375", "0.4375", "0.5",  "0.625", "0.75",   "0.875",
                                   "1",    "1.25",   "1.5",   "1.75",   "2",    "2.5",   "3",      "4",
                                   "8",    "16",     "128",   "256",    "2^15", "2^16",  "inf",    "nan"};
  return names[i.rs1];
}

// May-be-operations are numbered by scattered bits (Zimop 11, Zcmop).
u32 mop_number(Format format, u32 w) {
  if (format == Format::c_mop) return w >> 7 & 15;
  if (format == Format::mop_rr) return (w >> 30 & 1) << 2 | (w >> 26 & 3);
  return (w >> 30 & 1) << 4 | (w >> 26 & 3) << 2 | (w >> 20 & 3);
}

void append_operand(std::string& text, char kind, const Insn& i, u64 pc) {
  constexpr u32 kNearestEven = 0, kDynamic = 7;
  const auto out = std::back_inserter(text);
  switch (kind) {
    case 'd':
      text += x_name(i.rd);
      break;
    case 'a':
      text += x_name(i.rs1);
      break;
    case 'b':
      text += x_name(i.rs2);
      break;
    case 'D':
      text += f_name(i.rd);
      break;
    case 'A':
      text += f_name(i.rs1);
      break;
    case 'B':
      text += f_name(i.rs2);
      break;
    case 'C':
      text += f_name(i.rs3);
      break;
    case 'i':
      fmt::format_to(out, "{}", i.immediate);
      break;
    case 'x':
      fmt::format_to(out, "{:#x}", i.immediate >> 12 & 0xfffff);
      break;
    case 't':
      fmt::format_to(out, "{:#x}", pc + static_cast<u64>(i.immediate));
      break;
    case 's': {
      const auto number = static_cast<u32>(i.immediate);
      text += find_csr(number) != nullptr ? csr_name(number) : fmt::format("{:#x}", number);
      break;
    }
    case 'z':
      fmt::format_to(out, "{}", i.rs1);
      break;
    case 'p':
      append_fence_set(text, i.bits >> 24 & 15);
      break;
    case 'u':
      append_fence_set(text, i.bits >> 20 & 15);
      break;
    case 'v':
      text += constant_name(i);
      break;
    case 'm':
      append_rounding(text, i.rm, kDynamic);
      break;
    case 'w':
      append_rounding(text, i.rm, kNearestEven);
      break;
    default:
      text += kind;
      break;
  }
}

}  // namespace

const char* x_name(u32 reg) {
  static constexpr const char* names[] = {"zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
                                          "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
                                          "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
  return names[reg];
}
const char* f_name(u32 reg) { return slot_table().slots[f_slot(reg)].name; }

std::string disassemble(u32 word, u64 pc) {
  Insn insn;
  if (!decode(word, kAllExtensions, insn)) {
    return instruction_bytes(word) == 4 ? fmt::format(".word {:#010x}", word)
                                        : fmt::format(".half {:#06x}", word & 0xffff);
  }
  std::string text = insn.row->name;
  const Format format = insn.row->format;
  if (format == Format::atomic || format == Format::load_reserved || format == Format::atomic_cas) {
    constexpr const char* orders[] = {"", ".rl", ".aq", ".aqrl"};
    text += orders[insn.bits >> 25 & 3];
  }
  if (format == Format::mop_r || format == Format::mop_rr || format == Format::c_mop) {
    fmt::format_to(std::back_inserter(text), ".{}", mop_number(format, insn.bits));
  }
  const char* operands = format_info(insn.row->format).operands;
  if (*operands != 0) text += ' ';
  for (; *operands != 0; ++operands) append_operand(text, *operands, insn, pc);
  return text;
}

std::string disassemble_block(std::span<const u8> code, u64 pc) {
  std::string text;
  for (std::size_t at = 0; at + 2 <= code.size();) {
    const u32 length = instruction_bytes(code[at]);
    if (at + length > code.size()) break;
    u32 word = 0;
    std::memcpy(&word, &code[at], length);
    fmt::format_to(std::back_inserter(text), "{:#018x}: {:0{}x}{:{}}  {}\n", pc + at, word, length * 2, "",
                   8 - length * 2, disassemble(word, pc + at));
    at += length;
  }
  return text;
}

}  // namespace pagoda::riscv64
