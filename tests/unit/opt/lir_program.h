// SPDX-License-Identifier: MIT
// Programs of tier 2's machine level for tests: a builder, random ones, and an interpreter that runs them before and
// after register allocation.
#pragma once

#include <initializer_list>
#include <random>
#include <utility>
#include <vector>

#include "tcg/opt/lir.h"

namespace pagoda::opt::test {

using Rng = std::mt19937_64;

// Collects instructions by block and lays them out one behind the other.
class LirBuilder {
 public:
  LirBuilder() { code.clear(); }

  VReg gpr() { return code.new_vreg(RegClass::gpr); }
  VReg xmm() { return code.new_vreg(RegClass::xmm); }
  u32 block(u32 depth = 0, bool is_cold = false);
  LirInsn& add(u32 block, Lir op, std::initializer_list<Operand> operands) {
    return add(block, op, std::vector<Operand>(operands));
  }
  LirInsn& add(u32 block, Lir op, const std::vector<Operand>& operands);
  // A new register that is a constant.
  VReg constant(u32 block, u64 value);
  void jump(u32 from, u32 to);
  void branch(u32 from, VReg a, u32 to, u32 other);
  // By a jump, where a second way leads to the target: keeps the rule about edges.
  void split_edges();
  void phi(u32 block, VReg reg) { phis_[block].push_back(reg); }
  // In the order of `before`, when all edges are there.
  void phi_args(u32 block, VReg reg, std::vector<VReg> args);
  // A site that needs these registers; one that says which places of the frame they are for.
  u32 site(const std::vector<VReg>& regs);
  u32 site(const std::vector<std::pair<u32, VReg>>& slots);
  // Predecessors, in order of blocks; before phi_args.
  void link();
  void finish();

  LirCode code;

 private:
  struct Body {
    std::vector<LirInsn> insns;
    std::vector<std::vector<Operand>> operands;
  };
  std::vector<Body> bodies_;
  std::vector<std::vector<VReg>> phis_;
  std::vector<std::vector<std::vector<VReg>>> args_;
};

inline Operand def(VReg reg, u8 fixed = kAnyReg) { return {reg, Role::def, fixed, false}; }
inline Operand use(VReg reg, u8 fixed = kAnyReg) { return {reg, Role::use, fixed, false}; }
inline Operand late(VReg reg, u8 fixed = kAnyReg) { return {reg, Role::use_late, fixed, false}; }
inline Operand change(VReg reg, u8 fixed = kAnyReg) { return {reg, Role::use_def, fixed, false}; }
inline Operand temp(VReg reg, u8 fixed = kAnyReg) { return {reg, Role::temp, fixed, false}; }

// Place in the frame of a guest register, by number.
u32 guest_place(u32 number);

struct RandomLir {
  u32 blocks = 10;
  u32 insns = 12;  // of a block, at most
  u32 gprs = 13, xmms = 16;
  u32 back = 3;  // one branch in so many leads back
};
LirCode random_lir(Rng& rng, const RandomLir& options);

// Loops over guest registers.
struct GuestLir {
  u32 blocks = 20;
  u32 insns = 8;  // of a part of a loop, at most
  u32 guest_regs = 20;
};
LirCode guest_lir(Rng& rng, const GuestLir& options);

// Registers 0 to 14 but 4 and 5, or as many as asked for.
Registers registers_of(u32 gprs = 13, u32 xmms = 16);

// What every instruction reads, as one number each, in the order in which they run, and what who leaves finds in the
// places of guest registers; instructions compute numbers of what they read. `seed` chooses the ways that control
// takes.
std::vector<u64> run_values(const LirCode& code, u64 seed, u32 steps);
std::vector<u64> run_places(const LirCode& code, u64 seed, u32 steps);

}  // namespace pagoda::opt::test
