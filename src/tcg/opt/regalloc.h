// SPDX-License-Identifier: MIT
// What the register allocator finds out about code before it assigns anything. Internal to it.
//
// Registers of both classes are numbered through: 0 to 15 general, 16 to 31 xmm; sets of them are bits of a u32.
// Distances are counted in instructions up to the next use that wants a register; leaving a loop and entering cold
// code make them longer, so that what a loop uses is always nearer than what lies behind it.
#pragma once

#include <span>
#include <vector>

#include "tcg/opt/lir.h"

namespace pagoda::opt::ra {

inline constexpr u32 kRegs = 32;
inline constexpr u8 kNoReg = 0xff;
inline constexpr u32 kNone = ~0u;

inline constexpr u32 kExitLength = 1u << 16;  // of an edge out of a loop, in instructions
inline constexpr u32 kRareLength = 1u << 12;  // of an edge to what a loop seldom runs
inline constexpr u32 kColdLength = 1u << 18;  // of an edge into cold code
inline constexpr u32 kNever = 1u << 30;       // lives, but nothing wants it in a register
inline constexpr u32 kDead = ~0u;

constexpr u32 bit(u32 reg) { return 1u << reg; }
constexpr u32 reg_id(RegClass of, u32 number) { return (of == RegClass::gpr ? 0 : 16) + number; }
constexpr RegClass class_of(u32 reg) { return reg < 16 ? RegClass::gpr : RegClass::xmm; }
constexpr u32 class_mask(RegClass of) { return of == RegClass::gpr ? 0xffffu : 0xffff0000u; }
constexpr u32 both(const u32 (&by_class)[2]) { return (by_class[0] & 0xffffu) | by_class[1] << 16; }
constexpr u32 add_distance(u32 a, u32 b) { return a >= kNever || a + b >= kNever ? kNever : a + b; }

struct LiveIn {
  VReg reg;
  u32 distance;   // from the block's start to the next use
  u32 first_use;  // in the block, or kNone
};

struct Loop {
  u32 header = 0;
  u32 parent = 0;        // index of the loop around it; loops[0] is no loop
  u32 depth = 0;         // 1: outermost
  u32 lost = 0;          // registers that instructions of its hot blocks want for themselves or destroy
  u32 pressure[2] = {};  // most values of a class at once in its hot blocks
};

struct BlockFacts {
  u32 live = 0, lives = 0;  // in Facts::lives: what lives at its start, but for its phis
  u32 phi_distance = 0;     // in Facts::phi_distances
  u32 loop = 0;             // innermost
  u32 frequency = 1;
  bool is_rare = false;  // runs much more seldom than the loop that it is in, or is cold
};

struct Facts {
  std::vector<u32> order;   // blocks that can be reached, in reverse postorder
  std::vector<u32> number;  // by block: index in `order` or kNone
  std::vector<BlockFacts> blocks;
  std::vector<Loop> loops;
  std::vector<LiveIn> lives;
  std::vector<u32> phi_distances;  // of phis, from the block's start; kDead: nothing needs it
  // By vreg:
  std::vector<u8> is_single;     // one def, and nothing changes it: its spill slot stays good
  std::vector<u32> def_block;    // of the last def seen
  std::vector<u32> def_operand;  // index into LirCode::operands; kNone: a phi
  std::vector<u32> def_insn;
  // Registers of the sites' recipes, each at the last site of a block that names it: until there it lives.
  std::vector<VReg> site_regs;
  std::vector<u32> site_first, site_count;  // by site

  bool is_remade(const LirCode& code, VReg reg) const { return code.vregs[reg].is_constant && is_single[reg] != 0; }
  bool contains(u32 loop, u32 block) const;
  bool is_header(u32 block) const { return blocks[block].loop != 0 && loops[blocks[block].loop].header == block; }
  u32 edge_length(const LirCode& code, u32 from, u32 to) const;
  std::span<const LiveIn> lives_of(u32 block) const { return {lives.data() + blocks[block].live, blocks[block].lives}; }
  std::span<const VReg> regs_of_site(u32 site) const { return {site_regs.data() + site_first[site], site_count[site]}; }
};

// False: too much work.
bool analyse(const LirCode& code, Facts& facts);
// Its parts: order, loops and frequencies (regalloc_flow.cpp); what lives where and how far its uses are
// (regalloc_live.cpp).
void find_flow(const LirCode& code, Facts& facts);
bool find_lives(const LirCode& code, Facts& facts);

// Registers of one instruction that are spoken for.
struct Wants {
  u32 lost = 0, temps = 0, defs = 0, uses = 0;
  u32 all() const { return lost | temps | defs | uses; }
};
Wants wants_of(const LirCode& code, const LirInsn& insn);

}  // namespace pagoda::opt::ra
