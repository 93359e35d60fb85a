// SPDX-License-Identifier: MIT
// Runs of instructions: flags that one sets and another reads, partial registers, memory in between.
#include <cstring>
#include <string_view>
#include <vector>

#include "cpu/x86_64/processor.h"
#include "decode/x86_64_bytes.h"
#include "differential/x86_64_generator.h"

namespace pagoda::x86_64 {
namespace {

// r15 is the only base of memory operands, and only pushes and pops change rsp.
constexpr u32 kBase = 15;

bool is_suitable(const Row& row) {
  const std::string_view name = row.handler_name;
  for (const std::string_view other : {"jcc",    "jmp",    "jmp_indirect", "call",    "call_indirect",
                                       "ret",    "jrcxz",  "loop",         "loope",   "loopne",
                                       "int3",   "ud2",    "enter",        "leave",   "pushf",
                                       "popf",   "xlat",   "div",          "idiv",    "shld",
                                       "shrd",   "bsf",    "bsr",          "ldmxcsr", "mask_store_bytes",
                                       "fxsave", "fxrstor"}) {
    if (name == other) return false;
  }
  // Environments hold addresses of earlier instructions, which ours leaves out.
  const bool environment = name == "x87_memory" && (row.kind & 0xff) >= 28;
  return !environment && !row.has(kString) && left_out(row).empty();
}

bool is_stack(const Row& row) {
  const std::string_view name = row.handler_name;
  return name == "push" || name == "pop";
}

std::vector<const Row*> rows_that(bool (*fit)(const Row&)) {
  std::vector<const Row*> result;
  for (const Row& row : all_rows()) {
    if (fit(row)) result.push_back(&row);
  }
  return result;
}
const std::vector<const Row*>& suitable_rows() {
  static const std::vector<const Row*> rows = rows_that(is_suitable);
  return rows;
}
// Pushes and pops come in runs.
const std::vector<const Row*>& stack_rows() {
  static const std::vector<const Row*> rows = rows_that(is_stack);
  return rows;
}

bool writes_or_uses_reserved(const Insn& insn) {
  for (u32 i = 0; i < insn.operand_count; ++i) {
    const Operand& operand = insn.operands[i];
    if (operand.kind == OperandKind::gpr && (operand.reg == kBase || operand.reg == kRsp)) return true;
  }
  return false;
}

// Whether a later instruction could see a flag that this one leaves undefined.
bool leaves_undefined_flags(const Row& row) {
  for (const char* letter = row.effect; *letter != 0; ++letter) {
    if (*letter >= 'a' && *letter <= 'z') return true;
  }
  const std::string_view name = row.handler_name;
  return name == "rol" || name == "ror" || name == "rcl" || name == "rcr";
}

bool add(Rng& rng, const Row& row, Case& c) {
  Bytes bytes;
  if (row.encoding.map < Map::vex_0f && row.encoding.prefix == Prefix::any && rng() % 6 == 0) bytes.add(0x66);
  const Bytes own = bytes_of_row(rng, row, 0);
  for (const u8 byte : own.span()) bytes.add(byte);
  Insn insn;
  if (decode(bytes.span(), kAllFeatures, insn) != Decoded::ok || insn.row != &row) return false;
  if (writes_or_uses_reserved(insn) || c.code_bytes + insn.length > kMaxCode - 16) return false;
  const Memory& m = insn.memory;
  bool memory = m.base != Memory::kNone;  // lea, too
  for (u32 i = 0; i < insn.operand_count; ++i) memory |= insn.operands[i].kind == OperandKind::memory;
  if (memory && (m.base != kBase || m.index != Memory::kNone || m.displacement > 0x700 || m.displacement < -0x700)) {
    return false;
  }
  std::memcpy(&c.code[c.code_bytes], bytes.data.data(), insn.length);
  c.code_bytes += insn.length;
  return true;
}

}  // namespace

Generated sequence(Rng& rng) {
  Generated g;
  g.flags_mask = rflags::kStatus | rflags::kDirection;
  Case& c = g.from;
  c.falls_through = true;
  const auto& rows = suitable_rows();
  const u64 count = 2 + rng() % 10;
  // All flags defined at any moment, or no reader behind what leaves some undefined: the latter rows come rarely.
  const u64 stacks = rng() % 4 == 0 ? 2 : 24;  // one of that many rows is a push or pop
  for (u64 made = 0; made < count;) {
    const auto& from = rng() % stacks == 0 ? stack_rows() : rows;
    const Row& row = *from[rng() % from.size()];
    if (leaves_undefined_flags(row)) continue;
    for (u32 tries = 0; tries < 64; ++tries) {
      if (!add(rng, row, c)) continue;
      ++made;
      break;
    }
    if (c.code_bytes > kMaxCode - 32) break;
  }
  fill_sequence(rng, g);
  return g;
}

void fill_sequence(Rng& rng, Generated& g) {
  Case& c = g.from;
  for (u64& value : c.gpr) value = rng() % 3 == 0 ? rng() % 4 : rng() >> (rng() & 63);
  random_vectors(rng, c.fp);
  c.gpr[kBase] = kDataAddress + 0x800 + (rng() % 0x1000);
  if (rng() % 8 == 0) c.gpr[kBase] = kDataAddress + kDataBytes - rng() % 0x400;  // some accesses fault
  // Around the boundary of the pages, misaligned now and then, or where accesses fault soon.
  c.gpr[kRsp] = kDataAddress + 0x1000 + 8 * (rng() % 13) - 48 + (rng() % 8 == 0 ? rng() % 8 : 0);
  if (rng() % 16 == 0) c.gpr[kRsp] = kDataAddress + (rng() % 2 == 0 ? kDataBytes : 0) + 8 * (rng() % 9) - 32;
  c.rflags = (rng() & rflags::kStatus) | rflags::kFixed;
}

}  // namespace pagoda::x86_64
