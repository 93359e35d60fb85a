// SPDX-License-Identifier: MIT
// The table of system registers, and the decoder's question for one.
#include "cpu/arm64/sysreg.h"

#include <iterator>

#include "cpu/arm64/constraints.h"

namespace pagoda::arm64 {
namespace {

constexpr SysRegInfo kRegisters[] = {
#define SYSREG(name, op0, op1, crn, crm, op2, writable) \
  {#name, op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2, writable},
#include "cpu/arm64/sysreg.def"
#undef SYSREG
};

}  // namespace

const SysRegInfo& sysreg_info(SysReg reg) { return kRegisters[static_cast<u32>(reg)]; }

std::optional<SysReg> find_sysreg(u32 number) {
  for (u32 i = 0; i < std::size(kRegisters); ++i) {
    if (kRegisters[i].number == number) return static_cast<SysReg>(i);
  }
  return std::nullopt;
}

bool constraints::system_register(u32 word) {
  const auto reg = find_sysreg(sysreg_number(word));
  const bool reads = (word >> 21 & 1) != 0;
  return reg && (reads || sysreg_info(*reg).writable);
}

}  // namespace pagoda::arm64
