// SPDX-License-Identifier: MIT
// Random programs: any control flow, values used far from where they are made, all kinds of operands.
#include <algorithm>

#include "unit/opt/lir_program.h"

namespace pagoda::opt::test {
namespace {

class Generator {
 public:
  Generator(Rng& rng, const RandomLir& options)
      : rng_(rng), options_(options), registers_(registers_of(options.gprs, options.xmms)) {}

  LirCode make() {
    control_flow();
    find_dominators();
    values_.resize(blocks());
    // Dominators come first.
    std::vector<u32> order;
    for (u32 b = 0; b < blocks(); ++b) order.push_back(b);
    std::ranges::sort(order, {}, [&](u32 b) { return dominators_[b].size(); });
    for (const u32 b : order) body(b);
    for (const u32 b : order) {
      for (const VReg reg : phis_[b]) {
        std::vector<VReg> args;
        for (const u32 before : code().blocks[b].before) {
          args.push_back(pick(before, code().vregs[reg].of));
        }
        build_.phi_args(b, reg, args);
      }
    }
    build_.finish();
    // Of anything, as samples are; or there was none.
    if (below(2) != 0) {
      for (LirBlock& block : code().blocks) block.seen = below(3) != 0 ? below(200) : 0;
    }
    return std::move(code());
  }

 private:
  LirCode& code() { return build_.code; }
  u32 below(u64 n) { return static_cast<u32>(rng_() % n); }
  bool one_in(u32 n) { return below(n) == 0; }
  u32 blocks() { return static_cast<u32>(code().blocks.size()); }

  // Each block leads to the next, to which all others can lead as well; some leave.
  void control_flow() {
    const u32 count = 2 + below(options_.blocks);
    for (u32 b = 0; b < count; ++b) build_.block(0, one_in(6));
    for (u32 b = 0; b + 1 < count; ++b) {
      LirBlock& block = code().blocks[b];
      block.next[0] = b + 1;
      block.successors = 1;
      if (b == 0 || one_in(3)) continue;
      block.successors = 2;
      block.next[1] = one_in(options_.back) ? 1 + below(b) : std::min(count - 1, b + 1 + below(4));
      if (block.next[1] == b + 1) block.successors = 1;
      if (block.successors == 2 && one_in(2)) std::swap(block.next[0], block.next[1]);
    }
    // Terminators come at the end of the bodies; split_edges adds its own.
    for (u32 b = 0; b < count; ++b) is_original_.push_back(true);
    build_.split_edges();
    is_original_.resize(blocks());
    build_.link();
    phis_.resize(blocks());
  }

  void find_dominators() {
    const u32 count = blocks();
    std::vector<u32> all;
    for (u32 b = 0; b < count; ++b) all.push_back(b);
    dominators_.assign(count, all);
    dominators_[0] = {0};
    for (bool changed = true; changed;) {
      changed = false;
      for (u32 b = 1; b < count; ++b) {
        std::vector<u32> common = all, next;
        for (const u32 before : code().blocks[b].before) {
          next.clear();
          std::ranges::set_intersection(common, dominators_[before], std::back_inserter(next));
          common = next;
        }
        if (!std::ranges::binary_search(common, b)) common.insert(std::ranges::lower_bound(common, b), b);
        if (common != dominators_[b]) {
          dominators_[b] = common;
          changed = true;
        }
      }
    }
  }

  // A value that is there at this point of the block.
  VReg pick(u32 b, RegClass of) {
    for (u32 tries = 0; tries < 12; ++tries) {
      const u32 from = one_in(3) ? b : dominators_[b][below(dominators_[b].size())];
      const std::vector<VReg>& values = values_[from];
      if (values.empty()) continue;
      const size_t recent = std::min<size_t>(values.size(), 6);
      const VReg reg = one_in(2) ? values[below(values.size())] : values[values.size() - 1 - below(recent)];
      if (code().vregs[reg].of == of) return reg;
    }
    return of == RegClass::gpr ? gprs_[below(gprs_.size())] : xmms_[below(xmms_.size())];
  }

  VReg make(u32 b, RegClass of) {
    const VReg reg = code().new_vreg(of);
    if (one_in(10)) code().vregs[reg].hint = 1 + below(reg);
    if (code().vregs[code().vregs[reg].hint].of != of) code().vregs[reg].hint = 0;
    if (one_in(20)) code().vregs[reg].fixed_hint = free_register(of, 0);
    values_[b].push_back(reg);
    return reg;
  }

  u8 free_register(RegClass of, u32 taken) {
    const u32 allowed = registers_.allocatable[static_cast<u32>(of)] & ~taken;
    for (u32 tries = 0; tries < 100; ++tries) {
      const u32 r = below(16);
      if ((allowed >> r & 1) != 0) return static_cast<u8>(r);
    }
    return kAnyReg;
  }

  void body(u32 b) {
    if (b == 0) entry();
    if (b != 0 && code().blocks[b].before.size() > 1) {
      for (u32 n = below(5); n > 0; --n) {
        const VReg reg = make(b, any_class());
        build_.phi(b, reg);
        phis_[b].push_back(reg);
      }
    }
    if (!is_original_[b]) return;  // its jump is there
    for (u32 n = below(options_.insns + 1); n > 0; --n) insn(b);
    const LirBlock& block = code().blocks[b];
    if (block.successors == 1) {
      build_.add(b, Lir::jump, {});
    } else if (block.successors == 2) {
      build_.add(b, Lir::branch, {use(pick(b, RegClass::gpr))});
    } else {
      std::vector<Operand> operands;
      u32 taken = 0;
      for (u32 n = below(options_.gprs - 2); n > 0; --n) {
        const u8 fixed = free_register(RegClass::gpr, taken);
        taken |= 1u << fixed;
        operands.push_back(use(pick(b, RegClass::gpr), fixed));
      }
      build_.add(b, Lir::exit_link, operands);
    }
  }

