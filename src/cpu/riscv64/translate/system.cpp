// SPDX-License-Identifier: MIT
// Fences, environment calls and privileged instructions: RV32I 2.7, 2.8, Zifencei 6; Privileged ISA 3.3, 10.2.1.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Order;
using ir::Type;

namespace {
u64 insn_bits(const Insn& i) { return u64{i.bits} << 32; }
}  // namespace

// Hosts order all but a store before a later load for free. Device input counts as reading, output as writing.
void fence(Translator& t, const Insn& i) {
  constexpr u32 kReads = 8 | 2, kWrites = 4 | 1;  // I O R W from bit 3 down
  const u32 before = i.bits >> 24 & 15, after = i.bits >> 20 & 15;
  t.b.fence((before & kWrites) != 0 && (after & kReads) != 0 ? Order::seq_cst : Order::acq_rel);
}
void fence_tso(Translator& t, const Insn&) { t.b.fence(Order::acq_rel); }
void hint(Translator&, const Insn&) {}
void pause(Translator& t, const Insn&) { t.call(HelperId::pause, Type::none); }

// Translations never outlive the code they were made from; only the block being run does, to its end.
void fence_i(Translator& t, const Insn&) { t.end_block(); }

void ecall(Translator& t, const Insn&) {
  t.raise(static_cast<Cause>(static_cast<u64>(Cause::ecall_from_user) + t.privilege()), t.b.i64(0));
}
void ebreak(Translator& t, const Insn&) { t.raise(Cause::breakpoint, t.b.pc(static_cast<u64>(t.offset()))); }

void mret(Translator& t, const Insn& i) {
  t.b.jump_indirect(t.call(HelperId::mret, Type::i64, insn_bits(i)), ir::Hint::none);
}
void sret(Translator& t, const Insn& i) {
  t.b.jump_indirect(t.call(HelperId::sret, Type::i64, insn_bits(i)), ir::Hint::none);
}

void wfi(Translator& t, const Insn& i) {
  t.call(HelperId::wfi, Type::none, insn_bits(i));
  t.b.exit(ir::Exit::wait, t.next_offset());
}

void sfence_vma(Translator& t, const Insn& i) {
  const u64 all_addresses = i.rs1 == 0, all_asids = i.rs2 == 0;
  const auto [address, asid] = t.registers(i);
  t.call(HelperId::sfence_vma, Type::none, all_addresses | all_asids << 1 | insn_bits(i), address, asid);
  t.end_block();
}

// sinval.vma invalidates at once, so there is nothing left to order. TVM does not trap these two.
void sfence_inval(Translator& t, const Insn& i) {
  if (t.privilege() == static_cast<u32>(Mode::user)) t.illegal(i.bits);
}

}  // namespace pagoda::riscv64::translate
