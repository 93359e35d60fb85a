// SPDX-License-Identifier: MIT
// SBI specification, chapter "RFENCE Extension (EID #0x52464E43 "RFNC")".
#include "csr.h"
#include "sbi.h"

namespace pagoda::firmware {
namespace {

constexpr uint64_t kPageSize = 4096;
// Beyond this many pages one full fence is cheaper than a fence for each.
constexpr uint64_t kMaxPages = 64;

// The whole address space: the encodings of the specification, and every range that is too long to walk.
bool covers_everything(const FenceRequest& request) {
  return (request.start == 0 && request.size == 0) || request.size > kMaxPages * kPageSize;
}

void fence_addresses(const FenceRequest& request) {
  if (covers_everything(request)) {
    asm volatile("sfence.vma" : : : "memory");
    return;
  }
  for (uint64_t offset = 0; offset < request.size; offset += kPageSize) {
    asm volatile("sfence.vma %0" : : "r"(request.start + offset) : "memory");
  }
}

void fence_addresses_asid(const FenceRequest& request) {
  if (covers_everything(request)) {
    asm volatile("sfence.vma x0, %0" : : "r"(request.asid) : "memory");
    return;
  }
  for (uint64_t offset = 0; offset < request.size; offset += kPageSize) {
    asm volatile("sfence.vma %0, %1" : : "r"(request.start + offset), "r"(request.asid) : "memory");
  }
}

void perform(const FenceRequest& request) {
  switch (request.kind) {
    case FenceKind::kInstruction:
      asm volatile("fence.i" : : : "memory");
      break;
    case FenceKind::kAddress:
      fence_addresses(request);
      break;
    case FenceKind::kAddressAsid:
      fence_addresses_asid(request);
      break;
  }
}

}  // namespace

void serve_fences(Hart& hart) {
  const uint64_t from = __atomic_exchange_n(&hart.fences_from, 0, __ATOMIC_ACQ_REL);
  for_each_hart(from, [](Hart& sender) {
    perform(sender.fence);
    __atomic_fetch_sub(&sender.fence.pending, 1, __ATOMIC_RELEASE);
  });
}

SbiResult sbi_rfence(Hart& hart, uint64_t function, SbiArguments arguments) {
  // Functions 3 to 6 are for hypervisors.
  if (function > 2) return sbi_error(SbiError::kNotSupported);
  const HartSelection selection = select_harts(arguments[0], arguments[1]);
  if (!selection.valid) return sbi_error(SbiError::kInvalidParam);

  FenceRequest& request = hart.fence;
  request.kind = static_cast<FenceKind>(function);
  request.start = arguments[2] & ~(kPageSize - 1);
  request.size = arguments[3];
  request.asid = arguments[4];
  if (function != 0 && !covers_everything(request)) {
    if (arguments[2] + arguments[3] < arguments[2]) return sbi_error(SbiError::kInvalidAddress);
    request.size += arguments[2] - request.start;
  }

  uint64_t remote = 0;
  for_each_hart(selection.mask & ~(uint64_t{1} << hart.index), [&](const Hart& target) {
    if (hart_listens(target)) remote |= uint64_t{1} << target.index;
  });
  __atomic_store_n(&request.pending, static_cast<uint32_t>(__builtin_popcountll(remote)), __ATOMIC_RELEASE);
  for_each_hart(remote, [&](Hart& target) {
    __atomic_fetch_or(&target.fences_from, uint64_t{1} << hart.index, __ATOMIC_RELEASE);
    ring_hart(target);
  });
  if ((selection.mask >> hart.index & 1) != 0) perform(request);
  // Two harts may wait for each other, so each serves while it waits.
  while (__atomic_load_n(&request.pending, __ATOMIC_ACQUIRE) != 0) {
    serve_fences(hart);
    pause();
  }
  return kSbiOk;
}

}  // namespace pagoda::firmware
