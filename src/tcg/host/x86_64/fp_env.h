// SPDX-License-Identifier: MIT
// The guest's floating-point environment in the host's control register (MXCSR), and switching to it and back.
//
// A thread is in guest mode between enter_guest() and leave_guest(): MXCSR then holds the guest's rounding mode and
// sticky flags, and C++ must do no floating point of its own except under a HostFpScope. All exceptions stay masked,
// denormals are never flushed. "Control" words are what VcpuFrame::fp_control holds: opaque, of this host only.
// Round::nearest_away has no counterpart in MXCSR: it is held as nearest-even, so code that runs under it must carry
// the rounding in each op (fp_ops.h), which is what a mode key column is for.
// Intel SDM volume 1, 10.2.3.
#pragma once

#include "base/types.h"
#include "tcg/host/fp_format.h"
#include "tcg/ir/types.h"

namespace pagoda::fp {

namespace mxcsr {

inline constexpr u32 kHost = 0x1f80;  // all masked, to nearest, no flags: the mode C++ runs in
inline constexpr u32 kFlags = 0x3f;   // the sixth, a denormal operand, is nobody's
inline constexpr u32 kRoundShift = 13;
inline constexpr u32 kRoundMask = 3u << kRoundShift;

inline u32 read() {
  u32 value;
  asm volatile("stmxcsr %0" : "=m"(value) : : "memory");
  return value;
}
inline void write(u32 value) { asm volatile("ldmxcsr %0" : : "m"(value) : "memory"); }

constexpr u32 round_bits(ir::Round round) {
  switch (round) {
    case ir::Round::to_zero:
      return 3u << kRoundShift;
    case ir::Round::down:
      return 1u << kRoundShift;
    case ir::Round::up:
      return 2u << kRoundShift;
    default:
      return 0;
  }
}
// IE DE ZE OE UE PE (bits 0..5) are the neutral order upside down, with DE in between.
constexpr u32 flag_bits(u8 flags) {
  const u32 f = flags;
  return (f & kInvalid) >> 4 | (f & kDivideByZero) >> 1 | (f & kOverflow) << 1 | (f & kUnderflow) << 3 |
         (f & kInexact) << 5;
}
constexpr u8 neutral_flags(u32 bits) {
  return static_cast<u8>((bits & 1) << 4 | (bits & 4) << 1 | (bits & 8) >> 1 | (bits & 16) >> 3 | (bits & 32) >> 5);
}

}  // namespace mxcsr

// --- control words (no access to the host's state) -------------------------------------------------------------------
constexpr u32 control_word(ir::Round round, u8 flags) {
  return (mxcsr::kHost & ~mxcsr::kFlags) | mxcsr::round_bits(round) | mxcsr::flag_bits(flags);
}
constexpr u8 flags_of(u32 control) { return mxcsr::neutral_flags(control); }
constexpr u32 with_flags(u32 control, u8 flags) { return (control & ~mxcsr::kFlags) | mxcsr::flag_bits(flags); }
constexpr u32 with_round(u32 control, ir::Round round) {
  return (control & ~mxcsr::kRoundMask) | mxcsr::round_bits(round);
}

// --- guest mode ------------------------------------------------------------------------------------------------------
inline void enter_guest(u32 control) { mxcsr::write(control); }
// Back to the host's own mode; returns the guest's control word.
inline u32 leave_guest() {
  const u32 control = mxcsr::read();
  mxcsr::write(mxcsr::kHost);
  return control;
}

// In guest mode: the sticky flags and the rounding mode.
inline u8 read_flags() { return mxcsr::neutral_flags(mxcsr::read()); }
inline void write_flags(u8 flags) { mxcsr::write(with_flags(mxcsr::read(), flags)); }
inline void raise_flags(u8 flags) { mxcsr::write(mxcsr::read() | mxcsr::flag_bits(flags)); }
inline ir::Round current_round() {
  constexpr ir::Round rounds[4] = {ir::Round::nearest_even, ir::Round::down, ir::Round::up, ir::Round::to_zero};
  return rounds[(mxcsr::read() & mxcsr::kRoundMask) >> mxcsr::kRoundShift];
}
inline void set_round(ir::Round round) { mxcsr::write(with_round(mxcsr::read(), round)); }

// In guest mode: the whole control word in the form of MXCSR, for guests that have that register. Masks stay set.
inline u32 read_control() { return mxcsr::read(); }
inline void write_control(u32 control) { mxcsr::write(control); }

// C++ that computes with floating point and is called in guest mode runs inside one of these; its own flags and
// rounding leave no trace in the guest's.
class HostFpScope {
 public:
  HostFpScope() : guest_(leave_guest()) {}
  ~HostFpScope() { enter_guest(guest_); }
  HostFpScope(const HostFpScope&) = delete;
  HostFpScope& operator=(const HostFpScope&) = delete;
  // The guest's control word as it will be when the scope ends; may be replaced.
  u32& guest_control() { return guest_; }

 private:
  u32 guest_;
};

}  // namespace pagoda::fp
