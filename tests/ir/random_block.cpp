// SPDX-License-Identifier: MIT
// Picks ops, types, operands and payloads by the columns of the table, under the verifier's rules.
#include "ir/random_block.h"

#include <iterator>

namespace pagoda::ir {
namespace {

class Generator {
 public:
  Generator(Rng& rng, SlotTable slots, HelperTable helpers, const RandomOptions& options, Block& block)
      : rng_(rng), slots_(slots), helpers_(helpers), options_(options), block_(block) {}

  void run() {
    block_.clear();
    block_.restartable = options_.anything && one_in(8);
    const u32 count = 1 + below(options_.guest_insns);
    u32 offset = 0;
    for (u32 i = 0; i < count && !ended_; ++i) {
      last_insn_ = i + 1 == count;
      const u32 length = options_.anything ? 1 + below(15) : one_in(2) ? 2 : 4;
      Inst marker;
      marker.op = Op::insn;
      marker.aux = static_cast<u8>(length);
      marker.imm = offset;
      append(marker);
      offset += length;
      ++block_.guest_insns;
      block_.guest_bytes = offset;
      guest_insn();
    }
    terminal();
  }

 private:
  u32 below(u64 n) { return static_cast<u32>(rng_() % n); }
  bool one_in(u32 n) { return below(n) == 0; }
  bool allowed(Type type) const { return (options_.types >> static_cast<u32>(type) & 1) != 0; }

  ValueId append(const Inst& inst) {
    block_.insts.push_back(inst);
    return static_cast<ValueId>(block_.insts.size() - 1);
  }
  ValueId append(Op op, Type type, u64 imm, ValueId a = kNoValue, ValueId b = kNoValue) {
    Inst inst;
    inst.op = op;
    inst.type = type;
    inst.imm = imm;
    inst.args[0] = a;
    inst.args[1] = b;
    return append(inst);
  }

  // First ops that may fault, at the end ones that write state, mostly put_slot.
  void guest_insn() {
    const u32 before = below(options_.ops_per_insn + 1);
    const u32 after = below(4);
    written_ = false;
    for (u32 i = 0; i < before + after; ++i) {
      late_ = i >= before;
      const Op op = late_ && !one_in(3) ? Op::put_slot : static_cast<Op>(below(kOpCount));
      random_op(op);
    }
  }

  bool effects_fit(u32 effects) const {
    if ((effects & kWriteState) != 0 && !late_ && !block_.restartable) return false;
    if ((effects & kMayFault) != 0 && written_ && !block_.restartable) return false;
    if ((effects & kEndsBlock) != 0 && !last_insn_) return false;
    return !ended_ || (effects & ~u32{kReadState | kWriteState}) == 0;
  }

  void random_op(Op op) {
    const OpInfo& info = op_info(op);
    if (info.aux == Aux::Marker) return;
    const bool memory = info.aux == Aux::Mem || info.aux == Aux::MemRmw;
    if (memory && options_.base_slots == 0 && !options_.anything) return;
    if (!memory && (info.effects & kMayFault) != 0 && (!options_.faults || !one_in(4))) return;
    Inst inst;
    inst.op = op;
    u32 effects = info.effects;
    if (info.aux == Aux::Helper) {
      if (helpers_.count == 0) return;
      inst.extra = below(helpers_.count);
      effects |= helpers_.helpers[inst.extra].effects;
      if ((effects & kMayFault) != 0 && !options_.faults) return;
    }
    if (!effects_fit(effects)) return;
    if (!pick_type(inst) || !payload(inst)) return;
    if (!(memory ? memory_operands(inst) : operands(inst))) return;
    append(inst);
    if ((effects & kWriteState) != 0) written_ = true;
    if ((effects & kEndsBlock) != 0) ended_ = true;
  }

  bool pick_type(Inst& inst) {
    const OpInfo& info = op_info(inst.op);
    if (info.aux == Aux::Slot) {
      if (slots_.count == 0) return false;
      inst.extra = below(slots_.count);
      const bool is_base = inst.extra - options_.base_slot < options_.base_slots;
      inst.type = slots_.slots[inst.extra].type;
      return allowed(inst.type) && !(is_base && (info.effects & kWriteState) != 0);
    }
    Type types[kTypeCount];
    u32 count = 0;
    for (u32 i = 1; i < kTypeCount; ++i) {
      const Type type = static_cast<Type>(i);
      if (!contains(info.types, type) || !allowed(type)) continue;
      if (info.aux == Aux::Helper && type_bits(type) > 64) continue;
      types[count++] = type;
    }
    if (contains(info.types, Type::none) || info.aux == Aux::Helper) types[count++] = Type::none;
    if (count == 0) return false;
    inst.type = types[below(count)];
    return true;
  }

