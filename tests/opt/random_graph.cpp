// SPDX-License-Identifier: MIT
// First the ways between blocks, then, in an order in which what dominates comes first, what is in them.
#include "opt/random_graph.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "opt/graph_maker.h"
#include "tcg/host/fp.h"

namespace pagoda::opt {
namespace {

using ir::Type;

constexpr ir::SlotInfo kSlotList[] = {
    {"x1", Type::i64, 0},  {"x2", Type::i64, 8}, {"x3", Type::i64, 16}, {"x4", Type::i64, 24}, {"f1", Type::i64, 32},
    {"f2", Type::i64, 40}, {"w", Type::i32, 48}, {"b", Type::i8, 52},   {"t", Type::i1, 53},   {"cc", Type::flags, 56},
    {"s", Type::f32, 64},  {"d", Type::f64, 72}, {"v", Type::v128, 80}, {"q", Type::i128, 96}};
constexpr u32 kSlots = std::size(kSlotList);
constexpr u64 kMemory = 4096;

class Generator {
 public:
  Generator(Rng& rng, const RandomGraphOptions& options) : rng_(rng), options_(options), maker_(kGraphSlots) {}

  Graph run() {
    ways();
    Graph& graph = maker_.graph;
    const std::vector<BlockId> order = reverse_postorder(graph);
    over_ = dominators(graph, order);
    // A way back goes to a block that is before this one in the order: those count instructions, so that no loop is
    // endless.
    std::vector<u32> place(graph.blocks.size(), ~0u);
    for (u32 i = 0; i < order.size(); ++i) place[order[i]] = i;
    drop_unreached(place);
    env_.resize(graph.blocks.size());
    values_.resize(graph.blocks.size());
    for (const BlockId b : order) {
      bool counts = one_in(2);
      for (const BlockId before : graph.blocks[b].before) counts |= place[before] >= place[b];
      fill(b, counts);
    }
    for (const BlockId b : order) {
      u32 slot = 0;
      for (const NodeId phi : phis_[b]) {
        std::vector<NodeId> args;
        for (const BlockId before : graph.blocks[b].before) args.push_back(env_[before][slot]);
        maker_.set_phi(phi, args);
        ++slot;
      }
    }
    // Of anything, as samples are.
    for (Block& block : graph.blocks) {
      if (one_in(3)) continue;
      for (u64& went : block.went) went = one_in(2) ? below(8) : below(100);
      block.count = block.went[0] + block.went[1];
    }
    return std::move(graph);
  }

 private:
  u32 below(u64 n) { return static_cast<u32>(rng_() % n); }
  bool one_in(u32 n) { return below(n) == 0; }

  void ways() {
    const u32 count = 1 + below(options_.blocks);
    for (u32 i = 0; i < count; ++i) maker_.block();
    const u32 often = 1 + below(std::min(count, 2u));  // several ways lead there: loops in loops
    for (BlockId b = 0; b <= count; ++b) {
      maker_.at = b;
      const auto somewhere = [&] {
        if (one_in(3)) return often;
        if (one_in(3)) return 1 + below(count);
        return std::min(count, b + 1 + below(3));
      };
      const u32 kind = b == 0 ? 9 : below(10);
      if (kind == 0 || b == count) {
        maker_.link(0, 0);
      } else if (kind == 1) {
        maker_.indirect(0, 0);
      } else if (kind <= 6) {
        const BlockId yes = somewhere();
        maker_.branch(0, yes, one_in(16) ? yes : somewhere());
      } else {
        maker_.jump(somewhere());
      }
    }
  }

  void drop_unreached(const std::vector<u32>& place) {
    for (Block& block : maker_.graph.blocks) {
      std::erase_if(block.before, [&](BlockId before) { return place[before] == ~0u; });
    }
    for (BlockId b = 0; b < place.size(); ++b) {
      if (place[b] != ~0u) continue;
      maker_.graph.blocks[b] = {};
      maker_.graph.blocks[b].end = End::link;
    }
  }

