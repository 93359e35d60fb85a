// SPDX-License-Identifier: MIT
// The builder and the interpreters.
#include "unit/opt/lir_program.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <map>

#include "base/check.h"
#include "tcg/abi/vcpu_frame.h"

namespace pagoda::opt::test {

u32 LirBuilder::block(u32 depth, bool is_cold) {
  bodies_.emplace_back();
  phis_.emplace_back();
  args_.emplace_back();
  LirBlock block;
  block.depth = depth;
  block.is_cold = is_cold;
  code.blocks.push_back(block);
  return static_cast<u32>(code.blocks.size() - 1);
}

LirInsn& LirBuilder::add(u32 block, Lir op, const std::vector<Operand>& operands) {
  Body& body = bodies_[block];
  LirInsn insn;
  insn.op = op;
  body.insns.push_back(insn);
  body.operands.push_back(operands);
  return body.insns.back();
}

VReg LirBuilder::constant(u32 block, u64 value) {
  const VReg reg = gpr();
  code.vregs[reg].is_constant = true;
  code.vregs[reg].imm = value;
  add(block, Lir::imm, {def(reg)}).imm = static_cast<i64>(value);
  return reg;
}

void LirBuilder::jump(u32 from, u32 to) {
  add(from, Lir::jump, {});
  code.blocks[from].next[0] = to;
  code.blocks[from].successors = 1;
}

void LirBuilder::branch(u32 from, VReg a, u32 to, u32 other) {
  add(from, Lir::branch, {use(a)});
  code.blocks[from].next[0] = to;
  code.blocks[from].next[1] = other;
  code.blocks[from].successors = 2;
}

void LirBuilder::split_edges() {
  std::vector<u32> ways(code.blocks.size());
  for (const LirBlock& block : code.blocks) {
    for (u32 side = 0; side < block.successors; ++side) ++ways[block.next[side]];
  }
  const u32 count = static_cast<u32>(code.blocks.size());
  for (u32 b = 0; b < count; ++b) {
    if (code.blocks[b].successors != 2) continue;
    for (u32 side = 0; side < 2; ++side) {
      const u32 to = code.blocks[b].next[side];
      if (ways[to] < 2) continue;
      const u32 depth = std::min(code.blocks[b].depth, code.blocks[to].depth);
      const u32 between = block(depth, code.blocks[b].is_cold || code.blocks[to].is_cold);
      jump(between, to);
      code.blocks[b].next[side] = between;
    }
  }
}

void LirBuilder::link() {
  for (LirBlock& block : code.blocks) block.before.clear();
  for (u32 b = 0; b < code.blocks.size(); ++b) {
    for (u32 side = 0; side < code.blocks[b].successors; ++side) {
      code.blocks[code.blocks[b].next[side]].before.push_back(b);
    }
  }
}

void LirBuilder::phi_args(u32 block, VReg reg, std::vector<VReg> args) {
  args_[block].resize(phis_[block].size());
  const size_t index = static_cast<size_t>(std::ranges::find(phis_[block], reg) - phis_[block].begin());
  args_[block][index] = std::move(args);
}

u32 guest_place(u32 number) { return static_cast<u32>(offsetof(VcpuFrame, temps)) + 8 * (kFrameTemps + 1 + number); }

u32 LirBuilder::site(const std::vector<VReg>& regs) {
  std::vector<std::pair<u32, VReg>> slots;
  for (const VReg reg : regs) slots.push_back({8 * static_cast<u32>(slots.size()), reg});
  return site(slots);
}

u32 LirBuilder::site(const std::vector<std::pair<u32, VReg>>& slots) {
  Site site;
  for (const auto& [offset, reg] : slots) {
    SiteSlot slot;
    slot.offset = offset;
    slot.recipe.form = Recipe::value;
    slot.recipe.of = code.vregs[reg].of;
    slot.recipe.reg = reg;
    site.slots.push_back(slot);
  }
  code.sites.push_back(site);
  return static_cast<u32>(code.sites.size() - 1);
}

void LirBuilder::finish() {
  for (u32 b = 0; b < code.blocks.size(); ++b) {
    LirBlock& block = code.blocks[b];
    Body& body = bodies_[b];
    block.first = static_cast<u32>(code.insns.size());
    block.count = static_cast<u32>(body.insns.size());
    for (size_t i = 0; i < body.insns.size(); ++i) {
      LirInsn insn = body.insns[i];
      insn.first = static_cast<u32>(code.operands.size());
      insn.operands = static_cast<u8>(body.operands[i].size());
      code.operands.insert(code.operands.end(), body.operands[i].begin(), body.operands[i].end());
      code.insns.push_back(insn);
    }
    for (size_t p = 0; p < phis_[b].size(); ++p) {
      block.phis.push_back({phis_[b][p], static_cast<u32>(code.phi_args.size())});
      code.phi_args.insert(code.phi_args.end(), args_[b][p].begin(), args_[b][p].end());
    }
  }
}

Registers registers_of(u32 gprs, u32 xmms) {
  Registers registers;
  for (u32 r = 0; r < 15 && gprs > 0; ++r) {
    if (r == 4 || r == 5) continue;
    registers.allocatable[0] |= 1u << r;
    --gprs;
  }
  registers.allocatable[1] = (1u << xmms) - 1;
  return registers;
}

namespace {

u64 mix(u64 a, u64 b) {
  u64 x = (a ^ (b + 0x9e3779b97f4a7c15)) * 0xff51afd7ed558ccd;
  x ^= x >> 32;
  return x * 0xc4ceb9fe1a85ec53 + b;
}

bool reads(const Operand& operand) { return operand.role != Role::def && operand.role != Role::temp; }

// Where values are is the only difference between code before and after allocation.
class Values {
 public:
  Values(const LirCode& code, u64) : values_(code.vregs.size()) {}
  u64 get(const LirCode& code, u32 o) const { return values_[code.operands[o].reg]; }
  void set(const LirCode& code, u32 o, u64 value) { values_[code.operands[o].reg] = value; }
  u64 get(const LirCode& code, const Recipe& recipe) const {
    return recipe.form == Recipe::constant ? recipe.imm : values_[recipe.reg] + 0 * code.spills;
  }
  void moves_before(const LirCode&, u32) {}
  void destroy(const LirCode&, const LirInsn&, u64) {}
  u64 frame(u32 offset) const { return frame_.at(offset); }
  void write_frame(u32 offset, u64 value) { frame_[offset] = value; }
  void edge(const LirCode& code, u32 from, u32 to) {
    const LirBlock& block = code.blocks[to];
    const size_t index = static_cast<size_t>(std::ranges::find(block.before, from) - block.before.begin());
    std::vector<u64> args;
    for (const LirPhi& phi : block.phis) args.push_back(values_[code.phi_args[phi.first + index]]);
    for (size_t i = 0; i < args.size(); ++i) values_[block.phis[i].reg] = args[i];
  }