  RegClass any_class() { return one_in(3) ? RegClass::xmm : RegClass::gpr; }

  void entry() {
    std::vector<Operand> operands;
    u32 taken = 0;
    for (u32 n = 0; n < options_.gprs - 2; ++n) {
      const u8 fixed = free_register(RegClass::gpr, taken);
      taken |= 1u << fixed;
      const VReg reg = make(0, RegClass::gpr);
      gprs_.push_back(reg);
      operands.push_back(def(reg, fixed));
    }
    build_.add(0, Lir::enter, operands);
    for (u32 n = 0; n < 4; ++n) {
      xmms_.push_back(make(0, RegClass::xmm));
      build_.add(0, Lir::frame_load, {def(xmms_.back())});
    }
    for (u32 n = below(4); n > 0; --n) values_[0].push_back(build_.constant(0, rng_()));
    for (u32 n = 2 * below(3); n > 0; --n) {
      pages_.push_back(build_.gpr());
      build_.add(0, Lir::imm, {def(pages_.back())}).imm = 1;
    }
  }

  void insn(u32 b) {
    if (one_in(12)) {
      const VReg reg = build_.constant(b, below(2) != 0 ? rng_() : 5);
      values_[b].push_back(reg);
      return;
    }
    std::vector<Operand> operands;
    u32 uses[2] = {}, late_uses[2] = {}, ends[2] = {}, clobbers[2] = {};  // fixed registers
    const bool clobbering = one_in(10);
    const bool fixing = one_in(4);
    const auto fix = [&](Operand& operand, u32& taken, u32 other) {
      if (!fixing || one_in(2)) return;
      operand.fixed = free_register(code().vregs[operand.reg].of, taken | other);
      if (operand.fixed != kAnyReg) taken |= 1u << operand.fixed;
    };
    for (u32 n = below(clobbering ? 2 : 4); n > 0; --n) {
      const RegClass of = any_class();
      const u32 c = static_cast<u32>(of);
      Operand operand = use(pick(b, of));
      if (one_in(4)) operand.role = Role::use_late;
      u32 taken = uses[c] | late_uses[c];
      fix(operand, taken, 0);
      if (operand.fixed == kAnyReg) {
        operand.may_be_spilled = one_in(4);
      } else {
        (operand.role == Role::use ? uses : late_uses)[c] |= 1u << operand.fixed;
      }
      operands.push_back(operand);
    }
    if (!pages_.empty() && one_in(4)) {
      const u32 page = below(pages_.size() / 2) * 2;
      operands.push_back(change(pages_[page]));
      operands.push_back(change(pages_[page + 1]));
    }
    for (u32 n = below(clobbering ? 2 : 3); n > 0; --n) {
      const RegClass of = any_class();
      Operand operand = temp(code().new_vreg(of));
      const u32 c = static_cast<u32>(of);
      fix(operand, ends[c], late_uses[c]);
      operands.push_back(operand);
    }
    u32 defs = below(8) == 0 ? 2 : below(5) == 0 ? 0 : 1;
    std::vector<Operand> made;
    for (; defs > 0; --defs) {
      const RegClass of = any_class();
      const u32 c = static_cast<u32>(of);
      Operand operand = def(code().new_vreg(of));
      fix(operand, ends[c], late_uses[c]);
      operand.may_be_spilled = operand.fixed == kAnyReg && one_in(5);
      made.push_back(operand);
    }
    operands.insert(operands.begin(), made.begin(), made.end());
    LirInsn& insn = build_.add(b, operands.empty() ? Lir::fence : Lir::add, operands);
    if (clobbering) {
      for (u32 c = 0; c < 2; ++c) {
        clobbers[c] = registers_.allocatable[c] & static_cast<u32>(rng_()) & ~late_uses[c];
        // Six are left for operands that are not fixed.
        u32 left = static_cast<u32>(
            __builtin_popcount(registers_.allocatable[c] & ~clobbers[c] & ~late_uses[c] & ~uses[c] & ~ends[c]));
        while (left < 6 && clobbers[c] != 0) {
          const u32 lowest = clobbers[c] & (0 - clobbers[c]);
          clobbers[c] &= ~lowest;
          if ((lowest & (uses[c] | ends[c])) == 0) ++left;
        }
        insn.clobbers[c] = clobbers[c];
      }
    }
    if (one_in(3)) {
      std::vector<VReg> regs;
      for (u32 n = below(14); n > 0; --n) regs.push_back(pick(b, any_class()));
      insn.site = build_.site(regs);
    }
    for (const Operand& operand : made) values_[b].push_back(operand.reg);
  }

  Rng& rng_;
  const RandomLir& options_;
  const Registers registers_;
  LirBuilder build_;
  std::vector<std::vector<u32>> dominators_;
  std::vector<std::vector<VReg>> values_, phis_;
  std::vector<bool> is_original_;
  std::vector<VReg> gprs_, xmms_, pages_;
};

}  // namespace

LirCode random_lir(Rng& rng, const RandomLir& options) { return Generator(rng, options).make(); }

}  // namespace pagoda::opt::test
