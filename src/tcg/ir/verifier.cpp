// SPDX-License-Identifier: MIT
// The verifier's rules, in the order of the header.
#include "tcg/ir/verifier.h"

#include <iterator>

#include "base/check.h"
#include "tcg/ir/printer.h"

namespace pagoda::ir {
namespace {

constexpr u32 kMaxLength = 15;

class Verifier {
 public:
  Verifier(const Block& block, SlotTable slots, HelperTable helpers)
      : block_(block), slots_(slots), helpers_(helpers) {}

  std::vector<std::string> run() {
    if (block_.insts.empty()) {
      report("the block is empty");
      return std::move(errors_);
    }
    for (at_ = 0; at_ < block_.insts.size(); ++at_) {
      const Inst& inst = block_.insts[at_];
      if (!is_known(inst)) {
        report("no such op or type: {} {}", static_cast<u32>(inst.op), static_cast<u32>(inst.type));
        continue;
      }
      if (at_ == 0 && inst.op != Op::insn) report("the first instruction is not a marker");
      if (inst.op == Op::insn) marker(inst);
      type_field(inst);
      operands(inst);
      payload(inst);
      widths(inst);
      order_of_effects(inst);
    }
    counts();
    terminal();
    return std::move(errors_);
  }

 private:
  // What is not known has no row and no width: nothing else can be said of it, nor of its value.
  static bool is_known(const Inst& inst) {
    return static_cast<u32>(inst.op) < kOpCount && static_cast<u32>(inst.type) < kTypeCount;
  }

  template <class... Args>
  void report(fmt::format_string<Args...> format, Args&&... args) {
    std::string where;
    if (at_ < block_.insts.size()) {
      const Op op = block_.insts[at_].op;
      where = fmt::format("{} {}: ", at_, static_cast<u32>(op) < kOpCount ? op_text(op) : "?");
    }
    errors_.push_back(where + fmt::format(format, std::forward<Args>(args)...));
  }

  void marker(const Inst& inst) {
    if (inst.imm != next_offset_) report("offset {} where {} is next", inst.imm, next_offset_);
    if (inst.aux == 0 || inst.aux > kMaxLength) report("length {}", inst.aux);
    next_offset_ = inst.imm + inst.aux;
    ++markers_;
    written_by_ = kNoValue;
  }

  void type_field(const Inst& inst) {
    const bool call_without_result = inst.op == Op::call && inst.type == Type::none;
    if (!contains(op_info(inst.op).types, inst.type) && !call_without_result) {
      report("type {} is not one of the op's", type_name(inst.type));
    }
  }

  // The type of a value used here; none (and a report) if it may not be used.
  Type use(ValueId id, const char* what) {
    if (id == kNoValue || id >= at_ || id >= block_.insts.size()) {
      report("{} v{} is not defined before", what, id);
      return Type::none;
    }
    if (!is_known(block_.insts[id])) return Type::none;
    const Type type = block_.type_of(id);
    if (type == Type::none) report("{} v{} is not a value", what, id);
    return type;
  }

  void operands(const Inst& inst) {
    static constexpr const char* kNames[4] = {"operand a", "operand b", "operand c", "operand d"};
    const OpInfo& info = op_info(inst.op);
    for (u32 i = 0; i < 4; ++i) {
      const ValueId id = inst.args[i];
      if (info.operands[i] == Operand::_) {
        if (id != kNoValue) report("{} is v{}, but the op has none", kNames[i], id);
        continue;
      }
      if (inst.op == Op::call && id == kNoValue) continue;
      const Type type = use(id, kNames[i]);
      if (type != Type::none && !accepts(info.operands[i], inst.type, type)) {
        report("{} v{} has type {}", kNames[i], id, type_name(type));
      }
    }
  }

  template <class Enum>
  void in_range(u64 value, Enum last, const char* what) {
    if (value > static_cast<u64>(last)) report("{} {} is out of range", what, value);
  }

