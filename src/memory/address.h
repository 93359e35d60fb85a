// SPDX-License-Identifier: MIT
// Guest addresses as distinct types, so that a virtual one never reaches the physical map by accident.
#pragma once

#include <compare>

#include "base/types.h"

namespace pagoda {

inline constexpr u64 kPageBits = 12;
inline constexpr u64 kPageSize = u64{1} << kPageBits;
inline constexpr u64 kPageMask = ~(kPageSize - 1);

struct GuestPhys {
  u64 value = 0;
  constexpr GuestPhys() = default;
  constexpr explicit GuestPhys(u64 v) : value(v) {}
  constexpr auto operator<=>(const GuestPhys&) const = default;
  constexpr GuestPhys page() const { return GuestPhys(value & kPageMask); }
  constexpr GuestPhys operator+(u64 n) const { return GuestPhys(value + n); }
};

struct GuestVirt {
  u64 value = 0;
  constexpr GuestVirt() = default;
  constexpr explicit GuestVirt(u64 v) : value(v) {}
  constexpr auto operator<=>(const GuestVirt&) const = default;
  constexpr GuestVirt page() const { return GuestVirt(value & kPageMask); }
  constexpr GuestVirt operator+(u64 n) const { return GuestVirt(value + n); }
};

}  // namespace pagoda
