// SPDX-License-Identifier: MIT
// The decoder: instruction bytes to a row of the tables and its operands (SDM volume 2, chapter 2).
//
// 64-bit mode only. Pure functions on static tables; any thread.
#pragma once

#include <span>

#include "base/types.h"
#include "cpu/x86_64/cpu_features.h"
#include "cpu/x86_64/encoding.h"

namespace pagoda::x86_64 {

class Translator;
struct Insn;
using InsnHandler = void (*)(Translator&, const Insn&);

inline constexpr u32 kMaxInsnLength = 15;

enum Trait : u16 {
  kLockable = 1,         // takes a lock prefix if the first operand is memory
  kAlwaysLocked = 2,     // locked with memory, prefix or not
  kDefault64 = 4,        // operand size 64 bits unless 66 makes it 16
  kForced64 = 8,         // operand size 64 bits, always
  kString = 16,          // takes repeat prefixes
  kCompares = 32,        // its repetition looks at ZF
  kNameBySize = 64,      // the mnemonic names the operand size
  kNameByAddress = 128,  // the mnemonic names the address size
  kUnaligned = 256,      // vectors: a 16-byte memory operand need not be aligned without VEX
  kAligned = 512         // it must be with VEX, too
};

// One instruction form.
struct Row {
  const char* name;
  const char* opcode;  // columns as written
  const char* operands;
  const char* effect;  // on OF SF ZF AF PF CF, see forms.def
  u16 traits;
  Feature feature;
  Encoding encoding;
  OperandSpecs specs;
  InsnHandler handler;
  const char* handler_name;
  u16 kind;  // vectors: ir::VecOp, or what the handler wants
  bool has(Trait trait) const { return (traits & trait) != 0; }
  bool is_vex() const { return encoding.map >= Map::vex_0f; }
};
std::span<const Row> all_rows();

enum class OperandKind : u8 { none, gpr, high_byte, memory, immediate, relative, vector, x87 };

inline constexpr u8 kAreaSize = 64;  // stands for memory whose size the instruction knows

struct Operand {
  OperandKind kind = OperandKind::none;
  u8 reg = 0;     // gpr, vector: 0..15; x87: st(n); high_byte: the register whose bits 8 to 15 it is
  u8 size = 0;    // bytes
  u64 value = 0;  // immediate, extended to `size` bytes; relative: offset from the next instruction
};

enum class Segment : u8 { none, fs, gs };

// A memory operand: segment + base + index * scale + displacement, modulo 2^64, or 2^32 where `short_address` says so.
struct Memory {
  static constexpr u8 kNone = 0xff, kRip = 0xfe;
  u8 base = kNone;  // register, or kRip: the next instruction's address
  u8 index = kNone;
  u8 scale = 1;
  Segment segment = Segment::none;
  bool short_address = false;
  i64 displacement = 0;
};

enum class Repeat : u8 { none, equal, not_equal };  // F3, F2

struct Insn {
  const Row* row = nullptr;
  u8 length = 0;        // bytes
  u8 opcode = 0;        // its last byte, which holds condition codes
  u8 modrm = 0;         // 0 if there is none
  u8 operand_size = 4;  // bytes: 2, 4 or 8
  u8 operand_count = 0;
  bool lock = false;
  Repeat repeat = Repeat::none;
  Operand operands[kMaxOperands];
  Memory memory;  // of the operand that is memory; string instructions: segment and address size
};

enum class Decoded : u8 {
  ok,
  undefined,  // no row, or prefixes that it does not take: #UD
  truncated,  // more bytes are needed than there are
  too_long,   // longer than 15 bytes: #GP
};

// Decodes the instruction at the start of `bytes`. `insn` is only whole if the result is ok; `length` is then the
// instruction's. Looks at no more than 15 bytes.
Decoded decode(std::span<const u8> bytes, Features features, Insn& insn);

// Name of a general register of 1, 2, 4 or 8 bytes.
const char* register_name(u32 reg, u32 size);

}  // namespace pagoda::x86_64
