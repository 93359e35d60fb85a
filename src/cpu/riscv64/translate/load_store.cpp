// SPDX-License-Identifier: MIT
// Loads and stores of integer and floating-point registers: RV32I 2.6, RV64I 4.3, F 21.5, D 22.3, Zfhmin 24.2.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::MemOp;
using ir::Type;
using ir::Value;

namespace {

enum Size : u8 { kByte, kHalf, kWord, kDouble };

Value address(Translator& t, const Insn& i) { return t.x_plus(i.rs1, i.immediate); }

// A load into x0 still has its access.
void load(Translator& t, const Insn& i, Size size, bool sign) {
  t.set_x(i.rd, t.b.load(Type::i64, address(t, i), MemOp{.size_log2 = size, .sign = sign}));
}
void store(Translator& t, const Insn& i, Size size) {
  const Value to = address(t, i);
  t.b.store(to, t.x(i.rs2), MemOp{.size_log2 = size});
}

}  // namespace

void lb(Translator& t, const Insn& i) { load(t, i, kByte, true); }
void lh(Translator& t, const Insn& i) { load(t, i, kHalf, true); }
void lw(Translator& t, const Insn& i) { load(t, i, kWord, true); }
void ld(Translator& t, const Insn& i) { load(t, i, kDouble, false); }
void lbu(Translator& t, const Insn& i) { load(t, i, kByte, false); }
void lhu(Translator& t, const Insn& i) { load(t, i, kHalf, false); }
void lwu(Translator& t, const Insn& i) { load(t, i, kWord, false); }
void sb(Translator& t, const Insn& i) { store(t, i, kByte); }
void sh(Translator& t, const Insn& i) { store(t, i, kHalf); }
void sw(Translator& t, const Insn& i) { store(t, i, kWord); }
void sd(Translator& t, const Insn& i) { store(t, i, kDouble); }

void flw(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_f(i.rd, t.b.load(Type::f32, address(t, i), MemOp{.size_log2 = kWord}));
}
void flh(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_half_bits(i.rd, t.b.load(Type::i16, address(t, i), MemOp{.size_log2 = kHalf}));
}
void fld(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_f_bits(i.rd, t.b.load(Type::i64, address(t, i), MemOp{.size_log2 = kDouble}));
}
// Stores take the low bits as they are, boxed or not.
void fsw(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  const Value to = address(t, i);
  t.b.store(to, t.f_bits(i.rs2), MemOp{.size_log2 = kWord});
}
void fsh(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  const Value to = address(t, i);
  t.b.store(to, t.f_bits(i.rs2), MemOp{.size_log2 = kHalf});
}
void fsd(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  const Value to = address(t, i);
  t.b.store(to, t.f_bits(i.rs2), MemOp{.size_log2 = kDouble});
}

}  // namespace pagoda::riscv64::translate
