// SPDX-License-Identifier: MIT
// State enables (Smstateen) and the entropy source (Zkr, Unprivileged ISA 32.4).
#include <array>
#include <cstring>
#include <span>

#include "cpu/riscv64/csr_hooks.h"
#include "cpu/vcpu.h"

namespace pagoda::riscv64::hooks {

// No state of the harts is controlled by sstateen, so its registers are read-only zero.
u64 read_mstateen(const CsrContext& context, u32 index) { return context.hart.mstateen[index]; }
void write_mstateen(const CsrContext& context, u32 index, u64 value) {
  const Extensions& extensions = context.hart.extensions;
  u64 writable = stateen::kStateen;
  if (index == 0) {
    writable |= stateen::kEnvcfg;
    if (extensions.has(Extension::ssaia)) writable |= stateen::kWindow | stateen::kAia | stateen::kImsic;
  }
  context.hart.mstateen[index] = value & writable;
}

// Each read is 16 bits that were not used before; there is never anything to wait for.
u64 read_seed(const CsrContext& context, u32) {
  constexpr u64 kEntropy = u64{2} << 30, kDead = u64{3} << 30;
  u16 bits = 0;
  if (!context.vcpu.entropy(std::as_writable_bytes(std::span(&bits, 1)))) return kDead;
  return kEntropy | bits;
}

}  // namespace pagoda::riscv64::hooks
