// SPDX-License-Identifier: MIT
// Tier 0 against itself: random blocks with all fusions, each alone, all but one, against none, from random state.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "differential/toy_guest.h"
#include "tcg/ir/builder.h"
#include "tcg/ir/printer.h"
#include "tcg/ir/verifier.h"

namespace pagoda {
namespace {

constexpr u32 kStates = 3;  // per block

struct Variant {
  std::string name;
  u32 fusions;
};

std::vector<Variant> variants() {
  std::vector<Variant> result{{"all fusions", interp::kAllFusions}};
  for (u32 i = 0; i < interp::kFusionCount; ++i) {
    const std::string name = interp::fusion_name(static_cast<interp::Fusion>(i));
    result.push_back({"only " + name, 1u << i});
    result.push_back({"all but " + name, interp::kAllFusions & ~(1u << i)});
  }
  return result;
}

using Make = std::function<void(ir::Rng&, ir::Block&)>;
using Adjust = std::function<void(ir::Rng&, ToyState&)>;  // after the registers were chosen

// Runs blocks; gives up at the first difference, naming the block. Says how often each fusion was applied.
std::vector<u64> compare_variants(u64 seed, u32 blocks, const Make& make, const Adjust& adjust = nullptr) {
  ir::Rng rng(seed);
  const ir::SlotTable slots = toy_slots();
  const HelperTable helpers = toy_helpers();
  interp::Lowering plain(slots, helpers, 0);
  const std::vector<Variant> list = variants();
  std::vector<std::unique_ptr<interp::Lowering>> lowerings;
  for (const Variant& variant : list)
    lowerings.push_back(std::make_unique<interp::Lowering>(slots, helpers, variant.fusions));
  const std::unique_ptr<ToyHost> host = make_toy_host();
  u64 compiled = 0, not_compiled = 0;
  auto start = std::make_unique<Toy>(), reference = std::make_unique<Toy>(), other = std::make_unique<Toy>();
  ir::Block block;
  for (u32 n = 0; n < blocks; ++n) {
    make(rng, block);
    ir::verify_or_die(block, slots, helpers);
    for (u32 k = 0; k < kStates; ++k) {
      start->randomize(rng);
      if (adjust) adjust(rng, start->state());
      reference->copy_from(*start);
      reference->run(plain, block);
      // Tier 1 last, from fused and from plain code.
      for (u32 run = 0; run < list.size() + (host != nullptr ? 2 : 0); ++run) {
        const bool on_host = run >= list.size();
        const u32 i = on_host ? 0 : run;
        interp::Lowering& lowering = run == list.size() + 1 ? plain : *lowerings[i];
        other->copy_from(*start);
        if (!on_host) {
          other->run(lowering, block);
        } else if (other->run_compiled(*host, lowering, block)) {
          ++compiled;
        } else {
          ++not_compiled;
          continue;
        }
        const std::string difference = reference->difference(*other);
        if (difference.empty()) continue;
        Unit* unit = lowering.lower(block);
        ADD_FAILURE() << "seed " << seed << " block " << n << ", without fusion against "
                      << (on_host ? "tier 1" : list[i].name) << ":\n"
                      << difference << ir::print(block, slots, helpers) << interp::print_code(*unit, slots);
        interp::free_unit(unit);
        return {};
      }
    }
  }
  std::vector<u64> counts;
  for (u32 i = 0; i < interp::kFusionCount; ++i) {
    const auto fusion = static_cast<interp::Fusion>(i);
    counts.push_back(lowerings[0]->fusion_count(fusion));
    EXPECT_EQ(plain.fusion_count(fusion), 0u) << interp::fusion_name(fusion);
  }
  if (host != nullptr) {
    EXPECT_GT(compiled, not_compiled);
    testing::Test::RecordProperty("compiled", std::to_string(compiled));
    testing::Test::RecordProperty("stepped_ops", std::to_string(host->compiler->statistics().stepped_ops));
  }
  return counts;
}

Make random_blocks(const ir::RandomOptions& options) {
  return
      [options](ir::Rng& rng, ir::Block& block) { ir::random_block(rng, toy_slots(), toy_helpers(), options, block); };
}

ir::RandomOptions with_memory() {
  ir::RandomOptions options;
  options.guest_insns = 4;
  options.base_slot = static_cast<u32>(ToySlot::base0);
  options.base_slots = 2;
  return options;
}

TEST(Tiers, BlocksOfEverything) { compare_variants(1, 800, random_blocks(with_memory())); }

TEST(Tiers, IntegerBlocks) {
  ir::RandomOptions options = with_memory();
  options.types = 0;
  for (const ir::Type type : {ir::Type::none, ir::Type::i1, ir::Type::i8, ir::Type::i16, ir::Type::i32, ir::Type::i64})
    options.types |= 1u << static_cast<u32>(type);
  options.guest_insns = 6;
  options.ops_per_insn = 12;
  compare_variants(2, 800, random_blocks(options));
}

// The shapes that translators write and fusions look for, with registers read and written in between: what is fused
// must not see a later value of a register, nor an earlier one.
class FusedShapes {
 public:
  FusedShapes(ir::Rng& rng, ir::Block& block) : rng_(rng), builder_(), block_(block) {
    builder_.start(&block, toy_slots(), false);
    const u32 insns = 1 + below(6);
    for (u32 i = 0; i < insns; ++i) {
      builder_.insn(i * 4, 4);
      if (below(4) == 0) memory();  // before the first write of a register: it may fault
      const u32 shapes = 1 + below(4);
      for (u32 k = 0; k < shapes; ++k) {
        shape();
        if (below(2) == 0 && !pending_.empty()) write();
      }
      while (!pending_.empty()) write();
      values_.clear();
    }
    block_.guest_insns = insns;
    block_.guest_bytes = insns * 4;
    builder_.branch(condition(), 64, insns * 4);
  }

