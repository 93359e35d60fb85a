// SPDX-License-Identifier: MIT
// Mnemonics that name a size, registers, addresses, immediates.
#include "cpu/x86_64/disassembler.h"

#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "base/check.h"

namespace pagoda::x86_64 {
namespace {

const char* size_name(u32 size) {
  switch (size) {
    case 0:  // an address without an access
    case kAreaSize:
      return "";
    case 1:
      return "byte ptr ";
    case 2:
      return "word ptr ";
    case 4:
      return "dword ptr ";
    case 8:
      return "qword ptr ";
    case 10:
      return "tbyte ptr ";
    case 32:
      return "ymmword ptr ";
    default:
      return "xmmword ptr ";
  }
}

void signed_offset(std::string& text, i64 value) {
  const u64 magnitude = value < 0 ? u64{0} - static_cast<u64>(value) : static_cast<u64>(value);
  fmt::format_to(std::back_inserter(text), "{}{:#x}", value < 0 ? '-' : '+', magnitude);
}

void memory_text(std::string& text, const Memory& m, bool with_segment) {
  const u32 size = m.short_address ? 4 : 8;
  if (with_segment && m.segment != Segment::none) text += m.segment == Segment::fs ? "fs:" : "gs:";
  text += '[';
  if (m.base == Memory::kRip) {
    text += size == 4 ? "eip" : "rip";
  } else if (m.base != Memory::kNone) {
    text += register_name(m.base, size);
  }
  if (m.index != Memory::kNone) {
    if (m.base != Memory::kNone) text += '+';
    text += register_name(m.index, size);
    fmt::format_to(std::back_inserter(text), "*{}", m.scale);
  }
  if (m.base == Memory::kNone && m.index == Memory::kNone) {
    const u64 address = static_cast<u64>(m.displacement);
    fmt::format_to(std::back_inserter(text), "{:#x}", size == 4 ? address & 0xffffffff : address);
  } else if (m.displacement != 0) {
    signed_offset(text, m.displacement);
  }
  text += ']';
}

void operand_text(std::string& text, const Insn& insn, const Operand& operand) {
  switch (operand.kind) {
    case OperandKind::none:
      return;
    case OperandKind::gpr:
      text += register_name(operand.reg, operand.size);
      return;
    case OperandKind::high_byte: {
      constexpr const char* kNames[] = {"ah", "ch", "dh", "bh"};
      text += kNames[operand.reg];
      return;
    }
    case OperandKind::vector:
      fmt::format_to(std::back_inserter(text), "{}mm{}", operand.size == 32 ? 'y' : 'x', operand.reg);
      return;
    case OperandKind::x87:
      fmt::format_to(std::back_inserter(text), "st{}", operand.reg);
      return;
    case OperandKind::memory:
      text += size_name(operand.size);
      return memory_text(text, insn.memory, operand.size != 0);  // lea has no segment
    case OperandKind::immediate:
      fmt::format_to(std::back_inserter(text), "{:#x}", operand.value);
      return;
    case OperandKind::relative:
      return signed_offset(text, static_cast<i64>(operand.value) + insn.length);
  }
}

}  // namespace

const char* register_name(u32 reg, u32 size) {
  static constexpr const char* kNames[4][16] = {
      {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b",
       "r15b"},
      {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w"},
      {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d",
       "r15d"},
      {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}};
  CHECK(reg < 16 && (size == 1 || size == 2 || size == 4 || size == 8), "register {} of {} bytes", reg, size);
  return kNames[size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3][reg];
}

std::string mnemonic(const Insn& insn) {
  const Row& row = *insn.row;
  const std::string_view name = row.name;
  if (row.has(kNameByAddress)) return insn.memory.short_address ? "jecxz" : "jrcxz";
  if (!row.has(kNameBySize)) return std::string(name);
  if (row.has(kString)) {
    std::string text(name);
    text.back() = insn.operand_size == 2 ? 'w' : insn.operand_size == 4 ? 'd' : 'q';
    return text;
  }
  struct Names {
    std::string_view row;
    const char *word, *doubleword, *quadword;
  };
  constexpr Names kNames[] = {{"cwde", "cbw", "cwde", "cdqe"},
                              {"cdq", "cwd", "cdq", "cqo"},
                              {"pushfq", "pushf", "", "pushfq"},
                              {"popfq", "popf", "", "popfq"}};
  for (const Names& names : kNames) {
    if (names.row != name) continue;
    return insn.operand_size == 2 ? names.word : insn.operand_size == 4 ? names.doubleword : names.quadword;
  }
  CHECK(false, "{} has no names by size", name);
}

std::string disassemble(const Insn& insn) {
  const Row& row = *insn.row;
  std::string text;
  if (insn.lock) text += "lock ";
  if (row.has(kString) && insn.repeat != Repeat::none) {
    text += insn.repeat == Repeat::not_equal ? "repne " : row.has(kCompares) ? "repe " : "rep ";
  }
  text += mnemonic(insn);
  if (row.has(kString)) return text;
  for (u32 i = 0; i < insn.operand_count; ++i) {
    text += i == 0 ? " " : ", ";
    operand_text(text, insn, insn.operands[i]);
  }
  return text;
}

}  // namespace pagoda::x86_64