  void fill(BlockId b, bool counts) {
    maker_.at = b;
    Graph& graph = maker_.graph;
    graph.blocks[b].count = one_in(4) ? 0 : 1 + below(200);
    phis_.resize(graph.blocks.size());
    std::vector<NodeId>& env = env_[b];
    if (b == 0) {
      for (u32 slot = 0; slot < kSlots; ++slot) env.push_back(maker_.slot_in(slot));
      first_ = env;
      values_[0] = env;
      return;
    }
    values_[b] = values_[over_[b]];
    if (graph.blocks[b].before.size() == 1 && !one_in(4)) {
      env = env_[graph.blocks[b].before[0]];
    } else {
      for (u32 slot = 0; slot < kSlots; ++slot) {
        const NodeId phi = maker_.phi(kSlotList[slot].type);
        phis_[b].push_back(phi);
        env.push_back(phi);
        values_[b].push_back(phi);
      }
    }
    pc_ = 4 * static_cast<i64>(b) * 16;
    begun_ = 0;
    replayed_.clear();
    if (counts) {
      begun_ = 1 + below(4);
      maker_.begin_unit(begun_, !one_in(3), state(0));
    }
    const u32 nodes = below(options_.nodes_per_block + 1);
    for (u32 i = 0; i < nodes; ++i) {
      if (one_in(4)) {  // the next instruction
        replayed_.clear();
        pc_ += 4;
      }
      if (one_in(5))
        idiom();
      else
        random_op();
      if (one_in(3)) assign();
    }
    // What was computed is looked at.
    if (begun_ != 0 && one_in(3)) {
      pointer();
    } else if (one_in(2)) {
      for (u32 slot = 0; slot < kSlots; ++slot) env[slot] = value(kSlotList[slot].type);
    }
    Block& block = graph.blocks[b];
    if (block.end == End::branch) block.value = value(Type::i1);
    if (block.end == End::indirect) block.value = value(Type::i64);
    // Nodes were made: the reference to the block is still good, the vector of blocks did not grow.
    if (block.end == End::indirect || block.end == End::link) block.state = state(static_cast<i32>(below(begun_ + 1)));
    if (block.end == End::link) block.side = static_cast<u8>(below(2));
  }

  StateId state(i32 budget) {
    std::vector<SlotValue> slots;
    for (u32 slot = 0; slot < kSlots; ++slot) {
      if (env_[maker_.at][slot] != first_[slot] || one_in(8)) slots.push_back({slot, env_[maker_.at][slot]});
    }
    return maker_.state(pc_, budget, slots, replayed_);
  }
  StateId state() { return state(static_cast<i32>(below(begun_ + 1))); }

  NodeId keep(NodeId id) {
    values_[maker_.at].push_back(id);
    return id;
  }

  void assign() {
    const u32 slot = below(kSlots);
    env_[maker_.at][slot] = value(kSlotList[slot].type);
  }

  u64 number(Type type) {
    const u32 bits = ir::type_bits(type);
    switch (below(6)) {
      case 0:
        return rng_() & ir::type_mask(type);
      case 1:
        return (u64{1} << below(bits)) & ir::type_mask(type);
      case 2:
        return ((u64{1} << below(bits)) - 1) & ir::type_mask(type);
      case 3:
        return (u64{0} - below(20)) & ir::type_mask(type);
      case 4:
        return below(70) & ir::type_mask(type);
      default:
        return below(11) & ir::type_mask(type);
    }
  }

  // A value of the type that may be used at the current place.
  NodeId value(Type type) {
    const std::vector<NodeId>& known = values_[maker_.at];
    const bool small = ir::is_integer(type) && type != Type::i128;
    if (small && one_in(4)) return maker_.constant(type, number(type));
    for (u32 tries = 0; tries < 12; ++tries) {
      const size_t from = one_in(2) && known.size() > 12 ? known.size() - 12 : 0;
      const NodeId id = known[from + below(known.size() - from)];
      if (maker_.graph.type_of(id) == type) return id;
    }
    return converted(type);
  }

