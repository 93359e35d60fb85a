// SPDX-License-Identifier: MIT
// What a block begins with and what its predecessors end with, made to agree by moves on the edges; and the choice
// between storing a value once where it is made and storing it wherever it leaves its register.
#include "tcg/opt/regalloc_edges.h"

#include <algorithm>

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::opt::ra {
namespace {

// Order of what happens before one instruction.
enum Phase : u32 { kEdgeAtStart, kDefStore, kInBlock, kEdgeAtEnd };

class Writer {
 public:
  Writer(LirCode& code, const Facts& facts, Walk& walk)
      : code_(code),
        facts_(facts),
        walk_(walk),
        reg_of_(code.vregs.size(), kNoReg),
        entering_(code.vregs.size(), kNone) {}

  bool write() {
    for (const u32 b : facts_.order) edges_to(b);
    if (!assign_slots(code_, facts_, walk_.needs_slot, slots_, code_.spills)) return false;
    spare_ = code_.spills + 1;
    spares_ = walk_.spare_slots;
    store_at_defs();
    for (const Event& event : walk_.events) {
      if (event.is_store && at_def_[event.step.reg] != 0) continue;
      add(event.at, kInBlock,
          {event.step.kind, slot_place(event.step.to), slot_place(event.step.from), event.step.reg});
    }
    for (const Edge& edge : edges_) write_edge(edge);
    code_.spills += spares_;
    if (code_.spills >= kFrameTemps) return false;
    std::ranges::sort(moves_, {}, &Ordered::key);
    code_.moves.clear();
    for (const Ordered& ordered : moves_) code_.moves.push_back(ordered.move);
    write_places();
    return true;
  }

 private:
  struct EdgeMove {
    Step step;  // spill slots by register, as in Event
    bool is_store;
  };
  struct Edge {
    u32 at, phase;
    u32 first, count;  // in edge_moves_
    u32 free;
  };
  struct Ordered {
    u64 key;  // instruction, phase, number
    Move move;
  };

  void edges_to(u32 b) {
    const LirBlock& block = code_.blocks[b];
    if (block.before.size() == 1 && block.phis.empty()) return;
    for (const LiveIn& live : facts_.lives_of(b)) entering_[live.reg] = b;
    for (u32 i = 0; i < block.before.size(); ++i) {
      if (facts_.number[block.before[i]] != kNone) edge(block.before[i], b, i);
    }
  }

  void edge(u32 from, u32 to, u32 index) {
    const LirBlock &before = code_.blocks[from], &after = code_.blocks[to];
    const Held &held = walk_.exit[from], &wanted = walk_.entry[to];
    Edge edge{};
    edge.first = static_cast<u32>(edge_moves_.size());
    edge.free = walk_.allocatable();
    if (before.successors == 1) {
      edge.at = before.first + before.count - 1;
      edge.phase = kEdgeAtEnd;
    } else {
      edge.at = after.first;
      edge.phase = kEdgeAtStart;
    }
    for (u32 r = 0; r < kRegs; ++r) {
      if (held.at[r] != 0) {
        reg_of_[held.at[r]] = static_cast<u8>(r);
        edge.free &= ~bit(r);
      }
      if (wanted.at[r] != 0) edge.free &= ~bit(r);
    }
    // Where control comes over this edge less often than the block it leads from or to runs, the edge is that rare.
    const u32 rare = facts_.blocks[from].frequency < facts_.blocks[to].frequency ? from : to;
    for (u32 r = 0; r < kRegs; ++r) {
      const VReg reg = wanted.at[r];
      if (reg != 0 && entering_[reg] == to) bring(reg, r, (wanted.stored >> r & 1) != 0, held, rare);
      const VReg leaving = held.at[r];
      if (leaving != 0 && entering_[leaving] == to && !is_held(wanted, leaving)) leave(leaving, held, rare);
    }
    const u32* distances = facts_.phi_distances.data() + facts_.blocks[to].phi_distance;
    for (u32 p = 0; p < after.phis.size(); ++p) {
      if (distances[p] == kDead) continue;
      bring_phi(after.phis[p].reg, code_.phi_args[after.phis[p].first + index], wanted);
    }
    for (const VReg reg : held.at) reg_of_[reg] = kNoReg;
    edge.count = static_cast<u32>(edge_moves_.size()) - edge.first;
    if (edge.count != 0) edges_.push_back(edge);
  }

  static bool is_held(const Held& held, VReg reg) { return std::ranges::find(held.at, reg) != std::end(held.at); }

  // The register is to hold the value; with `stored`, so is its slot.
  void bring(VReg reg, u32 r, bool stored, const Held& held, u32 block) {
    if (reg_of_[reg] != kNoReg) {
      if (stored) leave(reg, held, block);
      edge_moves_.push_back({{Step::move, r, reg_of_[reg], reg}, false});
    } else {
      edge_moves_.push_back({from_memory(reg, r), false});
    }
  }

  void leave(VReg reg, const Held& held, u32 block) {
    const u32 r = reg_of_[reg];
    if ((held.stored >> r & 1) != 0 || facts_.is_remade(code_, reg)) return;
    edge_moves_.push_back({{Step::move, kSlots + reg, r, reg}, true});
    walk_.note_store(reg, block);
  }

  void bring_phi(VReg reg, VReg arg, const Held& wanted) {
    u32 to = kSlots + reg;
    for (u32 r = 0; r < kRegs; ++r) {
      if (wanted.at[r] == reg) to = r;
    }
    if (to >= kSlots) walk_.needs_slot[reg] = 1;
    if (reg_of_[arg] != kNoReg) {
      edge_moves_.push_back({{Step::move, to, reg_of_[arg], reg}, false});
    } else {
      edge_moves_.push_back({from_memory(arg, to), false});
    }
  }

  Step from_memory(VReg reg, u32 to) const {
    if (facts_.is_remade(code_, reg)) return {Step::constant, to, 0, reg};
    return {Step::move, to, kSlots + reg, reg};
  }

  // Where storing a value when it is made costs no more than storing it wherever it leaves a register.
  void store_at_defs() {
    at_def_.assign(code_.vregs.size(), 0);
    for (VReg reg = 1; reg < code_.vregs.size(); ++reg) {
      if (walk_.store_cost[reg] == 0 || facts_.is_single[reg] == 0) continue;
      const u32 b = facts_.def_block[reg];
      if (walk_.store_cost[reg] < facts_.blocks[b].frequency) continue;
      const u32 operand = facts_.def_operand[reg];
      u32 from = kNone, at = code_.blocks[b].first;
      if (operand != kNone) {
        from = reg_id(code_.vregs[reg].of, code_.places[operand].reg_number);
        at = facts_.def_insn[reg] + 1;
      } else {
        for (u32 r = 0; r < kRegs; ++r) {
          if (walk_.entry[b].at[r] == reg) from = r;
        }
        if (from == kNone) continue;
      }
      at_def_[reg] = 1;
      add(at, kDefStore, {Step::move, kSlots + slots_[reg], from, reg});
    }
  }

  u32 slot_place(u32 place) const {
    if (place < kSlots) return place;
    const u32 name = place - kSlots;
    const u32 regs = static_cast<u32>(code_.vregs.size());
    return kSlots + (name < regs ? slots_[name] : spare_ + name - regs);
  }

  void write_edge(const Edge& edge) {
    ParallelMoves parallel;
    for (u32 i = edge.first; i < edge.first + edge.count; ++i) {
      const EdgeMove& move = edge_moves_[i];
      if (move.is_store && at_def_[move.step.reg] != 0) continue;
      parallel.add({move.step.kind, slot_place(move.step.to), slot_place(move.step.from), move.step.reg});
    }
    list_.clear();
    spares_ = std::max(spares_, parallel.put_in_order(code_, edge.free, spare_, list_));
    for (const Step& step : list_) add(edge.at, edge.phase, step);
  }

  static Place place_of(u32 place) {
    if (place < kSlots) return {Place::reg, static_cast<u8>(place % 16), 0};
    return {Place::spill, 0, static_cast<u16>(place - kSlots)};
  }

  void add(u32 at, u32 phase, const Step& step) {
    Move move{};
    move.at = at;
    move.of = code_.vregs[step.reg].of;
    move.to = place_of(step.to);
    if (step.kind == Step::constant) {
      move.is_imm = true;
      move.imm = code_.vregs[step.reg].imm;
    } else {
      move.from = place_of(step.from);
      move.is_exchange = step.kind == Step::exchange;
    }
    moves_.push_back({(u64{at} << 2 | phase) << 32 | moves_.size(), move});
  }

  void write_places() {
    const auto fill = [&](Place& place, VReg reg) {
      if (place.kind == Place::spill) place.spill_index = static_cast<u16>(slots_[reg]);
    };
    for (size_t o = 0; o < code_.operands.size(); ++o) fill(code_.places[o], code_.operands[o].reg);
    for (Site& site : code_.sites) {
      for (SiteSlot& slot : site.slots) fill(slot.recipe.place, slot.recipe.reg);
      for (Recipe& recipe : site.replayed) fill(recipe.place, recipe.reg);
    }
  }

  LirCode& code_;
  const Facts& facts_;
  Walk& walk_;
  std::vector<u8> reg_of_;
  std::vector<u32> entering_;
  std::vector<EdgeMove> edge_moves_;
  std::vector<Edge> edges_;
  std::vector<u32> slots_;
  std::vector<u8> at_def_;
  std::vector<Ordered> moves_;
  std::vector<Step> list_;
  u32 spare_ = 0, spares_ = 0;
};

}  // namespace

bool write_allocation(LirCode& code, const Facts& facts, Walk& walk) { return Writer(code, facts, walk).write(); }

}  // namespace pagoda::opt::ra
