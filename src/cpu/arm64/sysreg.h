// SPDX-License-Identifier: MIT
// System registers by the number that MRS and MSR carry: op0:op1:CRn:CRm:op2 in bits 20-5 of the word.
#pragma once

#include <optional>

#include "base/types.h"

namespace pagoda::arm64 {

enum class SysReg : u8 {
#define SYSREG(name, op0, op1, crn, crm, op2, writable) name,
#include "cpu/arm64/sysreg.def"
#undef SYSREG
};

inline constexpr u32 kSysRegCount = 0
#define SYSREG(name, op0, op1, crn, crm, op2, writable) +1
#include "cpu/arm64/sysreg.def"
#undef SYSREG
    ;

struct SysRegInfo {
  const char* name;
  u32 number;
  bool writable;
};
const SysRegInfo& sysreg_info(SysReg reg);
// Number of a word's register, bits 20-5.
constexpr u32 sysreg_number(u32 word) { return word >> 5 & 0xffff; }
std::optional<SysReg> find_sysreg(u32 number);

}  // namespace pagoda::arm64
