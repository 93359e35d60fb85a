// SPDX-License-Identifier: MIT
// The machine level's vocabulary and its text. Registers print as rN (general) and xN, spill slots as sN: names of one
// host's registers have no place here.
#include "tcg/opt/lir.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include <fmt/format.h>

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::opt {
namespace {

constexpr LirInfo kInfo[] = {
#define LIR(name, operands, meaning) {#name, operands, meaning},
#include "tcg/opt/lir.def"
#undef LIR
};
static_assert(std::size(kInfo) == kLirCount);

constexpr const char* kConditions[] = {"eq", "ne", "lt_s", "le_s", "gt_s", "ge_s", "lt_u", "le_u", "gt_u", "ge_u"};

char letter(RegClass of) { return of == RegClass::gpr ? 'r' : 'x'; }

std::string text_of(RegClass of, const Place& place) {
  switch (place.kind) {
    case Place::reg:
      return fmt::format("{}{}", letter(of), place.reg_number);
    case Place::spill:
      return fmt::format("s{}", place.spill_index);
    default:
      return "-";
  }
}

std::string name_of(const LirCode& code, VReg reg) {
  return fmt::format("{}{}", code.vregs[reg].of == RegClass::gpr ? 'v' : 'w', reg);
}

// role, register, where it has to be, where it is: "=v4:r0@r0"
std::string operand_text(const LirCode& code, u32 index) {
  const Operand& operand = code.operands[index];
  constexpr const char* kRoles[] = {"", "!", "~", "=", "*"};
  std::string text = kRoles[static_cast<u32>(operand.role)] + name_of(code, operand.reg);
  const RegClass of = code.vregs[operand.reg].of;
  if (operand.may_be_spilled) text += '?';
  if (operand.fixed != kAnyReg) text += fmt::format(":{}{}", letter(of), operand.fixed);
  if (index < code.places.size()) text += '@' + text_of(of, code.places[index]);
  return text;
}

std::string text_of(const LirCode& code, const Recipe& recipe) {
  switch (recipe.form) {
    case Recipe::constant:
      return fmt::format("{:#x}", recipe.imm);
    case Recipe::pc:
      return fmt::format("pc+{:#x}", recipe.imm);
    default:
      break;
  }
  std::string text = name_of(code, recipe.reg);
  if (recipe.place.kind != Place::none) text += '@' + text_of(recipe.of, recipe.place);
  if (recipe.form == Recipe::value) return text;
  return (recipe.form == Recipe::box32 ? "box(" : "sext(") + text + ")";
}

std::string text_of(const LirCode& code, const Site& site) {
  std::string text = fmt::format(" {{pc+{:#x} budget {}", site.pc, site.budget);
  for (const SiteSlot& slot : site.slots) {
    text += fmt::format(" [{}:{}]={}", slot.offset, slot.bytes, text_of(code, slot.recipe));
  }
  for (const Recipe& recipe : site.replayed) text += " replay " + text_of(code, recipe);
  return text + "}";
}

std::string text_of(const Move& move) {
  const std::string to = text_of(move.of, move.to);
  if (move.is_imm) return fmt::format("{} <- {:#x}", to, move.imm);
  return fmt::format("{} {} {}", to, move.is_exchange ? "<->" : "<-", text_of(move.of, move.from));
}

std::string text_of(const LirCode& code, const LirInsn& insn) {
  std::string text = lir_info(insn.op).name;
  text += insn.size2 == 8 ? fmt::format(".{}", insn.size) : fmt::format(".{}.{}", insn.size, insn.size2);
  if (insn.cc != Condition::eq) text += fmt::format(" {}", kConditions[static_cast<u32>(insn.cc)]);
  if (insn.test) text += " test";
  if (insn.write) text += " write";
  if (insn.scale != 1) text += fmt::format(" *{}", insn.scale);
  for (u32 i = 0; i < insn.operands; ++i) text += (i == 0 ? " " : ", ") + operand_text(code, insn.first + i);
  if (insn.imm != 0) text += fmt::format(" #{:#x}", insn.imm);
  if (insn.imm2 != 0) text += fmt::format(" #2:{:#x}", insn.imm2);
  if (insn.aux != 0) text += fmt::format(" aux {:#x}", insn.aux);
  if (insn.clobbers[0] != 0 || insn.clobbers[1] != 0) {
    text += fmt::format(" clobbers {:#x},{:#x}", insn.clobbers[0], insn.clobbers[1]);
  }
  if (insn.site != 0) text += text_of(code, code.sites[insn.site]);
  return text;
}

}  // namespace

const LirInfo& lir_info(Lir op) { return kInfo[static_cast<u32>(op)]; }

void LirCode::clear() {
  insns.clear();
  operands.clear();
  blocks.clear();
  phi_args.clear();
  sites.assign(1, {});
  code_pages.clear();
  root = nullptr;
  pinned_slots.clear();
  count = nullptr;
  vregs.assign(1, {});
  places.clear();
  moves.clear();
  spills = 0;
}

u32 frame_slot(i32 offset) {
  constexpr i32 kTemps = offsetof(VcpuFrame, temps);
  if (offset < kTemps + static_cast<i32>(kFrameTemps) * 8 || (offset - kTemps) % 8 != 0) return 0;
  return static_cast<u32>(offset - kTemps) / 8;
}

u32 home_slot(const LirCode& code, VReg reg) { return frame_slot(code.vregs[reg].frame_home); }

bool is_named_everywhere(const LirCode& code, u32 offset) {
  return std::ranges::all_of(code.sites.begin() + 1, code.sites.end(), [&](const Site& site) {
    return std::ranges::find(site.slots, offset, &SiteSlot::offset) != site.slots.end();
  });
}

std::string print(const LirCode& code) {
  std::string text;
  for (u32 b = 0; b < code.blocks.size(); ++b) {
    const LirBlock& block = code.blocks[b];
    text += fmt::format("block {}", b);
    if (block.depth != 0) text += fmt::format(" depth {}", block.depth);
    if (block.seen != 0) text += fmt::format(" seen {}", block.seen);
    if (block.is_cold) text += " cold";
    if (!block.before.empty()) text += " from";
    for (const u32 before : block.before) text += fmt::format(" {}", before);
    if (block.successors != 0) text += " to";
    for (u32 side = 0; side < block.successors; ++side) text += fmt::format(" {}", block.next[side]);
    text += '\n';
    for (const LirPhi& phi : block.phis) {
      text += "  " + name_of(code, phi.reg) + " = phi";
      for (u32 i = 0; i < block.before.size(); ++i) text += ' ' + name_of(code, code.phi_args[phi.first + i]);
      text += '\n';
    }
    for (u32 i = block.first; i < block.first + block.count; ++i) {
      auto move = std::ranges::lower_bound(code.moves, i, {}, &Move::at);
      for (; move != code.moves.end() && move->at == i; ++move) text += "      " + text_of(*move) + '\n';
      text += "  " + text_of(code, code.insns[i]) + '\n';
    }
  }
  return text;
}

}  // namespace pagoda::opt
