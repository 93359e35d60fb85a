// SPDX-License-Identifier: MIT
// Printing by the op table: nothing here knows a single op, only kinds of operands and payload.
#include "tcg/ir/printer.h"

#include <array>
#include <iterator>

#include <fmt/format.h>

namespace pagoda::ir {
namespace {

template <size_t N>
std::string name_of(const char* const (&names)[N], u32 value) {
  return value < N ? names[value] : fmt::format("?{}", value);
}

std::string access_text(u32 bits) {
  const MemOp op = MemOp::unpack(bits);
  std::string text = fmt::format("size={}", op.size());
  if (op.sign) text += ",sign";
  if (op.align) text += ",align";
  if (op.big_endian) text += ",big";
  if (op.order != Order::plain) text += fmt::format(",{}", name_of(kOrderNames, static_cast<u32>(op.order)));
  if (op.mode != 0) text += fmt::format(",mode={}", op.mode);
  return text;
}

std::string flags_text(u8 mask) {
  std::string text;
  for (u32 i = 0; i < 8; ++i) {
    if ((mask >> i & 1) != 0) text += kFlagLetters[i];
  }
  return text;
}

// What stands before the operands.
std::string item_before(const Inst& inst, SlotTable slots, HelperTable helpers) {
  switch (op_info(inst.op).aux) {
    case Aux::Slot:
      return inst.extra < slots.count ? slots.slots[inst.extra].name : fmt::format("?{}", inst.extra);
    case Aux::Helper:
      return inst.extra < helpers.count ? helpers.helpers[inst.extra].name : fmt::format("?{}", inst.extra);
    default:
      return "";
  }
}

}  // namespace

std::string payload_text(const Inst& inst) {
  switch (op_info(inst.op).aux) {
    case Aux::Flag:
      return fmt::format("[{}]", inst.aux < 8 ? kFlagLetters[inst.aux] : '?');
    case Aux::FlagMask:
      return fmt::format("[{}]", flags_text(inst.aux));
    case Aux::Mem:
      return fmt::format("[{}]", access_text(inst.extra));
    case Aux::MemRmw:
      return fmt::format("[{},{}]", name_of(kRmwNames, inst.aux), access_text(inst.extra));
    case Aux::Order:
      return fmt::format("[{}]", name_of(kOrderNames, inst.aux));
    case Aux::Round:
      return fmt::format("[{}]", name_of(kRoundNames, inst.aux));
    case Aux::RoundSign:
      return fmt::format("[{},{}]", name_of(kRoundNames, inst.aux & 15u), name_of(kSignNames, inst.aux >> 4u));
    case Aux::FpCompare:
      return fmt::format("[{}]", name_of(kFpCompareNames, inst.aux));
    case Aux::Vec:
      return fmt::format("[{},{:#x}]", name_of(kVecNames, inst.extra), inst.imm);
    case Aux::Helper:
      return inst.imm != 0 ? fmt::format("[imm={:#x}]", inst.imm) : "";
    default:
      return "";
  }
}

std::string item_after(const Inst& inst) {
  switch (op_info(inst.op).aux) {
    case Aux::Imm:
      return fmt::format("{:#x}", inst.imm);
    case Aux::Offset:
      return fmt::format("{:+}", static_cast<i64>(inst.imm));
    default:
      return "";
  }
}

const char* op_text(Op op) {
  static const auto names = [] {
    std::array<std::string, kOpCount> result;
    for (u32 i = 0; i < kOpCount; ++i) {
      result[i] = kOpInfo[i].name;
      if (result[i].back() == '_') result[i].pop_back();
    }
    return result;
  }();
  return names[static_cast<u32>(op)].c_str();
}

std::string print_inst(const Block& block, ValueId id, SlotTable slots, HelperTable helpers) {
  const Inst& inst = block.insts[id];
  if (static_cast<u32>(inst.op) >= kOpCount) return fmt::format("?{}", static_cast<u32>(inst.op));
  if (op_info(inst.op).aux == Aux::Marker) return fmt::format("insn {:+} len {}", static_cast<i64>(inst.imm), inst.aux);
  std::string text;
  if (result_type(inst.op, inst.type) != Type::none) text = fmt::format("v{} = ", id);
  text += op_text(inst.op);
  if (inst.type != Type::none) text += fmt::format(".{}", type_name(inst.type));

  std::string items;
  const auto add = [&](const std::string& item) {
    if (item.empty()) return;
    items += items.empty() ? " " : ", ";
    items += item;
  };
  add(item_before(inst, slots, helpers));
  u32 last = 4;
  while (last > 0 && inst.args[last - 1] == kNoValue) --last;
  if (op_info(inst.op).aux != Aux::Helper) last = op_info(inst.op).operand_count();
  for (u32 i = 0; i < last; ++i) add(inst.args[i] == kNoValue ? "_" : fmt::format("v{}", inst.args[i]));
  add(item_after(inst));
  text += items;
  if (const std::string payload = payload_text(inst); !payload.empty()) text += fmt::format(" {}", payload);
  return text;
}

std::string print_terminal(const Terminal& t) {
  using Kind = Terminal::Kind;
  std::string hint;
  if (t.hint == Hint::call) hint = " call";
  if (t.hint == Hint::ret) hint = " ret";
  if (t.not_taken != 0) hint += fmt::format(" return {:+}", t.not_taken);
  switch (t.kind) {
    case Kind::jump:
      return fmt::format("jump {:+}{}", t.taken, hint);
    case Kind::branch:
      return fmt::format("branch v{}, {:+}, {:+}", t.value, t.taken, t.not_taken);
    case Kind::jump_indirect:
      return fmt::format("jump_indirect v{}{}", t.value, hint);
    case Kind::exit:
      return fmt::format("exit {} {:+}", name_of(kExitNames, static_cast<u32>(t.exit)), t.taken);
    default:
      return "";
  }
}

std::string print(const Block& block, SlotTable slots, HelperTable helpers) {
  std::string text;
  if (block.restartable) text += "restartable\n";
  for (size_t i = 0; i < block.insts.size(); ++i) {
    if (block.insts[i].op != Op::insn) text += "  ";
    text += print_inst(block, static_cast<ValueId>(i), slots, helpers) + "\n";
  }
  if (block.terminal.kind != Terminal::Kind::none) text += fmt::format("  {}\n", print_terminal(block.terminal));
  return text;
}

}  // namespace pagoda::ir
