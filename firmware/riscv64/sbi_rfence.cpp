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

// Usually the others answer within a microsecond or two. A hart of theirs that has no processor of the host's just now
// gets none from one that spins, so after that the last of them is asked to ring. Two harts may wait for each other:
// each serves while it waits.
void wait_for_fences(Hart& hart) {
  constexpr unsigned kSpins = 200;
  const auto done = [&] { return __atomic_load_n(&hart.fence.pending, __ATOMIC_SEQ_CST) == 0; };
  for (unsigned spins = 0; spins < kSpins || hart.msip == nullptr; ++spins) {
    if (done()) return;
    serve_fences(hart);
    pause();
  }
  // Anything else that is pending would end the sleep at once and is not taken here.
  const uint64_t enabled = csr_read<kMie>();
  csr_write<kMie>(kMachineSoft);
  __atomic_store_n(&hart.sleeps, 1, __ATOMIC_SEQ_CST);
  for (;;) {
    serve_mailbox(hart);  // takes the ring back before looking
    if (done()) break;
    wait_for_interrupt();
  }
  __atomic_store_n(&hart.sleeps, 0, __ATOMIC_RELAXED);
  csr_write<kMie>(enabled);
}

}  // namespace

void serve_fences(Hart& hart) {
  const uint64_t from = __atomic_exchange_n(&hart.fences_from, 0, __ATOMIC_ACQ_REL);
  for_each_hart(from, [](Hart& sender) {
    perform(sender.fence);
    if (__atomic_fetch_sub(&sender.fence.pending, 1, __ATOMIC_SEQ_CST) == 1 &&
        __atomic_load_n(&sender.sleeps, __ATOMIC_SEQ_CST) != 0) {
      ring_hart(sender);
    }
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
  wait_for_fences(hart);
  return kSbiOk;
}

}  // namespace pagoda::firmware
