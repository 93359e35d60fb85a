// SPDX-License-Identifier: MIT
// String instructions: one element inline, repetitions by a helper that is called until it says that it is done.
#include <bit>

#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Type;
using ir::Value;

u32 element_bytes(const Insn& i) { return i.operands[0].size; }

// The source may be in another segment, the destination never is.
Value source(Translator& t, const Insn& i) { return t.linear(i, t.shorten(i, t.gpr64(kRsi))); }
Value destination(Translator& t, const Insn& i) { return t.shorten(i, t.gpr64(kRdi)); }

void advance(Translator& t, const Insn& i, u32 reg) {
  const Value step = t.b.shl(t.slot(Slot::string_step), t.b.i64(static_cast<u64>(std::countr_zero(element_bytes(i)))));
  t.b.put_slot(gpr_slot(reg), t.shorten(i, t.b.add(t.gpr64(reg), step)));
}

// True if the instruction is repeated: then all is done here.
bool repeated(Translator& t, const Insn& i, StringOp op) {
  if (i.repeat == Repeat::none) return false;
  const StringJob job{.op = op,
                      .size_log2 = static_cast<u8>(std::countr_zero(element_bytes(i))),
                      .short_address = i.memory.short_address,
                      .until_equal = i.repeat == Repeat::not_equal};
  const Value done = t.call(HelperId::repeat_string, Type::i64, job.pack(), t.segment_base(i));
  t.end_or_again(t.b.ne(done, t.b.i64(0)));
  return true;
}

void set_flags_of_compare(Translator& t, Value a, Value b) {
  t.set_flags(t.b.flags_sub(a, b, t.b.constant(Type::i1, 0)));
}

}  // namespace

void movs(Translator& t, const Insn& i) {
  if (repeated(t, i, StringOp::movs)) return;
  const Value element = t.load(int_type(element_bytes(i)), source(t, i));
  t.store(destination(t, i), element);
  advance(t, i, kRsi);
  advance(t, i, kRdi);
}

void stos(Translator& t, const Insn& i) {
  if (repeated(t, i, StringOp::stos)) return;
  t.store(destination(t, i), t.gpr(kRax, element_bytes(i)));
  advance(t, i, kRdi);
}

void lods(Translator& t, const Insn& i) {
  if (repeated(t, i, StringOp::lods)) return;
  t.set_gpr(kRax, t.load(int_type(element_bytes(i)), source(t, i)));
  advance(t, i, kRsi);
}

void cmps(Translator& t, const Insn& i) {
  if (repeated(t, i, StringOp::cmps)) return;
  const Type type = int_type(element_bytes(i));
  const Value left = t.load(type, source(t, i));
  const Value right = t.load(type, destination(t, i));
  advance(t, i, kRsi);
  advance(t, i, kRdi);
  set_flags_of_compare(t, left, right);
}

void scas(Translator& t, const Insn& i) {
  if (repeated(t, i, StringOp::scas)) return;
  const Type type = int_type(element_bytes(i));
  const Value right = t.load(type, destination(t, i));
  advance(t, i, kRdi);
  set_flags_of_compare(t, t.gpr(kRax, element_bytes(i)), right);
}

}  // namespace pagoda::x86_64::op