  // aux, extra and imm.
  void payload(const Inst& inst) {
    const Aux aux = op_info(inst.op).aux;
    bool uses_aux = false, uses_extra = false, uses_imm = false;
    switch (aux) {
      case Aux::None:
        break;
      case Aux::Marker:
        uses_aux = uses_imm = true;
        break;
      case Aux::Imm:
        uses_imm = true;
        if (inst.op == Op::constant && is_integer(inst.type) && (inst.imm & ~type_mask(inst.type)) != 0) {
          report("{:#x} does not fit {}", inst.imm, type_name(inst.type));
        }
        break;
      case Aux::Offset:
        uses_imm = true;
        break;
      case Aux::Slot:
        uses_extra = true;
        if (inst.extra >= slots_.count) {
          report("no slot {}", inst.extra);
        } else if (slots_.slots[inst.extra].type != inst.type) {
          report("slot {} has type {}", slots_.slots[inst.extra].name, type_name(slots_.slots[inst.extra].type));
        }
        break;
      case Aux::Flag:
        uses_aux = true;
        if (inst.aux > 7 || (kAllFlags >> inst.aux & 1) == 0) report("flag {} is out of range", inst.aux);
        break;
      case Aux::FlagMask:
        uses_aux = true;
        if ((inst.aux & ~kAllFlags) != 0) report("flag mask {} is out of range", inst.aux);
        break;
      case Aux::MemRmw:
        uses_aux = true;
        in_range(inst.aux, Rmw::max_u, "operation");
        [[fallthrough]];
      case Aux::Mem:
        uses_extra = true;
        break;  // see widths()
      case Aux::Order:
        uses_aux = true;
        in_range(inst.aux, Order::seq_cst, "order");
        break;
      case Aux::Round:
        uses_aux = true;
        in_range(inst.aux, Round::nearest_away, "rounding");
        break;
      case Aux::RoundSign:
        uses_aux = true;
        in_range(inst.aux & 15, Round::nearest_away, "rounding");
        in_range(inst.aux >> 4, Sign::is_unsigned, "sign");
        break;
      case Aux::FpCompare:
        uses_aux = true;
        in_range(inst.aux, FpCompare::le_signal, "comparison");
        break;
      case Aux::Vec:
        uses_extra = uses_imm = true;
        if (inst.extra >= kVecOps || is_fp(static_cast<VecOp>(inst.extra)) != (inst.op == Op::vec_fp)) {
          report("no lane operation {}", inst.extra);
        }
        if (inst.imm > 0xff) report("immediate {:#x} is no byte", inst.imm);
        break;
      case Aux::Helper:
        uses_extra = uses_imm = true;
        if (inst.extra >= helpers_.count) report("no helper {}", inst.extra);
        break;
    }
    if (!uses_aux && inst.aux != 0) report("aux is {:#x}, but the op has none", inst.aux);
    if (!uses_extra && inst.extra != 0) report("extra is {:#x}, but the op has none", inst.extra);
    if (!uses_imm && inst.imm != 0) report("imm is {:#x}, but the op has none", inst.imm);
  }

  void widths(const Inst& inst) {
    const OpInfo& info = op_info(inst.op);
    if (has_conversion_rule(inst.op)) {
      const ValueId id = inst.args[0];
      if (id != kNoValue && id < at_ && is_known(block_.insts[id])) {
        const Type from = block_.type_of(id);
        if (from != Type::none && contains(info.types, inst.type) && !converts(inst.op, from, inst.type)) {
          report("no conversion from {} to {}", type_name(from), type_name(inst.type));
        }
      }
    }
    if (info.aux == Aux::Mem || info.aux == Aux::MemRmw) {
      const MemOp op = MemOp::unpack(inst.extra);
      if (op.pack() != inst.extra) report("stray bits in the access {:#x}", inst.extra);
      in_range(static_cast<u64>(op.order), Order::seq_cst, "order");
      in_range(op.mode, kMemoryModes, "memory mode");
      if (contains(info.types, inst.type) && !access_fits(inst.op, inst.type, op)) {
        report("access of {} bytes for {}", op.size(), type_name(inst.type));
      }
    }
    if (inst.op == Op::call) {
      if (type_bits(inst.type) > 64) report("result {} does not fit a helper's u64", type_name(inst.type));
      for (const ValueId id : inst.args) {
        if (id == kNoValue || id >= at_ || !is_known(block_.insts[id])) continue;
        if (type_bits(block_.type_of(id)) > 64) report("operand v{} does not fit a helper's u64", id);
      }
    }
  }