 private:
  std::vector<u64> values_;
  std::map<u32, u64> frame_;  // places of guest registers
};

class Places {
 public:
  Places(const LirCode& code, u64 seed) : cells_(33 + kFrameTemps + 128) {
    CHECK(code.spills < kFrameTemps);
    for (u64& cell : cells_) cell = mix(seed, 77 + static_cast<u64>(&cell - cells_.data()));
  }
  u64 get(const LirCode& code, u32 o) const {
    return cells_[cell(code.vregs[code.operands[o].reg].of, code.places[o])];
  }
  void set(const LirCode& code, u32 o, u64 value) {
    if (code.places[o].kind != Place::none) cells_[cell(code.vregs[code.operands[o].reg].of, code.places[o])] = value;
  }
  u64 get(const LirCode&, const Recipe& recipe) const {
    return recipe.form == Recipe::constant ? recipe.imm : cells_[cell(recipe.of, recipe.place)];
  }
  void moves_before(const LirCode& code, u32 index) {
    for (auto move = std::ranges::lower_bound(code.moves, index, {}, &Move::at);
         move != code.moves.end() && move->at == index; ++move) {
      u64& to = cells_[cell(move->of, move->to)];
      u64& from = cells_[cell(move->of, move->from)];
      if (move->is_imm) {
        to = move->imm;
      } else if (move->is_exchange) {
        std::swap(to, from);
      } else {
        to = from;
      }
    }
  }
  void destroy(const LirCode& code, const LirInsn& insn, u64 garbage) {
    for (u32 of = 0; of < 2; ++of) {
      for (u32 set = insn.clobbers[of]; set != 0; set &= set - 1) {
        cells_[of * 16 + static_cast<u32>(std::countr_zero(set))] = mix(garbage, set);
      }
    }
    for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
      if (code.operands[o].role == Role::temp) set(code, o, mix(garbage, 1000 + o));
    }
  }
  u64 frame(u32 offset) const { return cells_[cell_of(offset)]; }
  void write_frame(u32 offset, u64 value) { cells_[cell_of(offset)] = value; }
  void edge(const LirCode&, u32, u32) {}

