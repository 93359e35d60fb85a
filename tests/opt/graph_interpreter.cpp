// SPDX-License-Identifier: MIT
// One node after the other.
#include "opt/graph_interpreter.h"

#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "tcg/host/fp.h"
#include "tcg/host/vec.h"
#include "tcg/interp/integer_ops.h"
#include "tcg/ir/fold.h"

namespace pagoda::opt {
namespace {

using ir::Type;
using Way = GraphOutcome::Way;

constexpr u64 kMostOperations = 200'000;

template <class F>
u64 by_width(Type type, F&& f) {
  switch (type) {
    case Type::i8:
      return f(u8{});
    case Type::i16:
      return f(u16{});
    case Type::i32:
      return f(u32{});
    default:
      return f(u64{});
  }
}

class Machine {
 public:
  Machine(const Graph& graph, const GraphInput& input) : graph_(graph), input_(input), values_(graph.nodes.size()) {
    out_.slots = input.slots;
    out_.memory = input.memory;
    budget_ = input.budget;
    polls_ = input.polls;
  }

  GraphOutcome run() {
    fp::enter_guest(input_.fp_control);
    BlockId block = 0, before = 0;
    while (out_.operations < kMostOperations && one_block(block, before)) {
    }
    out_.fp_flags = fp::flags_of(fp::leave_guest());
    return std::move(out_);
  }

 private:
  // False: the region was left.
  bool one_block(BlockId& at, BlockId& before) {
    const Block& block = graph_.blocks[at];
    phis(block, before);
    for (const NodeId id : block.nodes) {
      ++out_.operations;
      if (!node(id)) return false;
    }
    ++out_.operations;
    // Two edges from one block to another are told apart by their side.
    u32 side = 0;
    switch (block.end) {
      case End::jump:
        break;
      case End::branch:
        side = word(block.value) != 0 ? 0 : 1;
        break;
      case End::link:
        out_.side = block.side;
        return leave(Way::link, block.state);
      case End::indirect:
        out_.value = word(block.value);
        return leave(Way::indirect, block.state);
    }
    second_edge_ = block.end == End::branch && side == 1 && block.next[0] == block.next[1];
    before = at;
    at = block.next[side];
    return true;
  }

  void phis(const Block& block, BlockId before) {
    if (block.phis.empty()) return;
    u32 index = 0;
    while (block.before[index] != before) ++index;
    if (second_edge_) {
      ++index;
      while (block.before[index] != before) ++index;
    }
    std::vector<GraphValue> now;
    for (const NodeId id : block.phis) now.push_back(values_[graph_.args_of_phi(id)[index]]);
    for (size_t i = 0; i < block.phis.size(); ++i) values_[block.phis[i]] = now[i];
  }

  u64 word(NodeId id) const { return values_[id].words[0]; }

  bool leave(Way way, StateId id) {
    const State& state = graph_.states[id];
    out_.way = way;
    out_.pc = input_.pc + static_cast<u64>(state.pc);
    out_.budget = budget_ + state.budget;
    for (const SlotValue& slot : graph_.slots_of(id)) out_.slots[slot.slot] = values_[slot.value];
    for (const NodeId value : graph_.replayed_of(id))
      out_.replayed.push_back(value == 0 ? GraphValue{} : values_[value]);
    return false;
  }

