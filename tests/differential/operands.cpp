// SPDX-License-Identifier: MIT
// Drawing and classifying operand values.
#include "differential/operands.h"

#include <algorithm>
#include <iterator>

namespace pagoda {
namespace {

// The bits above a value of this width when it is NaN-boxed.
constexpr u64 box_of(u32 width) { return width == 64 ? 0 : ~u64{0} << width; }

u64 below(Rng& rng, u64 n) { return rng() % n; }
bool one_in(Rng& rng, u64 n) { return below(rng, n) == 0; }

struct FloatFormat {
  u32 fraction_bits, width;
  u64 top_exponent;  // all ones
  u64 fraction_mask() const { return (u64{1} << fraction_bits) - 1; }
  u64 quiet() const { return u64{1} << (fraction_bits - 1); }
  u64 make(u64 sign, u64 exponent, u64 fraction) const {
    return sign << (width - 1) | exponent << fraction_bits | (fraction & fraction_mask());
  }
};
constexpr FloatFormat kHalf{10, 16, 0x1f}, kSingle{23, 32, 0xff}, kDouble{52, 64, 0x7ff};
const FloatFormat& format_of(u32 width) { return width == 16 ? kHalf : width == 32 ? kSingle : kDouble; }

constexpr u64 kEdges[] = {
    0,
    1,
    2,
    ~u64{0},
    ~u64{1},
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0xffffffff7fffffff,
    0xffffffff80000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0x8000000000000001,
    0xffffffffffff8000,
    0xffffffffffffff80,
};

// A fraction: empty, full, single bits, runs, near a tie of a narrower format, anything.
u64 random_fraction(Rng& rng, const FloatFormat& format) {
  const u64 any = rng() & format.fraction_mask();
  const u64 bit = u64{1} << below(rng, format.fraction_bits);
  switch (below(rng, 8)) {
    case 0:
      return 0;
    case 1:
      return format.fraction_mask();
    case 2:
      return bit;
    case 3:
      return bit - 1;
    case 4:
      return format.fraction_mask() & ~(bit - 1);
    case 5:  // around a tie: upper bits, a one, and then almost nothing
      return (any & ~(2 * bit - 1)) | bit | (one_in(rng, 2) ? 0 : u64{1});
    default:
      return any;
  }
}

u64 nearby(Rng& rng, u64 centre, u64 reach, u64 limit) {
  const u64 value = centre + below(rng, 2 * reach + 1);
  return std::clamp<u64>(value < reach ? 0 : value - reach, 1, limit);
}

// A number whose exponent is one that matters: of one, of integer ranges, of the narrower format's ends, of its own.
u64 random_number(Rng& rng, const FloatFormat& format) {
  const u64 sign = below(rng, 2), fraction = random_fraction(rng, format);
  const u64 bias = format.top_exponent >> 1, last = format.top_exponent - 1;
  u64 exponent = 1 + below(rng, last);
  switch (below(rng, 6)) {
    case 0:
      exponent = nearby(rng, bias, 3, last);
      break;
    case 1:
      exponent = std::min(bias + below(rng, 66), last);
      break;
    case 2:
      exponent = one_in(rng, 2) ? nearby(rng, 1, 3, last) : nearby(rng, last, 3, last);
      break;
    case 3:  // the ends of a narrower format, its denormals included
      if (format.width == 64 && one_in(rng, 2)) {
        exponent = one_in(rng, 2) ? nearby(rng, bias - 126 - 12, 14, last) : nearby(rng, bias + 127, 2, last);
      } else if (format.width >= 32) {
        exponent = one_in(rng, 2) ? nearby(rng, bias - 14 - 6, 8, last) : nearby(rng, bias + 15, 2, last);
      }
      break;
    default:
      break;
  }
  return format.make(sign, exponent, fraction);
}

u64 random_bits(Rng& rng, const FloatFormat& format) {
  const u64 sign = below(rng, 2);
  switch (below(rng, 10)) {
    case 0:
      return format.make(sign, format.top_exponent,
                         format.quiet() | (one_in(rng, 2) ? 0 : random_fraction(rng, format)));
    case 1: {
      const u64 payload = random_fraction(rng, format) & ~format.quiet();
      return format.make(sign, format.top_exponent, payload == 0 ? 1 : payload);
    }
    case 2:
      return format.make(sign, format.top_exponent, 0);
    case 3: {
      const u64 fraction = random_fraction(rng, format);
      return format.make(sign, 0, fraction == 0 ? 1 : fraction);
    }
    case 4:
      return format.make(sign, 0, 0);
    default:
      return random_number(rng, format);
  }
}

}  // namespace

u32 float_class(u64 value, u32 width) {
  if ((value & box_of(width)) != box_of(width)) return kUnboxed;
  const FloatFormat& format = format_of(width);
  const u64 exponent = value >> format.fraction_bits & format.top_exponent;
  const u64 fraction = value & format.fraction_mask();
  if (exponent == format.top_exponent) {
    if (fraction == 0) return kInfinity;
    return (fraction & format.quiet()) != 0 ? kQuietNan : kSignallingNan;
  }
  if (exponent != 0) return 0;
  return fraction == 0 ? kZero : kDenormal;
}

u32 integer_class(u64 value) {
  const bool is_edge = std::find(std::begin(kEdges), std::end(kEdges), value) != std::end(kEdges);
  return is_edge ? u32{kEdgeInteger} : 0;
}

u64 random_integer(Rng& rng) {
  switch (below(rng, 8)) {
    case 0:
    case 1:
    case 2:
      return kEdges[below(rng, std::size(kEdges))];
    case 3:
      return below(rng, 128);
    case 4:
      return (u64{1} << below(rng, 64)) + below(rng, 3) - 1;
    case 5:
      return 0 - (rng() >> below(rng, 64));
    case 6:
      return rng() >> below(rng, 64);
    default:
      return rng();
  }
}

u64 random_float(Rng& rng, u32 width) {
  if (width == 64) return random_bits(rng, kDouble);
  if (one_in(rng, 12)) return random_bits(rng, one_in(rng, 2) ? kDouble : format_of(width));
  return box_of(width) | random_bits(rng, format_of(width));
}

void random_floats(Rng& rng, u32 width, u64* values, u32 count) {
  for (u32 i = 0; i < count; ++i) values[i] = random_float(rng, width);
  if (count < 2 || !one_in(rng, 2)) return;
  const FloatFormat& format = format_of(width);
  const u64 bias = format.top_exponent >> 1, last = format.top_exponent - 1;
  const u64 box = box_of(width);
  const u64 first = 1 + below(rng, last);
  u64 second = nearby(rng, first, format.fraction_bits + 2, last);
  u64 third = second;
  switch (below(rng, 4)) {
    case 0:
      break;
    case 1: {  // the product's exponent, then an addend of its size
      const u64 product = first + second;
      third = nearby(rng, product < bias ? 1 : product - bias, 2, last);
      break;
    }
    case 2: {  // a product at one end of the range
      const u64 wanted = one_in(rng, 2) ? bias : bias + last;
      second = wanted < first ? 1 : std::clamp<u64>(wanted - first, 1, last);
      second = nearby(rng, second, format.fraction_bits / 2, last);
      third = nearby(rng, wanted - bias, 2, last);
      break;
    }
    default: {  // a quotient at one end of the range
      second =
          nearby(rng, one_in(rng, 2) ? first + bias : (first < bias ? 1 : first - bias), format.fraction_bits, last);
      break;
    }
  }
  const u64 exponents[3] = {first, second, third};
  for (u32 i = 0; i < count && i < 3; ++i) {
    values[i] = box | format.make(below(rng, 2), exponents[i], random_fraction(rng, format));
  }
  if (one_in(rng, 4)) values[1] = values[0] ^ (below(rng, 2) << (width - 1));
}

}  // namespace pagoda
