// SPDX-License-Identifier: MIT
// Transfer functions and their fixed point.
#include "tcg/opt/passes/known_bits.h"

#include <algorithm>
#include <bit>

#include "tcg/ir/fold.h"

namespace pagoda::opt::passes {
namespace {

using ir::Type;

bool is_small_integer(Type type) { return ir::is_integer(type) && type != Type::i128; }

// Makes the three parts agree.
Known settled(Known k, Type type) {
  const u32 bits = ir::type_bits(type);
  const u64 mask = ir::type_mask(type);
  k.zeros |= ~mask;
  k.ones &= mask;
  const auto leading = [&](u64 known) { return static_cast<u32>(std::countl_one(known << (64 - bits))); };
  k.signs = std::clamp(std::max({k.signs, leading(k.zeros), leading(k.ones)}), 1u, bits);
  // Copies of a sign that is known.
  const u64 top = u64{1} << (bits - 1), copies = k.signs >= 64 ? mask : mask & ~(mask >> k.signs);
  if ((k.zeros & top) != 0) k.zeros |= copies;
  if ((k.ones & top) != 0) k.ones |= copies;
  return k;
}

Known of_constant(u64 value, Type type) { return settled({~value, value, 1}, type); }
Known nothing(Type type) { return settled({}, type); }

Known either(const Known& a, const Known& b) {
  return {a.zeros & b.zeros, a.ones & b.ones, std::min(a.signs, b.signs)};
}

// a + b + carry, bit by bit as far as both and the carry are known.
Known sum(const Known& a, const Known& b, bool carry, Type type) {
  const u64 least = a.least() + b.least() + carry, most = a.most() + b.most() + carry;
  // Bits where the carries of the least and of the greatest sum agree are known if the operands are.
  const u64 known =
      (a.zeros | a.ones) & (b.zeros | b.ones) & ~((least ^ a.least() ^ b.least()) ^ (most ^ a.most() ^ b.most()));
  Known result{~least & known, least & known, 1};
  const u32 signs = std::min(a.signs, b.signs);
  result.signs = signs > 1 ? signs - 1 : 1;
  return settled(result, type);
}

Known inverted(const Known& a, Type type) {
  const u64 mask = ir::type_mask(type);
  return settled({(a.ones & mask) | ~mask, a.zeros & mask, a.signs}, type);
}

// No value above `most`.
Known at_most(u64 most, Type type) {
  return settled({most == 0 ? ~u64{0} : ~(~u64{0} >> std::countl_zero(most)), 0, 1}, type);
}

class Analysis {
 public:
  explicit Analysis(const Graph& graph) : graph_(graph), known_(graph.nodes.size()), changed_(graph.nodes.size()) {}

  std::vector<Known> run() {
    const std::vector<BlockId> order = reverse_postorder(graph_);
    constexpr u32 kPatience = 6;
    for (u32 sweep = 1;; ++sweep) {
      bool changed = false;
      for (const BlockId b : order) {
        for (const NodeId id : graph_.blocks[b].phis) changed |= phi_changed(id, sweep) && update(id, sweep, kPatience);
        for (const NodeId id : graph_.blocks[b].nodes)
          changed |= node_changed(id, sweep) && update(id, sweep, kPatience);
      }
      if (!changed) break;
    }
    return std::move(known_);
  }

 private:
  // Whether operands are not what they were when it was looked at last. Those of nodes come before them, those of phis
  // may have changed after it in the sweep before.
  bool node_changed(NodeId id, u32 sweep) const {
    if (changed_[id] == 0) return true;
    return std::ranges::any_of(graph_[id].args, [&](NodeId arg) { return changed_[arg] == sweep; });
  }
  bool phi_changed(NodeId id, u32 sweep) const {
    if (changed_[id] == 0) return true;
    return std::ranges::any_of(graph_.args_of_phi(id), [&](NodeId arg) { return changed_[arg] + 1 >= sweep; });
  }

  // True: less is known than before. A phi that keeps losing is given up, so that this ends.
  bool update(NodeId id, u32 sweep, u32 patience) {
    const Type type = graph_.type_of(id);
    const bool is_phi = graph_[id].op == Op::phi;
    if (!is_small_integer(type)) return false;
    const Known now = is_phi ? of_phi(id) : settled(of_node(id, type), type);
    if (changed_[id] == 0) {
      changed_[id] = sweep;
      known_[id] = now;
      return true;
    }
    Known& old = known_[id];
    const Known both = either(old, now);
    if (both.zeros == old.zeros && both.ones == old.ones && both.signs == old.signs) return false;
    old = is_phi && sweep > patience ? nothing(type) : both;
    changed_[id] = sweep;
    return true;
  }

  Known of_phi(NodeId id) const {
    Known result;
    bool first = true;
    for (const NodeId arg : graph_.args_of_phi(id)) {
      if (changed_[arg] == 0) continue;
      result = first ? known_[arg] : either(result, known_[arg]);
      first = false;
    }
    return result;
  }

