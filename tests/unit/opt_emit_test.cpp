// SPDX-License-Identifier: MIT
// Host code of regions: each operation of lir.def that computes, with operands in all kinds of places, against C++.
#include <gtest/gtest.h>

#include <bit>

#include "tcg/host/fp.h"
#include "unit/opt_emit_bench.h"

namespace pagoda {
namespace {

using opt::Condition;

constexpr u32 kRax = 0, kRcx = 1, kRdx = 2;

struct ArgSpec {
  Role role;
  RegClass of = RegClass::gpr;
  int fixed = -1;
};
constexpr ArgSpec d{Role::def}, a{Role::use}, late{Role::use_late};
constexpr ArgSpec D{Role::def, RegClass::xmm}, A{Role::use, RegClass::xmm}, Late{Role::use_late, RegClass::xmm};
constexpr ArgSpec t{Role::temp}, T{Role::temp, RegClass::xmm};
constexpr ArgSpec in(ArgSpec spec, u32 reg) { return {spec.role, spec.of, static_cast<int>(reg)}; }

using Values = std::array<u64, 4>;  // of the operands that are used, in order
using Model = std::function<u64(const Values&, u32 size)>;

class OptEmit : public testing::Test {
 protected:
  u64 value() {
    constexpr u64 edges[] = {0,
                             1,
                             2,
                             ~u64{0},
                             u64{1} << 63,
                             ~u64{0} >> 1,
                             0x80000000,
                             0x7fffffff,
                             0xffffffff,
                             0xffffffff80000000,
                             0x80,
                             0x7f,
                             0x8000,
                             63,
                             64,
                             0x3ff0000000000000,
                             0x7ff0000000000000,
                             0x7ff8000000000001,
                             0x7ff0000000000001,
                             0x8000000000000001,
                             0x3f800000,
                             0xffffffff7fc00000,
                             0xffffffff7f800001,
                             0xffffffffff800000,
                             0xffffffff3f800000,
                             0xc3e0000000000000,
                             0x43e0000000000000,
                             0xffffffffdf000000,
                             0xffffffff4f800000,
                             0xffffffffcf000000,
                             0x41f0000000000000,
                             0xc1e0000000000000,
                             0xbfe0000000000000};
    switch (rng() % 4) {
      case 0:
        return edges[rng() % std::size(edges)];
      case 1:
        return rng() >> (rng() & 63);
      case 2:  // a number of some size
        return std::bit_cast<u64>(static_cast<double>(static_cast<i64>(rng() >> (rng() & 63))) / 16);
      default:
        return rng();
    }
  }

