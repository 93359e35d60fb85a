// SPDX-License-Identifier: MIT
// DebugPoints: the break- and watchpoints of a machine, as the vcpus look them up.
//
// A breakpoint costs only where it is: every unit ends before an instruction at a breakpoint's page offset and a unit
// that begins there is never linked to, so control comes by the run loop, which compares the pc. A page with a
// watchpoint has no fast TLB tags, so each access to it comes by the softmmu's slow path, which compares the range.
// Translated code knows neither, on any tier. Threading: changed while no vcpu is inside Vcpu::run(); read by vcpus.
#pragma once

#include <span>
#include <vector>

#include "cpu/inspect.h"

namespace pagoda {

class DebugPoints {
 public:
  void set(std::span<const DebugPoint> points);

  bool any_breakpoint() const { return !breakpoints_.empty(); }
  bool any_watchpoint() const { return !watchpoints_.empty(); }
  // The breakpoint at `pc`, or null.
  const DebugPoint* breakpoint_at(u64 pc) const;
  // The offsets in a page where breakpoints are, ascending.
  std::vector<u16> page_offsets() const;

  // What kinds of access to a page have to be looked at.
  struct Watched {
    bool reads = false, writes = false;
  };
  Watched watched(u64 page) const;
  // The watchpoint that an access of `size` bytes touches, or null.
  const DebugPoint* watchpoint_at(u64 address, u64 size, bool reads, bool writes) const;

 private:
  std::vector<DebugPoint> breakpoints_;  // by address
  std::vector<DebugPoint> watchpoints_;
};

}  // namespace pagoda