  NodeId converted(Type type) {
    switch (type) {
      case Type::f32:
        return keep(one_in(2) ? maker_.op(Op::f32_unbox, type, value(Type::i64))
                              : maker_.op(Op::bitcast, type, value(Type::i32)));
      case Type::f64:
        return keep(maker_.op(Op::bitcast, type, value(Type::i64)));
      case Type::i1:
        return keep(maker_.op(random_of({Op::eq, Op::ne, Op::lt_s, Op::le_s, Op::lt_u, Op::le_u}), Type::i64,
                              value(Type::i64), value(Type::i64)));
      case Type::i8:
      case Type::i16:
      case Type::i32:
        return keep(maker_.op(Op::trunc, type, value(Type::i64)));
      case Type::v256:
        return keep(maker_.op(Op::vec_join, type, value(Type::v128), value(Type::v128)));
      default: {
        // There is a slot of each other type.
        u32 slot = 0;
        while (kSlotList[slot].type != type) ++slot;
        return env_[maker_.at][slot];
      }
    }
  }

  Op random_of(std::initializer_list<Op> ops) { return ops.begin()[below(ops.size())]; }
  Type random_of(std::initializer_list<Type> types) { return types.begin()[below(types.size())]; }

  // A pointer that is counted up before it is used.
  void pointer() {
    const u32 slot = below(4);
    const NodeId old = env_[maker_.at][slot];
    if (maker_.graph[old].op != Op::phi || !options_.memory) return;
    const auto add = [&](NodeId to, u64 what) {
      return maker_.op(Op::add, Type::i64, to, maker_.constant(Type::i64, what));
    };
    env_[maker_.at][slot] = keep(add(old, 8 * (1 + below(3))));
    const NodeId at = one_in(3) ? old : add(old, 8 * below(4) - u64{8});
    replayed_.push_back(keep(maker_.load(Type::i64, at, {.size_log2 = 3}, state())));
  }

