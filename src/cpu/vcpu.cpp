// SPDX-License-Identifier: MIT
// The run loop: from unit to unit, and everything that happens between them.
#include "cpu/vcpu.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>

#include "base/check.h"
#include "base/futex.h"
#include "base/log.h"
#include "cpu/code_manager.h"
#include "tcg/host/fp.h"
#include "tcg/interp/interp.h"

namespace pagoda {
namespace {

// Entry that no pc matches: a unit in mode kDeadMode stands in for "none".
Unit& no_unit() {
  static Unit unit;
  return unit;
}

void clear_jump_cache(JumpCacheEntry* entries) {
  std::fill_n(entries, kJumpCacheEntries,
              JumpCacheEntry{.pc = ~u64{0}, .unit = &no_unit(), .key = 0, .entry = nullptr});
}

}  // namespace

Vcpu::Vcpu(u32 index, const Guest& guest, u64 features, const Environment& environment)
    : index_(index), guest_(guest), features_(features), environment_(environment) {
  // The TLB tables follow the state, at the same offsets for every vcpu: compiled code finds them there.
  const std::size_t state = tlb_offset(guest, 0);
  const u32 second = second_tlb_offset(guest, 0);
  frame_bytes_ = second_tlb_offset(guest, guest.memory_modes);
  // Zero pages: most of the second level is never touched.
  void* memory = mmap(nullptr, frame_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED, "out of memory");
  frame_ = guest.construct(memory);
  frame_->vcpu = this;
  frame_->slow = &Softmmu::kSlowPaths;
  for (u32 i = 0; i < guest.helpers.count; ++i) helpers_.push_back(guest.helpers.helpers[i].function);
  frame_->helpers = helpers_.data();
  frame_->fp_control = fp::control_word(ir::Round::nearest_even, 0);
  jump_cache_ = std::make_unique<JumpCacheEntry[]>(kJumpCacheEntries);
  clear_jump_cache(jump_cache_.get());
  frame_->jump_cache = jump_cache_.get();
  frame_->code_epoch.store(1, std::memory_order_relaxed);
  mmu_ = std::make_unique<Softmmu>(*this, *frame_, *environment.memory, guest,
                                   reinterpret_cast<TlbTable*>(static_cast<std::byte*>(memory) + state),
                                   reinterpret_cast<SecondTlbTable*>(static_cast<std::byte*>(memory) + second));
  guest.reset(*this);
}

Vcpu::~Vcpu() {
  guest_.destroy(frame_);
  munmap(frame_, frame_bytes_);
}

void Vcpu::reset() {
  waiting_ = watchpoint_hit_ = false;
  frame_->fault = 0;
  frame_->leave = 0;
  frame_->insn_index = 0;
  frame_->replay_count = 0;
  mmu_->flush_all();
  clear_jump_cache(jump_cache_.get());
  guest_.reset(*this);
}

void Vcpu::kick() {
  // Sequentially consistent: we look for a sleeper after the store, a sleeper looks at the word after it said that it
  // sleeps. With a weaker store both could miss each other.
  frame_->poll.store(1, std::memory_order_seq_cst);
  if (asleep_.load(std::memory_order_seq_cst)) futex_wake_one(frame_->poll);
}

// Returns once `poll` is set, or after `nanoseconds` (0: never).
void Vcpu::wait_for_poll(u32 nanoseconds) {
  asleep_.store(true, std::memory_order_seq_cst);
  while (frame_->poll.load(std::memory_order_seq_cst) == 0) {
    if (!futex_wait(frame_->poll, 0, nanoseconds)) break;
  }
  asleep_.store(false, std::memory_order_relaxed);
}

void Vcpu::nap(u32 nanoseconds) {
  ++statistics_.naps;
  const ParkedScope parked(*environment_.rendezvous, *this);
  wait_for_poll(nanoseconds);
}

void Vcpu::relax() {
  constexpr u64 kSpins = 64;
  if (++statistics_.pauses % kSpins != 0) return;
  const ParkedScope parked(*environment_.rendezvous, *this);
  std::this_thread::yield();
}

void Vcpu::request_stop() {
  stop_requested_.store(true, std::memory_order_release);
  kick();
}

void Vcpu::sleep() {
  environment_.code->cache().enter_epoch(index_, true);
  wait_for_poll(0);
}

// Between units, poll is set: requests, interrupts, stop.
Vcpu::Next Vcpu::at_poll() {
  // An exchange, to see all that was done before the kick it takes away.
  frame_->poll.exchange(0, std::memory_order_seq_cst);
  const u32 code_epoch = frame_->code_epoch.load(std::memory_order_relaxed);
  const bool wraps_soon = code_epoch - jump_cache_epoch_ > ~u32{0} / 2;  // an old key must not come again
  if (environment_.code->cache().enter_epoch(index_, false) || wraps_soon) {
    clear_jump_cache(jump_cache_.get());
    jump_cache_epoch_ = code_epoch;
  }
  environment_.rendezvous->safepoint(*this);
  frame_->budget += withheld_;
  budget_at_start_ += withheld_;
  withheld_ = 0;
  guest_.until_event(*this);  // what is due may interrupt
  if (stop_requested_.exchange(false)) {
    frame_->poll.store(1, std::memory_order_relaxed);  // what else was pending is looked at on return
    return Next::stopped;
  }
  if (waiting_) {
    if (!guest_.should_wake(*this)) return Next::waiting;
    waiting_ = false;
  }
  const bool taken = !masks_interrupts_ && guest_.take_interrupt(*this);
  stop_at_event();
  return taken && stepping_ ? Next::stepped : Next::go_on;
}

// Shortens the budget to the guest's next event. The count of instructions is what it was.
void Vcpu::stop_at_event() {
  const u64 left = guest_.until_event(*this);
  if (frame_->budget <= 0 || left >= static_cast<u64>(frame_->budget)) return;
  withheld_ = frame_->budget - static_cast<i64>(left);
  frame_->budget -= withheld_;
  budget_at_start_ -= withheld_;
}

Unit* Vcpu::next_unit(Link* link) {
  CodeManager& code = *environment_.code;
  const i64 budget = frame_->budget;
  const u32 most = code.max_block_insns();
  const u64 key = jump_key(*frame_);  // before the unit is looked for, which may die
  Unit* unit = code.unit_at(*this, budget < most ? static_cast<u32>(budget) : most);
  if (unit == nullptr || !unit->linkable) return unit;
  if (link != nullptr) {
    code.cache().link(link, unit);
  } else {
    const u8* entry = unit->host.entry.load(std::memory_order_acquire);
    jump_cache_[jump_cache_index(frame_->pc)] = {
        .pc = frame_->pc, .unit = unit, .key = entry != nullptr ? key : 0, .entry = entry};
  }
  return unit;
}

interp::LeaveInfo Vcpu::execute(Unit& unit) {
  const interp::LeaveInfo left = environment_.code->execute(*this, unit);
  return frame_->replay_count == 0 ? left : finish_insn();
}

// Compiled code was left in the middle of the instruction at frame.pc: that one instruction, before anything else.
interp::LeaveInfo Vcpu::finish_insn() {
  Unit* unit = environment_.code->unit_at(*this, 1);
  if (unit == nullptr) {  // its page is gone meanwhile: it begins anew when it is back
    frame_->replay_count = 0;
    return {interp::Leave::exception, nullptr};
  }
  const i64 beyond = frame_->budget - 1;  // control must not get to another unit
  frame_->budget -= beyond;
  budget_at_start_ -= beyond;
  interp::LeaveInfo left = replay_.run(*frame_, *unit);
  statistics_.tier_instructions[0] += static_cast<u64>(1 - frame_->budget);
  frame_->budget += beyond;
  budget_at_start_ += beyond;
  if (unit->cut_short) interp::free_unit(unit), left.link = nullptr;
  return left;
}

// One block and no more: control comes back where the next one would be entered, by whatever link.
template <class Execute>
interp::LeaveInfo Vcpu::execute_one(Unit& unit, Execute execute) {
  const i64 beyond = frame_->budget - static_cast<i64>(unit.guest_insns);
  frame_->budget -= beyond;
  budget_at_start_ -= beyond;
  const interp::LeaveInfo left = execute(unit);
  frame_->budget += beyond;
  budget_at_start_ += beyond;
  return left;
}

interp::LeaveInfo Vcpu::execute_observed(Unit& unit) {
  const u64 before = instructions();
  const interp::LeaveInfo left = execute_one(unit, [this](Unit& one) { return execute(one); });
  const u64 executed = instructions() - before;
  environment_.blocks->after_block(*this, unit, static_cast<u32>(executed));
  return left;
}

// Where control goes from a hot unit.
interp::LeaveInfo Vcpu::execute_sampled(Unit& unit) {
  constexpr u64 kSamples = 256;
  CodeManager& code = *environment_.code;
  if (!unit.linkable || frame_->budget < static_cast<i64>(unit.guest_insns)) {
    is_sampling_ = false;
    samples_.clear();
    return execute(unit);
  }
  // Code is made for the mode that its first unit runs in.
  if (samples_.empty()) sample_memory_mode_ = frame_->memory_mode;
  samples_.push_back({&unit, frame_->pc});
  const interp::LeaveInfo left = execute_one(unit, [&](Unit& one) { return code.interpret(*this, one); });
  const bool goes_on =
      left.reason == interp::Leave::budget || left.reason == interp::Leave::lookup || left.reason == interp::Leave::hot;
  if (!goes_on || samples_.size() == kSamples) {
    is_sampling_ = false;
    code.sampled(*this, samples_, sample_memory_mode_);
    samples_.clear();
  }
  return left;
}

bool Vcpu::at_breakpoint() {
  if (environment_.points == nullptr || !environment_.points->any_breakpoint() || stepping_) [[likely]]
    return false;
  const DebugPoint* point = environment_.points->breakpoint_at(frame_->pc);
  if (point == nullptr) return false;
  debug_stop_ = {.kind = DebugStop::Kind::point, .vcpu = index_, .point = point->kind, .address = point->address};
  return true;
}

void Vcpu::look_for_watchpoint(u64 address, u32 size, bool reads, bool writes) {
  const DebugPoint* point = environment_.points->watchpoint_at(address, size, reads, writes);
  if (point == nullptr || watchpoint_hit_) return;
  watchpoint_hit_ = true;
  debug_stop_ = {.kind = DebugStop::Kind::point,
                 .vcpu = index_,
                 .point = point->kind,
                 .address = address - point->address < point->size ? address : point->address};
  frame_->leave = 1;
  poke();  // where the instruction is the block's last
}

void Vcpu::step(bool take_interrupts) {
  waiting_ = false;  // WFI and its like may end for no reason
  stepping_ = true;
  masks_interrupts_ = !take_interrupts;
  debug_stop_ = {.kind = DebugStop::Kind::step, .vcpu = index_};
  while (run(1) == Stop::stopped) continue;  // who asked for that looks at it himself
  stepping_ = masks_interrupts_ = waiting_ = false;
}

Vcpu::Stop Vcpu::run(i64 budget) {
  Rendezvous& rendezvous = *environment_.rendezvous;
  rendezvous.unpark(*this);
  instructions_at_start_ = instructions();
  budget_at_start_ = budget;
  frame_->budget = budget;
  Link* link = nullptr;
  Unit* ready = nullptr;  // the unit at frame.pc, where it is known
  Stop stop = Stop::budget;
  frame_->poll.store(1, std::memory_order_relaxed);  // the first round looks at everything
  for (;;) {
    if (stepping_ && frame_->budget <= 0) break;  // before an interrupt makes it more than one
    if (frame_->poll.load(std::memory_order_relaxed) != 0 || (frame_->budget <= 0 && withheld_ != 0)) {
      const Next next = at_poll();
      if (next == Next::stepped) break;
      if (next != Next::go_on) {
        stop = next == Next::waiting ? Stop::waiting : Stop::stopped;
        break;
      }
      link = nullptr;  // its unit may be gone
      ready = nullptr;
      is_sampling_ = false;  // and those of the sample
      samples_.clear();
    }
    if (frame_->budget <= 0) break;
    if (at_breakpoint()) {
      stop = Stop::debug;
      break;
    }
    Unit* unit = ready != nullptr ? ready : next_unit(link);
    link = nullptr;
    ready = nullptr;
    if (unit == nullptr) {
      frame_->fault = 0;
      guest_.take_exception(*this);
      if (stepping_) break;
      continue;
    }
    if (log_enabled(Log::exec)) log(Log::exec, "vcpu {} pc {:#x} mode {:#x}", index_, frame_->pc, frame_->mode);
    interp::LeaveInfo left = is_sampling_                     ? execute_sampled(*unit)
                             : environment_.blocks == nullptr ? execute(*unit)
                                                              : execute_observed(*unit);
    frame_->insn_index = 0;
    ++statistics_.leaves[static_cast<u32>(left.reason)];
    if (left.link != nullptr) ++statistics_.links_asked;
    if (unit->cut_short) interp::free_unit(unit), left.link = nullptr;
    switch (left.reason) {
      case interp::Leave::lookup:
        link = left.link;
        break;
      case interp::Leave::hot:
        ready = left.unit;
        break;
      case interp::Leave::exception:
        frame_->fault = 0;
        guest_.take_exception(*this);
        break;
      case interp::Leave::wait:
        waiting_ = true;
        frame_->poll.store(1, std::memory_order_relaxed);
        break;
      case interp::Leave::budget:
      case interp::Leave::poll:
        break;
    }
    if (watchpoint_hit_) [[unlikely]] {
      watchpoint_hit_ = false;
      frame_->leave = 0;
      stop = Stop::debug;
      break;
    }
    if (stepping_ && left.reason == interp::Leave::exception) break;
  }
  instructions_at_start_ = instructions();
  budget_at_start_ = frame_->budget = withheld_ = 0;
  rendezvous.park(*this);
  return stop;
}

}  // namespace pagoda