 private:
  u32 below(u64 n) { return static_cast<u32>(rng_() % n); }
  ir::Value operand() {
    constexpr ToySlot kSlots[] = {ToySlot::a0, ToySlot::a1, ToySlot::a2, ToySlot::b0, ToySlot::b1};
    if (!values_.empty() && below(3) == 0) return values_[below(values_.size())];
    values_.push_back(builder_.get_slot(static_cast<u32>(kSlots[below(std::size(kSlots))])));
    return values_.back();
  }
  // A comparison at the block's end, often of what has just made flags, or of their result with zero.
  ir::Value condition() {
    constexpr ir::Type kTypes[] = {ir::Type::i8, ir::Type::i16, ir::Type::i32, ir::Type::i64};
    const ir::Type type = kTypes[below(4)];
    ir::Value a = builder_.trunc(operand(), type);
    ir::Value b = below(3) == 0 ? builder_.constant(type, rng_() % 16) : builder_.trunc(operand(), type);
    if (below(2) == 0) {
      const ir::Value none = builder_.constant(ir::Type::i1, 0), zero = builder_.constant(type, 0);
      const u32 kind = below(4);
      const ir::Value made = kind == 0   ? builder_.flags_logic(a)
                             : kind == 1 ? builder_.flags_add(a, b, none)
                                         : builder_.flags_sub(a, b, none);
      const ir::Value result = kind == 0 ? a : kind == 1 ? builder_.add(a, b) : builder_.sub(a, b);
      if (below(2) == 0) {
        builder_.put_slot(static_cast<u32>(ToySlot::a0), builder_.zext(result, ir::Type::i64));
        a = result;
      }
      if (kind == 0 || a.id == result.id) b = zero;
      builder_.put_slot(static_cast<u32>(ToySlot::cc), made);
    }
    if (below(4) == 0) std::swap(a, b);
    switch (below(6)) {
      case 0:
        return builder_.eq(a, b);
      case 1:
        return builder_.ne(a, b);
      case 2:
        return builder_.lt_s(a, b);
      case 3:
        return builder_.le_s(a, b);
      case 4:
        return builder_.lt_u(a, b);
      default:
        return builder_.le_u(a, b);
    }
  }
  ir::Value narrow(ir::Value value) { return builder_.trunc(value, ir::Type::i32); }
  void keep(ir::Value value) {
    values_.push_back(value);
    if (below(4) != 0) pending_.push_back(value);
  }
  // Writes one of the results into a register.
  void write() {
    constexpr ToySlot kSlots[] = {ToySlot::a0, ToySlot::a1};
    const ir::Value value = pending_.back();
    const ToySlot slot = value.type == ir::Type::flags ? ToySlot::cc : kSlots[below(std::size(kSlots))];
    builder_.put_slot(static_cast<u32>(slot), value);
    pending_.pop_back();
  }
  // Flags of arithmetic, with its result or without, all of them or some.
  void flags() {
    const bool wide = below(2) == 0, add = below(2) == 0;
    const auto sized = [&](ir::Value value) { return wide ? value : narrow(value); };
    const ir::Value a = sized(operand()), b = below(3) == 0 ? sized(builder_.i64(rng_() % 16)) : sized(operand());
    const ir::Value none = builder_.constant(ir::Type::i1, 0), carry = below(3) == 0 ? builder_.lt_u(a, b) : none;
    ir::Value made = below(4) == 0 ? builder_.flags_logic(a)
                     : add         ? builder_.flags_add(a, b, carry)
                                   : builder_.flags_sub(a, b, carry);
    if (below(3) == 0) {
      const ir::Value old = builder_.get_slot(static_cast<u32>(ToySlot::cc));
      made = builder_.flags_merge(old, made, static_cast<u8>(below(256) & ir::kAllFlags));
    }
    if (below(2) == 0) keep(builder_.zext(add ? builder_.add(a, b) : builder_.sub(a, b), ir::Type::i64));
    pending_.push_back(made);
  }
  // An increment or decrement that leaves the carry as it is.
  void step() {
    const bool up = below(2) == 0;
    const ir::Value a = below(2) == 0 ? operand() : narrow(operand());
    const ir::Value one = builder_.constant(a.type, 1), none = builder_.constant(ir::Type::i1, 0);
    const ir::Value old = builder_.get_slot(static_cast<u32>(ToySlot::cc));
    const ir::Value made = up ? builder_.flags_add(a, one, none) : builder_.flags_sub(a, one, none);
    const ir::Value merged = builder_.flags_merge(old, made, ir::kAllFlags & ~ir::kFlagsC);
    if (below(3) != 0) keep(builder_.zext(up ? builder_.add(a, one) : builder_.sub(a, one), ir::Type::i64));
    if (below(8) == 0) pending_.push_back(made);  // the carry has another reader
    pending_.push_back(merged);
  }
  void shape() {
    switch (below(6)) {
      case 5:
        return step();
      case 4:
        return flags();
      case 0: {
        const ir::Value shifted = builder_.shl(operand(), builder_.i64(1 + below(63)));
        if (below(4) == 0) keep(shifted);
        const ir::Value other = below(6) == 0 ? shifted : operand();
        return keep(below(2) == 0 ? builder_.add(shifted, other) : builder_.add(other, shifted));
      }
      case 1: {
        const ir::Value a = narrow(operand()),
                        b = below(2) == 0 ? builder_.i32(static_cast<u32>(rng_())) : narrow(operand());
        const u32 kind = below(5);
        const ir::Value r = kind == 0   ? builder_.add(a, b)
                            : kind == 1 ? builder_.sub(a, b)
                            : kind == 2 ? builder_.shl(a, b)
                            : kind == 3 ? builder_.div_s(a, b)
                                        : builder_.rotr(a, b);
        if (below(4) == 0) keep(builder_.zext(r, ir::Type::i64));
        return keep(builder_.sext(r, ir::Type::i64));
      }
      case 2:
        return keep(builder_.select(builder_.lt_u(operand(), operand()), operand(), operand()));
      default:
        return keep(builder_.add(operand(), below(2) == 0 ? builder_.i64(rng_() % 4096) : operand()));
    }
  }
  void memory() {
    const ir::Value base = builder_.get_slot(static_cast<u32>(ToySlot::base0));
    const ir::Value address = builder_.add(base, builder_.i64(below(4000)));
    const ir::MemOp op{.size_log2 = static_cast<u8>(below(4)), .sign = below(2) == 0};
    if (below(2) == 0) return keep(builder_.load(ir::Type::i64, address, op));
    builder_.store(address, operand(), {.size_log2 = op.size_log2});
  }