  // Combinations that passes look for.
  void idiom() {
    const Type type = options_.allows != nullptr ? random_of({Type::i64, Type::i32})
                                                 : random_of({Type::i64, Type::i64, Type::i32, Type::i16});
    const auto amount = [&] { return maker_.constant(type, below(ir::type_bits(type) + 2)); };
    switch (below(9)) {
      case 0: {
        const NodeId x = keep(maker_.op(random_of({Op::shl, Op::shl, Op::shr, Op::sar}), type, value(type), amount()));
        keep(maker_.op(random_of({Op::shl, Op::shr, Op::sar}), type, x, amount()));
        return;
      }
      case 1: {  // 32-bit arithmetic in 64 bits
        const NodeId a = maker_.op(Op::trunc, Type::i32, value(Type::i64));
        const NodeId b =
            keep(maker_.op(random_of({Op::add, Op::sub, Op::shl, Op::sar, Op::div_s}), Type::i32, a, value(Type::i32)));
        keep(maker_.op(random_of({Op::sext, Op::zext}), Type::i64, b));
        return;
      }
      case 2: {  // a floating-point register of 64 bits
        if (!options_.floating_point) return;
        const bool single = one_in(2);
        const Type fp = single ? Type::f32 : Type::f64;
        const NodeId a = maker_.op(single ? Op::f32_unbox : Op::bitcast, fp, value(Type::i64));
        const NodeId b = keep(maker_.op(random_of({Op::fadd, Op::fmul, Op::fsub}), fp, a, value(fp)));
        const NodeId c = keep(maker_.op(single ? Op::f32_box : Op::bitcast, Type::i64, b));
        env_[maker_.at][4 + below(2)] = c;
        return;
      }
      case 3: {
        const Op op = random_of({Op::flags_add, Op::flags_sub, Op::flags_subc});
        const NodeId a = value(type), b = value(type);
        const NodeId none = maker_.constant(Type::i1, one_in(4) ? 1 : 0);
        const NodeId flags = keep(maker_.op(op, type, a, b, none));
        env_[maker_.at][9] = flags;
        const NodeId one = keep(maker_.op(Op::flag, Type::flags, flags, 0, 0, random_flag()));
        const NodeId other = keep(maker_.op(Op::flag, Type::flags, flags, 0, 0, random_flag()));
        keep(maker_.op(random_of({Op::xor_, Op::or_, Op::and_}), Type::i1, one, other));
        return;
      }
      case 4:
        keep(maker_.op(random_of({Op::div_u, Op::div_s, Op::rem_u, Op::rem_s, Op::mul}), type, value(type),
                       maker_.constant(type, number(type))));
        return;
      case 5: {
        const u32 bits = ir::type_bits(type), by = below(bits);
        const NodeId x = value(type);
        const NodeId a = maker_.op(Op::shl, type, x, maker_.constant(type, by));
        const NodeId b = maker_.op(Op::shr, type, x, maker_.constant(type, bits - by));
        keep(maker_.op(random_of({Op::or_, Op::xor_}), type, a, b));
        return;
      }
      case 6: {
        const NodeId c = value(Type::i1);
        const NodeId wide = keep(maker_.op(random_of({Op::zext, Op::sext}), type, c));
        keep(maker_.op(random_of({Op::eq, Op::ne}), type, wide, maker_.constant(type, one_in(2) ? 0 : number(type))));
        return;
      }
      case 7: {
        const NodeId x = keep(maker_.op(random_of({Op::add, Op::sub}), type, value(type), value(type)));
        const NodeId y = keep(maker_.op(random_of({Op::add, Op::sub, Op::xor_}), type, x, value(type)));
        keep(maker_.op(random_of({Op::eq, Op::ne, Op::lt_u, Op::le_s}), type, y, maker_.constant(type, below(2))));
        return;
      }
      default: {
        const NodeId a = value(type), b = value(type);
        const NodeId c =
            keep(maker_.op(random_of({Op::lt_u, Op::lt_s, Op::le_u, Op::le_s, Op::eq, Op::ne}), type, a, b));
        const NodeId d = keep(maker_.op(random_of({Op::lt_u, Op::lt_s, Op::le_u, Op::le_s, Op::eq, Op::ne}), type,
                                        one_in(2) ? a : b, one_in(2) ? b : a));
        keep(maker_.op(random_of({Op::and_, Op::or_, Op::xor_}), Type::i1, c, d));
        keep(maker_.op(Op::select, type, c, one_in(2) ? a : value(type), one_in(2) ? b : value(type)));
        return;
      }
    }
  }

  u8 random_flag() {
    constexpr ir::Flag flags[] = {ir::Flag::c, ir::Flag::v, ir::Flag::p, ir::Flag::a, ir::Flag::z, ir::Flag::n};
    return static_cast<u8>(flags[below(6)]);
  }

  NodeId address() {
    const NodeId x = value(Type::i64);
    if (one_in(24)) return x;
    const NodeId masked =
        maker_.op(Op::and_, Type::i64, x, maker_.constant(Type::i64, one_in(8) ? kMemory - 1 : 0x7f8));
    if (one_in(2)) return masked;
    return maker_.op(Op::add, Type::i64, masked, maker_.constant(Type::i64, below(16) * 8));
  }

