// SPDX-License-Identifier: MIT
// Helpers of the scalar cryptography extensions (helpers.def): pure functions of their operands.
#pragma once

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::riscv64::helper {

u64 aes64es(VcpuFrame*, u64 a, u64 b, u64, u64);
u64 aes64esm(VcpuFrame*, u64 a, u64 b, u64, u64);
u64 aes64ds(VcpuFrame*, u64 a, u64 b, u64, u64);
u64 aes64dsm(VcpuFrame*, u64 a, u64 b, u64, u64);
u64 aes64im(VcpuFrame*, u64 a, u64, u64, u64);
u64 aes64ks1i(VcpuFrame*, u64 a, u64, u64, u64 round);
u64 sm4ed(VcpuFrame*, u64 a, u64 b, u64, u64 byte);
u64 sm4ks(VcpuFrame*, u64 a, u64 b, u64, u64 byte);
u64 xperm4(VcpuFrame*, u64 a, u64 b, u64, u64);
u64 xperm8(VcpuFrame*, u64 a, u64 b, u64, u64);

}  // namespace pagoda::riscv64::helper
