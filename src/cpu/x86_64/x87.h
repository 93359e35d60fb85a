// SPDX-License-Identifier: MIT
// The kind column of x87 rows, and the helpers behind them (helpers.def).
#pragma once

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::x86_64 {

// Bytes of the memory operand | flags.
enum X87Form : u16 { kX87Bytes = 0xff, kX87Store = 0x100, kX87Waits = 0x200 };
constexpr u16 x87_waits() { return kX87Waits; }
constexpr u16 x87_load(u32 bytes) { return static_cast<u16>(bytes | kX87Waits); }
constexpr u16 x87_store(u32 bytes) { return static_cast<u16>(bytes | kX87Store | kX87Waits); }
// Without looking at pending exceptions.
constexpr u16 x87_store_at_once(u32 bytes) { return static_cast<u16>(bytes | kX87Store); }

// An x87 instruction as the immediate of its helper.
struct X87Job {
  u8 opcode, modrm;  // D8 to DF, or 9B; of memory operands the digit
  u16 form;
  constexpr u64 pack() const { return opcode | u64{modrm} << 8 | u64{form} << 16; }
  static constexpr X87Job unpack(u64 bits) {
    return {static_cast<u8>(bits), static_cast<u8>(bits >> 8), static_cast<u16>(bits >> 16)};
  }
};

namespace helper {

u64 x87_register(VcpuFrame* frame, u64, u64, u64, u64 imm);
u64 x87_memory(VcpuFrame* frame, u64 a, u64, u64, u64 imm);
u64 fxsave(VcpuFrame* frame, u64 a, u64, u64, u64);
u64 fxrstor(VcpuFrame* frame, u64 a, u64, u64, u64);

}  // namespace helper

}  // namespace pagoda::x86_64
