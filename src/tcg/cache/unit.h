// SPDX-License-Identifier: MIT
// Unit: one block made executable, with its links to others.
//
// Links are data beside the code: an exit of a unit names the unit to go on with, or none. A link inside a page is
// taken as it is (the same page is mapped, or control would not be here); one to another page is taken only if the
// vcpu's TLB maps the target pc to the host page the target was made from. Threading: made and unlinked under the code
// manager's lock; vcpus read links and headers with relaxed atomics. A unit taken out of use gets mode kDeadMode and
// stays in memory until every vcpu passed a safepoint.
#pragma once

#include <atomic>
#include <vector>

#include "base/types.h"
#include "tcg/tier/policy.h"

namespace pagoda {

struct Unit;

inline constexpr u32 kDeadMode = ~u32{0};

// A link as compiled code sees it, in the data beside the code.
struct HostLink {
  std::atomic<const void*> jump{nullptr};  // where to go on: the target's code, or what asks the caller
  std::atomic<Unit*> unit{nullptr};        // the target if it has code; for links to another page, which check it
  const void* ask = nullptr;
};

struct Link {
  std::atomic<Unit*> target{nullptr};
  Unit* owner = nullptr;
  HostLink* host = nullptr;  // null: the owner has no code
  // List of the links that lead to the same target; under the cache's lock.
  Link* next = nullptr;
  Link** back = nullptr;
};

// Compiled code of the link's owner follows the link from now on; null takes it back. Under the cache's lock.
void set_host_link(Link& link, Unit* target);

namespace interp {
// One step of threaded code. Operands are byte offsets into the vcpu frame.
struct ThreadedOp {
  const void* handler;
  u16 d, a, b, c;
  u64 imm;
};
static_assert(sizeof(ThreadedOp) == 24);

// Where a guest instruction begins: for precise exceptions and for leaving between two instructions.
struct InsnStart {
  u16 offset;    // bytes from the block's pc
  u16 first_op;  // index of its first threaded op
  // Ops behind the unit's that compute slots which hold old values here, up to a `stop`; 0: none. Who leaves before
  // this instruction runs them (interp::repair).
  u16 repair = 0;
};
}  // namespace interp

class CodeMemory;

// Code that a compiler tier made of a unit.
struct HostCode {
  std::atomic<const u8*> entry{nullptr};  // null: none yet; `start`, or the loop that begins with the unit
  // Set by the one vcpu that compiles the unit, before it does, and unset if another try may help. What follows is its
  // own until the cache attaches it.
  std::atomic<bool> is_claimed{false};
  std::atomic<bool> wants_loop{false};       // control came back to the unit often by a jump backward
  std::atomic<bool> is_region_asked{false};  // that begins with it
  HostLink* links[2] = {};
  const u8* start = nullptr;
  std::byte* data = nullptr;
  CodeMemory* memory = nullptr;
  u32 bytes = 0;
};

struct Unit {
  // --- read by the chain path ---
  u32 guest_insns = 0;
  std::atomic<u32> mode{kDeadMode};
  const u8* host_page = nullptr;  // host address of the page the code came from
  HostCode host;                  // its entry lies in the same cache line: all that jumps into compiled code read
  i64 exit_offset[2] = {};        // pc offsets of the exits that links 0 and 1 serve
  bool exit_is_far[2] = {};       // leads to another page
  bool linkable = true;           // false: cut short, or starts at a stop; never linked to nor cached by pc
  bool is_spare = false;          // lies in memory of its maker, for want of other: for one run
  bool is_in_loop = false;        // CodeCache has loops with it
  enum class Ends : u8 { jump, branch, indirect, other } ends = Ends::other;
  enum class Goes : u8 { anywhere, call, ret } goes = Goes::anywhere;  // a call returns to exit_offset[1]
  bool cut_short = false;  // made for one run, in no cache: less than a block's budget, or a boundary in its page
  Link links[2];
  std::atomic<u32> heat{0};  // entries left before a compiler is asked; 0: never ask
  const interp::ThreadedOp* code = nullptr;
  // --- cold ---
  const interp::InsnStart* insns = nullptr;
  u64 phys = 0;       // guest physical address of the first byte
  u64 phys_next = 0;  // straddling: physical page of the last bytes, else 0
  u32 guest_bytes = 0;
  u32 op_count = 0;
  u32 memory_bytes = 0;  // of this object with its code, for the cache's accounts
  Link* incoming = nullptr;
  Unit* next_in_bucket = nullptr;
  Unit* next_in_page[2] = {};  // list of the first and of the second page
  u64 age = 0;                 // serial number of publication
  tier::Heat warmth;           // what the hot-spot policy knows; of who has set host.is_claimed
};

// A unit of a loop, and which units of the loop its exits lead to; -1: out of it, or perhaps to its own start.
struct LoopUnit {
  Unit* unit;
  i8 next[2];
};
inline constexpr u32 kMostLoopUnits = 12;
inline constexpr u32 kMostLoopInsns = 160;

// Code of several units that lead to each other, entered at the first of them. Each has code of its own as well, whose
// data (links, HostLink) the loop's copy uses.
struct LoopCode {
  const u8* start = nullptr;  // null: none
  std::byte* data = nullptr;
  CodeMemory* memory = nullptr;
  u32 bytes = 0;
  void (*destroy)(std::byte* data) = nullptr;  // frees what the data owns, before the code is released
};
// Gives all of it back. Nobody runs it any more.
void release(const LoopCode& code);

}  // namespace pagoda