  // The operation with operands in random places, on random values. `results` values are compared under a mask of
  // `result_bytes`.
  void check(LirInsn insn, const std::vector<ArgSpec>& specs, const Model& model, u32 result_bytes = 8,
             u32 placements = 40) {
    for (u32 round = 0; round < placements; ++round) {
      std::vector<OptBench::Arg> args;
      const auto is_taken = [&](u32 number, const ArgSpec& spec) {
        for (std::size_t i = 0; i < args.size(); ++i) {
          if (specs[i].of != spec.of || args[i].place != OptBench::reg(number)) continue;
          const bool both_used = specs[i].role != Role::def && specs[i].role != Role::temp && spec.role != Role::temp;
          const bool shares = both_used || (specs[i].role == Role::def && spec.role == Role::use);
          if (!shares) return true;
        }
        return false;
      };
      for (const ArgSpec& spec : specs) {
        OptBench::Arg arg{.role = spec.role, .of = spec.of};
        if (spec.fixed >= 0) {
          arg.place = OptBench::reg(static_cast<u32>(spec.fixed));
        } else if (spec.role != Role::temp && rng() % 4 == 0) {
          arg.place = OptBench::spill(static_cast<u32>(rng() % 5));
          for (std::size_t i = 0; i < args.size(); ++i) {
            if (args[i].place == arg.place && (specs[i].of != spec.of || spec.role == Role::use_late)) {
              arg.place = OptBench::spill(static_cast<u32>(10 + args.size()));
            }
          }
        } else {
          u32 number;
          do {
            number = static_cast<u32>(rng() % 16);
          } while ((spec.of == RegClass::gpr ? !OptBench::is_usable(number) : number == 15) || is_taken(number, spec));
          arg.place = OptBench::reg(number);
        }
        args.push_back(arg);
      }
      // A factor beside those that have fixed places.
      if (insn.op == Lir::rem_u || insn.op == Lir::rem_s || insn.op == Lir::div_u || insn.op == Lir::div_s) {
        if (args[2].place == OptBench::reg(kRdx) || args[2].place == OptBench::reg(kRax)) continue;
      }
      bench.start();
      bench.load_all();
      bench.add(insn, args);
      bench.store_all();
      bench.end();
      ASSERT_TRUE(bench.make());
      for (u32 n = 0; n < 8; ++n) {
        OptState& state = bench.state();
        for (u64& each : state.in) each = value();
        for (u64& each : state.float_in) each = value();
        for (u32 i = 0; i < 16; ++i) bench.spilled(i) = value();
        Values values{};
        u32 count = 0;
        for (std::size_t i = 0; i < args.size(); ++i) {
          if (specs[i].role == Role::def || specs[i].role == Role::temp) continue;
          const Place place = args[i].place;
          values[count++] = place.kind == Place::spill     ? bench.spilled(place.spill_index - 1u)
                            : specs[i].of == RegClass::gpr ? state.in[place.reg_number]
                                                           : state.float_in[place.reg_number];
        }
        const u32 control = fp::control_word(static_cast<ir::Round>(1 + rng() % 4), 0);
        state.fp_control = control;
        ASSERT_EQ(bench.run().reason, interp::Leave::budget);
        const u8 flags = fp::flags_of(state.fp_control);
        fp::enter_guest(control);
        u64 expected = model(values, insn.size);
        const u8 expected_flags = fp::flags_of(fp::leave_guest());
        const u64 mask = result_bytes == 8 ? ~u64{0} : (u64{1} << 8 * result_bytes) - 1;
        std::string where = "operation " + std::to_string(static_cast<u32>(insn.op)) + " size " +
                            std::to_string(insn.size) + "/" + std::to_string(insn.size2) + " imm " +
                            std::to_string(insn.imm) + " values " +
                            fmt::format("{:#x} {:#x} {:#x} {:#x}", values[0], values[1], values[2], values[3]);
        for (std::size_t i = 0; i < args.size(); ++i) {
          where +=
              fmt::format(" {}{}",
                          args[i].place.kind == Place::spill ? "s"
                          : args[i].of == RegClass::gpr      ? "r"
                                                             : "x",
                          args[i].place.kind == Place::spill ? args[i].place.spill_index : args[i].place.reg_number);
        }
        ASSERT_EQ(flags, expected_flags) << where;
        u32 lost[2] = {};
        for (std::size_t i = 0; i < args.size(); ++i) {
          const Place place = args[i].place;
          if (specs[i].role != Role::def && specs[i].role != Role::temp) continue;
          if (place.kind == Place::reg) lost[specs[i].of == RegClass::gpr ? 0 : 1] |= 1u << place.reg_number;
          if (specs[i].role != Role::def) continue;
          const u64 result = place.kind == Place::spill     ? bench.spilled(place.spill_index - 1u)
                             : specs[i].of == RegClass::gpr ? state.out[place.reg_number]
                                                            : state.float_out[place.reg_number];
          ASSERT_EQ(result & mask, expected & mask) << where;
        }
        for (u32 i = 0; i < 16; ++i) {
          if (OptBench::is_usable(i) && (lost[0] >> i & 1) == 0) {
            ASSERT_EQ(state.out[i], state.in[i]) << where << " lost r" << i;
          }
          if (i != 15 && (lost[1] >> i & 1) == 0) {  // xmm15 is the emitter's
            ASSERT_EQ(state.float_out[i], state.float_in[i]) << where << " lost xmm" << i;
          }
        }
      }
    }
  }

