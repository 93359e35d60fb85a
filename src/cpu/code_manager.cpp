// SPDX-License-Identifier: MIT
// Fetch, translate, publish, invalidate.
#include "cpu/code_manager.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>

#include "base/log.h"
#include "cpu/rendezvous.h"
#include "cpu/vcpu.h"
#include "tcg/ir/builder.h"
#ifdef PAGODA_VERIFY_IR
#include "tcg/ir/verifier.h"
#endif

namespace pagoda {
namespace {

// Reading the clock for every block would cost more than some blocks do.
constexpr u32 kTimedEvery = 16;
// Tries to publish a unit from bytes that others keep writing.
constexpr u32 kMaxRaces = 3;

u64 now_ns() { return static_cast<u64>(std::chrono::steady_clock::now().time_since_epoch().count()); }

}  // namespace

struct CodeManager::Translator {
  Translator(const Guest& guest, const CodeOptions& options)
      : lowering(guest.slots, guest.helpers, options.fusions),
        window(std::min<u64>(kPageSize, u64{options.max_block_insns} * guest.max_insn_bytes)),
        bytes(window + kMaxInsnBytes) {}
  ir::Builder builder;
  ir::Block block;
  interp::Lowering lowering;
  u64 window;  // a block never needs more than its instructions' bytes
  std::vector<u8> bytes;
  Statistics statistics;
};

CodeManager::CodeManager(GuestMemory& memory, Rendezvous& rendezvous, const Guest& guest, u32 vcpus,
                         const CodeOptions& options)
    : memory_(memory), rendezvous_(rendezvous), guest_(guest), options_(options), cache_(options.cache_bytes, vcpus) {
  for (u32 i = 0; i < vcpus; ++i) translators_.push_back(std::make_unique<Translator>(guest, options));
  memory_.set_code_observer(this);
}

CodeManager::~CodeManager() { memory_.set_code_observer(nullptr); }

void CodeManager::mark_page(Vcpu& vcpu, GuestPhys page) {
  std::atomic<u8>* marks = memory_.marks_of(page);
  if (marks == nullptr) return;  // ROM has no marks to withhold, it is never written
  // Not kHasCode: the handshake of the vcpu that set it may not be over.
  if ((marks->load(std::memory_order_acquire) & GuestMemory::kNoWriteTags) != 0) return;
  marks->fetch_or(GuestMemory::kHasCode, std::memory_order_seq_cst);
  ++translators_[vcpu.index()]->statistics.pages_marked;
  const auto drop = [page](Vcpu& other) { other.mmu().drop_write_tags(page); };
  drop(vcpu);
  rendezvous_.post_and_wait(&vcpu, drop);
  // Bytes are read after this point; writers either see the mark or wrote before.
  marks->fetch_or(GuestMemory::kNoWriteTags, std::memory_order_seq_cst);
}

void CodeManager::code_written(GuestPhys address, u64 size) {
  // Without its last unit a page is data again.
  cache_.invalidate(address.value, size, memory_.marks_of(address), GuestMemory::kHasCode | GuestMemory::kNoWriteTags);
  request_epochs();
}

// Retired units are freed when every vcpu has been between units.
void CodeManager::request_epochs() {
  if (!cache_.take_epoch_request()) return;
  for (Vcpu* vcpu : rendezvous_.vcpus()) vcpu->poke();
}

Unit* CodeManager::translate(Vcpu& vcpu, u64 phys, const u8* host_page, u64 phys_next, const u8* host_next,
                             u32 max_insns) {
  Translator& translator = *translators_[vcpu.index()];
  VcpuFrame& frame = vcpu.frame();
  const u64 page = phys & kPageMask;
  struct ReadingScope : CodeCache::Reading {
    explicit ReadingScope(CodeCache& to) : cache(to) {}
    ~ReadingScope() { cache.end_reading(this); }
    CodeCache& cache;
  } reading(cache_);
  reading.page[reading.pages++] = page;
  if (host_next != nullptr) reading.page[reading.pages++] = phys_next;
  cache_.begin_reading(&reading);
  for (u32 i = 0; i < reading.pages; ++i) mark_page(vcpu, GuestPhys(reading.page[i]));
  for (u32 races = 0;; ++races) {
    const bool timed = translator.statistics.blocks % kTimedEvery == 0;
    const u64 start = timed ? now_ns() : 0;
    const u64 offset = phys - page;
    const u64 in_page = std::min<u64>(kPageSize - offset, translator.window);
    ram_copy_out(reinterpret_cast<std::byte*>(translator.bytes.data()), host_page + offset, in_page);
    u64 size = in_page;
    if (host_next != nullptr) {
      ram_copy_out(reinterpret_cast<std::byte*>(translator.bytes.data() + in_page), host_next, kMaxInsnBytes);
      size += kMaxInsnBytes;
    }
    // Another vcpu may have put a longer instruction at the end of the page since the caller looked.
    const u32 first_length = guest_.instruction_length(translator.bytes.data());
    if (first_length > size) return nullptr;
    const auto stop = std::ranges::upper_bound(stops_, offset);
    const bool is_stop = stop != stops_.begin() && stop[-1] == offset;
    u32 most = host_next != nullptr ? 1 : max_insns;
    if (stop != stops_.end() && *stop - offset < size) {
      size = *stop - offset;
      if (size < first_length) {  // in the middle of the instruction
        size = first_length;
        most = 1;
      }
    }
    translator.builder.start(&translator.block, guest_.slots, options_.forward_state);
    guest_.translate(translator.builder, {.code = {translator.bytes.data(), static_cast<u32>(size), frame.pc},
                                          .mode = frame.mode,
                                          .max_insns = most,
                                          .features = vcpu.features()});
#ifdef PAGODA_VERIFY_IR
    ir::verify_or_die(translator.block, guest_.slots, guest_.helpers);
#endif
    const u64 lifted = timed ? now_ns() : 0;
    Unit* unit = translator.lowering.lower(translator.block);
    unit->mode.store(frame.mode, std::memory_order_relaxed);
    unit->phys = phys;
    unit->phys_next = phys_next;
    unit->host_page = host_page;
    unit->cut_short = max_insns < options_.max_block_insns;
    unit->linkable = host_next == nullptr && !unit->cut_short && !is_stop;
    for (u32 side = 0; side < 2; ++side) {
      unit->exit_is_far[side] = static_cast<u64>(static_cast<i64>(offset) + unit->exit_offset[side]) >= kPageSize;
    }
    Statistics& statistics = translator.statistics;
    ++statistics.blocks;
    statistics.guest_insns += unit->guest_insns;
    statistics.guest_bytes += unit->guest_bytes;
    if (timed) {
      statistics.timed_insns += unit->guest_insns;
      statistics.lift_ns += lifted - start;
      statistics.lower_ns += now_ns() - lifted;
    }
    if (log_enabled(Log::out_code))
      log(Log::out_code, "pc {:#x}:\n{}", frame.pc, interp::print_code(*unit, guest_.slots));
    if (unit->cut_short) return unit;
    if (Unit* published = cache_.publish(unit, &reading)) {
      request_epochs();
      return published;
    }
    if (races == kMaxRaces) {
      unit->linkable = false;
      unit->cut_short = true;
      return unit;
    }
    interp::free_unit(unit);
  }
}

void CodeManager::set_stops(std::vector<u16> page_offsets) {
  std::vector<u16> changed;
  std::ranges::set_symmetric_difference(stops_, page_offsets, std::back_inserter(changed));
  stops_ = std::move(page_offsets);
  for (const u16 offset : changed) cache_.invalidate_offset(offset);
  request_epochs();
}

Unit* CodeManager::unit_at(Vcpu& vcpu, u32 max_insns) {
  for (;;) {
    Unit* unit = try_unit_at(vcpu, max_insns);
    if (unit != nullptr || vcpu.frame().fault != 0) return unit;
  }
}

Unit* CodeManager::try_unit_at(Vcpu& vcpu, u32 max_insns) {
  VcpuFrame& frame = vcpu.frame();
  GuestPhys phys;
  const u8* host_page = vcpu.mmu().fetch_page(GuestVirt(frame.pc), &phys);
  if (host_page == nullptr) return nullptr;
  const u64 offset = frame.pc & ~kPageMask;
  const u64 address = phys.value + offset;

  // An instruction that straddles into the next page is a unit of its own, found by both pages.
  u64 phys_next = 0;
  const u8* host_next = nullptr;
  if (offset > kPageSize - guest_.max_insn_bytes) {
    u8 head[kMaxInsnBytes] = {};
    ram_copy_out(reinterpret_cast<std::byte*>(head), host_page + offset, kPageSize - offset);
    const u32 length = guest_.instruction_length(head);
    if (length > kPageSize - offset) {
      GuestPhys next;
      host_next = vcpu.mmu().fetch_page(GuestVirt((frame.pc & kPageMask) + kPageSize), &next);
      if (host_next == nullptr) return nullptr;
      phys_next = next.value;
    }
  }
  if (max_insns >= options_.max_block_insns || host_next != nullptr) {
    if (Unit* unit = cache_.find(address, phys_next, frame.mode)) return unit;
    max_insns = options_.max_block_insns;
  }
  return translate(vcpu, address, host_page, phys_next, host_next, max_insns);
}

CodeManager::Statistics CodeManager::statistics() const {
  Statistics total;
  for (const auto& translator : translators_) {
    const Statistics& one = translator->statistics;
    total.blocks += one.blocks;
    total.guest_insns += one.guest_insns;
    total.guest_bytes += one.guest_bytes;
    total.timed_insns += one.timed_insns;
    total.lift_ns += one.lift_ns;
    total.lower_ns += one.lower_ns;
    total.pages_marked += one.pages_marked;
    for (u32 i = 0; i < interp::kFusionCount; ++i) {
      total.fusions[i] += translator->lowering.fusion_count(static_cast<interp::Fusion>(i));
    }
  }
  return total;
}

}  // namespace pagoda
