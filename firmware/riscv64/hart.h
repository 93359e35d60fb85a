// SPDX-License-Identifier: MIT
// The state the firmware keeps for each hart, and the ways to find harts.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "layout.h"

namespace pagoda::firmware {

inline constexpr unsigned kMaxHarts = MAX_HARTS;

// SBI specification, chapter "Hart State Management Extension", table "HSM Hart States". The values are the ABI's.
enum class HartState : uint32_t {
  kStarted = 0,
  kStopped = 1,
  kStartPending = 2,
  kStopPending = 3,
  kSuspended = 4,
  kSuspendPending = 5,
  kResumePending = 6,
};

// What the ISA string must list before the firmware touches the matching CSR bits.
enum IsaExtension : uint32_t {
  kIsaSstc = 1u << 0,
  kIsaZicbom = 1u << 1,
  kIsaZicboz = 1u << 2,
  kIsaSvade = 1u << 3,
  kIsaSvadu = 1u << 4,
  kIsaSvpbmt = 1u << 5,
  kIsaSmstateen = 1u << 6,
  kIsaSscofpmf = 1u << 7,
  kIsaSmcntrpmf = 1u << 8,
  kIsaZkr = 1u << 9,
};

enum class FenceKind : uint32_t { kInstruction, kAddress, kAddressAsid };

// A remote fence in flight. Only its owner writes it, and only while `pending` is zero.
struct FenceRequest {
  FenceKind kind;
  uint32_t pending;  // harts that have not done it yet
  uint64_t start;
  uint64_t size;
  uint64_t asid;
};

struct Hart {
  // Known to entry.S by offset.
  uint64_t x[32];  // registers of the interrupted context; x8, x9, x18-x27 and x3 only for illegal instructions
  uint64_t mepc;
  uint64_t mstatus;
  uint64_t stack_top;
  uint64_t recover;
  uint64_t id;

  uint32_t index;       // position in `harts`, and bit in the bitmaps
  uint32_t state;       // HartState, atomic
  uint32_t extensions;  // IsaExtension bits
  uint32_t intc_phandle;

  // Mailbox. Senders write it, then ring `msip`.
  uint64_t fences_from;   // bitmap of harts whose FenceRequest waits for this hart
  uint32_t soft_pending;  // a supervisor software interrupt is to be raised
  uint32_t start_ready;   // start_address and start_argument are valid
  uint64_t start_address;
  uint64_t start_argument;

  FenceRequest fence;
  uint32_t sleeps;           // until the last of the harts that `fence` waits for rings
  uint32_t counters_in_use;  // programmable counters that have an event (sbi_pmu.cpp)
  uint32_t features_locked;  // bits by firmware feature (sbi_fwft.cpp)

  // Null where the device tree names none for this hart.
  volatile uint32_t* msip;
  volatile uint64_t* mtimecmp;
  volatile uint64_t* mtime;
};

static_assert(offsetof(Hart, x) == HART_X(0));
static_assert(offsetof(Hart, mepc) == HART_MEPC);
static_assert(offsetof(Hart, mstatus) == HART_MSTATUS);
static_assert(offsetof(Hart, stack_top) == HART_STACK_TOP);
static_assert(offsetof(Hart, recover) == HART_RECOVER);
static_assert(offsetof(Hart, id) == HART_ID);
static_assert(sizeof(Hart) <= HART_SIZE);

struct alignas(HART_SIZE) HartSlot : Hart {};
static_assert(sizeof(HartSlot) == HART_SIZE);

extern "C" {
// Slot kMaxHarts belongs to the boot hart until it knows its own index.
extern HartSlot harts[kMaxHarts + 1];
extern uint32_t hart_count;
extern uint8_t stacks[kMaxHarts + 1][STACK_SIZE];
}

// tp holds the hart while in machine mode; the compiler leaves it alone as no thread-local variable exists.
inline Hart& this_hart() {
  Hart* hart;
  asm("mv %0, tp" : "=r"(hart));
  return *hart;
}

// Null if the platform has no such hart.
Hart* find_hart(uint64_t id);

// Which harts an SBI call means (specification, chapter "Binary Encoding", "Hart list parameter").
struct HartSelection {
  bool valid;     // every hart that is named exists
  uint64_t mask;  // by index
};
HartSelection select_harts(uint64_t mask, uint64_t base);

inline HartState hart_state(const Hart& hart) {
  return static_cast<HartState>(__atomic_load_n(&hart.state, __ATOMIC_ACQUIRE));
}

inline void set_hart_state(Hart& hart, HartState state) {
  __atomic_store_n(&hart.state, static_cast<uint32_t>(state), __ATOMIC_RELEASE);
}

// False if the hart was in another state.
inline bool change_hart_state(Hart& hart, HartState from, HartState to) {
  auto expected = static_cast<uint32_t>(from);
  return __atomic_compare_exchange_n(&hart.state, &expected, static_cast<uint32_t>(to), false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE);
}

// Whether a fence or an interrupt means anything to the hart now.
inline bool hart_listens(const Hart& hart) {
  const HartState state = hart_state(hart);
  return state == HartState::kStarted || state == HartState::kSuspended || state == HartState::kSuspendPending ||
         state == HartState::kResumePending;
}

// Calls `function(Hart&)` for each hart of an index mask.
template <typename Function>
void for_each_hart(uint64_t mask, Function function) {
  for (; mask != 0; mask &= mask - 1) function(harts[__builtin_ctzll(mask)]);
}

// Leaves machine mode for `address`: bare translation, interrupts off, a0 = hart id, a1 = argument.
[[noreturn]] void enter_supervisor(Hart& hart, uint64_t address, uint64_t argument);

}  // namespace pagoda::firmware
