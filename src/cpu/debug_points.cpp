// SPDX-License-Identifier: MIT
// Look-up of break- and watchpoints.
#include "cpu/debug_points.h"

#include <algorithm>

#include "memory/address.h"

namespace pagoda {
namespace {

// Whether [a, a + a_size) and [b, b + b_size) meet; sizes are at least 1 and may reach the end of the address space.
bool meet(u64 a, u64 a_size, u64 b, u64 b_size) { return b - a < a_size || a - b < b_size; }

bool watches_reads(const DebugPoint& point) { return point.kind != DebugPoint::Kind::write_watch; }
bool watches_writes(const DebugPoint& point) { return point.kind != DebugPoint::Kind::read_watch; }

}  // namespace

void DebugPoints::set(std::span<const DebugPoint> points) {
  breakpoints_.clear();
  watchpoints_.clear();
  for (const DebugPoint& point : points) (point.is_break() ? breakpoints_ : watchpoints_).push_back(point);
  std::ranges::sort(breakpoints_, {}, &DebugPoint::address);
}

const DebugPoint* DebugPoints::breakpoint_at(u64 pc) const {
  const auto it = std::ranges::lower_bound(breakpoints_, pc, {}, &DebugPoint::address);
  return it != breakpoints_.end() && it->address == pc ? &*it : nullptr;
}

std::vector<u16> DebugPoints::page_offsets() const {
  std::vector<u16> offsets;
  for (const DebugPoint& point : breakpoints_) offsets.push_back(static_cast<u16>(point.address & ~kPageMask));
  std::ranges::sort(offsets);
  const auto repeated = std::ranges::unique(offsets);
  offsets.erase(repeated.begin(), repeated.end());
  return offsets;
}

DebugPoints::Watched DebugPoints::watched(u64 page) const {
  Watched watched;
  for (const DebugPoint& point : watchpoints_) {
    if (!meet(page, kPageSize, point.address, point.size)) continue;
    // An atomic operation goes by the tag for writing and reads as well.
    watched.writes = true;
    watched.reads |= watches_reads(point);
  }
  return watched;
}

const DebugPoint* DebugPoints::watchpoint_at(u64 address, u64 size, bool reads, bool writes) const {
  for (const DebugPoint& point : watchpoints_) {
    if ((!reads || !watches_reads(point)) && (!writes || !watches_writes(point))) continue;
    if (meet(address, size, point.address, point.size)) return &point;
  }
  return nullptr;
}

}  // namespace pagoda