  void random_op() {
    if (one_in(16)) return access(ir::Op::load, {.op = Op::load, .type = Type::i64, .args = {}});
    const auto op = static_cast<ir::Op>(below(ir::kOpCount));
    const ir::OpInfo& info = ir::op_info(op);
    if (info.aux == ir::Aux::Marker || info.aux == ir::Aux::Slot) return;
    if (op == ir::Op::vec_fp || op >= ir::Op::fadd) {
      if (!options_.floating_point && op < ir::Op::trap_if) return;
    }
    if (!options_.vectors && (op == ir::Op::vec || op == ir::Op::vec_fp)) return;
    Node node{.op = from_ir(op)};
    Type types[ir::kTypeCount];
    u32 count = 0;
    for (u32 i = 1; i < ir::kTypeCount; ++i) {
      const Type type = static_cast<Type>(i);
      if (ir::contains(info.types, type) &&
          (type <= Type::i64 || type == Type::f32 || type == Type::f64 || options_.vectors))
        types[count++] = type;
    }
    if (count != 0) node.type = types[below(count)];
    if (count == 0 && !ir::contains(info.types, Type::none)) return;
    if (!payload(op, info, node)) return;
    if (options_.allows != nullptr && !options_.allows(node)) return;
    if (info.aux == ir::Aux::Mem || info.aux == ir::Aux::MemRmw) return access(op, node);
    for (u32 i = 0; i < 4; ++i) {
      if (info.operands[i] == ir::Operand::_) break;
      const Type type = operand(op, info.operands[i], node.type);
      if (type == Type::none) return;
      node.args[i] = value(type);
    }
    if (op == ir::Op::trap_if) {
      if (!one_in(4)) return;
      node.state = state();
    }
    const NodeId id = maker_.add(node);
    if (maker_.graph.type_of(id) != Type::none) keep(id);
  }

  bool payload(ir::Op op, const ir::OpInfo& info, Node& node) {
    switch (info.aux) {
      case ir::Aux::Imm:
        node.imm = op == ir::Op::constant ? number(node.type) : below(16);
        return true;
      case ir::Aux::Offset:
        node.imm = below(64);
        return true;
      case ir::Aux::Flag:
        node.aux = random_flag();
        return true;
      case ir::Aux::FlagMask:
        node.aux = static_cast<u8>(rng_() & ir::kAllFlags);
        return true;
      case ir::Aux::Order:
        node.aux = static_cast<u8>(below(6));
        return true;
      case ir::Aux::Round:
        node.aux = static_cast<u8>(one_in(2) ? 0 : below(6));
        return true;
      case ir::Aux::RoundSign:
        node.aux = static_cast<u8>((one_in(2) ? 0 : below(6)) | below(2) << 4);
        return true;
      case ir::Aux::FpCompare:
        node.aux = static_cast<u8>(below(6));
        return true;
      case ir::Aux::Vec:
        node.extra = op == ir::Op::vec ? below(ir::kVecIntOps) : ir::kVecIntOps + below(ir::kVecOps - ir::kVecIntOps);
        node.imm = below(256);
        return true;
      case ir::Aux::Helper:
        if (!options_.helpers || !one_in(3) || ir::type_bits(node.type) > 64 || !ir::is_integer(node.type))
          return false;
        node.extra = below(2);
        node.imm = below(100);
        return true;
      default:
        return true;
    }
  }

  Type operand(ir::Op op, ir::Operand column, Type own) {
    if (column == ir::Operand::T) return own;
    if (const Type fixed = ir::fixed_type(column); fixed != Type::none) return fixed;
    // Of any width that the op can convert.
    for (u32 tries = 0; tries < 8; ++tries) {
      const Type type = column == ir::Operand::FP    ? random_of({Type::f32, Type::f64})
                        : column == ir::Operand::INT ? random_of({Type::i1, Type::i8, Type::i16, Type::i32, Type::i64})
                                                     : random_of({Type::i32, Type::i64, Type::f32, Type::f64});
      if (op == ir::Op::call && type != Type::i64) continue;
      if (!ir::has_conversion_rule(op) || ir::converts(op, type, own)) return type;
    }
    return Type::none;
  }