  // The op's effects, a call's taken from its helper.
  u32 effects_of(const Inst& inst) const {
    u32 effects = op_info(inst.op).effects;
    if ((effects & kCall) != 0 && inst.extra < helpers_.count) effects |= helpers_.helpers[inst.extra].effects;
    return effects;
  }

  void order_of_effects(const Inst& inst) {
    const u32 effects = effects_of(inst);
    if (ended_by_ != kNoValue && (effects & ~u32{kReadState | kWriteState}) != 0) {
      report("not pure, but helper {} at {} ended the block", helpers_.helpers[block_.insts[ended_by_].extra].name,
             ended_by_);
    }
    if ((effects & kMayFault) != 0 && written_by_ != kNoValue && !block_.restartable) {
      report("may fault after a slot was written at {}", written_by_);
    }
    if ((effects & kWriteState) != 0) written_by_ = static_cast<ValueId>(at_);
    if ((effects & kEndsBlock) != 0 && ended_by_ == kNoValue) ended_by_ = static_cast<ValueId>(at_);
  }

  void counts() {
    if (block_.guest_insns != markers_) report("guest_insns is {}, markers are {}", block_.guest_insns, markers_);
    if (block_.guest_bytes != next_offset_)
      report("guest_bytes is {}, markers cover {}", block_.guest_bytes, next_offset_);
    if (block_.insts.size() > 0xffff) report("{} instructions are too many", block_.insts.size());
  }

  void terminal() {
    using Kind = Terminal::Kind;
    const Terminal& t = block_.terminal;
    const bool has_value = t.kind == Kind::branch || t.kind == Kind::jump_indirect;
    if (t.kind == Kind::none || t.kind > Kind::exit) report("terminal: missing");
    in_range(static_cast<u64>(t.hint), Hint::ret, "terminal: hint");
    in_range(static_cast<u64>(t.exit), Exit::wait, "terminal: exit");
    if (has_value) {
      const Type type = use(t.value, "terminal: value");
      const Type wanted = t.kind == Kind::branch ? Type::i1 : Type::i64;
      if (type != Type::none && type != wanted) report("terminal: value v{} has type {}", t.value, type_name(type));
    } else if (t.value != kNoValue) {
      report("terminal: has a value");
    }
    const bool jumps = t.kind == Kind::jump || t.kind == Kind::jump_indirect;
    if (t.hint != Hint::none && !jumps) report("terminal: has a hint");
    if (t.exit != Exit::lookup && t.kind != Kind::exit) report("terminal: has an exit");
    if (t.kind == Kind::jump_indirect && t.taken != 0) report("terminal: has an offset");
    if (t.not_taken != 0 && t.kind != Kind::branch && !(jumps && t.hint == Hint::call)) {
      report("terminal: has a second offset");
    }
    if (ended_by_ != kNoValue && t.kind != Kind::exit && t.kind != Kind::jump_indirect) {
      report("terminal: goes on directly, but helper {} at {} ended the block",
             helpers_.helpers[block_.insts[ended_by_].extra].name, ended_by_);
    }
  }

  const Block& block_;
  const SlotTable slots_;
  const HelperTable helpers_;
  std::vector<std::string> errors_;
  size_t at_ = 0;
  u64 next_offset_ = 0;
  u32 markers_ = 0;
  ValueId written_by_ = kNoValue;  // of the current guest instruction: the last write to a slot
  ValueId ended_by_ = kNoValue;    // the first helper that ends the block
};

}  // namespace

std::vector<std::string> verify(const Block& block, SlotTable slots, HelperTable helpers) {
  return Verifier(block, slots, helpers).run();
}

void verify_or_die(const Block& block, SlotTable slots, HelperTable helpers) {
  const std::vector<std::string> errors = verify(block, slots, helpers);
  if (errors.empty()) return;
  std::string text;
  for (const std::string& error : errors) text += "  " + error + "\n";
  CHECK(errors.empty(), "IR block is not sound:\n{}{}", text, print(block, slots, helpers));
}

}  // namespace pagoda::ir
