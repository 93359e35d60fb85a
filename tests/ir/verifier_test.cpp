// SPDX-License-Identifier: MIT
// The verifier refuses each planted violation, and names it.
#include <gtest/gtest.h>

#include "base/check.h"
#include "ir/random_block.h"
#include "ir/test_tables.h"
#include "tcg/ir/parser.h"
#include "tcg/ir/printer.h"
#include "tcg/ir/verifier.h"

namespace pagoda::ir {
namespace {

// Sound; the numbers are what the mutations below refer to.
constexpr const char* kSound =
    "insn +0 len 4\n"
    "  v1 = get_slot.i64 a0\n"
    "  v2 = load.i64 v1 [size=4,sign]\n"
    "  v3 = get_slot.i32 w0\n"
    "  v4 = zext.i64 v3\n"
    "  v5 = add.i64 v2, v4\n"
    "  put_slot.i64 a0, v5\n"  // 6
    "insn +4 len 2\n"          // 7
    "  v8 = constant.i8 0xff\n"
    "  v9 = eq.i64 v1, v5\n"
    "  v10 = get_slot.f64 f0\n"
    "  v11 = fadd.f64 v10, v10 [up]\n"
    "  v12 = get_slot.f32 s0\n"
    "  v13 = f_to_f.f64 v12 [mode]\n"
    "  v14 = flags_sub.i64 v1, v2, v9\n"
    "  v15 = flag.flags v14 [c]\n"
    "  v16 = flags_merge.flags v14, v14 [zn]\n"
    "  v17 = atomic_rmw.i32 v1, v3 [add,size=4]\n"
    "  v18 = f_to_i.i64 v11 [to_zero,signed]\n"
    "  v19 = fcmp.f64 v11, v13 [eq_quiet]\n"
    "  fence [seq_cst]\n"  // 20
    "  v21 = call.i64 probe, v1, v2\n"
    "  v22 = load.v128 v1 [size=16]\n"
    "  store.f64 v1, v11 [size=8]\n"  // 23
    "  put_slot.v128 v0, v22\n"       // 24
    "  branch v9, +6, -8\n";

Block sound() {
  Result<Block> block = parse(kSound, kTestSlots, kTestHelpers);
  CHECK(block, "{}", block.error().message);
  return *block;
}

struct Mutation {
  const char* expected;  // part of a reported line
  void (*spoil)(Block&);
};

u32 access(MemOp op) { return op.pack(); }

const Mutation kMutations[] = {
    {"the block is empty", [](Block& b) { b.insts.clear(); }},
    {"0 get_slot: the first instruction is not a marker", [](Block& b) { b.insts[0] = b.insts[1]; }},
    {"0 insn: offset 2 where 0 is next", [](Block& b) { b.insts[0].imm = 2; }},
    {"7 insn: offset 6 where 4 is next", [](Block& b) { b.insts[7].imm = 6; }},
    {"7 insn: offset 2 where 4 is next", [](Block& b) { b.insts[7].imm = 2; }},
    {"7 insn: length 0", [](Block& b) { b.insts[7].aux = 0; }},
    {"7 insn: length 16", [](Block& b) { b.insts[7].aux = 16; }},
    {"guest_insns is 3, markers are 2", [](Block& b) { b.guest_insns = 3; }},
    {"guest_bytes is 8, markers cover 6", [](Block& b) { b.guest_bytes = 8; }},

    {"5 ?: no such op or type", [](Block& b) { b.insts[5].op = static_cast<Op>(kOpCount); }},
    {"5 add: no such op or type", [](Block& b) { b.insts[5].type = static_cast<Type>(kTypeCount); }},
    {"5 add: type f64 is not one of the op's", [](Block& b) { b.insts[5].type = Type::f64; }},
    {"5 add: type none is not one of the op's", [](Block& b) { b.insts[5].type = Type::none; }},
    {"5 add: type i1 is not one of the op's", [](Block& b) { b.insts[5].type = Type::i1; }},
    {"20 fence: type i64 is not one of the op's", [](Block& b) { b.insts[20].type = Type::i64; }},

    {"5 add: operand b v0 is not defined before", [](Block& b) { b.insts[5].args[1] = kNoValue; }},
    {"5 add: operand a v5 is not defined before", [](Block& b) { b.insts[5].args[0] = 5; }},
    {"5 add: operand a v9 is not defined before", [](Block& b) { b.insts[5].args[0] = 9; }},
    {"5 add: operand a v999 is not defined before", [](Block& b) { b.insts[5].args[0] = 999; }},
    {"9 eq: operand a v6 is not a value", [](Block& b) { b.insts[9].args[0] = 6; }},
    {"9 eq: operand a v7 is not a value", [](Block& b) { b.insts[9].args[0] = 7; }},
    {"5 add: operand b v3 has type i32", [](Block& b) { b.insts[5].args[1] = 3; }},
    {"5 add: operand c is v1, but the op has none", [](Block& b) { b.insts[5].args[2] = 1; }},
    {"3 load: operand a v2 has type i32", [](Block& b) { std::swap(b.insts[2], b.insts[3]), b.insts[3].args[0] = 2; }},
    {"14 flags_sub: operand c v8 has type i8", [](Block& b) { b.insts[14].args[2] = 8; }},
    {"15 flag: operand a v8 has type i8", [](Block& b) { b.insts[15].args[0] = 8; }},
    {"18 f_to_i: operand a v5 has type i64", [](Block& b) { b.insts[18].args[0] = 5; }},
    {"4 zext: operand a v2",
     [](Block& b) {
       b.insts[2].type = Type::f64;
       b.insts[4].args[0] = 2;
     }},
    {"20 fence: operand a is v1, but the op has none", [](Block& b) { b.insts[20].args[0] = 1; }},
    {"21 call: operand b v24 is not defined before", [](Block& b) { b.insts[21].args[1] = 24; }},
    {"21 call: operand d is v1, but the op has none", [](Block& b) { b.insts[21].args[3] = 1; }},
    {"21 call: operand a v20 is not a value", [](Block& b) { b.insts[21].args[0] = 20; }},

    {"4 zext: no conversion from i64 to i64", [](Block& b) { b.insts[4].args[0] = 2; }},
    {"4 sext: no conversion from i64 to i64",
     [](Block& b) {
       b.insts[4].op = Op::sext;
       b.insts[4].args[0] = 2;
     }},
    {"4 trunc: no conversion from i32 to i64", [](Block& b) { b.insts[4].op = Op::trunc; }},
    {"4 bitcast: no conversion from i32 to i64", [](Block& b) { b.insts[4].op = Op::bitcast; }},
    {"13 f_to_f: no conversion from f64 to f64", [](Block& b) { b.insts[13].args[0] = 10; }},

    {"8 constant: 0x1ff does not fit i8", [](Block& b) { b.insts[8].imm = 0x1ff; }},
    {"1 get_slot: no slot 13", [](Block& b) { b.insts[1].extra = kTestSlots.count; }},
    {"1 get_slot: slot w0 has type i32", [](Block& b) { b.insts[1].extra = 3; }},
    {"6 put_slot: slot w0 has type i32", [](Block& b) { b.insts[6].extra = 3; }},
    {"6 put_slot: operand a v3 has type i32", [](Block& b) { b.insts[6].args[0] = 3; }},
    {"5 add: aux is 0x1, but the op has none", [](Block& b) { b.insts[5].aux = 1; }},
    {"5 add: extra is 0x1, but the op has none", [](Block& b) { b.insts[5].extra = 1; }},
    {"5 add: imm is 0x1, but the op has none", [](Block& b) { b.insts[5].imm = 1; }},
    {"1 get_slot: imm is 0x1, but the op has none", [](Block& b) { b.insts[1].imm = 1; }},
    {"2 load: aux is 0x1, but the op has none", [](Block& b) { b.insts[2].aux = 1; }},
    {"11 fadd: rounding 6 is out of range", [](Block& b) { b.insts[11].aux = 6; }},
    {"18 f_to_i: rounding 6 is out of range", [](Block& b) { b.insts[18].aux = 6; }},
    {"18 f_to_i: sign 2 is out of range", [](Block& b) { b.insts[18].aux = 0x20; }},
    {"19 fcmp: comparison 6 is out of range", [](Block& b) { b.insts[19].aux = 6; }},
    {"15 flag: flag 5 is out of range", [](Block& b) { b.insts[15].aux = 5; }},
    {"16 flags_merge: flag mask 8 is out of range", [](Block& b) { b.insts[16].aux = 8; }},
    {"17 atomic_rmw: operation 9 is out of range", [](Block& b) { b.insts[17].aux = 9; }},
    {"20 fence: order 6 is out of range", [](Block& b) { b.insts[20].aux = 6; }},
    {"21 call: no helper 5", [](Block& b) { b.insts[21].extra = kTestHelpers.count; }},

    {"2 load: access of 16 bytes for i64", [](Block& b) { b.insts[2].extra = access({.size_log2 = 4}); }},
    {"2 load: access of 64 bytes for i64", [](Block& b) { b.insts[2].extra = 6; }},
    {"2 load: stray bits", [](Block& b) { b.insts[2].extra |= 1u << 20; }},
    {"2 load: order 6 is out of range", [](Block& b) { b.insts[2].extra |= 6u << 6; }},
    {"2 load: memory mode 9 is out of range", [](Block& b) { b.insts[2].extra = access({.size_log2 = 2, .mode = 9}); }},
    {"17 atomic_rmw: access of 2 bytes for i32", [](Block& b) { b.insts[17].extra = access({.size_log2 = 1}); }},
    {"17 atomic_rmw: access of 8 bytes for i32", [](Block& b) { b.insts[17].extra = access({.size_log2 = 3}); }},
    {"22 load: access of 8 bytes for v128", [](Block& b) { b.insts[22].extra = access({.size_log2 = 3}); }},
    {"23 store: access of 4 bytes for f64", [](Block& b) { b.insts[23].extra = access({.size_log2 = 2}); }},
    {"21 call: result v128 does not fit", [](Block& b) { b.insts[21].type = Type::v128; }},
    {"21 call: operand v18 does not fit",
     [](Block& b) {
       b.insts[18] = b.insts[22];
       b.insts[21].args[0] = 18;
       b.insts[24].args[0] = 18;
     }},

    {"22 load: may fault after a slot was written at 20", [](Block& b) { b.insts[20] = b.insts[6]; }},
    {"21 call: may fault after a slot was written at 20", [](Block& b) { b.insts[20] = b.insts[6]; }},
    {"22 load: may fault after a slot was written at 21", [](Block& b) { b.insts[21].extra = 2; }},  // scramble
    {"23 store: may fault after a slot was written at 21",
     [](Block& b) {
       b.insts[21].extra = 2;
       b.insts[22] = b.insts[5];
       b.insts[24] = b.insts[6];
     }},
    {"17 atomic_rmw: may fault after a slot was written at 10", [](Block& b) { b.insts[10] = b.insts[6]; }},

    {"22 load: not pure, but helper switch_mode at 21 ended the block", [](Block& b) { b.insts[21].extra = 4; }},
    {"23 store: not pure, but helper switch_mode at 21 ended the block", [](Block& b) { b.insts[21].extra = 4; }},
    {"7 insn: not pure, but helper switch_mode at 5 ended the block",
     [](Block& b) {
       b.insts[5] = b.insts[21];
       b.insts[5].extra = 4;
     }},
    {"11 fadd: not pure, but helper switch_mode at 8 ended the block",
     [](Block& b) {
       b.insts[8] = b.insts[21];
       b.insts[8].extra = 4;
     }},
    {"terminal: goes on directly, but helper switch_mode at 21 ended the block",
     [](Block& b) { b.insts[21].extra = 4; }},

    {"terminal: missing", [](Block& b) { b.terminal = {}; }},
    {"terminal: missing", [](Block& b) { b.terminal.kind = static_cast<Terminal::Kind>(9); }},
    {"terminal: value v0 is not defined before", [](Block& b) { b.terminal.value = kNoValue; }},
    {"terminal: value v25 is not defined before", [](Block& b) { b.terminal.value = 25; }},
    {"terminal: value v20 is not a value", [](Block& b) { b.terminal.value = 20; }},
    {"terminal: value v5 has type i64", [](Block& b) { b.terminal.value = 5; }},
    {"terminal: value v9 has type i1",
     [](Block& b) { b.terminal = {.kind = Terminal::Kind::jump_indirect, .value = 9}; }},
    {"terminal: has a value", [](Block& b) { b.terminal = {.kind = Terminal::Kind::jump, .value = 9}; }},
    {"terminal: has a hint", [](Block& b) { b.terminal.hint = Hint::ret; }},
    {"terminal: hint 3 is out of range",
     [](Block& b) { b.terminal = {.kind = Terminal::Kind::jump, .hint = static_cast<Hint>(3)}; }},
    {"terminal: has an exit", [](Block& b) { b.terminal.exit = Exit::wait; }},
    {"terminal: exit 3 is out of range",
     [](Block& b) { b.terminal = {.kind = Terminal::Kind::exit, .exit = static_cast<Exit>(3)}; }},
    {"terminal: has an offset",
     [](Block& b) { b.terminal = {.kind = Terminal::Kind::jump_indirect, .value = 5, .taken = 2}; }},
    {"terminal: has a second offset", [](Block& b) { b.terminal = {.kind = Terminal::Kind::exit, .not_taken = 2}; }},
    {"terminal: has a second offset",
     [](Block& b) { b.terminal = {.kind = Terminal::Kind::jump, .hint = Hint::ret, .not_taken = 2}; }},
};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

TEST(IrVerifier, planted_violations_are_found) {
  ASSERT_EQ(joined(verify(sound(), kTestSlots, kTestHelpers)), "");
  for (const Mutation& mutation : kMutations) {
    Block block = sound();
    mutation.spoil(block);
    const std::string errors = joined(verify(block, kTestSlots, kTestHelpers));
    EXPECT_NE(errors.find(mutation.expected), std::string::npos) << "wanted: " << mutation.expected << "\nreported:\n"
                                                                 << errors << print(block, kTestSlots, kTestHelpers);
  }
}

TEST(IrVerifier, all_violations_are_reported) {
  Block block = sound();
  block.insts[5].args[1] = 3;
  block.insts[11].aux = 6;
  block.terminal.value = 5;
  EXPECT_EQ(verify(block, kTestSlots, kTestHelpers).size(), 3u);
}

TEST(IrVerifier, restartable_blocks_may_fault_after_writes) {
  Block block = sound();
  block.insts[20] = block.insts[6];
  EXPECT_NE(joined(verify(block, kTestSlots, kTestHelpers)), "");
  block.restartable = true;
  EXPECT_EQ(joined(verify(block, kTestSlots, kTestHelpers)), "");
}

TEST(IrVerifier, slot_writes_may_follow_a_helper_that_ends_the_block) {
  const Result<Block> block =
      parse("insn +0 len 4\n v1 = call.i64 enter\n v2 = not.i64 v1\n put_slot.i64 a0, v2\n exit lookup +4\n",
            kTestSlots, kTestHelpers);
  ASSERT_TRUE(block);
  EXPECT_EQ(joined(verify(*block, kTestSlots, kTestHelpers)), "");
}

// Random blocks with one random field changed: whatever is reported, nothing is read out of bounds on the way.
TEST(IrVerifier, random_damage_is_harmless) {
  RandomOptions options;
  options.anything = true;
  Rng rng(4);
  Block block;
  u32 found = 0;
  for (u32 i = 0; i < 6'000; ++i) {
    random_block(rng, kTestSlots, kTestHelpers, options, block);
    Inst& inst = block.insts[rng() % block.insts.size()];
    switch (rng() % 6) {
      case 0:
        inst.op = static_cast<Op>(rng() % (kOpCount + 3));
        break;
      case 1:
        inst.type = static_cast<Type>(rng() % (kTypeCount + 2));
        break;
      case 2:
        inst.aux = static_cast<u8>(rng());
        break;
      case 3:
        inst.args[rng() % 4] = static_cast<ValueId>(rng() % (block.insts.size() + 2));
        break;
      case 4:
        inst.extra = static_cast<u32>(rng());
        break;
      default:
        inst.imm = rng();
        break;
    }
    found += !verify(block, kTestSlots, kTestHelpers).empty();
    print(block, kTestSlots, kTestHelpers);
  }
  EXPECT_GT(found, 3'600u);
}

TEST(IrVerifierDeathTest, unsound_blocks_end_the_program) {
  Block block = sound();
  verify_or_die(block, kTestSlots, kTestHelpers);
  block.insts[5].args[1] = 3;
  EXPECT_DEATH(verify_or_die(block, kTestSlots, kTestHelpers), "operand b v3 has type i32");
}

}  // namespace
}  // namespace pagoda::ir
