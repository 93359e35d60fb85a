// SPDX-License-Identifier: MIT
// AES, SHA-2, SM4, SM3: Zknd, Zkne, Zknh, Zksed, Zksh, chapter 31. Rounds of ciphers are helpers (crypto.cpp of the
// parent folder).
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Type;
using ir::Value;

namespace {

void aes_round(Translator& t, const Insn& i, HelperId helper) {
  const auto [a, b] = t.registers(i);
  t.set_x(i.rd, t.call(helper, Type::i64, 0, a, b));
}

// The xor of two rotations to the right and a third one or a shift.
enum class Last : u8 { rotation, shift };
Value mix(Translator& t, Value a, u64 first, u64 second, u64 third, Last last) {
  const auto by = [&](u64 count) { return t.b.constant(a.type, count); };
  const Value x = t.b.rotr(a, by(first));
  const Value y = t.b.rotr(a, by(second));
  const Value z = last == Last::rotation ? t.b.rotr(a, by(third)) : t.b.shr(a, by(third));
  return t.b.xor_(t.b.xor_(x, y), z);
}
void sha256(Translator& t, const Insn& i, u64 first, u64 second, u64 third, Last last) {
  t.set_x_sext(i.rd, mix(t, t.w(i.rs1), first, second, third, last));
}
void sha512(Translator& t, const Insn& i, u64 first, u64 second, u64 third, Last last) {
  t.set_x(i.rd, mix(t, t.x(i.rs1), first, second, third, last));
}

// A word xored with two rotations of it to the left.
void sm3(Translator& t, const Insn& i, u32 first, u32 second) {
  const Value a = t.w(i.rs1);
  const Value x = t.b.rotl(a, t.b.i32(first));
  const Value y = t.b.rotl(a, t.b.i32(second));
  t.set_x_sext(i.rd, t.b.xor_(t.b.xor_(a, x), y));
}

}  // namespace

void aes64es(Translator& t, const Insn& i) { aes_round(t, i, HelperId::aes64es); }
void aes64esm(Translator& t, const Insn& i) { aes_round(t, i, HelperId::aes64esm); }
void aes64ds(Translator& t, const Insn& i) { aes_round(t, i, HelperId::aes64ds); }
void aes64dsm(Translator& t, const Insn& i) { aes_round(t, i, HelperId::aes64dsm); }
void aes64im(Translator& t, const Insn& i) { t.set_x(i.rd, t.call(HelperId::aes64im, Type::i64, 0, t.x(i.rs1))); }
void aes64ks1i(Translator& t, const Insn& i) {
  t.set_x(i.rd, t.call(HelperId::aes64ks1i, Type::i64, static_cast<u64>(i.immediate), t.x(i.rs1)));
}
// The next two words of the key: each is the one four before, xored with its predecessor.
void aes64ks2(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  const Value word = t.b.i64(0xffffffff);
  const Value first = t.b.and_(t.b.xor_(t.b.shr(a, t.b.i64(32)), b), word);
  const Value second = t.b.xor_(first, t.b.shr(b, t.b.i64(32)));
  t.set_x(i.rd, t.b.or_(first, t.b.shl(second, t.b.i64(32))));
}

void sm4ed(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  t.set_x(i.rd, t.call(HelperId::sm4ed, Type::i64, static_cast<u64>(i.immediate), a, b));
}
void sm4ks(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  t.set_x(i.rd, t.call(HelperId::sm4ks, Type::i64, static_cast<u64>(i.immediate), a, b));
}
void sm3p0(Translator& t, const Insn& i) { sm3(t, i, 9, 17); }
void sm3p1(Translator& t, const Insn& i) { sm3(t, i, 15, 23); }

void sha256sum0(Translator& t, const Insn& i) { sha256(t, i, 2, 13, 22, Last::rotation); }
void sha256sum1(Translator& t, const Insn& i) { sha256(t, i, 6, 11, 25, Last::rotation); }
void sha256sig0(Translator& t, const Insn& i) { sha256(t, i, 7, 18, 3, Last::shift); }
void sha256sig1(Translator& t, const Insn& i) { sha256(t, i, 17, 19, 10, Last::shift); }
void sha512sum0(Translator& t, const Insn& i) { sha512(t, i, 28, 34, 39, Last::rotation); }
void sha512sum1(Translator& t, const Insn& i) { sha512(t, i, 14, 18, 41, Last::rotation); }
void sha512sig0(Translator& t, const Insn& i) { sha512(t, i, 1, 8, 7, Last::shift); }
void sha512sig1(Translator& t, const Insn& i) { sha512(t, i, 19, 61, 6, Last::shift); }

}  // namespace pagoda::riscv64::translate
