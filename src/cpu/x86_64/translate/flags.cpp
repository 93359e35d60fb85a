// SPDX-License-Identifier: MIT
// Instructions on single flags, on AH and on RFLAGS as a whole.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Flag;
using ir::Type;
using ir::Value;

// AH has flags where the IR has them, but for V, whose bit is one there (SDM volume 2, LAHF).
constexpr u8 kInAh = kAllFlags & ~kOf;
static_assert(ir::kFlagsC == 1 && kInAh == 0xd5 && kOf == 2);

void set_carry(Translator& t, Value carry) { t.set_flags(t.flag_bits({{Flag::c, carry}}), kCf); }

}  // namespace

void clc(Translator& t, const Insn&) { set_carry(t, t.b.constant(Type::i1, 0)); }
void stc(Translator& t, const Insn&) { set_carry(t, t.b.constant(Type::i1, 1)); }
void cmc(Translator& t, const Insn&) { set_carry(t, t.invert(t.carry())); }
void cld(Translator& t, const Insn&) { t.set_slot(Slot::string_step, t.b.i64(1)); }
void std(Translator& t, const Insn&) { t.set_slot(Slot::string_step, t.b.i64(~u64{0})); }

void lahf(Translator& t, const Insn&) {
  t.set_high_byte(kRax, t.b.or_(t.b.flags_pack(t.flags()), t.b.constant(Type::i8, kOf)));
}

void sahf(Translator& t, const Insn&) {
  const Value ah = t.b.trunc(t.b.shr(t.gpr64(kRax), t.b.i64(8)), Type::i8);
  t.set_flags(t.b.flags_bits(t.b.and_(ah, t.b.constant(Type::i8, kInAh))), kInAh);
}

void pushf(Translator& t, const Insn& i) {
  const Value value = t.call(HelperId::read_rflags, Type::i64);
  const Value rsp = t.b.sub(t.gpr64(kRsp), t.b.i64(i.operand_size));
  t.store(rsp, t.b.trunc(value, int_type(i.operand_size)));
  t.set_slot(Slot::rsp, rsp);
}

void popf(Translator& t, const Insn& i) {
  const Value rsp = t.gpr64(kRsp);
  const Value value = t.load_extended(Type::i64, rsp, i.operand_size, false);
  t.set_slot(Slot::rsp, t.b.add(rsp, t.b.i64(i.operand_size)));
  t.call(HelperId::write_rflags, Type::none, i.operand_size, value);
}

}  // namespace pagoda::x86_64::op
