// SPDX-License-Identifier: MIT
// Programs as selection makes them of guest code: nested loops and branches over a set of guest registers, phis where
// their values meet, accesses with sites that need whatever was changed, rarely taken ways that leave.
#include <algorithm>

#include "unit/opt/lir_program.h"

namespace pagoda::opt::test {
namespace {

constexpr u8 kPinned[] = {3, 6, 7, 8, 9, 10, 11, 12, 13, 14};

class Generator {
 public:
  Generator(Rng& rng, const GuestLir& options) : rng_(rng), options_(options) {}

  LirCode make() {
    u32 b = build_.block();
    std::vector<Operand> operands;
    for (const u8 r : kPinned) {
      now_.push_back(build_.gpr());
      operands.push_back(def(now_.back(), r));
    }
    build_.add(b, Lir::enter, operands);
    while (now_.size() < options_.guest_regs) {
      now_.push_back(build_.gpr());
      build_.code.vregs[now_.back()].frame_home = static_cast<i32>(guest_place(static_cast<u32>(now_.size() - 1)));
      Operand in_frame = def(now_.back());
      in_frame.may_be_spilled = true;
      build_.add(b, Lir::in_frame, {in_frame});
    }
    at_entry_ = now_;
    const u32 first = build_.block();
    build_.jump(b, first);
    u32 end = first;
    while (build_.code.blocks.size() < options_.blocks) end = loop(end, 1);
    leave(end);
    finish_phis();
    build_.finish();
    for (u32 i = 0; i < std::size(kPinned); ++i) {
      build_.code.pinned_slots.push_back(guest_place(i));
      if (is_named_everywhere(build_.code, guest_place(i))) continue;
      build_.code.vregs[at_entry_[i]].frame_home = static_cast<i32>(guest_place(i));
    }
    return std::move(build_.code);
  }

 private:
  struct Phi {
    u32 block;
    VReg reg;
    std::vector<std::pair<u32, VReg>> args;  // by predecessor
  };

  u32 below(u32 n) { return static_cast<u32>(rng_() % n); }
  // Some registers are used much more often than others.
  u32 any() { return std::min(below(options_.guest_regs), below(options_.guest_regs)); }

  std::vector<std::pair<u32, VReg>> changed() const {
    std::vector<std::pair<u32, VReg>> slots;
    for (u32 i = 0; i < now_.size(); ++i) {
      if (now_[i] != at_entry_[i]) slots.push_back({guest_place(i), now_[i]});
    }
    return slots;
  }

  void straight(u32 b, u32 count) {
    if (below(4) != 0) build_.add(b, Lir::begin_unit, {}).site = build_.site(changed());
    for (; count > 0; --count) {
      const VReg d = build_.gpr(), a = now_[any()], c = now_[any()];
      const u32 to = any();
      // Registers are what they were at the entry again, or what another is.
      if (below(8) == 0) now_[any()] = now_[any()];
      if (const u32 again = any(); below(8) == 0) now_[again] = at_entry_[again];
      const u32 kind = below(10);
      if (kind < 2) {
        build_.add(b, Lir::load, {def(d), use(a), temp(build_.gpr()), temp(build_.gpr())}).site =
            build_.site(changed());
      } else if (kind < 3) {
        build_.add(b, Lir::store, {use(a), use(c), temp(build_.gpr()), temp(build_.gpr())}).site =
            build_.site(changed());
        continue;
      } else if (kind < 4 && below(8) == 0) {
        build_.add(b, Lir::div_u, {def(d, 0), use(a, 0), late(c), temp(build_.gpr(), 2)});
      } else if (below(3) == 0) {
        build_.add(b, Lir::add, {def(d), use(a)}).imm = 8;
      } else {
        Operand second = use(c);
        second.may_be_spilled = true;
        build_.add(b, below(2) != 0 ? Lir::add : Lir::sub, {def(d), use(a), second});
      }
      now_[to] = d;
    }
  }