  void trace(u64 what) { out_.accesses = (out_.accesses ^ what) * 0x9e37'79b9'7f4a'7c15 + (out_.accesses >> 31); }

  bool node(NodeId id) {
    const Node& node = graph_[id];
    GraphValue& result = values_[id];
    switch (node.op) {
      case Op::slot_in:
        result = input_.slots[node.extra];
        return true;
      case Op::begin_unit:
        if (node.aux != 0 && polls_-- == 0) return leave(Way::poll, node.state);
        if (budget_ < static_cast<i64>(node.imm)) return leave(Way::budget, node.state);
        budget_ -= static_cast<i64>(node.imm);
        return true;
      case Op::trap_if:
        if (word(node.args[0]) == 0) return true;
        out_.value = word(node.args[1]);
        out_.cause = node.imm;
        return leave(Way::trap, node.state);
      case Op::load:
      case Op::store:
      case Op::atomic_rmw:
      case Op::atomic_cas:
      case Op::store_cond:
        return access(node, result);
      case Op::load_at:
      case Op::store_at: {
        CHECK(word(node.args[node.op == Op::load_at ? 1 : 2]) != 0, "an access without its page");
        Node plain = node;
        plain.op = node.op == Op::load_at ? Op::load : Op::store;
        return access(plain, result);
      }
      case Op::find_page: {
        // As if the page were there now and then; where it is, nothing may fault.
        const u64 low = word(node.args[0]) + node.imm;
        const bool fits = low < out_.memory.size() && out_.memory.size() - low > node.extra;
        const bool is_aligned = low % (u64{1} << (node.aux & 15)) == 0;
        result = {};
        result.words[0] = fits && is_aligned && (low >> 4) % 4 != 3 ? 1 : 0;
        return true;
      }
      case Op::fence:
        trace(0xfe + node.aux);
        return true;
      case Op::call:
        result = {};
        result.words[0] = helper(node) & ir::type_mask(node.type);
        return true;
      default:
        result = compute(id);
        return true;
    }
  }

  u64 helper(const Node& node) {
    u64 value = 0;
    if (node.extra == 0) {
      value = word(node.args[0]) + word(node.args[1]) * 3 + word(node.args[2]) * 5 + node.imm;
    } else {
      value = fp::read_flags();
      fp::write_flags(0);
    }
    trace(value);
    return value;
  }

  bool access(const Node& node, GraphValue& result) {
    const ir::MemOp op = ir::MemOp::unpack(node.extra);
    const u64 address = word(node.args[0]), size = op.size();
    trace(address + static_cast<u64>(node.op));
    trace(node.op == Op::store ? size << 8 : node.extra);  // a store may have another type of the same bytes
    const bool misaligned = (op.align || node.op >= Op::atomic_rmw) && address % size != 0;
    if (misaligned || address >= out_.memory.size() || out_.memory.size() - address < size) {
      return leave(Way::fault, node.state);
    }
    u8* at = out_.memory.data() + address;
    GraphValue old;
    std::memcpy(old.words, at, size);
    if (op.big_endian) reverse(old, size);
    GraphValue now = old;
    bool writes = true;
    switch (node.op) {
      case Op::load:
        result = old;
        if (op.sign && size < 8) result.words[0] = ir::sign_extend(old.words[0], static_cast<u32>(size * 8));
        if (ir::type_bits(node.type) <= 64) result.words[0] &= ir::type_mask(node.type);
        return true;
      case Op::store:
        now = values_[node.args[1]];
        break;
      case Op::atomic_rmw:
        result = old;
        now.words[0] = rmw(static_cast<ir::Rmw>(node.aux), node.type, old.words[0], word(node.args[1]));
        break;
      case Op::atomic_cas:
        result = old;
        writes = old.words[0] == word(node.args[1]);
        now.words[0] = word(node.args[2]);
        break;
      default:  // store_cond
        writes = word(node.args[0]) == word(node.args[1]) && old.words[0] == word(node.args[2]);
        now.words[0] = word(node.args[3]);
        result = {};
        result.words[0] = writes ? 1 : 0;
        break;
    }
    if (!writes) return true;
    if (op.big_endian) reverse(now, size);
    std::memcpy(at, now.words, size);
    return true;
  }

  static void reverse(GraphValue& value, u64 size) {
    u8 bytes[32];
    std::memcpy(bytes, value.words, 32);
    for (u64 i = 0; i < size / 2; ++i) std::swap(bytes[i], bytes[size - 1 - i]);
    std::memcpy(value.words, bytes, 32);
  }

  static u64 rmw(ir::Rmw kind, Type type, u64 old, u64 value) {
    constexpr ir::Op ops[] = {ir::Op::add,   ir::Op::add,   ir::Op::and_,  ir::Op::or_,  ir::Op::xor_,
                              ir::Op::min_s, ir::Op::max_s, ir::Op::min_u, ir::Op::max_u};
    if (kind == ir::Rmw::swap) return value;
    return *ir::fold(ops[static_cast<u32>(kind)], type, old, value);
  }

  GraphValue compute(NodeId id) {
    const Node& node = graph_[id];
    const GraphValue a = values_[node.args[0]], b = values_[node.args[1]], c = values_[node.args[2]];
    const u64 x = a.words[0], y = b.words[0];
    GraphValue result;
    const auto vector = [](u64 low, u64 high) { return GraphValue{{low, high, 0, 0}}; };
    switch (node.op) {
      case Op::constant:
        return {{node.imm, 0, 0, 0}};
      case Op::pc:
        return {{input_.pc + node.imm, 0, 0, 0}};
      case Op::and_:
      case Op::or_:
      case Op::xor_:
        for (u32 i = 0; i < 4; ++i) {
          const u64 p = a.words[i], q = b.words[i];
          result.words[i] = node.op == Op::and_ ? p & q : node.op == Op::or_ ? p | q : p ^ q;
        }
        return result;
      case Op::not_:
        for (u32 i = 0; i < 4; ++i) {
          if (i * 64 < ir::type_bits(node.type)) result.words[i] = ~a.words[i];
        }
        if (ir::type_bits(node.type) < 64) result.words[0] &= ir::type_mask(node.type);
        return result;
      case Op::select:
        return x != 0 ? b : c;
      case Op::zext:
      case Op::trunc:
        result.words[0] = x & ir::type_mask(node.type);
        return result;
      case Op::sext:
        result.words[0] = ir::sign_extend(x, ir::type_bits(graph_.type_of(node.args[0]))) & ir::type_mask(node.type);
        return result;
      case Op::bitcast:
        return a;
      case Op::vec_low:
        return vector(x, 0);
      case Op::vec_high:
        return vector(a.words[1], 0);
      case Op::vec_pair:
        return vector(x, y);
      case Op::vec_join:
        return {{x, a.words[1], y, b.words[1]}};
      case Op::vec:
      case Op::vec_fp: {
        Vec128 d, v[3];
        std::memcpy(&v[0], a.words, 16);
        std::memcpy(&v[1], b.words, 16);
        std::memcpy(&v[2], c.words, 16);
        kVecFunctions[node.extra](&d, &v[0], &v[1], &v[2], static_cast<u32>(node.imm));
        std::memcpy(result.words, &d, 16);
        return result;
      }
      default:
        break;
    }
    result.words[0] = node.op >= Op::fadd ? floating(node, x, y, c.words[0]) : integer(node, x, y, c.words[0]);
    return result;
  }

  static u64 integer(const Node& node, u64 x, u64 y, u64 z) {
    switch (node.op) {
      case Op::flags_add:
        return by_width(node.type, [&](auto t) {
          using T = decltype(t);
          return u64{interp::op_flags_add(static_cast<T>(x), static_cast<T>(y), z != 0)};
        });
      case Op::flags_sub:
        return by_width(node.type, [&](auto t) {
          using T = decltype(t);
          return u64{interp::op_flags_sub(static_cast<T>(x), static_cast<T>(y), z != 0)};
        });
      case Op::flags_subc:
        return by_width(node.type, [&](auto t) {
          using T = decltype(t);
          return u64{interp::op_flags_subc(static_cast<T>(x), static_cast<T>(y), z != 0)};
        });
      case Op::flags_logic:
        return by_width(node.type, [&](auto t) {
          using T = decltype(t);
          return u64{interp::op_flags_logic(static_cast<T>(x))};
        });
      case Op::flags_bits:
      case Op::flags_pack:
        return x & ir::kAllFlags;
      case Op::flags_merge:
        return (x & ~u64{node.aux}) | (y & node.aux);
      case Op::flag:
        return x >> node.aux & 1;
      default:
        break;
    }
    const ir::Op op = to_ir(node.op);
    const auto value =
        ir::op_info(op).operand_count() == 2 ? ir::fold(op, node.type, x, y) : ir::fold(op, node.type, x);
    CHECK(value.has_value(), "the interpreter does not know {}", op_name(node.op));
    return *value;
  }

  u64 floating(const Node& node, u64 x, u64 y, u64 z) const {
    const Type from = graph_.type_of(node.args[0]);
    if (node.op == Op::f32_box) return fp::f32_box(static_cast<u32>(x));
    if (node.op == Op::f32_unbox) return fp::f32_unbox(x);
    const auto round = static_cast<ir::Round>(node.aux & 15);
    const auto sign = static_cast<ir::Sign>(node.aux >> 4);
    if (node.op == Op::i_to_f) {
      const u32 bits = ir::type_bits(from);
      const u64 value = sign == ir::Sign::is_signed ? ir::sign_extend(x, bits) : x;
      return node.type == Type::f32 ? fp::i_to_f<u32>(round, sign, value) : fp::i_to_f<u64>(round, sign, value);
    }
    if (node.op == Op::f_to_f) {
      if (node.type == Type::f32) return fp::f64_to_f32(round, x);
      return fp::f32_to_f64(static_cast<u32>(x));
    }
    if (node.op == Op::f16_widen) {
      const u16 half = static_cast<u16>(x);
      return node.type == Type::f32 ? fp::f16_widen<u32>(half) : fp::f16_widen<u64>(half);
    }
    const Type type = from;
    return type == Type::f32 ? of<u32>(node, round, sign, static_cast<u32>(x), static_cast<u32>(y), static_cast<u32>(z))
                             : of<u64>(node, round, sign, x, y, z);
  }

  template <class T>
  static u64 of(const Node& node, ir::Round round, ir::Sign sign, T a, T b, T c) {
    switch (node.op) {
      case Op::fadd:
        return fp::fadd(round, a, b);
      case Op::fsub:
        return fp::fsub(round, a, b);
      case Op::fmul:
        return fp::fmul(round, a, b);
      case Op::fdiv:
        return fp::fdiv(round, a, b);
      case Op::fsqrt:
        return fp::fsqrt(round, a);
      case Op::fma:
        return fp::fma(round, a, b, c);
      case Op::fneg:
        return fp::fneg(a);
      case Op::fmin:
        return fp::fmin(a, b);
      case Op::fmax:
        return fp::fmax(a, b);
      case Op::fcmp:
        return fp::fcmp(static_cast<ir::FpCompare>(node.aux), a, b) ? 1 : 0;
      case Op::fclass:
        return fp::fclass(a);
      case Op::f_to_i:
        return fp::f_to_i(round, sign, ir::type_bits(node.type), a) & ir::type_mask(node.type);
      case Op::fround:
        return fp::fround(round, a);
      case Op::froundx:
        return fp::froundx(round, a);
      case Op::f16_narrow:
        return fp::f16_narrow(round, a);
      default:
        CHECK(false, "the interpreter does not know {}", op_name(node.op));
    }
  }

  const Graph& graph_;
  const GraphInput& input_;
  std::vector<GraphValue> values_;
  GraphOutcome out_;
  i64 budget_ = 0;
  u32 polls_ = 0;
  bool second_edge_ = false;
};

}  // namespace

bool GraphOutcome::operator==(const GraphOutcome& other) const {
  return way == other.way && side == other.side && value == other.value && cause == other.cause && pc == other.pc &&
         budget == other.budget && slots == other.slots && replayed == other.replayed && memory == other.memory &&
         accesses == other.accesses && fp_flags == other.fp_flags;
}

GraphOutcome interpret(const Graph& graph, const GraphInput& input) { return Machine(graph, input).run(); }

std::string describe(const Graph& graph, const GraphOutcome& outcome) {
  constexpr const char* ways[] = {"link", "indirect", "poll", "budget", "fault", "trap", "endless"};
  std::string text = fmt::format("{} side {} value {:#x} cause {} pc {:#x} budget {} flags {:#x} accesses {:#x}\n",
                                 ways[static_cast<u32>(outcome.way)], outcome.side, outcome.value, outcome.cause,
                                 outcome.pc, outcome.budget, outcome.fp_flags, outcome.accesses);
  for (u32 i = 0; i < outcome.slots.size(); ++i) {
    text += fmt::format("  {} = {:#x} {:#x}\n", graph.slots.slots[i].name, outcome.slots[i].words[0],
                        outcome.slots[i].words[1]);
  }
  for (const GraphValue& value : outcome.replayed) text += fmt::format("  replayed {:#x}\n", value.words[0]);
  return text;
}

}  // namespace pagoda::opt
