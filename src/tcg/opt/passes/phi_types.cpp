// SPDX-License-Identifier: MIT
// Floating-point values that are held as integers, as RISC-V's f registers are: phis and loads of i64 whose value is
// only ever used as a float become floats, and loops keep them in floating-point registers.
//
// Phis that feed each other are taken together. Where the integer is still wanted (by states above all) it is a bitcast
// of the float, which costs nothing where a value leaves the region. A single is NaN-boxed: what its phi held when the
// region was entered need not be, so such a phi stays, as an f64, and a second one holds the unboxed value.
#include <algorithm>
#include <numeric>

#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {
namespace {

using ir::Type;

struct Uses {
  u32 as_double = 0, as_single = 0, as_word = 0, as_integer = 0;
};

class PhiTypes {
 public:
  explicit PhiTypes(Context& context) : context_(context), graph_(context.graph) {}

  void run() {
    count();
    std::vector<NodeId> phis;
    for (const BlockId b : reverse_postorder(graph_)) {
      for (const NodeId id : graph_.blocks[b].phis) {
        if (graph_[id].type == Type::i64) phis.push_back(id);
      }
    }
    join(phis);
    for (const NodeId id : phis) {
      if (root(id) != id) continue;
      std::vector<NodeId> web;
      for (const NodeId other : phis) {
        if (root(other) == id) web.push_back(other);
      }
      convert(web);
    }
    loads();
  }

 private:
  void count() {
    uses_.assign(graph_.nodes.size(), {});
    for (const Block& block : graph_.blocks) {
      for (const NodeId id : block.nodes) {
        const Node& node = graph_[id];
        for (u32 i = 0; i < 4; ++i) {
          Uses& uses = uses_[node.args[i]];
          if (node.op == Op::bitcast && ir::is_float(node.type)) {
            ++uses.as_double;
          } else if (node.op == Op::f32_unbox) {
            ++uses.as_single;
          } else if (node.op == Op::trunc && node.type == Type::i32) {
            ++uses.as_word;
          } else if (node.op != Op::store || i != 1) {  // what is stored may be either
            ++uses.as_integer;
          }
        }
      }
      ++uses_[block.value].as_integer;
    }
  }

  NodeId root(NodeId id) {
    while (leader_[id] != id) id = leader_[id] = leader_[leader_[id]];
    return id;
  }
  void join(const std::vector<NodeId>& phis) {
    leader_.resize(graph_.nodes.size());
    std::iota(leader_.begin(), leader_.end(), NodeId{0});
    for (const NodeId id : phis) {
      for (const NodeId arg : graph_.args_of_phi(id)) {
        if (graph_[arg].op != Op::phi) continue;
        const NodeId a = root(id), b = root(arg);
        if (a != b) leader_[std::max(a, b)] = std::min(a, b);
      }
    }
  }

  // Directly behind the node that defines `id`.
  NodeId make_behind(NodeId id, Op op, Type type) {
    const BlockId b = graph_[id].block;
    const NodeId now = graph_.add({.op = op, .type = type, .args = {id, 0, 0, 0}, .block = b});
    std::vector<NodeId>& nodes = graph_.blocks[b].nodes;
    const auto at = std::find(nodes.begin(), nodes.end(), id);
    nodes.insert(at == nodes.end() ? nodes.begin() : at + 1, now);
    return now;
  }

  NodeId make_phi(NodeId like, Type type) {
    Node node = graph_[like];
    node.type = type;
    node.imm = graph_.phi_args.size();
    const NodeId id = graph_.add(node);
    graph_.phi_args.resize(graph_.phi_args.size() + node.extra);
    graph_.blocks[node.block].phis.push_back(id);
    return id;
  }

  void convert(const std::vector<NodeId>& web) {
    Uses uses;
    bool has_float_input = false, has_word_input = false;
    for (const NodeId id : web) {
      uses.as_double += uses_[id].as_double;
      uses.as_single += uses_[id].as_single;
      uses.as_word += uses_[id].as_word;
      uses.as_integer += uses_[id].as_integer;
      for (const NodeId arg : graph_.args_of_phi(id)) {
        has_float_input |= graph_[arg].op == Op::f32_box || is_bits_of_float(arg);
        has_word_input |= is_word(arg);
      }
    }
    const bool is_float = uses.as_double != 0 || uses.as_single != 0 || has_float_input;
    if (uses.as_integer == 0 && uses.as_word != 0 && has_word_input && !is_float) {
      if (!context_.take()) return;
      const std::vector<NodeId> words = make_seconds(web, Op::trunc, Type::i32);
      if (are_extended(web)) extend(web, words);
      return;
    }
    if (!is_float || uses.as_integer + uses.as_word != 0 || !context_.take()) return;
    if (uses.as_single != 0) make_seconds(web, Op::f32_unbox, Type::f32);
    make_doubles(web);
  }

  bool is_bits_of_float(NodeId id) const {
    return graph_[id].op == Op::bitcast && ir::is_float(graph_.type_of(graph_[id].args[0]));
  }