  ir::Rng& rng_;
  ir::Builder builder_;
  ir::Block& block_;
  std::vector<ir::Value> values_;   // of this instruction
  std::vector<ir::Value> pending_;  // results to write at its end
};

TEST(Tiers, FusedShapes) {
  const std::vector<u64> counts =
      compare_variants(3, 3000, [](ir::Rng& rng, ir::Block& block) { FusedShapes(rng, block); });
  ASSERT_EQ(counts.size(), interp::kFusionCount);
  for (u32 i = 0; i < interp::kFusionCount; ++i)
    EXPECT_GT(counts[i], 500u) << interp::fusion_name(static_cast<interp::Fusion>(i));
}

// Loads and stores at distances from registers that lie near the ends of pages: what tier 1 checks once for several of
// them, with everything in between that makes the result of such a check void.
void runs_of_accesses(ir::Rng& rng, ir::Block& block) {
  const auto below = [&](u64 n) { return rng() % n; };
  const auto slot = [](ToySlot which) { return static_cast<u32>(which); };
  constexpr ToySlot kValues[] = {ToySlot::a0, ToySlot::a1, ToySlot::a2, ToySlot::b0, ToySlot::b1};
  const auto value = [&] { return slot(kValues[below(std::size(kValues))]); };
  ir::Builder builder;
  builder.start(&block, toy_slots(), false);
  const u32 insns = static_cast<u32>(2 + below(10));
  const u64 grain = u64{1} << below(4), span = 64 << below(4);
  for (u32 i = 0; i < insns; ++i) {
    builder.insn(i * 4, 4);
    const u32 base = slot(below(4) == 0 ? ToySlot::base1 : ToySlot::base0);
    switch (below(12)) {
      case 0: {  // up or down
        const u64 distance = u64{8} << below(4);
        builder.put_slot(base, builder.add(builder.get_slot(base), builder.i64(below(2) == 0 ? distance : -distance)));
        break;
      }
      case 1:
        builder.put_slot(value(), builder.mul(builder.get_slot(value()), builder.get_slot(value())));
        break;
      case 2:
        builder.put_slot(slot(ToySlot::b1), builder.call(0, 0, ir::Type::i64, 1, builder.get_slot(value()),
                                                         builder.get_slot(value()), builder.get_slot(value())));
        break;
      default: {
        const u64 offset = below(span / grain) * grain - (below(4) == 0 ? 32 : 0);
        const ir::Value address = builder.add(builder.get_slot(base), builder.i64(offset));
        const ir::MemOp op{.size_log2 = static_cast<u8>(below(4)), .sign = below(2) == 0};
        if (below(2) == 0) {
          const u32 to = below(8) == 0 ? base : value();
          const ir::Value loaded = builder.load(ir::Type::i64, address, op);
          const bool is_near = to == base && below(3) != 0;
          builder.put_slot(
              to, is_near ? builder.add(builder.get_slot(base), builder.and_(loaded, builder.i64(56))) : loaded);
        } else {
          builder.store(address, builder.get_slot(value()), {.size_log2 = op.size_log2});
        }
      }
    }
  }
  block.guest_insns = insns;
  block.guest_bytes = insns * 4;
  builder.jump(insns * 4);
}

TEST(Tiers, RunsOfAccesses) {
  compare_variants(4, 4000, runs_of_accesses, [](ir::Rng& rng, ToyState& state) {
    for (u64& base : state.base) {
      if (rng() % 4 == 0) continue;
      base = kToyMemoryBase + (1 + rng() % 3) * 4096 - rng() % (u64{8} << rng() % 4) * (rng() % 4 == 0 ? 1 : 8);
    }
  });
}

// Floating-point registers computed with, moved, loaded, stored and used as integers: tier 1 keeps copies of them in
// vector registers, which slow paths and odd operands make void.
void copies_of_floats(ir::Rng& rng, ir::Block& block) {
  const auto below = [&](u64 n) { return rng() % n; };
  constexpr ToySlot kSlots[] = {ToySlot::a0, ToySlot::a1, ToySlot::a2, ToySlot::b0, ToySlot::b1};
  const auto any = [&] { return static_cast<u32>(kSlots[below(std::size(kSlots))]); };
  ir::Builder b;
  b.start(&block, toy_slots(), false);
  const auto wide = [&] { return b.bitcast(b.get_slot(any()), ir::Type::f64); };
  const auto narrow = [&] { return b.f32_unbox(b.get_slot(any())); };
  const u32 insns = static_cast<u32>(3 + below(10));
  for (u32 i = 0; i < insns; ++i) {
    b.insn(i * 4, 4);
    const auto put = [&](ir::Value value) {
      b.put_slot(any(), value.type == ir::Type::f32   ? b.f32_box(value)
                        : value.type == ir::Type::f64 ? b.bitcast(value, ir::Type::i64)
                                                      : value);
    };
    const ir::Value address =
        b.add(b.get_slot(static_cast<u32>(below(2) == 0 ? ToySlot::base0 : ToySlot::base1)), b.i64(below(16) * 8));
    switch (below(12)) {
      case 0:
        put(b.load(ir::Type::i64, address, {.size_log2 = static_cast<u8>(2 + below(2))}));
        break;
      case 1:
        put(b.load(ir::Type::f32, address, {.size_log2 = 2}));
        break;
      case 2:
        b.store(address, b.get_slot(any()), {.size_log2 = static_cast<u8>(2 + below(2))});
        break;
      case 3:
        put(b.get_slot(any()));
        break;
      case 4:
        put(b.add(b.get_slot(any()), b.i64(below(3) << 52)));
        break;
      case 5:
        put(b.i_to_f(ir::Type::f64, b.get_slot(any()), ir::Round::mode,
                     below(2) == 0 ? ir::Sign::is_signed : ir::Sign::is_unsigned));
        break;
      case 6:
        put(b.zext(b.fcmp(ir::FpCompare::lt_signal, wide(), wide()), ir::Type::i64));
        break;
      case 7:
        put(b.f_to_i(ir::Type::i64, wide(), ir::Round::to_zero, ir::Sign::is_signed));
        break;
      case 8:
        put(b.fma(wide(), wide(), wide(), ir::Round::mode));
        break;
      case 9:
        put(below(2) == 0 ? b.f_to_f(ir::Type::f64, narrow(), ir::Round::mode)
                          : b.f_to_f(ir::Type::f32, wide(), ir::Round::mode));
        break;
      case 10:
        put(below(2) == 0 ? b.fmul(narrow(), narrow(), ir::Round::mode) : b.fsub(narrow(), narrow(), ir::Round::mode));
        break;
      default:
        put(below(2) == 0 ? b.fadd(wide(), wide(), ir::Round::mode) : b.fmul(wide(), wide(), ir::Round::mode));
    }
  }
  block.guest_insns = insns;
  block.guest_bytes = insns * 4;
  b.jump(insns * 4);
}

TEST(Tiers, CopiesOfFloats) {
  compare_variants(6, 4000, copies_of_floats, [](ir::Rng& rng, ToyState& state) {
    const auto number = [&]() -> u64 {
      if (rng() % 8 == 0) return rng();
      if (rng() % 3 == 0) return ~u64{0} << 32 | (0x3f80'0000 + (rng() & 0xff'ffff));
      return 0x3ff0'0000'0000'0000 + (rng() & 0xff'ffff'ffff'ffff);
    };
    for (u64& value : state.a) value = number();
    for (u64& value : state.b) value = number();
    for (u64& base : state.base) base = kToyMemoryBase + (rng() % 4) * 4096 + rng() % 500 * 8;
  });
}

