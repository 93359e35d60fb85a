// SPDX-License-Identifier: MIT
// Printer and parser: random blocks of every op and type survive the round trip; errors say where.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ir/random_block.h"
#include "ir/test_tables.h"
#include "tcg/ir/parser.h"
#include "tcg/ir/printer.h"
#include "tcg/ir/verifier.h"

namespace pagoda::ir {
namespace {

bool same(const Inst& a, const Inst& b) {
  return a.op == b.op && a.type == b.type && a.aux == b.aux && std::ranges::equal(a.args, b.args) &&
         a.extra == b.extra && a.imm == b.imm;
}
bool same(const Terminal& a, const Terminal& b) {
  return a.kind == b.kind && a.hint == b.hint && a.exit == b.exit && a.value == b.value && a.taken == b.taken &&
         a.not_taken == b.not_taken;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

TEST(IrText, random_blocks_are_sound_and_survive_the_round_trip) {
  RandomOptions options;
  options.anything = true;
  std::set<std::pair<Op, Type>> seen;
  Rng rng(1);
  Block block;
  for (u32 i = 0; i < 6'000; ++i) {
    options.base_slots = i % 2;
    random_block(rng, kTestSlots, kTestHelpers, options, block);
    const std::string text = print(block, kTestSlots, kTestHelpers);
    ASSERT_EQ(joined(verify(block, kTestSlots, kTestHelpers)), "") << text;
    const Result<Block> parsed = parse(text, kTestSlots, kTestHelpers);
    ASSERT_TRUE(parsed) << parsed.error().message << '\n' << text;
    ASSERT_EQ(print(*parsed, kTestSlots, kTestHelpers), text);
    ASSERT_EQ(parsed->insts.size(), block.insts.size());
    for (size_t at = 0; at < block.insts.size(); ++at) {
      ASSERT_TRUE(same(parsed->insts[at], block.insts[at])) << at << '\n' << text;
      seen.emplace(block.insts[at].op, block.insts[at].type);
    }
    ASSERT_TRUE(same(parsed->terminal, block.terminal)) << text;
    ASSERT_EQ(parsed->guest_insns, block.guest_insns);
    ASSERT_EQ(parsed->guest_bytes, block.guest_bytes);
    ASSERT_EQ(parsed->restartable, block.restartable);
  }
  // Every op with every type it has, but for what the rules of conversion leave no operand for.
  for (u32 i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    for (u32 t = 0; t < kTypeCount; ++t) {
      const Type type = static_cast<Type>(t);
      if (!contains(op_info(op).types, type)) continue;
      if ((op == Op::zext || op == Op::sext) && type == Type::i1) continue;  // nothing is narrower
      if (op == Op::trunc && type == Type::i64) continue;                    // nothing is wider
      if (op == Op::bitcast && (type_bits(type) < 32 || type == Type::v256 || type == Type::flags)) continue;  // alone
      if (op == Op::call && type_bits(type) > 64) continue;
      EXPECT_TRUE(seen.contains({op, type})) << op_text(op) << '.' << type_name(type);
    }
  }
}

// Options for running blocks hold: no writes to base slots, no fault ops, types as told.
TEST(IrText, random_blocks_keep_their_options) {
  RandomOptions options;
  options.base_slots = 1;
  options.faults = false;
  options.types &= ~(1u << static_cast<u32>(Type::v256) | 1u << static_cast<u32>(Type::f32));
  Rng rng(2);
  Block block;
  u32 stores = 0;
  for (u32 i = 0; i < 2'000; ++i) {
    random_block(rng, kTestSlots, kTestHelpers, options, block);
    ASSERT_EQ(joined(verify(block, kTestSlots, kTestHelpers)), "");
    for (const Inst& inst : block.insts) {
      ASSERT_FALSE(inst.op == Op::put_slot && inst.extra == 0);
      ASSERT_NE(inst.op, Op::trap_if);
      ASSERT_TRUE(inst.type != Type::f32 && inst.type != Type::v256);
      stores += inst.op == Op::store;
    }
  }
  EXPECT_GT(stores, 100u);
}

TEST(IrText, every_kind_of_line) {
  const std::string text =
      "restartable\n"
      "insn +0 len 4\n"
      "  v1 = get_slot.i64 a0\n"
      "  v2 = constant.i64 0xffffffffffffffff\n"
      "  v3 = and.i64 v1, v2\n"
      "  v4 = pc.i64 -8\n"
      "  v5 = load.i64 v3 [size=4,sign,align,big,acquire,mode=2]\n"
      "  store.i64 v3, v5 [size=8]\n"
      "  v7 = atomic_rmw.i64 v3, v5 [max_u,size=8,seq_cst]\n"
      "  v8 = store_cond.i64 v3, v4, v5, v7 [size=8,align]\n"
      "  fence [acq_rel]\n"
      "  v10 = get_slot.f64 f0\n"
      "  v11 = fadd.f64 v10, v10 [nearest_away]\n"
      "  v12 = f_to_i.i32 v11 [to_zero,unsigned]\n"
      "  v13 = fcmp.f64 v10, v11 [le_signal]\n"
      "  v14 = flags_add.i64 v1, v3, v13\n"
      "  v15 = flags_sub.i64 v1, v3, v8\n"
      "  v16 = flags_merge.flags v14, v15 [cpz]\n"
      "  v17 = flags_merge.flags v16, v15 []\n"
      "  v18 = flag.flags v17 [v]\n"
      "insn +4 len 2\n"
      "  trap_if v18, v4, 0xf\n"
      "  call scramble\n"
      "  call probe, v1\n"
      "  v23 = call.i64 sum, _, v12, v13 [imm=0x10]\n"
      "  put_slot.i64 a1, v23\n"
      "  jump_indirect v23 call return +6\n";
  const Result<Block> block = parse(text, kTestSlots, kTestHelpers);
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ(print(*block, kTestSlots, kTestHelpers), text);
  EXPECT_EQ(joined(verify(*block, kTestSlots, kTestHelpers)), "");
  for (const char* terminal :
       {"jump +8", "jump -8 call return +4", "jump +0 ret", "branch v18, +8, -4", "jump_indirect v1",
        "jump_indirect v1 ret", "exit lookup +4", "exit exception +0", "exit wait -9223372036854775808"}) {
    const std::string with = text.substr(0, text.rfind("  jump_indirect")) + "  " + terminal + "\n";
    const Result<Block> other = parse(with, kTestSlots, kTestHelpers);
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_EQ(print(*other, kTestSlots, kTestHelpers), with);
    EXPECT_EQ(joined(verify(*other, kTestSlots, kTestHelpers)), "") << terminal;
  }
}

TEST(IrText, free_form) {
  const Result<Block> block = parse(
      "# a comment\n\n insn +0 len 2   # marker\nv70=constant.i32 12\r\n\tv3 = add.i32 v70 ,v70\n put_slot.i32 w0,v3\n"
      "exit lookup +2",
      kTestSlots, kTestHelpers);
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ(print(*block, kTestSlots, kTestHelpers),
            "insn +0 len 2\n  v1 = constant.i32 0xc\n  v2 = add.i32 v1, v1\n  put_slot.i32 w0, v2\n  exit lookup +2\n");
}

TEST(IrText, errors_name_line_and_column) {
  const struct {
    const char* line;
    const char* message;
  } cases[] = {
      {"  v2 = ad.i64 v1, v1", "line 3, column 8: 'ad' is no op"},
      {"  v2 = add.i65 v1, v1", "line 3, column 12: 'i65' is no type"},
      {"  v2 = add v1, v1", "line 3, column 11: expected '.' and a type"},
      {"  v2 = add.i64 v1", "line 3, column 18: expected ','"},
      {"  v2 = add.i64 v1, v9", "line 3, column 20: v9 is not defined"},
      {"  v2 = add.i64 v1, 9", "line 3, column 20: expected a value"},
      {"  v2 = add.i64 v1, v1, v1", "line 3, column 22: unexpected ', v1'"},
      {"  v1 = add.i64 v1, v1", "line 3, column 3: v1 is defined already"},
      {"  add.i64 v1, v1", "line 3, column 3: add gives a value"},
      {"  v2 = put_slot.i64 a0, v1", "line 3, column 8: put_slot gives no value"},
      {"  put_slot.i64 zz, v1", "line 3, column 16: 'zz' is no slot"},
      {"  call zz, v1", "line 3, column 8: 'zz' is no helper"},
      {"  call sum v1", "line 3, column 12: unexpected 'v1'"},
      {"  v2 = load.i64 v1", "line 3, column 19: expected '['"},
      {"  v2 = load.i64 v1 [size=3]", "line 3, column 27: no access has 3 bytes"},
      {"  v2 = load.i64 v1 [size=4,quick]", "line 3, column 28: 'quick' is no order"},
      {"  v2 = load.i64 v1 [size=4", "line 3, column 27: expected ']'"},
      {"  v2 = constant.i64 0x", "line 3, column 21: expected a number"},
      {"  v2 = constant.i64 99999999999999999999", "line 3, column 21: expected a number"},
      {"  v2 = pc.i64 4", "line 3, column 15: expected an offset, with its sign"},
      {"  v2 = fadd.f64 v1, v1 [odd]", "line 3, column 25: 'odd' is no rounding"},
      {"  v2 = flag.flags v1 [nz]", "line 3, column 23: expected one flag"},
      {"  v2 = flag.flags v1 [x]", "line 3, column 23: 'x' is no flag"},
      {"  exit sometime +4", "line 3, column 8: 'sometime' is no exit"},
      {"  branch v1, +4", "line 3, column 16: expected ','"},
      {"  jump +4\n  jump +4", "line 4, column 3: a line after the terminal"},
  };
  for (const auto& test : cases) {
    const std::string text = std::string("insn +0 len 4\n  v1 = get_slot.i64 a0\n") + test.line + "\n";
    const Result<Block> block = parse(text, kTestSlots, kTestHelpers);
    ASSERT_FALSE(block) << test.line;
    EXPECT_EQ(block.error().message, test.message) << test.line;
  }
}

// Text that random edits spoil is refused or still makes a block that prints: never a crash or a hang.
TEST(IrText, spoilt_text_is_harmless) {
  RandomOptions options;
  options.anything = true;
  Rng rng(3);
  Block block;
  u32 refused = 0;
  for (u32 i = 0; i < 1'500; ++i) {
    random_block(rng, kTestSlots, kTestHelpers, options, block);
    std::string text = print(block, kTestSlots, kTestHelpers);
    for (u32 edit = 0; edit < 3; ++edit) {
      const size_t at = rng() % text.size();
      if (rng() % 2 != 0)
        text[at] = static_cast<char>(rng() % 128);
      else
        text.erase(at, 1 + rng() % 5);
      if (text.empty()) break;
    }
    if (const Result<Block> parsed = parse(text, kTestSlots, kTestHelpers)) {
      verify(*parsed, kTestSlots, kTestHelpers);
      const std::string again = print(*parsed, kTestSlots, kTestHelpers);
      const Result<Block> reparsed = parse(again, kTestSlots, kTestHelpers);
      ASSERT_TRUE(reparsed) << reparsed.error().message << '\n' << again;
      ASSERT_EQ(print(*reparsed, kTestSlots, kTestHelpers), again);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 300u);
}

}  // namespace
}  // namespace pagoda::ir
