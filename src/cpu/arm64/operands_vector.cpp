// SPDX-License-Identifier: MIT
// Operands of floating-point and vector instructions: registers as scalars and vectors, elements, lists, immediates.
//
// "Vd.K" is a vector and "Vd:K" a scalar register; fields as in operands.cpp. The kind K says where the size comes
// from:
//   B H S D Q  that size; a vector of them has 64 or 128 bits by Q, bit 30; with a number in front it has that many
//   T          size, bits 23-22; W twice as wide (a vector of them fills the register); P pairs: twice as wide by Q
//   F          doubles or singles by bit 22; FN narrower, FW wider ones of a conversion; FP a pair of them
//   f          precision, bits 23-22: single, double, -, half
//   I J        size by immh, bits 22-19; J twice as wide
//   C          size by imm5, bits 20-16
//   L P        of loads and stores: bits 31-30, of one register and of pairs (single, double, quad)
#include <array>
#include <bit>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "cpu/arm64/operands.h"
#include "cpu/arm64/translate/expand_immediate.h"

namespace pagoda::arm64 {
namespace {

template <class... Args>
void append(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
}

constexpr char kLetters[] = "bhsdq";

u32 d(const Insn& i) { return i.rd(); }
u32 n(const Insn& i) { return i.rn(); }
u32 m(const Insn& i) { return i.rm(); }
u32 a(const Insn& i) { return i.ra(); }

// --- sizes, as log2 of bytes
template <u32 kSize>
u32 fixed(const Insn&) {
  return kSize;
}
u32 by_size(const Insn& i) { return i.field(22, 2); }
u32 by_size_wide(const Insn& i) { return i.field(22, 2) + 1; }
u32 by_bit22(const Insn& i) { return 2 + i.field(22, 1); }
u32 by_bit22_narrow(const Insn& i) { return 1 + i.field(22, 1); }
u32 by_precision(const Insn& i) {
  constexpr u32 sizes[] = {2, 3, 0, 1};
  return sizes[i.field(22, 2)];
}
u32 by_immh(const Insn& i) { return 31 - static_cast<u32>(std::countl_zero(i.field(19, 4) | 1)); }
u32 by_immh_wide(const Insn& i) { return by_immh(i) + 1; }
u32 by_imm5(const Insn& i) { return static_cast<u32>(std::countr_zero(i.field(16, 5) | 16)); }
u32 by_access(const Insn& i) { return i.size(); }
u32 by_pair(const Insn& i) { return 2 + i.size(); }

u32 bytes_by_q(const Insn& i) { return i.bit(30) ? 16 : 8; }
u32 sixteen(const Insn&) { return 16; }
u32 eight(const Insn&) { return 8; }
u32 four(const Insn&) { return 4; }
u32 a_pair(const Insn& i) { return 8 << i.field(22, 1); }

template <u32 (*kField)(const Insn&), u32 (*kSize)(const Insn&)>
void scalar(std::string& text, const Insn& i, u64) {
  append(text, "{}{}", kLetters[kSize(i)], kField(i));
}
template <u32 (*kField)(const Insn&), u32 (*kSize)(const Insn&), u32 (*kBytes)(const Insn&)>
void vector(std::string& text, const Insn& i, u64) {
  const u32 size = kSize(i);
  append(text, "v{}.{}{}", kField(i), kBytes(i) >> size, kLetters[size]);
}

// --- elements
void element_of_size(std::string& text, const Insn& i, u64) {
  const u32 h = i.bit(11), l = i.bit(21), mm = i.bit(20);
  if (i.field(22, 2) == 1) return append(text, "v{}.h[{}]", i.field(16, 4), h << 2 | l << 1 | mm);
  append(text, "v{}.s[{}]", i.rm(), h << 1 | l);
}
void element_half(std::string& text, const Insn& i, u64) {
  append(text, "v{}.h[{}]", i.field(16, 4), u32{i.bit(11)} << 2 | u32{i.bit(21)} << 1 | u32{i.bit(20)});
}
void element_float(std::string& text, const Insn& i, u64) {
  const u32 h = i.bit(11), l = i.bit(21);
  if (i.bit(22)) return append(text, "v{}.d[{}]", i.rm(), h);
  append(text, "v{}.s[{}]", i.rm(), h << 1 | l);
}
void element_bytes(std::string& text, const Insn& i, u64) {
  append(text, "v{}.4b[{}]", i.rm(), u32{i.bit(11)} << 1 | u32{i.bit(21)});
}
template <u32 (*kField)(const Insn&)>
void copied(std::string& text, const Insn& i, u64) {
  const u32 size = by_imm5(i);
  append(text, "v{}.{}[{}]", kField(i), kLetters[size], i.field(16, 5) >> (size + 1));
}
void copied_from(std::string& text, const Insn& i, u64) {
  const u32 size = by_imm5(i);
  append(text, "v{}.{}[{}]", i.rn(), kLetters[size], i.field(11, 4) >> size);
}
template <u32 (*kField)(const Insn&)>
void high_doubleword(std::string& text, const Insn& i, u64) {
  append(text, "v{}.d[1]", kField(i));
}

void general(std::string& text, u32 reg, bool wide) {
  if (reg == 31) {
    text += wide ? "xzr" : "wzr";
  } else {
    append(text, "{}{}", wide ? 'x' : 'w', reg);
  }
}
void general_by_imm5(std::string& text, const Insn& i, u64) { general(text, i.rn(), by_imm5(i) == 3); }
void general_by_q(std::string& text, const Insn& i, u64) { general(text, i.rd(), i.bit(30)); }

// --- lists
void append_list(std::string& text, u32 first, u32 count, u32 size, std::optional<u32> bytes) {
  text += "{ ";
  for (u32 r = 0; r < count; ++r) {
    append(text, "{}v{}.", r == 0 ? "" : ", ", (first + r) & 31);
    if (bytes) append(text, "{}", *bytes >> size);
    text += kLetters[size];
  }
  text += " }";
}
template <u32 kCount>
void list(std::string& text, const Insn& i, u64) {
  append_list(text, i.rd(), kCount, i.field(10, 2), bytes_by_q(i));
}
struct Element {
  u32 size, index;
};
Element accessed_element(const Insn& i) {
  const u32 kind = i.field(14, 2), number = u32{i.bit(30)} << 3 | i.field(10, 3);
  if (kind == 3) return {i.field(10, 2), 0};
  if (kind == 2 && i.field(10, 2) == 1) return {3, number >> 3};
  return {kind, number >> kind};
}
template <u32 kCount>
void elements(std::string& text, const Insn& i, u64) {
  const Element e = accessed_element(i);
  append_list(text, i.rd(), kCount, e.size, std::nullopt);
  append(text, "[{}]", e.index);
}
void append_step(std::string& text, const Insn& i, u32 bytes) {
  if (i.rm() == 31) return append(text, "#{}", bytes);
  append(text, "x{}", i.rm());
}
void structure_step(std::string& text, const Insn& i, u64) {
  constexpr u32 registers[] = {4, 0, 4, 0, 3, 0, 3, 1, 2, 0, 2};
  append_step(text, i, registers[i.field(12, 4)] * bytes_by_q(i));
}
void element_step(std::string& text, const Insn& i, u64) {
  const u32 registers = (i.field(13, 1) << 1 | i.field(21, 1)) + 1;
  append_step(text, i, registers << accessed_element(i).size);
}
void table(std::string& text, const Insn& i, u64) { append_list(text, i.rn(), i.field(13, 2) + 1, 0, 16); }

// --- immediates
void imm12(std::string& text, const Insn& i, u64) {
  append(text, "#{}", i.field(10, 12) << (i.bit(23) ? 4 : i.size()));
}
void imm7(std::string& text, const Insn& i, u64) { append(text, "#{}", i.signed_field(15, 7) * (4 << i.size())); }
void index(std::string& text, const Insn& i, u64) {
  const u32 kind = i.field(13, 3), scale = i.bit(23) ? 4 : i.size();
  general(text, i.rm(), (kind & 1) != 0);
  if (kind == 3) {
    if (i.bit(12)) append(text, ", lsl #{}", scale);
    return;
  }
  constexpr const char* extensions[] = {"", "", "uxtw", "", "", "", "sxtw", "sxtx"};
  append(text, ", {}", extensions[kind]);
  if (i.bit(12)) append(text, " #{}", scale);
}
void fraction_bits(std::string& text, const Insn& i, u64) { append(text, "#{}", 64 - i.field(10, 6)); }
void append_float(std::string& text, u32 imm8) {
  append(text, "#{:.8f}", std::bit_cast<double>(translate::expanded_immediate(imm8, 1)));
}
void float_immediate(std::string& text, const Insn& i, u64) { append_float(text, i.field(13, 8)); }
u32 imm8_of(const Insn& i) { return i.field(16, 3) << 5 | i.field(5, 5); }
void vector_float_immediate(std::string& text, const Insn& i, u64) { append_float(text, imm8_of(i)); }
void imm8(std::string& text, const Insn& i, u64) { append(text, "#{}", imm8_of(i)); }
void imm64(std::string& text, const Insn& i, u64) {
  append(text, "#{:#018x}", translate::expanded_vector_immediate(i));
}
void immediate_shift(std::string& text, const Insn& i, u64) {
  const u32 cmode = i.field(12, 4), bytes = cmode < 8 ? cmode >> 1 : cmode >> 1 & 1;
  if (bytes != 0) append(text, ", lsl #{}", bytes * 8);
}
void shifted_ones(std::string& text, const Insn& i, u64) { append(text, "msl #{}", i.bit(12) ? 16 : 8); }
void left(std::string& text, const Insn& i, u64) { append(text, "#{}", i.field(16, 7) - (8u << by_immh(i))); }
void right(std::string& text, const Insn& i, u64) { append(text, "#{}", (16u << by_immh(i)) - i.field(16, 7)); }
void whole_width(std::string& text, const Insn& i, u64) { append(text, "#{}", 8u << i.field(22, 2)); }
void extract_index(std::string& text, const Insn& i, u64) { append(text, "#{}", i.field(11, 4)); }
void second(std::string& text, const Insn& i, u64) {
  if (i.bit(30)) text += '2';
}
void signalling(std::string& text, const Insn& i, u64) {
  if (i.bit(4)) text += 'e';
}

struct Named {
  std::string_view name;
  AppendOperand append;
};
// clang-format off
#define SCALAR(kind, size) {"Vd:" kind, scalar<d, size>}, {"Vn:" kind, scalar<n, size>}, {"Vm:" kind, scalar<m, size>}, \
  {"Va:" kind, scalar<a, size>}, {"Vt:" kind, scalar<d, size>}, {"Vu:" kind, scalar<a, size>}
#define VECTOR(kind, size, bytes) {"Vd." kind, vector<d, size, bytes>}, {"Vn." kind, vector<n, size, bytes>}, \
  {"Vm." kind, vector<m, size, bytes>}
// clang-format on
constexpr Named kOperands[] = {
    SCALAR("B", fixed<0>),
    SCALAR("H", fixed<1>),
    SCALAR("S", fixed<2>),
    SCALAR("D", fixed<3>),
    SCALAR("Q", fixed<4>),
    SCALAR("T", by_size),
    SCALAR("W", by_size_wide),
    SCALAR("F", by_bit22),
    SCALAR("f", by_precision),
    SCALAR("I", by_immh),
    SCALAR("J", by_immh_wide),
    SCALAR("C", by_imm5),
    SCALAR("L", by_access),
    SCALAR("P", by_pair),
    VECTOR("B", fixed<0>, bytes_by_q),
    VECTOR("H", fixed<1>, bytes_by_q),
    VECTOR("S", fixed<2>, bytes_by_q),
    VECTOR("T", by_size, bytes_by_q),
    VECTOR("W", by_size_wide, sixteen),
    VECTOR("P", by_size_wide, bytes_by_q),
    VECTOR("F", by_bit22, bytes_by_q),
    VECTOR("FN", by_bit22_narrow, bytes_by_q),
    VECTOR("FW", by_bit22, sixteen),
    VECTOR("FP", by_bit22, a_pair),
    VECTOR("I", by_immh, bytes_by_q),
    VECTOR("J", by_immh_wide, sixteen),
    VECTOR("C", by_imm5, bytes_by_q),
    VECTOR("16b", fixed<0>, sixteen),
    VECTOR("4s", fixed<2>, sixteen),
    VECTOR("2d", fixed<3>, sixteen),
    VECTOR("2s", fixed<2>, eight),
    VECTOR("2h", fixed<1>, four),
    {"Vd.d1", high_doubleword<d>},
    {"Vn.d1", high_doubleword<n>},
    {"Vm[]", element_of_size},
    {"Vm[h]", element_half},
    {"Vm[f]", element_float},
    {"Vm.4b[]", element_bytes},
    {"Vd[c]", copied<d>},
    {"Vn[c]", copied<n>},
    {"Vn[j]", copied_from},
    {"Cn", general_by_imm5},
    {"Qd", general_by_q},
    {"list1", list<1>},
    {"list2", list<2>},
    {"list3", list<3>},
    {"list4", list<4>},
    {"elements1", elements<1>},
    {"elements2", elements<2>},
    {"elements3", elements<3>},
    {"elements4", elements<4>},
    {"structure_step", structure_step},
    {"element_step", element_step},
    {"table", table},
    {"imm12_vector", imm12},
    {"imm7_vector", imm7},
    {"index_vector", index},
    {"fbits", fraction_bits},
    {"fimm8", float_immediate},
    {"vfimm8", vector_float_immediate},
    {"mimm8", imm8},
    {"mimm64", imm64},
    {"mshift", immediate_shift},
    {"msl", shifted_ones},
    {"left", left},
    {"right", right},
    {"shll", whole_width},
    {"ext_index", extract_index},
    {"2", second},
    {"e", signalling},
};
#undef SCALAR
#undef VECTOR

}  // namespace

AppendOperand find_vector_operand(std::string_view name) {
  for (const Named& operand : kOperands) {
    if (operand.name == name) return operand.append;
  }
  return nullptr;
}

}  // namespace pagoda::arm64