// Helpers take doublewords: a narrower operand arrives zero-extended, whatever lies beside it in the state.
TEST(Tiers, HelperOperandsAreExtended) {
  const HelperTable helpers = toy_helpers();
  for (const u32 fusions : {0u, interp::kAllFusions}) {
    ir::Builder builder;
    ir::Block block;
    builder.start(&block, toy_slots(), false);
    builder.insn(0, 4);
    const ir::Value h = builder.get_slot(static_cast<u32>(ToySlot::h0)),
                    c = builder.get_slot(static_cast<u32>(ToySlot::c0));
    const ir::Value w = builder.trunc(builder.get_slot(static_cast<u32>(ToySlot::a0)), ir::Type::i32);
    builder.put_slot(static_cast<u32>(ToySlot::b0), builder.call(0, 0, ir::Type::i64, 1, h, c, w));
    builder.jump(4);
    interp::Lowering lowering(toy_slots(), helpers, fusions);
    auto toy = std::make_unique<Toy>();
    ir::Rng rng(5);
    toy->randomize(rng);
    ToyState& state = toy->state();
    const u64 expected = u64{1} + state.h[0] + state.c[0] + static_cast<u32>(state.a[0]);
    toy->run(lowering, block);
    EXPECT_EQ(state.b[0], expected) << fusions;
  }
}

}  // namespace
}  // namespace pagoda
