// SPDX-License-Identifier: MIT
// Sums of what engines count.
#include "tcg/tier/backend.h"

namespace pagoda::tier {

void Statistics::add(const Statistics& other) {
  units += other.units;
  guest_insns += other.guest_insns;
  host_bytes += other.host_bytes;
  ops += other.ops;
  stepped_ops += other.stepped_ops;
  no_room += other.no_room;
  refused += other.refused;
  failed += other.failed;
  over_budget += other.over_budget;
  loops += other.loops;
  regions += other.regions;
  region_insns += other.region_insns;
  region_bytes += other.region_bytes;
  region_ns += other.region_ns;
  for (u32 i = 0; i < interp::kFusionCount; ++i) fusions[i] += other.fusions[i];
  timed_insns += other.timed_insns;
  ns += other.ns;
}

}  // namespace pagoda::tier
