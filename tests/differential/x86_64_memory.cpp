// SPDX-License-Identifier: MIT
// Two pages of RAM, nothing around them; addresses that are not canonical fault as such.
#include "differential/x86_64_memory.h"

#include <cstring>

#include "cpu/x86_64/processor.h"
#include "differential/x86_64_case.h"
#include "tcg/interp/integer_ops.h"
#include "tcg/ir/types.h"

namespace pagoda::x86_64 {
namespace {

void raise(VcpuFrame* frame, Vector vector, u64 value) {
  frame->fault = 1;
  frame->fault_cause = static_cast<u64>(vector);
  frame->fault_value = value;
}

bool canonical(u64 address) { return static_cast<u64>(static_cast<i64>(address << 16) >> 16) == address; }

// The access in host memory, or null with the fault recorded: of the first byte that is not there.
u8* place(VcpuFrame* frame, u64 address, u32 size) {
  if (!canonical(address) || !canonical(address + size - 1)) {
    raise(frame, Vector::general_protection, 0);
    return nullptr;
  }
  for (u32 i = 0; i < size; ++i) {
    if (address + i - kDataAddress < kDataBytes) continue;
    raise(frame, Vector::page_fault, address + i);
    return nullptr;
  }
  return static_cast<u8*>(frame->vcpu) + (address - kDataAddress);
}
u8* place(VcpuFrame* frame, u64 address, ir::MemOp op) {
  if (op.align && (address & (op.size() - 1)) != 0) {
    raise(frame, Vector::general_protection, 0);
    return nullptr;
  }
  return place(frame, address, op.size());
}

u64 load(VcpuFrame* frame, u64 address, u32 bits) {
  const auto op = ir::MemOp::unpack(bits);
  u64 value = 0;
  if (const u8* at = place(frame, address, op)) std::memcpy(&value, at, op.size());
  const u32 shift = 64 - op.size() * 8;
  return op.sign ? static_cast<u64>(static_cast<i64>(value << shift) >> shift) : value;
}
void store(VcpuFrame* frame, u64 address, u64 value, u32 bits) {
  const auto op = ir::MemOp::unpack(bits);
  if (u8* at = place(frame, address, op)) std::memcpy(at, &value, op.size());
}
u64 rmw(VcpuFrame* frame, u64 address, u64 value, u32 bits, u32 kind) {
  const auto op = ir::MemOp::unpack(bits);
  u8* at = place(frame, address, op);
  if (at == nullptr) return 0;
  u64 old = 0;
  std::memcpy(&old, at, op.size());
  u64 now = value;
  switch (static_cast<ir::Rmw>(kind)) {
    case ir::Rmw::add:
      now = old + value;
      break;
    case ir::Rmw::and_:
      now = old & value;
      break;
    case ir::Rmw::or_:
      now = old | value;
      break;
    case ir::Rmw::xor_:
      now = old ^ value;
      break;
    default:
      break;
  }
  std::memcpy(at, &now, op.size());
  return old;
}
u64 cas(VcpuFrame* frame, u64 address, u64 expected, u64 desired, u32 bits) {
  const auto op = ir::MemOp::unpack(bits);
  u8* at = place(frame, address, op);
  if (at == nullptr) return 0;
  u64 old = 0;
  std::memcpy(&old, at, op.size());
  if (std::memcmp(&old, &expected, op.size()) == 0) std::memcpy(at, &desired, op.size());
  return old;
}
void load_wide(VcpuFrame* frame, u64 address, void* to, u32 bits) {
  const auto op = ir::MemOp::unpack(bits);
  if (const u8* at = place(frame, address, op)) std::memcpy(to, at, op.size());
}
void store_wide(VcpuFrame* frame, u64 address, const void* from, u32 bits) {
  const auto op = ir::MemOp::unpack(bits);
  if (u8* at = place(frame, address, op)) std::memcpy(at, from, op.size());
}
void cas_wide(VcpuFrame* frame, u64 address, u64 expected[2], const u64 desired[2], u32) {
  u8* at = place(frame, address, 16);
  if (at == nullptr) return;
  u64 old[2];
  std::memcpy(old, at, 16);
  if (std::memcmp(old, expected, 16) == 0) std::memcpy(at, desired, 16);
  std::memcpy(expected, old, 16);
}

}  // namespace

const MemorySlowPaths& case_memory_paths() {
  static constexpr MemorySlowPaths kPaths{load, store, rmw, cas, load_wide, store_wide, cas_wide};
  return kPaths;
}

}  // namespace pagoda::x86_64