  // aux, extra and imm.
  bool payload(Inst& inst) {
    switch (op_info(inst.op).aux) {
      case Aux::None:
      case Aux::Marker:
      case Aux::Slot:
        break;
      case Aux::Imm:
        inst.imm = inst.op == Op::constant ? interesting(inst.type) : below(16);
        break;
      case Aux::Offset:
        inst.imm = below(64) * 2;
        break;
      case Aux::Flag:
        do inst.aux = static_cast<u8>(below(8));
        while ((kAllFlags >> inst.aux & 1) == 0);
        break;
      case Aux::FlagMask:
        inst.aux = static_cast<u8>(below(256) & kAllFlags);
        break;
      case Aux::MemRmw:
        inst.aux = static_cast<u8>(below(static_cast<u32>(Rmw::max_u) + 1));
        [[fallthrough]];
      case Aux::Mem:
        inst.extra = access(inst.op, inst.type).pack();
        break;
      case Aux::Order:
        inst.aux = static_cast<u8>(below(static_cast<u32>(Order::seq_cst) + 1));
        break;
      case Aux::Round:
        inst.aux = rounding();
        break;
      case Aux::RoundSign:
        inst.aux = static_cast<u8>(rounding() | below(2) << 4);
        break;
      case Aux::FpCompare:
        inst.aux = static_cast<u8>(below(static_cast<u32>(FpCompare::le_signal) + 1));
        break;
      case Aux::Vec:
        inst.extra = inst.op == Op::vec ? below(kVecIntOps) : kVecIntOps + below(kVecOps - kVecIntOps);
        inst.imm = one_in(3) ? below(256) : below(16);
        break;
      case Aux::Helper:
        inst.imm = one_in(2) ? 0 : rng_() >> below(64);
        break;
    }
    return true;
  }
  u8 rounding() { return static_cast<u8>(below(static_cast<u32>(Round::nearest_away) + 1)); }

  MemOp access(Op op, Type type) {
    MemOp result;
    do {
      result.size_log2 = static_cast<u8>(below(6));
    } while (!access_fits(op, type, result));
    result.sign = op == Op::load && one_in(2);
    result.align = one_in(4);
    result.big_endian = one_in(8);
    result.order = one_in(2) ? Order::plain : static_cast<Order>(below(static_cast<u32>(Order::seq_cst) + 1));
    result.mode = options_.anything && one_in(4) ? static_cast<u8>(below(kMemoryModes + 1)) : u8{0};
    return result;
  }

  bool operands(Inst& inst) {
    const OpInfo& info = op_info(inst.op);
    for (u32 i = 0; i < info.operand_count(); ++i) {
      if (info.aux == Aux::Helper && one_in(4)) continue;
      inst.args[i] = operand(inst, i);
      if (inst.args[i] == kNoValue) return false;
    }
    return true;
  }

  ValueId operand(const Inst& inst, u32 index) {
    const OpInfo& info = op_info(inst.op);
    Type types[kTypeCount];
    u32 count = 0;
    for (u32 i = 1; i < kTypeCount; ++i) {
      const Type type = static_cast<Type>(i);
      if (!allowed(type) || !accepts(info.operands[index], inst.type, type)) continue;
      if (index == 0 && !converts(inst.op, type, inst.type)) continue;
      if (info.aux == Aux::Helper && type_bits(type) > 64) continue;
      types[count++] = type;
    }
    return count == 0 ? kNoValue : value(types[below(count)]);
  }

  // The address first, then operands that often hold what is there already or name the same place: compare-and-swap and
  // conditional stores must also succeed.
  bool memory_operands(Inst& inst) {
    const OpInfo& info = op_info(inst.op);
    inst.args[0] = address(inst);
    if (inst.args[0] == kNoValue) return false;
    for (u32 i = 1; i < info.operand_count(); ++i) {
      if (info.operands[i] == Operand::I64_ && !one_in(4)) {
        inst.args[i] = inst.args[0];
      } else if (info.operands[i] == Operand::T && info.operand_count() > 2 && one_in(2) && effects_fit(kMayFault)) {
        Inst load;
        load.op = Op::load;
        load.type = inst.type;
        load.extra = inst.extra;
        load.args[0] = inst.args[0];
        inst.args[i] = append(load);
      } else {
        inst.args[i] = operand(inst, i);
      }
      if (inst.args[i] == kNoValue) return false;
    }
    return true;
  }

  ValueId address(const Inst& inst) {
    if (options_.base_slots == 0) return value(Type::i64);
    const MemOp op = MemOp::unpack(inst.extra);
    const bool atomic = inst.op != Op::load && inst.op != Op::store;
    const bool aligned = (op.align || atomic) && (!options_.faults || !one_in(8));
    const u64 half = options_.memory_bytes / 2;
    const u64 keep = aligned ? ~u64{op.size() - 1} : ~u64{0};
    Inst get;
    get.op = Op::get_slot;
    get.type = Type::i64;
    get.extra = options_.base_slot + below(options_.base_slots);
    ValueId place = append(get);
    if (!one_in(3)) {  // an offset that is known only at run time
      const ValueId offset = value(Type::i64);
      const ValueId mask = append(Op::constant, Type::i64, (half - 1) & keep);
      place = append(Op::add, Type::i64, 0, place, append(Op::and_, Type::i64, 0, offset, mask));
    }
    if (one_in(2)) {
      const ValueId more = append(Op::constant, Type::i64, below(half - 64) & keep);
      place = append(Op::add, Type::i64, 0, place, more);
    }
    return place;
  }