  void access(ir::Op op, Node node) {
    if (!options_.memory) return;
    ir::MemOp how;
    const u32 bytes = ir::type_bytes(node.type);
    how.size_log2 = static_cast<u8>(std::countr_zero(bytes));
    const bool plain = op == ir::Op::load || op == ir::Op::store;
    if (plain && ir::is_integer(node.type) && bytes <= 8) how.size_log2 = static_cast<u8>(below(how.size_log2 + 1u));
    how.sign = op == ir::Op::load && bytes <= 8 && ir::is_integer(node.type) && one_in(2);
    how.align = one_in(8);
    how.big_endian = one_in(16);
    if (!plain && bytes > 8) return;
    node.extra = how.pack();
    node.aux = op == ir::Op::atomic_rmw ? static_cast<u8>(below(9)) : u8{0};
    node.args[0] = around_ != 0 ? around_ : address();
    const ir::OpInfo& info = ir::op_info(op);
    for (u32 i = 1; i < 4 && info.operands[i] != ir::Operand::_; ++i) {
      node.args[i] = value(op == ir::Op::store_cond && i == 1 ? Type::i64 : node.type);
    }
    if (op == ir::Op::store_cond && one_in(2)) node.args[1] = node.args[0];
    node.state = state();
    const NodeId id = maker_.add(node);
    const bool has_value = maker_.graph.type_of(id) != Type::none;
    if (has_value) keep(id);
    replayed_.push_back(has_value ? id : 0);
    // More around the same pointer, now and then.
    if (!plain || in_run_ || !one_in(2)) return;
    in_run_ = true;
    const NodeId base = node.args[0];
    for (u32 n = 3 + below(5); n-- > 0;) {
      const NodeId distance = maker_.constant(Type::i64, u64{below(12)} * 4 - 16);
      around_ = maker_.add({.op = Op::add, .type = Type::i64, .args = {base, distance, 0, 0}});
      Node more{
          .op = one_in(2) ? Op::load : Op::store, .type = random_of({Type::i32, Type::i64, Type::f64}), .args = {}};
      access(to_ir(more.op), more);
    }
    around_ = 0;
    in_run_ = false;
  }

  Rng& rng_;
  const RandomGraphOptions& options_;
  GraphMaker maker_;
  std::vector<BlockId> over_;
  std::vector<std::vector<NodeId>> env_, values_, phis_;
  std::vector<NodeId> first_, replayed_;
  i64 pc_ = 0;
  u32 begun_ = 0;
  bool in_run_ = false;
  NodeId around_ = 0;  // address of the next access, if not 0
};

}  // namespace

const ir::SlotTable kGraphSlots{kSlotList, kSlots};

Graph random_graph(Rng& rng, const RandomGraphOptions& options) { return Generator(rng, options).run(); }

GraphInput random_input(Rng& rng) {
  GraphInput input;
  for (const ir::SlotInfo& slot : kSlotList) {
    GraphValue value;
    const u32 bits = ir::type_bits(slot.type);
    for (u32 i = 0; i * 64 < bits; ++i) value.words[i] = rng();
    const u64 kind = rng() % 6;
    if (kind == 0) value.words[0] = rng() % 20;
    if (kind == 1) value.words[0] = u64{0} - rng() % 20;
    if (kind == 2 && slot.type == Type::i64) value.words[0] |= u64{0xffff'ffff} << 32;  // a boxed single
    if (kind == 3 && slot.type == Type::i64) value.words[0] = std::bit_cast<u64>(static_cast<double>(rng() % 1000) / 8);
    if (kind == 4) value.words[0] = static_cast<u64>(static_cast<i64>(static_cast<i32>(rng())));
    if (bits < 64) value.words[0] &= ir::type_mask(slot.type);
    if (slot.type == Type::flags) value.words[0] &= ir::kAllFlags;
    input.slots.push_back(value);
  }
  input.memory.resize(kMemory);
  for (u64 at = 0; at < kMemory; at += 8) {
    const u64 word = rng() % 3 == 0 ? rng() % 100 : rng();
    std::memcpy(input.memory.data() + at, &word, 8);
  }
  input.budget = 10 + static_cast<i64>(rng() % 60);
  input.polls = static_cast<u32>(rng() % 3 == 0 ? rng() % 5 : 1000);
  constexpr ir::Round rounds[] = {ir::Round::nearest_even, ir::Round::to_zero, ir::Round::down, ir::Round::up};
  input.fp_control = fp::control_word(rounds[rng() % 4], static_cast<u8>(rng() % 4 == 0 ? rng() & 31 : 0));
  return input;
}

}  // namespace pagoda::opt
