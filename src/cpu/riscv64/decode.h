// SPDX-License-Identifier: MIT
// Decoder: instruction words to table rows and operands, in constant time (unprivileged manual, chapters 1.5 and 35).
//
// All functions are pure and may be called from any thread.
#pragma once

#include <span>

#include "base/types.h"
#include "cpu/riscv64/extensions.h"

namespace pagoda::riscv64 {

class Translator;
struct Insn;
// Writes one instruction's meaning as IR.
using Handler = void (*)(Translator&, const Insn&);

// Where the register operands come from. `full`: the 32-bit fields. The others are 16-bit layouts: `low3` rd/rs2 in
// bits 4-2 and rs1 in 9-7 (x8..x15), `low3_sp` with sp as rs1, `low3_zero` with x0 as rs2; `twice` one field as rd and
// rs1, `twice3` likewise x8..x15; `zero` x0 as rs1; `sp` sp as rs1; `jump` and `link` x0 or ra as rd, `nowhere` no
// registers at all.
enum class Registers : u8 { full, low3, low3_sp, low3_zero, twice, twice3, zero, sp, jump, link, nowhere };

// How the immediate is put together.
enum class Immediate : u8 {
  none,
  i,
  s,
  b,
  u,
  j,
  shift,
  csr,
  prefetch,
  round_number,
  byte_select,
  c_addi4spn,
  c_byte,
  c_half,
  c_word,
  c_double,
  c_six,
  c_addi16sp,
  c_upper,
  c_shift,
  c_jump,
  c_branch,
  c_word_sp,
  c_double_sp,
  c_word_to_sp,
  c_double_to_sp,
};

enum class Format : u8 {
#define FORMAT(id, registers, immediate, operands) id,
#include "cpu/riscv64/formats.def"
#undef FORMAT
};

struct FormatInfo {
  Registers registers;
  Immediate immediate;
  const char* operands;  // for the disassembler, see formats.def
};
const FormatInfo& format_info(Format format);

// One row of rv64.insns or rv64c.insns.
struct InsnRow {
  const char* name;
  const char* pattern;
  u32 mask;   // bits that are fixed
  u32 match;  // and their values
  u8 length;  // bytes: 2 or 4
  Requirement needs;
  Format format;
  bool special;  // declared to win over later rows that match the same words
  Handler handler;
};
// All rows in table order: 32-bit ones first.
std::span<const InsnRow> insn_rows();
// For rows that stand for encodings the manual reserves: decoding gives no instruction.
bool is_reserved(const InsnRow& row);

// A decoded instruction. Fields that its format lacks hold unspecified bits.
struct Insn {
  const InsnRow* row;
  u32 bits;  // the instruction word; upper half 0 for 16-bit instructions
  u8 rd, rs1, rs2, rs3;
  u8 rm;  // rounding mode field (funct3)
  i64 immediate;
  Handler handler;  // the row's: rows are far apart in memory, and translation needs nothing else of them
};

// Bytes of the instruction that starts with this word (its lowest 16 bits suffice): 2 or 4. The longer formats are not
// in use.
constexpr u32 instruction_bytes(u32 word) { return (word & 3) == 3 ? 4 : 2; }

// Decodes the instruction in the low bytes of `word`. False: no instruction of these extensions, or a reserved
// encoding.
bool decode(u32 word, Extensions extensions, Insn& insn);

// All extensions that the tables know.
inline constexpr Extensions kAllExtensions{~u64{0}};

}  // namespace pagoda::riscv64
