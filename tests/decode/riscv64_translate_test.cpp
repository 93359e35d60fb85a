// SPDX-License-Identifier: MIT
// Translation of RISC-V 64: every row makes a sound block, and the rules of blocks that no single instruction shows.
#include "cpu/riscv64/translate.h"

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/random_insn.h"
#include "tcg/ir/printer.h"
#include "tcg/ir/verifier.h"

namespace pagoda::riscv64 {
namespace {

using ir::Exit;
using ir::Op;
using Kind = ir::Terminal::Kind;

constexpr u32 kFpReady = ModeKey::kFpOn | ModeKey::kFpDirty;
constexpr u32 kSupervisor = static_cast<u32>(Mode::supervisor);

struct Translated {
  ir::Block block;
  std::string text() const { return ir::print(block, slot_table(), helper_table()); }
  std::vector<std::string> errors() const { return ir::verify(block, slot_table(), helper_table()); }
  u32 count(Op op) const {
    u32 n = 0;
    for (const ir::Inst& inst : block.insts) n += inst.op == op;
    return n;
  }
  const ir::Inst* call_of(HelperId helper) const {
    for (const ir::Inst& inst : block.insts) {
      if (inst.op == Op::call && inst.extra == static_cast<u32>(helper)) return &inst;
    }
    return nullptr;
  }
  // An unconditional exception: its code, else -1; and its value if that is a constant.
  i64 raised() const {
    const ir::Inst* call = call_of(HelperId::raise);
    return call == nullptr || block.terminal.exit != Exit::exception ? -1 : static_cast<i64>(call->imm);
  }
  u64 raised_value() const { return block.insts[call_of(HelperId::raise)->args[0]].imm; }
};

std::vector<u8> bytes_of(const std::vector<u32>& words) {
  std::vector<u8> bytes;
  for (const u32 word : words) {
    for (u32 at = 0; at < instruction_bytes(word); ++at) bytes.push_back(static_cast<u8>(word >> 8 * at));
  }
  return bytes;
}

Translated translate_bytes(const std::vector<u8>& bytes, u32 mode, u32 max_insns = 64,
                           Extensions extensions = kAllExtensions) {
  Translated result;
  ir::Builder builder;
  builder.start(&result.block, slot_table());
  translate_block(builder, {.code = {.bytes = bytes.data(), .size = static_cast<u32>(bytes.size()), .pc = 0},
                            .mode = mode,
                            .max_insns = max_insns,
                            .features = extensions.bits});
  return result;
}
Translated translate(const std::vector<u32>& words, u32 mode = kSupervisor | kFpReady, u32 max_insns = 64,
                     Extensions extensions = kAllExtensions) {
  return translate_bytes(bytes_of(words), mode, max_insns, extensions);
}

constexpr u32 kAddi = 0x00150513;  // addi a0, a0, 1
constexpr u32 kLi = 0x4505;        // c.li a0, 1

// Every mode key that the front end tells apart.
std::vector<u32> modes() {
  std::vector<u32> keys;
  for (const u32 privilege : {0u, 1u, 3u}) {
    for (const u32 fp : {0u, ModeKey::kFpOn, kFpReady}) {
      for (const u32 round : {ModeKey::kRoundMode, ModeKey::kRoundAway, ModeKey::kRoundReserved}) {
        keys.push_back(privilege | fp | round << ModeKey::kRoundShift);
      }
    }
  }
  return keys;
}

TEST(Riscv64Translate, EveryRowMakesASoundBlockInEveryMode) {
  Rng rng(1);
  Extensions no_c = kAllExtensions;
  no_c.set(Extension::zca, false);
  for (const InsnRow& row : insn_rows()) {
    if (is_reserved(row)) continue;
    for (u32 n = 0; n < 8; ++n) {
      const u32 word = random_instruction(row, rng).value();
      for (const u32 mode : modes()) {
        for (const Extensions extensions : {kAllExtensions, no_c}) {
          const Translated t = translate({kAddi, word, kAddi}, mode, 64, extensions);
          ASSERT_TRUE(t.errors().empty()) << disassemble(word, 0) << ": " << t.errors()[0] << "\n" << t.text();
        }
      }
    }
  }
}

// Straight-line code of random rows: forwarding of slots between instructions keeps blocks sound.
TEST(Riscv64Translate, RandomSequencesMakeSoundBlocks) {
  Rng rng(2);
  const auto rows = insn_rows();
  for (u32 n = 0; n < 3000; ++n) {
    std::vector<u32> words;
    while (words.size() < 24) {
      if (const auto word = random_instruction(rows[rng() % rows.size()], rng)) words.push_back(*word);
    }
    const Translated t = translate(words);
    ASSERT_TRUE(t.errors().empty()) << t.errors()[0] << "\n" << t.text();
  }
}

TEST(Riscv64Translate, WritesToX0AreDroppedButTheirEffectsStay) {
  const Translated load = translate({0x00053003});  // ld zero, 0(a0)
  EXPECT_EQ(load.count(Op::load), 1u);
  EXPECT_EQ(load.count(Op::put_slot), 0u);
  const Translated amo = translate({0x00b5202f});  // amoadd.w zero, a1, (a0)
  EXPECT_EQ(amo.count(Op::atomic_rmw), 1u);
  EXPECT_EQ(amo.count(Op::put_slot), 0u);
  const Translated compare = translate({0xa0b52053});  // feq.s zero, fa0, fa1
  EXPECT_EQ(compare.count(Op::fcmp), 1u);
}

// --- ends of blocks
// ---------------------------------------------------------------------------------------------------

TEST(Riscv64Translate, BlockEndsAtTheInstructionLimit) {
  const Translated t = translate({kAddi, kLi, kAddi, kAddi}, kSupervisor, 2);
  EXPECT_EQ(t.block.guest_insns, 2u);
  EXPECT_EQ(t.block.guest_bytes, 6u);
  EXPECT_EQ(t.block.terminal.kind, Kind::jump);
  EXPECT_EQ(t.block.terminal.taken, 6);
}

TEST(Riscv64Translate, BlockEndsBeforeAnInstructionThatDoesNotFit) {
  std::vector<u8> bytes = bytes_of({kAddi, kLi, kAddi});
  for (const std::size_t cut : {1u, 2u, 3u}) {
    const Translated t =
        translate_bytes(std::vector<u8>(bytes.begin(), bytes.end() - static_cast<i64>(cut)), kSupervisor);
    EXPECT_EQ(t.block.guest_bytes, 6u);
    EXPECT_EQ(t.block.terminal.kind, Kind::jump);
    EXPECT_EQ(t.block.terminal.taken, 6);
  }
}

TEST(Riscv64Translate, IllegalInstructionRaisesWithItsBits) {
  Translated t = translate({kAddi, 0xffffffff, kAddi});
  EXPECT_EQ(t.raised(), 2);
  EXPECT_EQ(t.raised_value(), 0xffffffffu);
  EXPECT_EQ(t.block.terminal.taken, 4);
  EXPECT_EQ(t.block.guest_insns, 2u);
  t = translate_bytes(bytes_of({kAddi, 0x9c79, 0x1234}), kSupervisor);  // 16-bit: what follows is not part of the value
  EXPECT_EQ(t.raised(), 2);
  EXPECT_EQ(t.raised_value(), 0x9c79u);
  EXPECT_EQ(t.block.guest_bytes, 6u);
}

TEST(Riscv64Translate, EcallCauseFollowsThePrivilege) {
  for (const u32 privilege : {0u, 1u, 3u}) {
    const Translated t = translate({0x00000073}, privilege);
    EXPECT_EQ(t.raised(), 8 + privilege);
    EXPECT_EQ(t.raised_value(), 0u);
  }
}

TEST(Riscv64Translate, JumpsCarryTheirHints) {
  const auto terminal = [](u32 word) { return translate({word}).block.terminal; };
  EXPECT_EQ(terminal(0x010000ef).hint, ir::Hint::call);  // jal ra, +16
  EXPECT_EQ(terminal(0x010000ef).taken, 16);
  EXPECT_EQ(terminal(0x010000ef).not_taken, 4);
  EXPECT_EQ(terminal(0x0100006f).hint, ir::Hint::none);  // jal zero
  EXPECT_EQ(terminal(0x000280e7).hint, ir::Hint::call);  // jalr ra, t0
  EXPECT_EQ(terminal(0x00008067).hint, ir::Hint::ret);   // jalr zero, ra
  EXPECT_EQ(terminal(0x00050067).hint, ir::Hint::none);  // jalr zero, a0
  EXPECT_EQ(terminal(0x8082).hint, ir::Hint::ret);       // c.jr ra
  EXPECT_EQ(terminal(0x9502).hint, ir::Hint::call);      // c.jalr a0
  EXPECT_EQ(terminal(0x9502).not_taken, 2);
}

// jalr rd == rs1: the destination is the old value.
TEST(Riscv64Translate, JalrReadsItsBaseBeforeWritingTheLink) {
  const Translated t = translate({0x008080e7});  // jalr ra, 8(ra)
  u32 read = 0, written = 0;
  for (u32 at = 0; at < t.block.insts.size(); ++at) {
    if (t.block.insts[at].op == Op::get_slot) read = at;
    if (t.block.insts[at].op == Op::put_slot) written = at;
  }
  EXPECT_NE(read, 0u);
  EXPECT_LT(read, written);
}

TEST(Riscv64Translate, MisalignedDestinationsTrapWithoutCompressed) {
  Extensions no_c = kAllExtensions;
  no_c.set(Extension::zca, false);
  Translated t = translate({0x00a000ef}, kSupervisor, 64, no_c);  // jal ra, +10
  EXPECT_EQ(t.raised(), 0);
  EXPECT_EQ(t.count(Op::put_slot), 0u);
  EXPECT_EQ(translate({0x00a000ef}).raised(), -1);
  t = translate({0x00b50563}, kSupervisor, 64, no_c);  // beq a0, a1, +10
  EXPECT_EQ(t.count(Op::trap_if), 1u);
  EXPECT_EQ(t.block.terminal.kind, Kind::jump);
  EXPECT_EQ(t.block.terminal.taken, 4);
  t = translate({0x00b50663}, kSupervisor, 64, no_c);  // beq a0, a1, +12
  EXPECT_EQ(t.count(Op::trap_if), 0u);
  t = translate({0x000500e7}, kSupervisor, 64, no_c);  // jalr ra, a0
  EXPECT_EQ(t.count(Op::trap_if), 1u);
  EXPECT_TRUE(t.errors().empty());
}

// --- floating point
// ---------------------------------------------------------------------------------------------------

constexpr u32 kFaddDynamic = 0x00b57553;  // fadd.s fa0, fa0, fa1
constexpr u32 with_rm(u32 word, u32 rm) { return (word & ~0x7000u) | rm << 12; }

TEST(Riscv64Translate, FloatingPointOffIsIllegal) {
  Rng rng(3);
  Extensions floating{0};
  for (const Extension extension :
       {Extension::f, Extension::d, Extension::zcd, Extension::zfa, Extension::zfh, Extension::zfhmin}) {
    floating.set(extension, true);
  }
  for (const InsnRow& row : insn_rows()) {
    if (is_reserved(row) || !floating.has(row.needs.first)) continue;
    const u32 word = random_instruction(row, rng).value();
    const Translated t = translate({word}, kSupervisor);
    EXPECT_EQ(t.raised(), 2) << disassemble(word, 0);
    EXPECT_EQ(t.raised_value(), word);
    EXPECT_EQ(t.count(Op::load) + t.count(Op::store), 0u);
  }
}

TEST(Riscv64Translate, RoundingIsStaticDynamicOrIllegal) {
  const auto round_of = [](const Translated& t) {
    for (const ir::Inst& inst : t.block.insts) {
      if (inst.op == Op::fadd) return static_cast<ir::Round>(inst.aux);
    }
    return static_cast<ir::Round>(0xff);
  };
  const auto dynamic = [&](u32 field) {
    return translate({kFaddDynamic}, kSupervisor | kFpReady | field << ModeKey::kRoundShift);
  };
  constexpr ir::Round fixed[] = {ir::Round::nearest_even, ir::Round::to_zero, ir::Round::down, ir::Round::up,
                                 ir::Round::nearest_away};
  for (u32 rm = 0; rm < 5; ++rm) EXPECT_EQ(round_of(translate({with_rm(kFaddDynamic, rm)})), fixed[rm]);
  for (const u32 rm : {5u, 6u}) EXPECT_EQ(translate({with_rm(kFaddDynamic, rm)}).raised(), 2);
  EXPECT_EQ(round_of(dynamic(ModeKey::kRoundMode)), ir::Round::mode);
  EXPECT_EQ(round_of(dynamic(ModeKey::kRoundAway)), ir::Round::nearest_away);
  EXPECT_EQ(dynamic(ModeKey::kRoundReserved).raised(), 2);
  // A reserved dynamic mode does not matter to an instruction with its own.
  EXPECT_EQ(translate({with_rm(kFaddDynamic, 1)}, kSupervisor | kFpReady | 2 << ModeKey::kRoundShift).raised(), -1);
}

TEST(Riscv64Translate, FirstChangeOfFpStateMarksItDirtyAndEndsTheBlock) {
  const u32 clean = kSupervisor | ModeKey::kFpOn;
  const u32 changing[] = {kFaddDynamic, 0x00052507, 0xf0050553, 0xa0b52553,
                          0xc0057553};  // fadd flw fmv.w.x feq fcvt.w.s
  for (const u32 word : changing) {
    const Translated t = translate({kAddi, word, kAddi}, clean);
    EXPECT_NE(t.call_of(HelperId::mark_fp_dirty), nullptr) << disassemble(word, 0);
    EXPECT_EQ(t.block.terminal.kind, Kind::exit);
    EXPECT_EQ(t.block.terminal.exit, Exit::lookup);
    EXPECT_EQ(t.block.terminal.taken, 8);
    const Translated dirty = translate({kAddi, word, kAddi});
    EXPECT_EQ(dirty.call_of(HelperId::mark_fp_dirty), nullptr);
    EXPECT_EQ(dirty.block.guest_insns, 3u);
  }
  const u32 reading[] = {0x00a52027, 0xe0050553, 0xe0051553};  // fsw fmv.x.w fclass.s
  for (const u32 word : reading) {
    const Translated t = translate({word, kAddi}, clean);
    EXPECT_EQ(t.call_of(HelperId::mark_fp_dirty), nullptr) << disassemble(word, 0);
    EXPECT_EQ(t.block.guest_insns, 2u);
  }
}

// --- CSRs and privileged instructions
// -----------------------------------------------------------------------------------

TEST(Riscv64Translate, CsrHelperGetsNumberOperationAndIndex) {
  const Translated t = translate({kAddi, 0x30051573});  // csrrw a0, mstatus, a0
  const ir::Inst* call = t.call_of(HelperId::csr_access);
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(call->imm, 0x300u | 1u << 12 | 1u << 14 | 1u << 15 | u64{0x30051573} << 32);
  EXPECT_EQ(t.block.insts[call->args[2]].imm, 1u);
  EXPECT_EQ(t.block.terminal.exit, Exit::lookup);
  EXPECT_EQ(t.block.terminal.taken, 8);
  const Translated no_read = translate({0x30051073});  // csrrw zero, mstatus, a0
  EXPECT_EQ(no_read.call_of(HelperId::csr_access)->imm >> 14 & 3, 2u);
  const Translated no_write = translate({0x30002573, kAddi});  // csrrs a0, mstatus, zero
  EXPECT_EQ(no_write.call_of(HelperId::csr_plain)->imm >> 12 & 15, 2u | 1u << 2);
  EXPECT_EQ(no_write.block.guest_insns, 2u);
}

TEST(Riscv64Translate, FlagsOfADirtyUnitAreCheap) {
  constexpr u32 fsflags = 0x00151573;  // csrrw a0, fflags, a0
  EXPECT_EQ(translate({fsflags, kAddi}).block.guest_insns, 2u);
  EXPECT_EQ(translate({fsflags, kAddi}, kSupervisor | ModeKey::kFpOn).block.guest_insns, 1u);
  EXPECT_EQ(translate({0x00251573, kAddi}).block.guest_insns,
            1u);  // csrrw a0, frm, a0: the rounding is in the mode key
}

TEST(Riscv64Translate, InstructionsThatChangeTheWorldEndTheirBlock) {
  const u32 ending[] = {0x30200073, 0x10200073, 0x12000073, 0x0000100f,
                        0x10500073};  // mret sret sfence.vma fence.i wfi
  for (const u32 word : ending) EXPECT_EQ(translate({word, kAddi}).block.guest_insns, 1u) << disassemble(word, 0);
  EXPECT_EQ(translate({0x10500073}).block.terminal.exit, Exit::wait);
  EXPECT_EQ(translate({0x30200073}).block.terminal.kind, Kind::jump_indirect);
}

// Svinval: sinval.vma is sfence.vma, and what is around it has nothing left to do but may not be seen by users.
TEST(Riscv64Translate, InvalidationInParts) {
  const Translated whole = translate({0x12b50073}), part = translate({0x16b50073});  // sfence.vma, sinval.vma a0, a1
  ASSERT_NE(part.call_of(HelperId::sfence_vma), nullptr);
  EXPECT_EQ(part.call_of(HelperId::sfence_vma)->imm & 3, whole.call_of(HelperId::sfence_vma)->imm & 3);
  EXPECT_EQ(part.block.terminal.exit, Exit::lookup);
  for (const u32 word : {0x18000073u, 0x18100073u}) {  // sfence.w.inval, sfence.inval.ir
    EXPECT_EQ(translate({word}, kSupervisor).raised(), -1);
    EXPECT_EQ(translate({word}, 3).raised(), -1);
    const Translated user = translate({word}, 0);
    EXPECT_EQ(user.raised(), 2);
    EXPECT_EQ(user.raised_value(), word);
  }
}

TEST(Riscv64Translate, FencesOrderWhatTheyName) {
  const auto order = [](u32 word) {
    for (const ir::Inst& inst : translate({word}).block.insts) {
      if (inst.op == Op::fence) return static_cast<ir::Order>(inst.aux);
    }
    return ir::Order::plain;
  };
  EXPECT_EQ(order(0x0ff0000f), ir::Order::seq_cst);  // fence iorw, iorw
  EXPECT_EQ(order(0x0120000f), ir::Order::seq_cst);  // fence w, r
  EXPECT_EQ(order(0x0230000f), ir::Order::acq_rel);  // fence r, rw
  EXPECT_EQ(order(0x0310000f), ir::Order::acq_rel);  // fence rw, w
  EXPECT_EQ(order(0x0480000f), ir::Order::seq_cst);  // fence o, i
  EXPECT_EQ(order(0x8330000f), ir::Order::acq_rel);  // fence.tso
  EXPECT_EQ(order(0x0100000f), ir::Order::plain);    // pause
}

}  // namespace
}  // namespace pagoda::riscv64