  Known shifted(Op op, const Known& a, u32 by, Type type) const {
    const u32 bits = ir::type_bits(type);
    const u64 mask = ir::type_mask(type);
    switch (op) {
      case Op::shl:
        return {(a.zeros << by) | ((u64{1} << by) - 1), a.ones << by, a.signs > by ? a.signs - by : 1};
      case Op::shr:
        return {((a.zeros & mask) >> by) | ~(mask >> by), (a.ones & mask) >> by, 1};
      default: {
        const auto arithmetic = [&](u64 value) {
          return ir::sign_extend(ir::sign_extend(value & mask, bits) >> by, bits - by);
        };
        return {arithmetic(a.zeros) & mask, arithmetic(a.ones) & mask, std::min(bits, a.signs + by)};
      }
    }
  }

  Known of_node(NodeId id, Type type) const {
    const Node& node = graph_[id];
    const Known none;
    const Known &a = known_[node.args[0]], &b = known_[node.args[1]], &c = known_[node.args[2]];
    const Type from = node.args[0] != 0 ? graph_.type_of(node.args[0]) : Type::none;
    const u32 bits = ir::type_bits(type);
    const u64 mask = ir::type_mask(type);
    switch (node.op) {
      case Op::constant:
        return of_constant(node.imm, type);
      case Op::pc:  // from the start of a page
        return {~node.imm & 0xfff, node.imm & 0xfff, 1};
      case Op::add:
        return sum(a, b, false, type);
      case Op::sub:
        return sum(a, inverted(b, type), true, type);
      case Op::and_:
        return {a.zeros | b.zeros, a.ones & b.ones, std::min(a.signs, b.signs)};
      case Op::or_:
        return {a.zeros & b.zeros, a.ones | b.ones, std::min(a.signs, b.signs)};
      case Op::xor_:
        return {(a.zeros & b.zeros) | (a.ones & b.ones), (a.zeros & b.ones) | (a.ones & b.zeros),
                std::min(a.signs, b.signs)};
      case Op::not_:
        return inverted(a, type);
      case Op::shl:
      case Op::shr:
      case Op::sar:
        if (!graph_.is_constant(node.args[1])) {
          if (node.op == Op::shr) return {~mask | leading_zeros(a, bits), 0, 1};
          if (node.op == Op::sar) return {leading_zeros(a, bits) & mask, 0, a.signs};
          return none;
        }
        return shifted(node.op, a, static_cast<u32>(graph_[node.args[1]].imm & (bits - 1)), type);
      case Op::mul: {
        const u32 low = static_cast<u32>(std::countr_one(a.zeros) + std::countr_one(b.zeros));
        const u64 zeros = low >= 64 ? ~u64{0} : (u64{1} << low) - 1;
        const u128 most = static_cast<u128>(a.most() & mask) * (b.most() & mask);
        if (most > mask) return {zeros, 0, 1};
        Known result = at_most(static_cast<u64>(most), type);
        result.zeros |= zeros;
        return result;
      }
      case Op::div_u:
        return graph_.is_constant(node.args[1]) && graph_[node.args[1]].imm != 0
                   ? at_most(a.most() / graph_[node.args[1]].imm, type)
                   : none;
      case Op::rem_u:
        return at_most(b.ones != 0 ? std::min(a.most(), b.most() - 1) : a.most(), type);
      case Op::min_u:
        return at_most(std::min(a.most(), b.most()), type);
      case Op::max_u:
      case Op::min_s:
      case Op::max_s:
        return either(a, b);
      case Op::clz:
      case Op::ctz:
      case Op::popcnt:
        return at_most(bits, type);
      case Op::select:
        return either(b, c);
      case Op::zext:
        return {a.zeros, a.ones, 1};
      case Op::sext: {
        const u32 narrow = ir::type_bits(from);
        return {ir::sign_extend(a.zeros & ir::type_mask(from), narrow) & mask, ir::sign_extend(a.ones, narrow) & mask,
                a.signs + bits - narrow};
      }
      case Op::trunc: {
        const u32 wide = ir::type_bits(from);
        return {a.zeros, a.ones & mask, a.signs > wide - bits ? a.signs - (wide - bits) : 1};
      }
      case Op::load:
        return of_load(node, bits);
      case Op::f32_box:
        return {0, u64{0xffff'ffff} << 32, 32};
      case Op::fclass:
        return at_most(1 << 9, type);
      default:
        return none;
    }
  }

  static u64 leading_zeros(const Known& a, u32 bits) {
    const u32 count = static_cast<u32>(std::countl_one(a.zeros << (64 - bits)));
    return count == 0 ? 0 : ~u64{0} << (bits - count);
  }

  static Known of_load(const Node& node, u32 bits) {
    const ir::MemOp op = ir::MemOp::unpack(node.extra);
    const u32 loaded = op.size() * 8;
    if (loaded >= bits) return {};
    if (op.sign) return {0, 0, bits - loaded + 1};
    return {~((u64{1} << loaded) - 1), 0, 1};
  }

  const Graph& graph_;
  std::vector<Known> known_;
  std::vector<u32> changed_;  // by node: the last sweep in which it did; 0: not seen yet
};

}  // namespace

std::vector<Known> find_known_bits(const Graph& graph) { return Analysis(graph).run(); }

}  // namespace pagoda::opt::passes
