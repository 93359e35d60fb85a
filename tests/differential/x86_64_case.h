// SPDX-License-Identifier: MIT
// One case of the x86-64 differential tests: code bytes with registers and memory, and what came of it.
//
// The host processor runs the very same bytes at the very same addresses, so code and data lie at fixed ones.
#pragma once

#include <array>
#include <cstring>
#include <span>
#include <string>

#include "base/types.h"

namespace pagoda::x86_64 {

inline constexpr u64 kCodeAddress = 0x1000'0000;  // one page of breakpoints around the case's bytes
inline constexpr u64 kCodeOffset = 0x800;         // where in it they begin
inline constexpr u64 kDataAddress = 0x6000'0000;  // two pages, nothing around them; bit offsets reach 256 MiB
inline constexpr u64 kDataBytes = 0x2000;
inline constexpr u64 kGsBase = kDataAddress + 0x340;  // the same in all cases
inline constexpr u32 kMaxCode = 160;

// Vector and x87 registers: the first bytes of what fxsave stores (SDM volume 1, table 10-2), and the high halves of
// ymm.
struct FpImage {
  static constexpr u32 kControl = 0, kStatus = 2, kTags = 4, kMxcsr = 24, kStack = 32, kXmm = 160;
  alignas(16) std::array<u8, 416> fx{};
  std::array<std::array<u8, 16>, 16> high{};
  template <class T>
  T get(u32 at) const {
    T value;
    std::memcpy(&value, &fx[at], sizeof value);
    return value;
  }
  template <class T>
  void set(u32 at, T value) {
    std::memcpy(&fx[at], &value, sizeof value);
  }
  FpImage() {
    set<u16>(kControl, 0x37f);
    set<u32>(kMxcsr, 0x1f80);
  }
};

struct Case {
  std::array<u8, kMaxCode> code{};
  u32 code_bytes = 0;
  bool falls_through = false;  // control leaves at the code's end, if there is no exception
  u64 gpr[16]{};
  u64 rflags = 0;
  FpImage fp;
  std::span<const u8> bytes() const { return {code.data(), code_bytes}; }
};

struct Outcome {
  static constexpr u32 kRanOn = 256;  // no exception: control went on at `pc`
  u32 vector = kRanOn;
  u64 pc = 0;
  u64 fault_address = 0;  // page faults
  u64 gpr[16]{};
  u64 rflags = 0;
  FpImage fp;
};

// What differs, a line each; empty if nothing. Flags outside the mask are not compared.
std::string difference(const Outcome& host, const Outcome& ours, u64 flags_mask);

}  // namespace pagoda::x86_64