  // For each phi one of type f64, which it then is the bits of.
  void make_doubles(const std::vector<NodeId>& web) {
    std::vector<NodeId> now(graph_.nodes.size());
    for (const NodeId id : web) now[id] = make_phi(id, Type::f64);
    for (const NodeId id : web) {
      for (u32 i = 0; i < graph_[id].extra; ++i) {
        const NodeId arg = graph_.args_of_phi(id)[i];
        NodeId value = now[arg];
        if (value == 0) value = is_bits_of_float(arg) ? graph_[arg].args[0] : make_behind(arg, Op::bitcast, Type::f64);
        now.resize(graph_.nodes.size());
        graph_.args_of_phi(now[id])[i] = value;
      }
    }
    Replacements replacements(graph_);
    for (const NodeId id : web) {
      std::erase(graph_.blocks[graph_[id].block].phis, id);
      replacements.replace(id, make_behind(now[id], Op::bitcast, Type::i64));
    }
    replacements.apply();
  }

  bool is_word(NodeId id) const {
    const Op op = graph_[id].op;
    return (op == Op::sext || op == Op::zext) && graph_.type_of(graph_[id].args[0]) == Type::i32;
  }

  // Whether what enters them is 32 bits with their sign.
  bool are_extended(const std::vector<NodeId>& web) const {
    return std::ranges::all_of(web, [&](NodeId id) {
      return std::ranges::all_of(graph_.args_of_phi(id), [&](NodeId arg) {
        const Node& node = graph_[arg];
        if (node.op == Op::constant) return node.imm == static_cast<u64>(i64{static_cast<i32>(node.imm)});
        if (node.op == Op::phi) return std::ranges::find(web, arg) != web.end();
        return node.op == Op::sext && graph_.type_of(node.args[0]) == Type::i32;
      });
    });
  }

  // Only states are left that look at the phis, and they make an extension themselves.
  void extend(const std::vector<NodeId>& web, const std::vector<NodeId>& words) {
    Replacements replacements(graph_);
    for (const NodeId id : web) {
      std::erase(graph_.blocks[graph_[id].block].phis, id);
      replacements.replace(id, make_behind(words[id], Op::sext, Type::i64));
    }
    replacements.apply();
  }

  // For each phi one of what `convert`, f32_unbox or trunc, makes of it, for those who do that. Returns them by phi.
  std::vector<NodeId> make_seconds(const std::vector<NodeId>& web, Op convert, Type type) {
    std::vector<NodeId> now(graph_.nodes.size());
    for (const NodeId id : web) now[id] = make_phi(id, type);
    const auto is_inverse = [&](NodeId id) {
      return convert == Op::f32_unbox ? graph_[id].op == Op::f32_box : is_word(id);
    };
    for (const NodeId id : web) {
      for (u32 i = 0; i < graph_[id].extra; ++i) {
        const NodeId arg = graph_.args_of_phi(id)[i];
        NodeId value = now[arg];
        if (value == 0) value = is_inverse(arg) ? graph_[arg].args[0] : make_behind(arg, convert, type);
        now.resize(graph_.nodes.size());
        graph_.args_of_phi(now[id])[i] = value;
      }
    }
    Replacements replacements(graph_);
    for (Block& block : graph_.blocks) {
      std::erase_if(block.nodes, [&](NodeId id) {
        const bool converts = graph_[id].op == convert && graph_[id].type == type;
        const NodeId second = converts ? now[graph_[id].args[0]] : 0;
        if (second != 0) replacements.replace(id, second);
        return second != 0;
      });
    }
    replacements.apply();
    return now;
  }

  // Integers that are loaded to be used as floats are loaded as floats.
  void loads() {
    count();
    std::vector<NodeId> found;
    for (const BlockId b : reverse_postorder(graph_)) {
      for (const NodeId id : graph_.blocks[b].nodes) {
        const Node& node = graph_[id];
        const bool fits = node.op == Op::load && (node.type == Type::i64 || node.type == Type::i32) &&
                          ir::MemOp::unpack(node.extra).size() == ir::type_bytes(node.type);
        const Uses& uses = uses_[id];
        if (fits && uses.as_double != 0 && uses.as_integer + uses.as_single + uses.as_word == 0) {
          found.push_back(id);
        }
      }
    }
    for (const NodeId id : found) {
      if (!context_.take()) return;
      const Type type = graph_[id].type;
      const NodeId bits = make_behind(id, Op::bitcast, type);
      Replacements replacements(graph_);
      replacements.replace(id, bits);
      replacements.apply();
      graph_[id].type = type == Type::i64 ? Type::f64 : Type::f32;
      graph_[bits].args[0] = id;
    }
  }

  Context& context_;
  Graph& graph_;
  std::vector<Uses> uses_;
  std::vector<NodeId> leader_;
};

}  // namespace

void phi_types(Context& context) { PhiTypes(context).run(); }

}  // namespace pagoda::opt::passes
