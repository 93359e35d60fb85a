// SPDX-License-Identifier: MIT
// The block loop, and what all handlers share.
#include "cpu/riscv64/translate.h"

#include <cstring>

#include "base/check.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64 {

using ir::Round;
using ir::Type;
using ir::Value;

Value Translator::x_plus(u32 reg, i64 immediate) {
  if (reg == 0) return b.i64(static_cast<u64>(immediate));
  if (immediate == 0) return x(reg);
  const Value offset = b.i64(static_cast<u64>(immediate));  // first, whatever the compiler does with arguments
  return b.add(x(reg), offset);
}

Value Translator::f(Type type, u32 reg) {
  const Value bits = f_bits(reg);
  return type == Type::f32 ? b.f32_unbox(bits) : b.bitcast(bits, Type::f64);
}

void Translator::set_f(u32 reg, Value value) {
  set_f_bits(reg, value.type == Type::f32 ? b.f32_box(value) : b.bitcast(value, Type::i64));
}

void Translator::set_f_bits(u32 reg, Value value) {
  b.put_slot(f_slot(reg), value);
  fp_changes();
}

Value Translator::half_bits(u32 reg) {
  constexpr u32 kCanonicalNan = 0x7e00;
  const Value bits = f_bits(reg);
  const Value ones = b.i64(~u64{0} >> 16);
  const Value boxed = b.eq(b.shr(bits, b.i64(16)), ones);
  const Value low = b.trunc(bits, Type::i16);
  return b.select(boxed, low, b.constant(Type::i16, kCanonicalNan));
}

void Translator::set_half_bits(u32 reg, Value value) {
  const Value low = b.zext(value, Type::i64);
  set_f_bits(reg, b.or_(low, b.i64(~u64{0} << 16)));
}

bool Translator::fp_on() {
  if ((mode_ & ModeKey::kFpOn) != 0) return true;
  illegal(bits_);
  return false;
}

std::optional<Round> Translator::fp_round(u32 rm) {
  constexpr Round fixed[] = {Round::nearest_even, Round::to_zero, Round::down, Round::up, Round::nearest_away};
  constexpr u32 kDynamic = 7;
  if (!fp_on()) return std::nullopt;
  if (rm < std::size(fixed)) return fixed[rm];
  if (rm == kDynamic) {
    const u32 field = mode_ >> ModeKey::kRoundShift & 3;
    if (field == ModeKey::kRoundMode) return Round::mode;
    if (field == ModeKey::kRoundAway) return Round::nearest_away;
  }
  illegal(bits_);
  return std::nullopt;
}

void Translator::raise(Cause cause, Value value) {
  call(HelperId::raise, Type::none, static_cast<u64>(cause), value);
  b.exit(ir::Exit::exception, offset());
}

void Translator::illegal(u32 bits) { raise(Cause::illegal_instruction, b.i64(bits)); }

void Translator::instruction(const Insn& insn, u64 offset) {
  b.insn(offset, instruction_bytes(insn.bits));
  bits_ = insn.bits;
  fp_changed_ = false;
  insn.handler(*this, insn);
  if (fp_changed_ && !fp_is_dirty() && !b.ended()) {
    call(HelperId::mark_fp_dirty, Type::none);
    end_block();  // the rest of the code runs under another mode key
  }
}

void Translator::undefined(u32 word, u64 offset) {
  const u32 length = instruction_bytes(word);
  b.insn(offset, length);
  illegal(length == 2 ? word & 0xffff : word);
}

u32 instruction_length(const u8* bytes) { return instruction_bytes(bytes[0]); }

void translate_block(ir::Builder& builder, const TranslateRequest& request) {
  const Extensions extensions{request.features};
  Translator translator(builder, request.mode, extensions);
  u32 offset = 0;
  for (u32 count = 0; count < request.max_insns && !builder.ended(); ++count) {
    const u32 left = request.code.size - offset;
    if (left < 2 || left < instruction_length(request.code.bytes + offset)) break;
    u32 word = 0;
    if (left >= 4) {  // two copies of known sizes: one of either size would go byte by byte
      std::memcpy(&word, request.code.bytes + offset, 4);
    } else {
      std::memcpy(&word, request.code.bytes + offset, 2);
    }
    Insn insn;
    if (decode(word, extensions, insn)) {
      translator.instruction(insn, offset);
    } else {
      translator.undefined(word, offset);
    }
    offset += instruction_bytes(word);
  }
  CHECK(offset != 0, "no whole instruction in the window");
  if (!builder.ended()) builder.jump(offset);
}

}  // namespace pagoda::riscv64
