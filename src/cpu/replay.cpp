// SPDX-License-Identifier: MIT
// The slow paths that hand out results, and the run of one instruction with them.
#include "cpu/replay.h"

#include <algorithm>

#include "base/check.h"
#include "cpu/softmmu.h"
#include "cpu/vcpu.h"
#include "tcg/ir/types.h"

namespace pagoda {
namespace {

constexpr const MemorySlowPaths& kReal = Softmmu::kSlowPaths;

bool take(VcpuFrame* frame, u64* result) { return static_cast<Vcpu*>(frame->vcpu)->replay().take(result); }

// What compiled code kept of a load may have lost the bits that its type does not have.
u64 load(VcpuFrame* frame, u64 address, u32 bits) {
  u64 value = 0;
  if (!take(frame, &value)) return kReal.load(frame, address, bits);
  const auto op = ir::MemOp::unpack(bits);
  const u32 shift = 64 - 8 * op.size();
  return op.sign ? static_cast<u64>(static_cast<i64>(value << shift) >> shift) : value << shift >> shift;
}
void store(VcpuFrame* frame, u64 address, u64 value, u32 bits) {
  u64 nothing = 0;
  if (!take(frame, &nothing)) kReal.store(frame, address, value, bits);
}

}  // namespace

bool Replay::take(u64* result) {
  if (next_ == count_) return false;
  *result = results_[next_++];
  return true;
}

interp::LeaveInfo Replay::run(VcpuFrame& frame, const Unit& unit) {
  count_ = frame.replay_count;
  next_ = 0;
  CHECK(count_ <= kMostReplayed);
  std::copy_n(frame.temps + kReplayTemps, count_, results_.begin());
  frame.replay_count = 0;
  if (nothing_ == nullptr) nothing_ = std::make_unique<TlbTable>();
  // An instruction across two pages asks where the second one is.
  const u64 next_page = (frame.pc & kTlbPageMask) + (u64{1} << kTlbPageBits);
  TlbEntry& next = nothing_->entries[tlb_index(next_page)];
  const TlbEntry& known = frame.memory.table->entries[tlb_index(next_page)];
  next.exec_tag = known.exec_tag;
  next.addend = known.addend;
  // Compiled code has no other accesses than plain loads and stores; those that follow the replayed ones may be any.
  MemorySlowPaths paths = kReal;
  paths.load = load;
  paths.store = store;
  frame.slow = &paths;
  frame.memory.table = nothing_.get();
  const interp::LeaveInfo left = interp::execute(frame, unit);
  frame.memory = frame.contexts[frame.memory_mode];
  frame.slow = &kReal;
  next = {};
  return left;
}

}  // namespace pagoda
