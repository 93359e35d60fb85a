// SPDX-License-Identifier: MIT
// Operands of general instructions, loads and stores: register names, immediates, shifts, extensions, labels.
//
// Registers are named by kind and field. Kinds: R width by sf, W and X always that width, S width by the access size
// (bits 31-30 = 3 is a doubleword), L by bit 30. Fields: d and t bits 4-0, n 9-5, m and s 20-16, a and u 14-10. P is a
// pair. |SP: register 31 is the stack pointer.
#include "cpu/arm64/operands.h"

#include <iterator>

#include <fmt/format.h>

#include "cpu/arm64/sysreg.h"

namespace pagoda::arm64 {
namespace {

constexpr const char* kExtensions[] = {"uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"};
constexpr const char* kShifts[] = {"lsl", "lsr", "asr", "ror"};
constexpr const char* kConditions[] = {"eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc",
                                       "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"};

template <class... Args>
void append(std::string& text, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
}

void append_register(std::string& text, u32 reg, bool wide, bool stack_pointer) {
  if (reg != 31) return append(text, "{}{}", wide ? 'x' : 'w', reg);
  text += stack_pointer ? (wide ? "sp" : "wsp") : (wide ? "xzr" : "wzr");
}

// Fields.
u32 d(const Insn& i) { return i.rd(); }
u32 n(const Insn& i) { return i.rn(); }
u32 m(const Insn& i) { return i.rm(); }
u32 a(const Insn& i) { return i.ra(); }
// Widths.
bool by_sf(const Insn& i) { return i.is_64(); }
bool by_size(const Insn& i) { return i.size() == 3; }
bool by_bit30(const Insn& i) { return i.bit(30); }
bool narrow(const Insn&) { return false; }
bool wide(const Insn&) { return true; }

template <u32 (*kField)(const Insn&), bool (*kWide)(const Insn&), bool kStackPointer = false>
void reg(std::string& text, const Insn& i, u64) {
  append_register(text, kField(i), kWide(i), kStackPointer);
}
template <u32 (*kField)(const Insn&)>
void pair(std::string& text, const Insn& i, u64) {
  append_register(text, kField(i), i.bit(30), false);
  text += ", ";
  append_register(text, (kField(i) + 1) & 31, i.bit(30), false);
}

template <u32 kLow, u32 kWidth>
void number(std::string& text, const Insn& i, u64) {
  append(text, "#{}", i.field(kLow, kWidth));
}
template <u32 kLow, u32 kWidth>
void label(std::string& text, const Insn& i, u64 pc) {
  append(text, "{:#x}", pc + static_cast<u64>(i.signed_field(kLow, kWidth) * 4));
}
i64 address_immediate(const Insn& i) { return i.signed_field(5, 19) * 4 + i.field(29, 2); }
void label21(std::string& text, const Insn& i, u64 pc) {
  append(text, "{:#x}", pc + static_cast<u64>(address_immediate(i)));
}
void page(std::string& text, const Insn& i, u64 pc) {
  append(text, "{:#x}", (pc & ~u64{0xfff}) + (static_cast<u64>(address_immediate(i)) << 12));
}

void imm12(std::string& text, const Insn& i, u64) {
  append(text, "#{}{}", i.field(10, 12), i.bit(22) ? ", lsl #12" : "");
}
void bitmask(std::string& text, const Insn& i, u64) {
  const u64 mask = bit_mask(i.field(22, 1), i.field(10, 6), i.field(16, 6));
  append(text, "#{:#x}", i.is_64() ? mask : mask & 0xffffffff);
}
void lsl16(std::string& text, const Insn& i, u64) {
  if (i.field(21, 2) != 0) append(text, ", lsl #{}", i.field(21, 2) * 16);
}
void shift(std::string& text, const Insn& i, u64) {
  if (i.field(22, 2) == 0 && i.field(10, 6) == 0) return;
  append(text, ", {} #{}", kShifts[i.field(22, 2)], i.field(10, 6));
}
// Rm with its extension; where the stack pointer takes part, the extension that changes nothing is called lsl.
void extended(std::string& text, const Insn& i, u64) {
  const u32 kind = i.field(13, 3), amount = i.field(10, 3);
  append_register(text, i.rm(), i.is_64() && (kind & 3) == 3, false);
  const bool sets_flags = i.bit(29);
  const bool stack_pointer = i.rn() == 31 || (!sets_flags && i.rd() == 31);
  if (stack_pointer && kind == (i.is_64() ? 3 : 2)) {
    if (amount != 0) append(text, ", lsl #{}", amount);
    return;
  }
  append(text, ", {}", kExtensions[kind]);
  if (amount != 0) append(text, " #{}", amount);
}
void condition(std::string& text, const Insn& i, u64) {
  const bool is_branch = i.field(25, 7) == 0b0101010;
  text += kConditions[i.field(is_branch ? 0 : 12, 4)];
}
void tested_bit(std::string& text, const Insn& i, u64) { append(text, "#{}", i.field(31, 1) << 5 | i.field(19, 5)); }
void hint(std::string& text, const Insn& i, u64) { append(text, "#{}", i.field(5, 7)); }
void barrier(std::string& text, const Insn& i, u64) {
  constexpr const char* names[] = {"", "oshld", "oshst", "osh", "", "nshld", "nshst", "nsh",
                                   "", "ishld", "ishst", "ish", "", "ld",    "st",    "sy"};
  const u32 kind = i.field(8, 4);
  if (*names[kind] != 0) {
    text += names[kind];
  } else {
    append(text, "#{}", kind);
  }
}
void isb(std::string& text, const Insn& i, u64) {
  if (i.field(8, 4) == 15) {
    text += "sy";
  } else {
    append(text, "#{}", i.field(8, 4));
  }
}
void system_register(std::string& text, const Insn& i, u64) {
  if (const auto known = find_sysreg(sysreg_number(i.bits))) text += sysreg_info(*known).name;
}

// --- loads and stores
void size_suffix(std::string& text, const Insn& i, u64) {
  constexpr const char* suffixes[] = {"b", "h", "", ""};
  text += suffixes[i.size()];
}
void size_suffix_signed(std::string& text, const Insn& i, u64) {
  constexpr const char* suffixes[] = {"b", "h", "w", ""};
  text += suffixes[i.size()];
}
template <u32 kAcquire, u32 kRelease>
void order_suffix(std::string& text, const Insn& i, u64) {
  if (i.bit(kAcquire)) text += 'a';
  if (i.bit(kRelease)) text += 'l';
}
void imm9(std::string& text, const Insn& i, u64) { append(text, "#{}", i.signed_field(12, 9)); }
void imm7(std::string& text, const Insn& i, u64) { append(text, "#{}", i.signed_field(15, 7) * (i.is_64() ? 8 : 4)); }
void imm7_word(std::string& text, const Insn& i, u64) { append(text, "#{}", i.signed_field(15, 7) * 4); }
void imm12_size(std::string& text, const Insn& i, u64) { append(text, "#{}", i.field(10, 12) << i.size()); }
void append_index(std::string& text, const Insn& i, u32 scale) {
  const u32 kind = i.field(13, 3);
  append_register(text, i.rm(), (kind & 1) != 0, false);
  if (kind == 3) {
    if (i.bit(12)) append(text, ", lsl #{}", scale);
    return;
  }
  append(text, ", {}", kExtensions[kind]);
  if (i.bit(12)) append(text, " #{}", scale);
}
void index(std::string& text, const Insn& i, u64) { append_index(text, i, i.size()); }
void prefetch_operation(std::string& text, const Insn& i, u64) {
  constexpr const char* kinds[] = {"pld", "pli", "pst"};
  const u32 operation = i.rd(), kind = operation >> 3, level = operation >> 1 & 3;
  if (kind < 3 && level < 3) {
    append(text, "{}l{}{}", kinds[kind], level + 1, (operation & 1) != 0 ? "strm" : "keep");
  } else {
    append(text, "#{}", operation);
  }
}

struct Named {
  std::string_view name;
  AppendOperand append;
};
constexpr Named kOperands[] = {
    {"Rd", reg<d, by_sf>},
    {"Rn", reg<n, by_sf>},
    {"Rm", reg<m, by_sf>},
    {"Ra", reg<a, by_sf>},
    {"Rt", reg<d, by_sf>},
    {"Ru", reg<a, by_sf>},
    {"Rd|SP", reg<d, by_sf, true>},
    {"Rn|SP", reg<n, by_sf, true>},
    {"Wd", reg<d, narrow>},
    {"Wn", reg<n, narrow>},
    {"Wm", reg<m, narrow>},
    {"Wt", reg<d, narrow>},
    {"Ws", reg<m, narrow>},
    {"Xd", reg<d, wide>},
    {"Xn", reg<n, wide>},
    {"Xm", reg<m, wide>},
    {"Xa", reg<a, wide>},
    {"Xt", reg<d, wide>},
    {"Xu", reg<a, wide>},
    {"Xn|SP", reg<n, wide, true>},
    {"St", reg<d, by_size>},
    {"Ss", reg<m, by_size>},
    {"Su", reg<a, by_size>},
    {"Lt", reg<d, by_bit30>},
    {"Pt", pair<d>},
    {"Ps", pair<m>},
    {"label14", label<5, 14>},
    {"label19", label<5, 19>},
    {"label26", label<0, 26>},
    {"label21", label21},
    {"page", page},
    {"imm5", number<16, 5>},
    {"imm6", number<15, 6>},
    {"imm16", number<5, 16>},
    {"imm16_low", number<0, 16>},
    {"immr", number<16, 6>},
    {"imms", number<10, 6>},
    {"nzcv", number<0, 4>},
    {"crm", number<8, 4>},
    {"imm7_hint", hint},
    {"imm12", imm12},
    {"bitmask", bitmask},
    {"lsl16", lsl16},
    {"shift", shift},
    {"Rm_ext", extended},
    {"cond", condition},
    {"bit", tested_bit},
    {"barrier", barrier},
    {"isb", isb},
    {"sysreg", system_register},
    {"bh", size_suffix},
    {"bhw", size_suffix_signed},
    {"a", order_suffix<23, 22>},
    {"a_cas", order_suffix<22, 15>},
    {"imm9", imm9},
    {"imm7", imm7},
    {"imm7_word", imm7_word},
    {"imm12_size", imm12_size},
    {"index", index},
    {"prfop", prefetch_operation},
};

}  // namespace

AppendOperand find_operand(std::string_view name) {
  for (const Named& operand : kOperands) {
    if (operand.name == name) return operand.append;
  }
  return find_vector_operand(name);
}

}  // namespace pagoda::arm64