  void leave(u32 b) {
    // What comes from a place that is written here is read before.
    std::vector<VReg> left = now_;
    for (u32 i = 0; i < now_.size(); ++i) {
      const auto from = std::ranges::find(at_entry_, now_[i]) - at_entry_.begin();
      const auto place = static_cast<u32>(from);
      if (place < std::size(kPinned) || place >= now_.size() || now_[place] == at_entry_[place]) continue;
      left[i] = build_.gpr();
      build_.add(b, Lir::move, {def(left[i]), use(now_[i])});
    }
    std::vector<Operand> operands;
    for (u32 i = std::size(kPinned); i < now_.size(); ++i) {
      if (now_[i] != at_entry_[i]) {
        Operand value = use(left[i]);
        value.may_be_spilled = true;
        build_.add(b, Lir::frame_store, {value}).imm = static_cast<i64>(guest_place(i));
      }
    }
    for (u32 i = 0; i < std::size(kPinned); ++i) operands.push_back(use(left[i], kPinned[i]));
    build_.add(b, Lir::exit_link, operands);
  }

  // From the end of `b`: a loop; gives a block behind it.
  u32 loop(u32 b, u32 depth) {
    const u32 head = build_.block(depth);
    build_.jump(b, head);
    // All get a phi; what turned out not to be changed is only a longer way to say so.
    std::vector<size_t> phis;
    const std::vector<VReg> before = now_;
    for (size_t i = 0; i < now_.size(); ++i) {
      if (below(3) == 0) continue;
      const VReg reg = build_.gpr();
      phis_.push_back({head, reg, {{b, now_[i]}}});
      phis.push_back(phis_.size() - 1);
      now_[i] = reg;
      carried_.push_back(i);
    }
    const size_t first_carried = carried_.size() - phis.size();
    const std::vector<VReg> at_head = now_;
    u32 at = head;
    straight(at, 2 + below(options_.insns));
    for (u32 parts = 1 + below(3); parts > 0; --parts) {
      if (depth < 3 && below(4) == 0) {
        at = loop(at, depth + 1);
        const u32 next = build_.block(depth);
        build_.jump(at, next);
        at = next;
      } else {
        at = diamond(at, depth);
      }
      straight(at, 1 + below(options_.insns));
    }
    // What is no phi has to be at the end what it was at the head.
    for (size_t i = 0; i < now_.size(); ++i) {
      if (std::find(carried_.begin() + static_cast<std::ptrdiff_t>(first_carried), carried_.end(), i) ==
          carried_.end()) {
        now_[i] = at_head[i];
      }
    }
    const u32 back = build_.block(depth), behind = build_.block(depth - 1);
    build_.branch(at, now_[any()], back, behind);
    build_.jump(back, head);
    for (size_t n = 0; n < phis.size(); ++n) phis_[phis[n]].args.push_back({back, now_[carried_[first_carried + n]]});
    carried_.resize(first_carried);
    return behind;
  }

  // Two ways that meet again, or one that leaves.
  u32 diamond(u32 b, u32 depth) {
    const std::vector<VReg> before = now_;
    const bool leaves = below(3) == 0;
    const u32 left = build_.block(depth), right = build_.block(leaves ? 0 : depth, leaves || below(6) == 0);
    build_.branch(b, now_[any()], left, right);
    if (leaves) {
      leave(right);
      straight(left, below(options_.insns));
      return left;
    }
    straight(left, 1 + below(options_.insns));
    const std::vector<VReg> after_left = now_;
    now_ = before;
    straight(right, 1 + below(options_.insns));
    const u32 join = build_.block(depth);
    build_.jump(left, join);
    build_.jump(right, join);
    for (size_t i = 0; i < now_.size(); ++i) {
      if (after_left[i] == now_[i]) continue;
      const VReg reg = build_.gpr();
      phis_.push_back({join, reg, {{left, after_left[i]}, {right, now_[i]}}});
      now_[i] = reg;
    }
    return join;
  }

  void finish_phis() {
    for (const Phi& phi : phis_) build_.phi(phi.block, phi.reg);
    build_.link();
    for (const Phi& phi : phis_) {
      std::vector<VReg> args;
      for (const u32 before : build_.code.blocks[phi.block].before) {
        args.push_back(std::ranges::find(phi.args, before, &std::pair<u32, VReg>::first)->second);
      }
      build_.phi_args(phi.block, phi.reg, args);
    }
  }

  Rng& rng_;
  const GuestLir& options_;
  LirBuilder build_;
  std::vector<VReg> now_, at_entry_;  // by guest register
  std::vector<Phi> phis_;
  std::vector<size_t> carried_;
};

}  // namespace

LirCode guest_lir(Rng& rng, const GuestLir& options) { return Generator(rng, options).make(); }

}  // namespace pagoda::opt::test
