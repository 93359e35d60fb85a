// SPDX-License-Identifier: MIT
// rep movs, stos, lods, cmps and scas, an element at a time (SDM volume 2, REP).
//
// The registers are advanced after each element, so that a fault leaves the state between two elements, and a run ends
// after some elements, so that interrupts are taken in between: the instruction is then executed again.
#include "cpu/x86_64/string_repeat.h"

#include "cpu/x86_64/helpers.h"
#include "cpu/x86_64/processor.h"
#include "tcg/ir/types.h"

namespace pagoda::x86_64 {
namespace {

constexpr u32 kElementsPerRun = 1024;

class StringRun {
 public:
  StringRun(Processor& p, u64 segment_base, StringJob job)
      : p_(p),
        segment_base_(segment_base),
        job_(job),
        mask_(job.short_address ? 0xffffffff : ~u64{0}),
        access_(ir::MemOp{.size_log2 = job.size_log2, .order = ir::Order::tso}.pack()) {}

  u64 run() {
    for (u32 i = 0; i < kElementsPerRun; ++i) {
      if ((p_.gpr[kRcx] & mask_) == 0) return 1;
      const bool stop = element();
      if (p_.fault != 0) return 0;
      set(kRcx, p_.gpr[kRcx] - 1);
      if (stop) return 1;
    }
    return (p_.gpr[kRcx] & mask_) == 0;
  }

 private:
  u64 load(u64 address) { return p_.slow->load(&p_, address, access_); }
  u64 source() const { return segment_base_ + (p_.gpr[kRsi] & mask_); }
  u64 destination() const { return p_.gpr[kRdi] & mask_; }
  // A 32-bit address clears the upper half of what it changes.
  void set(u32 reg, u64 value) { p_.gpr[reg] = value & mask_; }
  void advance(u32 reg) { set(reg, p_.gpr[reg] + (p_.string_step << job_.size_log2)); }
  u64 accumulator() const { return p_.gpr[kRax] & element_mask(); }
  u64 element_mask() const { return job_.size_log2 == 3 ? ~u64{0} : (u64{1} << (8 << job_.size_log2)) - 1; }

  // Whether the repetition ends behind this element. Nothing has happened if there is a fault.
  bool element() {
    switch (job_.op) {
      case StringOp::movs: {
        const u64 value = load(source());
        if (p_.fault != 0) return false;
        p_.slow->store(&p_, destination(), value, access_);
        if (p_.fault != 0) return false;
        advance(kRsi);
        advance(kRdi);
        return false;
      }
      case StringOp::stos:
        p_.slow->store(&p_, destination(), accumulator(), access_);
        if (p_.fault == 0) advance(kRdi);
        return false;
      case StringOp::lods: {
        const u64 value = load(source());
        if (p_.fault != 0) return false;
        p_.gpr[kRax] = job_.size_log2 >= 2 ? value : (p_.gpr[kRax] & ~element_mask()) | value;
        advance(kRsi);
        return false;
      }
      case StringOp::cmps: {
        const u64 left = load(source());
        if (p_.fault != 0) return false;
        const u64 right = load(destination());
        if (p_.fault != 0) return false;
        advance(kRsi);
        advance(kRdi);
        return compare(left, right);
      }
      case StringOp::scas: {
        const u64 right = load(destination());
        if (p_.fault != 0) return false;
        advance(kRdi);
        return compare(accumulator(), right);
      }
    }
    return false;
  }

  // Sets the flags of left - right; whether ZF ends the repetition.
  bool compare(u64 left, u64 right) {
    const u32 shift = 64 - (8u << job_.size_log2);
    const u64 difference = (left - right) & element_mask();
    const u64 overflow = (left ^ right) & (left ^ difference);
    const auto bit = [](bool value, ir::Flag flag) { return u32{value} << static_cast<u32>(flag); };
    p_.flags = static_cast<u8>(bit((difference << shift >> 63) != 0, ir::Flag::n) | bit(difference == 0, ir::Flag::z) |
                               bit(left < right, ir::Flag::c) | bit((overflow << shift >> 63) != 0, ir::Flag::v) |
                               bit(((left ^ right ^ difference) & 16) != 0, ir::Flag::a) |
                               bit((__builtin_popcountll(difference & 0xff) & 1) == 0, ir::Flag::p));
    return (difference == 0) == job_.until_equal;
  }

  Processor& p_;
  const u64 segment_base_;
  const StringJob job_;
  const u64 mask_;
  const u32 access_;
};

}  // namespace

u64 helper::repeat_string(VcpuFrame* frame, u64 segment_base, u64, u64, u64 imm) {
  return StringRun(*static_cast<Processor*>(frame), segment_base, StringJob::unpack(imm)).run();
}

}  // namespace pagoda::x86_64