  // A value of this type: mostly one that is there.
  ValueId value(Type type) {
    if (!one_in(4)) {
      found_.clear();
      for (size_t i = 1; i < block_.insts.size(); ++i) {
        if (block_.type_of(static_cast<ValueId>(i)) == type) found_.push_back(static_cast<ValueId>(i));
      }
      if (!found_.empty())
        return found_[found_.size() - 1 - below(one_in(2) ? found_.size() : std::min<size_t>(found_.size(), 3))];
    }
    return make(type);
  }

  ValueId make(Type type) {
    const bool has_constant = is_integer(type) && type_bits(type) <= 64;
    if (!has_constant || one_in(2)) {
      u32 matching = 0, chosen = 0;
      for (u32 i = 0; i < slots_.count; ++i) {
        if (slots_.slots[i].type == type && below(++matching) == 0) chosen = i;
      }
      if (matching != 0 && (has_constant || !one_in(3))) {
        Inst get;
        get.op = Op::get_slot;
        get.type = type;
        get.extra = chosen;
        return append(get);
      }
    }
    if (has_constant) return append(Op::constant, type, interesting(type));
    if (type == Type::flags) return append(Op::flags_bits, Type::i8, 0, value(Type::i8));
    if (is_float(type)) {
      const Type bits = type == Type::f32 ? Type::i32 : Type::i64;
      return append(Op::bitcast, type, 0, append(Op::constant, bits, float_bits(type)));
    }
    return kNoValue;  // wide ones come from slots and memory only
  }

  u64 interesting(Type type) {
    const u32 bits = type_bits(type);
    u64 r = rng_();
    switch (below(6)) {
      case 0:
        r = below(16);
        break;
      case 1:
        r = -u64{below(16)};
        break;
      case 2:
        r = u64{1} << below(bits);
        break;
      case 3:
        r = (u64{1} << below(bits)) - 1;
        break;
      case 4:
        r >>= below(64);
        break;
      default:
        break;
    }
    return r & type_mask(type);
  }

  u64 float_bits(Type type) {
    const u32 fraction = type == Type::f32 ? 23 : 52;
    const u64 exponent = type == Type::f32 ? 0xff : 0x7ff;
    const u64 sign = u64{below(2)} << (type_bits(type) - 1);
    const u64 low = interesting(Type::i64) & ((u64{1} << fraction) - 1);
    switch (below(6)) {
      case 0:
        return sign;
      case 1:
        return sign | exponent << fraction;
      case 2:
        return sign | exponent << fraction | u64{1} << (fraction - 1) | low;
      case 3:
        return sign | (exponent >> 1) << fraction | (one_in(2) ? 0 : low);
      case 4:
        return sign | low;
      default:
        return sign | below(exponent) * (u64{1} << fraction) | low;
    }
  }

  void terminal() {
    Terminal& t = block_.terminal;
    const auto offset = [&] { return 2 * (static_cast<i64>(below(256)) - 64); };
    late_ = true;
    u32 kind = below(4);
    if (ended_ && kind < 2) kind += 2;
    if ((kind == 1 && !allowed(Type::i1)) || (kind == 2 && !allowed(Type::i64))) kind = 3;
    switch (kind) {
      case 0:
      case 2:
        t.kind = kind == 0 ? Terminal::Kind::jump : Terminal::Kind::jump_indirect;
        t.hint = static_cast<Hint>(below(3));
        if (kind == 0)
          t.taken = offset();
        else
          t.value = value(Type::i64);
        if (t.hint == Hint::call) t.not_taken = block_.guest_bytes;
        break;
      case 1:
        t.kind = Terminal::Kind::branch;
        t.value = value(Type::i1);
        t.taken = offset();
        t.not_taken = offset();
        break;
      default:
        t.kind = Terminal::Kind::exit;
        t.exit = options_.anything ? static_cast<Exit>(below(3)) : Exit::lookup;
        t.taken = offset();
        break;
    }
  }

  Rng& rng_;
  const SlotTable slots_;
  const HelperTable helpers_;
  const RandomOptions& options_;
  Block& block_;
  std::vector<ValueId> found_;
  bool last_insn_ = false;
  bool late_ = false;     // the current guest instruction only writes from here
  bool written_ = false;  // it has written a slot
  bool ended_ = false;    // a helper ended the block
};

}  // namespace

void random_block(Rng& rng, SlotTable slots, HelperTable helpers, const RandomOptions& options, Block& block) {
  Generator(rng, slots, helpers, options, block).run();
}

}  // namespace pagoda::ir