  ir::Rng rng{1};
  OptBench bench;
};

u64 cut(u64 value, u32 size) { return size == 8 ? value : value & ((u64{1} << 8 * size) - 1); }
i64 signed_of(u64 value, u32 size) {
  const u32 shift = 64 - 8 * size;
  return static_cast<i64>(value << shift) >> shift;
}

TEST_F(OptEmit, Moves) {
  check({.op = Lir::move}, {d, a}, [](const Values& v, u32) { return v[0]; });
  check({.op = Lir::move}, {D, A}, [](const Values& v, u32) { return v[0]; });
  for (const i64 imm : {i64{0}, i64{5}, i64{-1}, i64{0x80000000}, i64{0x123456789abcdef0}, i64{-0x80000000ll}}) {
    check({.op = Lir::imm, .imm = imm}, {d}, [&](const Values&, u32) { return static_cast<u64>(imm); });
  }
  for (const u8 size : {4, 8}) {
    check({.op = Lir::gpr_to_xmm, .size = size}, {D, a}, [](const Values& v, u32 s) { return cut(v[0], s); });
    check({.op = Lir::xmm_to_gpr, .size = size}, {d, A}, [](const Values& v, u32 s) { return cut(v[0], s); });
  }
  for (const u8 size : {1, 2, 4, 8}) {
    const i64 slot = bench.offset_of(bench.state().slots[0]);
    bench.state().slots[0] = 0xfedcba9876543210;
    check({.op = Lir::frame_load, .size = size, .imm = slot}, {d},
          [](const Values&, u32 s) { return cut(0xfedcba9876543210, s); });
    if (size >= 4) {
      check({.op = Lir::frame_load, .size = size, .imm = slot}, {D},
            [](const Values&, u32 s) { return cut(0xfedcba9876543210, s); });
    }
    const auto stored = [&](const Values& v, u32 s) {
      EXPECT_EQ(bench.state().slots[1], cut(v[0], s));
      bench.state().slots[1] = 0;
      return v[0];
    };
    bench.state().slots[1] = 0;
    const i64 to = bench.offset_of(bench.state().slots[1]);
    check({.op = Lir::frame_store, .size = size, .imm = to}, {a}, stored);
    if (size >= 4) check({.op = Lir::frame_store, .size = size, .imm = to}, {A}, stored);
    for (const i64 imm : {i64{0}, i64{77}, i64{-3}}) {
      check({.op = Lir::frame_store, .size = size, .imm = to, .imm2 = imm}, {}, [&](const Values&, u32 s) {
        EXPECT_EQ(bench.state().slots[1], cut(static_cast<u64>(imm), s));
        bench.state().slots[1] = 0;
        return u64{0};
      });
    }
  }
}

TEST_F(OptEmit, TwoOperands) {
  struct Case {
    Lir op;
    u64 (*model)(u64 a, u64 b, u32 bits);
  };
  const Case cases[] = {
      {Lir::add, [](u64 x, u64 y, u32) { return x + y; }},
      {Lir::sub, [](u64 x, u64 y, u32) { return x - y; }},
      {Lir::and_, [](u64 x, u64 y, u32) { return x & y; }},
      {Lir::or_, [](u64 x, u64 y, u32) { return x | y; }},
      {Lir::xor_, [](u64 x, u64 y, u32) { return x ^ y; }},
      {Lir::mul, [](u64 x, u64 y, u32) { return x * y; }},
      {Lir::shl, [](u64 x, u64 y, u32 bits) { return x << (y & (bits - 1)); }},
      {Lir::shr, [](u64 x, u64 y, u32 bits) { return (bits == 64 ? x : x & 0xffffffff) >> (y & (bits - 1)); }},
      {Lir::sar, [](u64 x, u64 y, u32 bits) { return static_cast<u64>(signed_of(x, bits / 8) >> (y & (bits - 1))); }},
      {Lir::rotl,
       [](u64 x, u64 y, u32 bits) {
         return bits == 64 ? std::rotl(x, static_cast<int>(y & 63))
                           : std::rotl(static_cast<u32>(x), static_cast<int>(y & 31));
       }},
      {Lir::rotr,
       [](u64 x, u64 y, u32 bits) {
         return bits == 64 ? std::rotr(x, static_cast<int>(y & 63))
                           : std::rotr(static_cast<u32>(x), static_cast<int>(y & 31));
       }},
  };
  for (const Case& each : cases) {
    const bool rotates = each.op == Lir::rotl || each.op == Lir::rotr;
    for (const u8 size : {4, 8}) {
      const auto model = [&](const Values& v, u32 s) { return cut(each.model(v[0], v[1], 8 * s), s); };
      check({.op = each.op, .size = size}, {d, a, rotates ? in(a, kRcx) : a}, model);
      for (const i64 imm : {i64{0}, i64{1}, i64{3}, i64{31}, i64{255}, i64{0xffff}, i64{128}, i64{-1}, i64{-128},
                            i64{0x7fffffff}, i64{-0x80000000ll}}) {
        check(
            {.op = each.op, .size = size, .imm = imm}, {d, a},
            [&](const Values& v, u32 s) { return cut(each.model(v[0], static_cast<u64>(imm), 8 * s), s); }, 8, 12);
      }
    }
  }
  for (const u8 size : {4, 8}) {
    check({.op = Lir::andn, .size = size}, {d, a, a}, [](const Values& v, u32 s) { return cut(~v[0] & v[1], s); });
    for (const u8 scale : {1, 2, 4, 8}) {
      for (const i64 imm : {i64{0}, i64{-5}, i64{0x12345678}}) {
        check(
            {.op = Lir::lea, .size = size, .scale = scale, .imm = imm}, {d, a, a},
            [&](const Values& v, u32 s) { return cut(v[0] + v[1] * scale + static_cast<u64>(imm), s); }, 8, 20);
        check(
            {.op = Lir::lea, .size = size, .scale = scale, .imm = imm}, {d, a},
            [&](const Values& v, u32 s) { return cut(v[0] * scale + static_cast<u64>(imm), s); }, 8, 20);
      }
    }
  }
}

TEST_F(OptEmit, OneOperand) {
  for (const u8 size : {4, 8}) {
    check({.op = Lir::neg, .size = size}, {d, a}, [](const Values& v, u32 s) { return cut(0 - v[0], s); });
    check({.op = Lir::not_, .size = size}, {d, a}, [](const Values& v, u32 s) { return cut(~v[0], s); });
    check({.op = Lir::lzcnt, .size = size}, {d, a},
          [](const Values& v, u32 s) { return static_cast<u64>(std::countl_zero(cut(v[0], s))) - (64 - 8 * s); });
    check({.op = Lir::tzcnt, .size = size}, {d, a},
          [](const Values& v, u32 s) { return std::min<u64>(static_cast<u64>(std::countr_zero(v[0])), 8 * s); });
    check({.op = Lir::popcnt, .size = size}, {d, a},
          [](const Values& v, u32 s) { return static_cast<u64>(std::popcount(cut(v[0], s))); });
  }
  for (const u8 size : {2, 4, 8}) {
    check({.op = Lir::bswap, .size = size}, {d, a},
          [](const Values& v, u32 s) { return __builtin_bswap64(v[0]) >> (64 - 8 * s); });
  }
  for (const u8 size : {1, 2, 4}) {
    check({.op = Lir::zext, .size = size}, {d, a}, [](const Values& v, u32 s) { return cut(v[0], s); });
    for (const u8 to : {1, 2, 4, 8}) {
      if (to < size) continue;
      check({.op = Lir::sext, .size = size, .size2 = to}, {d, a},
            [&](const Values& v, u32 s) { return cut(static_cast<u64>(signed_of(v[0], s)), to); });
    }
  }
}

TEST_F(OptEmit, ProductsAndQuotients) {
  using i128 = __int128;
  using u128 = unsigned __int128;
  for (const u8 size : {4, 8}) {
    check({.op = Lir::mulh_u, .size = size}, {in(d, kRdx), in(a, kRax), a, in(t, kRax)},
          [](const Values& v, u32 s) { return static_cast<u64>(u128{cut(v[0], s)} * cut(v[1], s) >> 8 * s); });
    check({.op = Lir::mulh_s, .size = size}, {in(d, kRdx), in(a, kRax), a, in(t, kRax)}, [](const Values& v, u32 s) {
      return cut(static_cast<u64>(i128{signed_of(v[0], s)} * signed_of(v[1], s) >> 8 * s), s);
    });
    check({.op = Lir::div_u, .size = size}, {in(d, kRax), in(a, kRax), late, in(t, kRdx)},
          [](const Values& v, u32 s) { return cut(v[1], s) == 0 ? cut(~u64{0}, s) : cut(v[0], s) / cut(v[1], s); });
    check({.op = Lir::rem_u, .size = size}, {in(d, kRdx), in(a, kRax), late, in(t, kRax)},
          [](const Values& v, u32 s) { return cut(v[1], s) == 0 ? cut(v[0], s) : cut(v[0], s) % cut(v[1], s); });
    check({.op = Lir::div_s, .size = size}, {in(d, kRax), in(a, kRax), late, in(t, kRdx)}, [](const Values& v, u32 s) {
      const i64 x = signed_of(v[0], s), y = signed_of(v[1], s);
      return cut(y == 0 ? ~u64{0} : y == -1 ? 0 - static_cast<u64>(x) : static_cast<u64>(x / y), s);
    });
    check({.op = Lir::rem_s, .size = size}, {in(d, kRdx), in(a, kRax), late, in(t, kRax)}, [](const Values& v, u32 s) {
      const i64 x = signed_of(v[0], s), y = signed_of(v[1], s);
      return cut(y == 0 ? static_cast<u64>(x) : y == -1 ? 0 : static_cast<u64>(x % y), s);
    });
  }
}

bool holds(Condition cc, bool test, u64 x, u64 y, u32 size) {
  if (test) {
    x = cut(x & y, size);
    y = 0;
  }
  const u64 ux = cut(x, size), uy = cut(y, size);
  const i64 sx = signed_of(x, size), sy = signed_of(y, size);
  switch (cc) {
    case Condition::eq:
      return ux == uy;
    case Condition::ne:
      return ux != uy;
    case Condition::lt_s:
      return sx < sy;
    case Condition::le_s:
      return sx <= sy;
    case Condition::gt_s:
      return sx > sy;
    case Condition::ge_s:
      return sx >= sy;
    case Condition::lt_u:
      return ux < uy;
    case Condition::le_u:
      return ux <= uy;
    case Condition::gt_u:
      return ux > uy;
    case Condition::ge_u:
      return ux >= uy;
  }
  return false;
}

TEST_F(OptEmit, Comparisons) {
  for (u32 number = 0; number <= static_cast<u32>(Condition::ge_u); ++number) {
    const auto cc = static_cast<Condition>(number);
    for (const u8 size : {1, 2, 4, 8}) {
      for (const bool test : {false, true}) {
        check(
            {.op = Lir::set, .size = size, .cc = cc, .test = test}, {d, a, a},
            [&](const Values& v, u32 s) { return u64{holds(cc, test, v[0], v[1], s)}; }, 8, 24);
        check(
            {.op = Lir::select, .size = size, .size2 = 4, .cc = cc, .test = test}, {d, a, a, a, a},
            [&](const Values& v, u32 s) { return cut(holds(cc, test, v[0], v[1], s) ? v[2] : v[3], 4); }, 8, 24);
        check(
            {.op = Lir::select, .size = size, .size2 = 8, .cc = cc, .test = test}, {d, a, a, a, a},
            [&](const Values& v, u32 s) { return holds(cc, test, v[0], v[1], s) ? v[2] : v[3]; }, 8, 24);
        for (const i64 imm : {i64{0}, i64{1}, i64{-1}, i64{0x7f}, i64{-128}, i64{0xff}, i64{0x7fffffff}}) {
          const u64 other = static_cast<u64>(imm);
          check(
              {.op = Lir::set, .size = size, .cc = cc, .test = test, .imm = imm}, {d, a},
              [&](const Values& v, u32 s) { return u64{holds(cc, test, v[0], other, s)}; }, 8, 6);
          check(
              {.op = Lir::select, .size = size, .size2 = 8, .cc = cc, .test = test, .imm = imm}, {d, a, a, a},
              [&](const Values& v, u32 s) { return holds(cc, test, v[0], other, s) ? v[1] : v[2]; }, 8, 6);
        }
      }
    }
  }
}

// --- floating point, against tier 0's functions --------------------------------------------------------------------

TEST_F(OptEmit, FloatArithmetic) {
  for (const u8 size : {4, 8}) {
    const auto by_size = [](auto single, auto wide) {
      return [=](const Values& v, u32 s) -> u64 {
        return s == 4 ? u64{single(static_cast<u32>(v[0]), static_cast<u32>(v[1]), static_cast<u32>(v[2]))}
                      : wide(v[0], v[1], v[2]);
      };
    };
    const u32 bytes = size;
#define BINARY(name)                                                                                                 \
  check({.op = Lir::name, .size = size}, {D, A, A},                                                                  \
        by_size([](u32 x, u32 y, u32) { return fp::name(x, y); }, [](u64 x, u64 y, u64) { return fp::name(x, y); }), \
        bytes)
    BINARY(fadd);
    BINARY(fsub);
    BINARY(fmul);
    BINARY(fdiv);
#undef BINARY
    check({.op = Lir::fsqrt, .size = size}, {D, A},
          by_size([](u32 x, u32, u32) { return fp::fsqrt(x); }, [](u64 x, u64, u64) { return fp::fsqrt(x); }), bytes);
    check({.op = Lir::fneg, .size = size}, {D, A},
          by_size([](u32 x, u32, u32) { return fp::fneg(x); }, [](u64 x, u64, u64) { return fp::fneg(x); }), bytes);
    check({.op = Lir::fma, .size = size}, {D, Late, Late, Late},
          by_size([](u32 x, u32 y, u32 z) { return fp::fma(x, y, z); },
                  [](u64 x, u64 y, u64 z) { return fp::fma(x, y, z); }),
          bytes, 200);
    for (u32 compare = 0; compare <= static_cast<u32>(ir::FpCompare::le_signal); ++compare) {
      const auto kind = static_cast<ir::FpCompare>(compare);
      check({.op = Lir::fset, .size = size, .imm = compare}, {d, A, A},
            by_size([=](u32 x, u32 y, u32) { return u32{fp::fcmp(kind, x, y)}; },
                    [=](u64 x, u64 y, u64) { return u64{fp::fcmp(kind, x, y)}; }));
    }
  }
  check({.op = Lir::f_to_f, .size = 4}, {D, A}, [](const Values& v, u32) { return fp::f64_to_f32(v[0]); }, 4, 200);
  check(
      {.op = Lir::f_to_f, .size = 8}, {D, A},
      [](const Values& v, u32) { return fp::f32_to_f64(static_cast<u32>(v[0])); }, 8, 200);
  check({.op = Lir::f32_box}, {D, A}, [](const Values& v, u32) { return fp::f32_box(static_cast<u32>(v[0])); });
  check({.op = Lir::f32_unbox}, {D, A}, [](const Values& v, u32) { return fp::f32_unbox(v[0]); }, 4, 200);
}

TEST_F(OptEmit, Conversions) {
  for (const u8 size : {4, 8}) {
    for (const u8 bytes : {1, 2, 4, 8}) {
      for (const ir::Sign sign : {ir::Sign::is_signed, ir::Sign::is_unsigned}) {
        for (const ir::Round round : {ir::Round::mode, ir::Round::to_zero, ir::Round::up, ir::Round::nearest_away}) {
          const i64 imm = static_cast<i64>(round) | static_cast<i64>(sign) << 4;
          check({.op = Lir::f_to_i, .size = size, .size2 = bytes, .imm = imm}, {d, Late, t},
                [=](const Values& v, u32 s) {
                  return s == 4 ? fp::f_to_i(round, sign, 8u * bytes, static_cast<u32>(v[0]))
                                : fp::f_to_i(round, sign, 8u * bytes, v[0]);
                });
          check(
              {.op = Lir::i_to_f, .size = size, .size2 = bytes, .imm = imm}, {D, late, T},
              [=](const Values& v, u32 s) {
                const u64 from =
                    sign == ir::Sign::is_signed ? static_cast<u64>(signed_of(v[0], bytes)) : cut(v[0], bytes);
                return s == 4 ? u64{fp::i_to_f<u32>(round, sign, from)} : fp::i_to_f<u64>(round, sign, from);
              },
              size);
        }
      }
    }
  }
}

TEST_F(OptEmit, OtherOpsInCxx) {
  const auto call = [](ir::Op op, u8 size, u32 aux = 0) {
    return LirInsn{.op = Lir::fp_call, .size = size, .imm = static_cast<i64>(op), .imm2 = aux};
  };
  const std::vector<ArgSpec> args{D, Late, Late, Late, t};
  check(call(ir::Op::fmin, 8), args, [](const Values& v, u32) { return fp::fmin(v[0], v[1]); });
  check(
      call(ir::Op::fmax, 4), args,
      [](const Values& v, u32) { return fp::fmax(static_cast<u32>(v[0]), static_cast<u32>(v[1])); }, 4);
  check(call(ir::Op::fclass, 8), args, [](const Values& v, u32) { return fp::fclass(v[0]); });
  check(call(ir::Op::fadd, 8, 5), args,
        [](const Values& v, u32) { return fp::fadd(ir::Round::nearest_away, v[0], v[1]); });
  check(
      call(ir::Op::fma, 4, 2), args,
      [](const Values& v, u32) {
        return fp::fma(ir::Round::to_zero, static_cast<u32>(v[0]), static_cast<u32>(v[1]), static_cast<u32>(v[2]));
      },
      4);
  check(call(ir::Op::froundx, 8), args, [](const Values& v, u32) { return fp::froundx(ir::Round::mode, v[0]); });
  check(call(ir::Op::f16_widen, 8), args,
        [](const Values& v, u32) { return fp::f16_widen<u64>(static_cast<u16>(v[0])); });
  check(
      call(ir::Op::f16_narrow, 4), args,
      [](const Values& v, u32) { return fp::f16_narrow(ir::Round::mode, static_cast<u32>(v[0])); }, 2);
}

}  // namespace
}  // namespace pagoda