 private:
  static size_t cell_of(u32 offset) {
    return cell(RegClass::gpr, {Place::spill, 0, static_cast<u16>(frame_slot(static_cast<i32>(offset)))});
  }
  static size_t cell(RegClass of, const Place& place) {
    if (place.kind == Place::spill) return 32 + place.spill_index;
    return (of == RegClass::gpr ? 0u : 16u) + place.reg_number;
  }
  std::vector<u64> cells_;
};

template <typename Machine>
std::vector<u64> run(const LirCode& code, u64 seed, u32 steps) {
  Machine machine(code, seed);
  std::vector<u64> trace;
  std::vector<u32> homes;  // places of guest registers that have had a value since the entry
  u32 b = 0;
  for (;;) {
    const LirBlock& block = code.blocks[b];
    u64 hash = 0;
    for (u32 i = block.first; i < block.first + block.count; ++i) {
      machine.moves_before(code, i);
      const LirInsn& insn = code.insns[i];
      hash = mix(seed, static_cast<u64>(insn.op) << 32 | i);
      u64 late_values = 0, site_values = 0;
      for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
        if (!reads(code.operands[o])) continue;
        hash = mix(hash, machine.get(code, o));
        if (code.operands[o].role == Role::use_late) late_values = mix(late_values, machine.get(code, o));
      }
      machine.destroy(code, insn, hash);
      for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
        const Role role = code.operands[o].role;
        const u64 value = insn.op == Lir::imm ? static_cast<u64>(insn.imm) : mix(hash, o - insn.first);
        if (role == Role::def || role == Role::use_def) machine.set(code, o, value);
        const VReg reg = code.operands[o].reg;
        if (role == Role::def && home_slot(code, reg) != 0) {
          homes.push_back(static_cast<u32>(code.vregs[reg].frame_home));
          machine.write_frame(homes.back(), value);
        }
      }
      const auto stored = static_cast<u32>(insn.imm);
      if (insn.op == Lir::frame_store && frame_slot(static_cast<i32>(stored)) != 0)
        machine.write_frame(stored, machine.get(code, insn.first));
      // What is read until the end is still there.
      u64 still_late = 0;
      for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
        if (code.operands[o].role == Role::use_late) still_late = mix(still_late, machine.get(code, o));
      }
      if (insn.site != 0) {
        for (const SiteSlot& slot : code.sites[insn.site].slots) {
          site_values = mix(site_values, machine.get(code, slot.recipe));
        }
        for (const Recipe& recipe : code.sites[insn.site].replayed) {
          site_values = mix(site_values, machine.get(code, recipe));
        }
        for (const u32 home : homes) {
          const std::vector<SiteSlot>& slots = code.sites[insn.site].slots;
          const bool is_named = std::ranges::find(slots, home, &SiteSlot::offset) != slots.end();
          if (!is_named) site_values = mix(site_values, machine.frame(home));
        }
      }
      if (insn.op == Lir::exit_link) {
        for (const u32 home : homes) {
          if (std::ranges::find(code.pinned_slots, home) == code.pinned_slots.end())
            site_values = mix(site_values, machine.frame(home));
        }
      }
      trace.push_back(mix(hash, site_values));
      if (still_late != late_values) trace.push_back(still_late);
      if (trace.size() >= steps) return trace;
    }
    if (block.successors == 0) return trace;
    const u32 next = block.next[block.successors == 2 ? hash >> 17 & 1 : 0];
    machine.edge(code, b, next);
    b = next;
  }
}

}  // namespace

std::vector<u64> run_values(const LirCode& code, u64 seed, u32 steps) { return run<Values>(code, seed, steps); }
std::vector<u64> run_places(const LirCode& code, u64 seed, u32 steps) { return run<Places>(code, seed, steps); }

}  // namespace pagoda::opt::test
