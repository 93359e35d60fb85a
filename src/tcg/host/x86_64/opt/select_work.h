// SPDX-License-Identifier: MIT
// Selection's working state and vocabulary; what each group of ops becomes stands in select_*.cpp.
#pragma once

#include <optional>
#include <unordered_map>

#include "tcg/opt/page_plan.h"
#include "tcg/opt/select.h"

namespace pagoda::opt {

struct Selector::Work {
  explicit Work(const light::Layout& with);

  const light::Layout& layout;
  const Graph* graph = nullptr;
  LirCode* code = nullptr;
  SelectOptions options;
  PagePlan pages;
  std::vector<BlockId> order;     // as the code will lie
  std::vector<u32> place_of;      // by block: its index there
  std::vector<u32> uses;          // by node: by other nodes and terminals
  std::vector<u32> address_uses;  // of these, as an address
  std::vector<u8> leaves_after;   // by node: something behind it in its block may leave the region
  std::vector<u8> in_xmm;         // by node: an i64 that is kept in a vector register
  // By node: its register, by class; 0: it needs none. Before emission kNeeded says that one will be.
  static constexpr VReg kNeeded = ~VReg{0};
  std::vector<VReg> vregs[2];
  std::vector<std::pair<VReg, VReg>> page_vregs;  // by group: minus, host
  std::vector<VReg> pinned_vregs;                 // by index of Layout::pinned
  std::unordered_map<u64, VReg> constants;        // of the block being written
  BlockId at = 0;
  std::vector<std::pair<NodeId, u8>> work;  // of marking

  // --- what nodes are
  const Node& node(NodeId id) const { return (*graph)[id]; }
  RegClass class_of(NodeId id) const {
    return ir::is_float(graph->type_of(id)) || in_xmm[id] != 0 ? RegClass::xmm : RegClass::gpr;
  }
  static bool is_access(Op op) { return op == Op::load || op == Op::store || op == Op::load_at || op == Op::store_at; }
  static u8 op_size(ir::Type type) { return ir::type_bits(type) > 32 ? 8 : 4; }
  static u8 type_size(ir::Type type) { return static_cast<u8>(ir::type_bytes(type)); }
  // Through conversions that are no instruction: the node whose register of that class holds the bits.
  NodeId alias(NodeId id, RegClass of) const;
  bool is_clean(NodeId id) const;  // an i32 or less that is zero-extended in its register
  std::optional<i64> immediate(NodeId id, u8 size) const;
  struct Address {
    NodeId base;
    i64 displacement;
  };
  Address address_of(NodeId id) const;
  struct Compare {
    NodeId a = 0, b = 0;  // no b: imm
    i64 imm = 0;
    u8 size = 4;
    Condition cc = Condition::ne;
    bool test = false;
    bool is_float = false;  // a and b: floats, imm: FpCompare
  };
  // What decides an i1 that a node of `block` looks at.
  Compare compare_of(NodeId id, BlockId block) const;
  std::optional<u32> pinned_index(u32 slot) const;
  // Of a sign extension from 32 bits that only states and exits look at: what it extends. 0: of anything else.
  NodeId extended_on_leaving(NodeId id) const;
  bool is_scaled(NodeId id) const;  // shl by 1, 2, 3 for an address

  // --- marking: which nodes need registers
  void count_uses();
  void find_xmm();
  void need(NodeId id, RegClass of);
  void need(NodeId id) { need(id, class_of(id)); }
  void need_compare(const Compare& compare);
  void need_inputs(NodeId id, RegClass of);
  void need_state(StateId id);
  void drain();
  void mark();

  // --- emission
  VReg reg(NodeId id, RegClass of);  // where it can be read
  VReg reg(NodeId id) { return reg(id, class_of(id)); }
  VReg gpr(NodeId id) { return reg(id, RegClass::gpr); }
  VReg xmm(NodeId id) { return reg(id, RegClass::xmm); }
  VReg in_gpr(NodeId id);            // whatever its class
  VReg own(NodeId id, RegClass of);  // where the node's instruction writes it
  VReg new_gpr() { return code->new_vreg(RegClass::gpr); }
  static Operand use(VReg reg, bool memory = false) { return {reg, Role::use, kAnyReg, memory}; }
  static Operand late(VReg reg, bool memory = false) { return {reg, Role::use_late, kAnyReg, memory}; }
  static Operand def(VReg reg) { return {reg, Role::def, kAnyReg, false}; }
  static Operand fixed(Operand operand, u8 number) {
    operand.fixed = number;
    return operand;
  }
  Operand temp(u8 number = kAnyReg) { return {code->new_vreg(RegClass::gpr), Role::temp, number, false}; }
  LirInsn& emit(LirInsn insn, std::initializer_list<Operand> operands);
  VReg constant(u64 value);
  u32 site(StateId id, u32 memory_op);
  Recipe recipe(NodeId id);
  void emit_node(NodeId id);
  bool emit_integer(NodeId id);
  bool emit_float(NodeId id);
  void emit_memory(NodeId id);
  void emit_at(NodeId id);
  void emit_call(NodeId id);
  void emit_conversion(NodeId id);
  void emit_two(Lir op, NodeId id, bool commutes);
  void emit_select(NodeId id, const Compare& compare, NodeId yes, NodeId no);
  void emit_add(NodeId id);
  LirInsn compare_insn(Lir op, const Compare& compare) const;
  void emit_entry();
  void emit_phi_constants(const Block& block);
  void emit_end(const Block& block);
  void emit_exit(const Block& block);
};

}  // namespace pagoda::opt
