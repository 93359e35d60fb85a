// SPDX-License-Identifier: MIT
// The helpers of helpers.def. They run in guest mode of the host's FP state and use no floating point.
#include "cpu/arm64/helpers.h"

#include <array>
#include <iterator>

#include "base/log.h"
#include "cpu/arm64/cpu.h"
#include "cpu/arm64/exceptions.h"
#include "cpu/arm64/helpers_fp.h"
#include "tcg/ir/types.h"

namespace pagoda::arm64 {
namespace helper {
namespace {

Cpu& cpu_of(VcpuFrame* frame) { return *static_cast<Cpu*>(frame); }

void raise_exception(VcpuFrame* frame, Cause cause, u64 value) {
  frame->fault = 1;
  frame->fault_cause = static_cast<u64>(cause);
  frame->fault_value = value;
}

u64 raise(VcpuFrame* frame, u64 value, u64, u64, u64 cause) {
  raise_exception(frame, static_cast<Cause>(cause), value);
  return 0;
}

u64 undefined(VcpuFrame* frame, u64, u64, u64, u64 word) {
  log(Log::unimplemented, "arm64: block {:#x}: {:#010x} is no instruction that is implemented", frame->pc, word);
  raise_exception(frame, Cause::undefined, word);
  return 0;
}

// Both polynomials bit-reversed, as the data comes lowest bit first.
using Crc32Table = std::array<u32, 256>;
constexpr Crc32Table crc32_table(u32 polynomial) {
  Crc32Table table{};
  for (u32 byte = 0; byte < 256; ++byte) {
    u32 value = byte;
    for (u32 bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1) != 0 ? polynomial : 0);
    table[byte] = value;
  }
  return table;
}
constexpr Crc32Table kCrc32 = crc32_table(0xedb88320), kCrc32c = crc32_table(0x82f63b78);

u64 crc32(VcpuFrame*, u64 checksum, u64 data, u64, u64 imm) {
  const Crc32Table& table = (imm & 256) != 0 ? kCrc32c : kCrc32;
  u32 value = static_cast<u32>(checksum);
  for (u64 byte = 0; byte < (imm & 255); ++byte) value = value >> 8 ^ table[(value ^ data >> 8 * byte) & 255];
  return value;
}

u64 read(const Cpu& cpu, u64 reg) { return reg == 31 ? 0 : cpu.x[reg]; }
void write(Cpu& cpu, u64 reg, u64 value) {
  if (reg != 31) cpu.x[reg] = value;
}
constexpr u32 kPair = ir::MemOp{.size_log2 = 4, .align = true, .order = ir::Order::seq_cst}.pack();

u64 casp(VcpuFrame* frame, u64 address, u64, u64, u64 imm) {
  Cpu& cpu = cpu_of(frame);
  const u64 rs = imm & 31, rt = imm >> 8 & 31;
  u64 expected[2] = {read(cpu, rs), read(cpu, rs + 1)};
  const u64 desired[2] = {read(cpu, rt), read(cpu, rt + 1)};
  frame->slow->cas_wide(frame, address, expected, desired, kPair);
  if (frame->fault != 0) return 0;
  write(cpu, rs, expected[0]);
  write(cpu, rs + 1, expected[1]);
  return 0;
}

u64 stxp(VcpuFrame* frame, u64 address, u64, u64, u64 imm) {
  const Cpu& cpu = cpu_of(frame);
  if (address != cpu.exclusive_address) return 1;
  const u64* reserved = cpu.exclusive_value;
  u64 expected[2] = {reserved[0], reserved[1]};
  const u64 desired[2] = {read(cpu, imm & 31), read(cpu, imm >> 8 & 31)};
  frame->slow->cas_wide(frame, address, expected, desired, kPair);
  return expected[0] != reserved[0] || expected[1] != reserved[1];
}

u64 ldxp(VcpuFrame* frame, u64 address, u64, u64, u64 imm) {
  Cpu& cpu = cpu_of(frame);
  u64 value[2];
  frame->slow->load_wide(frame, address, value, kPair);
  if (frame->fault != 0) return 0;
  cpu.exclusive_address = address;
  cpu.exclusive_value[0] = value[0];
  cpu.exclusive_value[1] = value[1];
  write(cpu, imm & 31, value[0]);
  write(cpu, imm >> 8 & 31, value[1]);
  return 0;
}

}  // namespace
}  // namespace helper

#define HELPERS "cpu/arm64/helpers.def"
#include "cpu/helper_table.inc"
#undef HELPERS

}  // namespace pagoda::arm64
