// SPDX-License-Identifier: MIT
// Fetch, translate, publish, invalidate.
#include "cpu/code_manager.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>

#include "base/check.h"
#include "base/log.h"
#include "cpu/rendezvous.h"
#include "cpu/vcpu.h"
#include "tcg/ir/builder.h"
#include "tcg/ir/printer.h"
#ifdef PAGODA_VERIFY_IR
#include "tcg/ir/verifier.h"
#endif

namespace pagoda {
namespace {

// Reading the clock for every block would cost more than some blocks do.
constexpr u32 kTimedEvery = 64;
// Tries to publish a unit from bytes that others keep writing.
constexpr u32 kMaxRaces = 3;

u64 now_ns() { return static_cast<u64>(std::chrono::steady_clock::now().time_since_epoch().count()); }

}  // namespace

struct CodeManager::Translator {
  Translator(const Guest& guest, const CodeOptions& options)
      : window(std::min<u64>(kPageSize, u64{options.max_block_insns} * guest.max_insn_bytes)),
        bytes(window + kMaxInsnBytes + 2 * kRamLineBytes) {}
  ir::Builder builder;
  ir::Block block;
  u64 window;  // a block never needs more than its instructions' bytes
  std::vector<u8> bytes;
  Statistics statistics;
};

CodeManager::CodeManager(GuestMemory& memory, Rendezvous& rendezvous, const Guest& guest, u32 vcpus,
                         const CodeOptions& options)
    : memory_(memory),
      rendezvous_(rendezvous),
      guest_(guest),
      options_(options),
      hot_spots_(options.policy != nullptr ? *options.policy : tier::policies()[0],
                 {{options.tier1_threshold, options.tier2_threshold}}),
      cache_(options.cache_bytes, vcpus + 1) {  // and the region compiler
  for (u32 i = 0; i < vcpus; ++i) translators_.push_back(std::make_unique<Translator>(guest, options));
  memory_.set_code_observer(this);
  tier::Setup setup{
      .slots = guest.slots,
      .helpers = guest.helpers,
      .pinned = guest.pinned,
      .memory_modes = guest.memory_modes,
      .threads = vcpus,
      .code_bytes = options.code_bytes,
      .fusions = options.fusions,
      .regions = options.regions,
      .loop_threshold = options.min_tier > 0 ? std::min(options.loop_threshold, 2u) : options.loop_threshold};
  for (u32 mode = 0; mode < guest.memory_modes; ++mode) {
    setup.tlb_offset[mode] = tlb_offset(guest, mode);
    setup.second_tlb_offset[mode] = second_tlb_offset(guest, mode);
  }
  const bool wants_regions = options.tier2_threshold != 0 && options.max_tier >= 2;
  setup.counts_own_turns = wants_regions;
  if (wants_regions) {
    setup.loop_threshold = options.min_tier > 1 ? 2 : hot_spots_.back_edges_of(options.tier2_threshold);
    // A policy that said no wants to be asked again.
    if (!hot_spots_.is_simple()) setup.turns_again = setup.loop_threshold;
  }
  auto interpreter = tier::fallback_backend().create(setup);
  CHECK(interpreter.has_value());  // it needs nothing of the host
  interpreter_ = std::move(*interpreter);
  const tier::Backend* backend = options.backend;
  for (const tier::Backend& one : tier::backends()) {
    if (options.backend == nullptr && one.tier <= options.max_tier && one.source == nullptr) backend = &one;
  }
  if (options_.max_tier == 0 || backend->tier == 0) return;
  auto compiler = backend->create(setup);
  if (!compiler) {
    fmt::print(stderr, "pagoda: {}; guest code is interpreted\n", compiler.error().message);
    return;
  }
  compiler_ = std::move(*compiler);
  guard_ = std::make_unique<tier::Guard>(*backend);
  if (wants_regions && compiler_->makes_regions()) {
    opt::FormLimits limits;
    if (options.min_tier > 1) limits.fewest_insns = 0;
    regions_ = std::make_unique<RegionCompiler>(guest, *backend, *compiler_, cache_, vcpus,
                                                RegionCompiler::Options{.in_background = options.regions_in_background,
                                                                        .forward_state = options.forward_state,
                                                                        .perf_map = options.perf_map,
                                                                        .limits = limits});
  }
  const std::span<const u8> shared = compiler_->shared_code();
  if (options.perf_map != nullptr && !shared.empty())
    options.perf_map->add(shared.data(), shared.size(), "pagoda_stubs");
}

// Entered often enough: host code, if there is room; else tier 0 goes on with it. Several vcpus may come here at once;
// the first one compiles, the others go on with tier 0 meanwhile.
void CodeManager::compile(Vcpu& vcpu, Unit& unit) {
  if (unit.host.is_claimed.exchange(true, std::memory_order_acquire)) return;
  const u64 time = vcpu.instructions();
  if (options_.min_tier == 0 && !unit.warmth.is_due) {
    const u32 entries = hot_spots_.entries_of(unit.warmth.next);
    const tier::Decision decision = hot_spots_.look(unit.warmth, {.tier = 0, .entries = entries, .time = time});
    if (log_enabled(Log::tier)) [[unlikely]] {
      log(Log::tier, "{} pc {:#x} mode {:#x} on tier 0: {} of {}",
          tier::kVerdictNames[static_cast<u32>(decision.verdict)], vcpu.frame().pc, vcpu.frame().mode, decision.score,
          decision.goal);
    }
    if (decision.verdict != tier::Verdict::promote) {
      unit.heat.store(hot_spots_.entries_of(decision.next) + 1, std::memory_order_relaxed);
      return unit.host.is_claimed.store(false, std::memory_order_release);
    }
  }
  tier::Job job{.unit = &unit, .memory_mode = vcpu.frame().memory_mode};
  const tier::Guard::Attempt attempt = guard_->compile(*compiler_, vcpu.index(), job, unit.warmth, time);
  if (attempt.asked && attempt.outcome == tier::Outcome::done) {
    unit.heat.store(1, std::memory_order_relaxed);  // who comes along on tier 0 is sent here
    if (options_.perf_map != nullptr) [[unlikely]] {
      const VcpuFrame& frame = vcpu.frame();
      options_.perf_map->add(unit.host.start, unit.host.bytes,
                             fmt::format("{}_{:x}_mode{:x}_{}_insns_{}_bytes", guest_.name, frame.pc, frame.mode,
                                         unit.guest_insns, unit.host.bytes));
    }
    return cache_.attach(&unit);
  }
  unit.heat.store(attempt.wait, std::memory_order_relaxed);
  if (attempt.wait != 0) unit.host.is_claimed.store(false, std::memory_order_release);
  if (attempt.asked && attempt.outcome == tier::Outcome::no_room) make_room();
}

// Control came back to `root` often: what is hot around it gets code in common.
void CodeManager::turned_often(Vcpu& vcpu, Unit& root) {
  if (!root.host.wants_loop.exchange(false, std::memory_order_relaxed)) return;
  if (regions_ == nullptr) return compile_loop(vcpu, root, vcpu.frame().memory_mode);
  if (root.host.entry.load(std::memory_order_relaxed) != root.host.start || root.host.is_region_asked) return;
  if (!regions_->may_try(root, vcpu.instructions())) return;
  if (options_.min_tier < 2) {
    const tier::Event event{
        .tier = 1, .back_edges = hot_spots_.back_edges_of(options_.tier2_threshold), .time = vcpu.instructions()};
    const tier::Decision decision = hot_spots_.look(root.warmth, event);
    if (log_enabled(Log::tier)) [[unlikely]] {
      log(Log::tier, "{} pc {:#x} mode {:#x} on tier 1: {} of {}",
          tier::kVerdictNames[static_cast<u32>(decision.verdict)], vcpu.frame().pc, vcpu.frame().mode, decision.score,
          decision.goal);
    }
    if (decision.verdict != tier::Verdict::promote) return;
  }
  vcpu.start_sample();
}

void CodeManager::sampled(Vcpu& vcpu, std::span<const opt::Sample> samples, u32 memory_mode) {
  samples[0].unit->host.is_region_asked = true;  // by a whole sample; one that was cut off is taken again
  const bool requested = regions_->request(samples, memory_mode, vcpu.features(), vcpu.instructions());
  if (log_enabled(Log::tier)) [[unlikely]] {
    log(Log::tier, "pc {:#x} mode {:#x} on tier 1: sample of {} units, {}", samples[0].pc,
        samples[0].unit->mode.load(std::memory_order_relaxed), samples.size(), requested ? "promote" : "stay");
  }
  if (!requested) compile_loop(vcpu, *samples[0].unit, memory_mode);
}

void CodeManager::compile_loop(Vcpu& vcpu, Unit& root, u32 memory_mode) {
  LoopUnit units[kMostLoopUnits];
  const u32 count = cache_.find_loop(&root, units);
  if (count == 0) return;
  const std::span<const LoopUnit> loop(units, count);
  const LoopCode code = compiler_->compile_loop(vcpu.index(), loop, memory_mode);
  if (code.start == nullptr) return;
  if (options_.perf_map != nullptr) [[unlikely]] {
    const VcpuFrame& frame = vcpu.frame();
    u32 insns = 0;
    for (const LoopUnit& part : loop) insns += part.unit->guest_insns;
    options_.perf_map->add(
        code.start, code.bytes,
        fmt::format("{}_loop_{:x}_mode{:x}_{}_insns_{}_bytes", guest_.name, frame.pc, frame.mode, insns, code.bytes));
  }
  cache_.attach_loop(loop, code);
}

interp::LeaveInfo CodeManager::execute(Vcpu& vcpu, Unit& unit) {
  if (unit.host.entry.load(std::memory_order_acquire) == nullptr) {
    const u32 heat = unit.heat.load(std::memory_order_relaxed);
    if (heat > 1) unit.heat.store(heat - 1, std::memory_order_relaxed);
    if (heat == 1) compile(vcpu, unit);
  } else if (unit.host.wants_loop.load(std::memory_order_relaxed)) [[unlikely]] {
    turned_often(vcpu, unit);
    if (vcpu.is_sampling()) return {interp::Leave::hot, nullptr, &unit};  // again, by its way
  }
  const bool compiled = unit.host.entry.load(std::memory_order_acquire) != nullptr;
  const i64 before = vcpu.frame().budget;
  const interp::LeaveInfo left =
      compiled ? compiler_->execute(vcpu.frame(), unit) : interpreter_->execute(vcpu.frame(), unit);
  vcpu.statistics().tier_instructions[compiled ? 1 : 0] += static_cast<u64>(before - vcpu.frame().budget);
  return left;
}

interp::LeaveInfo CodeManager::interpret(Vcpu& vcpu, Unit& unit) {
  const i64 before = vcpu.frame().budget;
  const interp::LeaveInfo left = interpreter_->execute(vcpu.frame(), unit);
  vcpu.statistics().tier_instructions[0] += static_cast<u64>(before - vcpu.frame().budget);
  return left;
}

CodeManager::~CodeManager() {
  regions_.reset();  // its thread uses the rest
  memory_.set_code_observer(nullptr);
}

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

void CodeManager::make_room() {
  const u64 deaths = cache_.deaths();
  cache_.evict_generation();
  after_deaths(deaths);
}

void CodeManager::code_written(GuestPhys address, u64 size) {
  // Without its last unit a page is data again.
  const u64 deaths = cache_.deaths();
  cache_.invalidate(address.value, size, memory_.marks_of(address), GuestMemory::kHasCode | GuestMemory::kNoWriteTags);
  after_deaths(deaths);
}

// Where units may have died since there were `deaths`: no vcpu enters one again by its jump cache, and who runs in one
// that jumps to itself leaves by the poll. Their memory is freed when every vcpu has been between units.
void CodeManager::after_deaths(u64 deaths) {
  const bool died = cache_.deaths() != deaths;
  if (!cache_.take_epoch_request() && !died) return;
  for (Vcpu* vcpu : rendezvous_.vcpus()) {
    if (died) next_code_epoch(vcpu->frame());
    vcpu->poke();
  }
}

Unit* CodeManager::find_or_translate(Vcpu& vcpu, const Source& source) {
  Translator& translator = *translators_[vcpu.index()];
  VcpuFrame& frame = vcpu.frame();
  const u64 page = source.phys & kPageMask, offset = source.phys - page;
  const bool straddles = source.host_next != nullptr;
  struct ReadingScope : CodeCache::Reading {
    explicit ReadingScope(CodeCache& to) : cache(to) {}
    ~ReadingScope() { cache.end_reading(this); }
    CodeCache& cache;
  } reading(cache_);
  reading.page[reading.pages++] = page;
  if (straddles) reading.page[reading.pages++] = source.phys_next;
  if (source.once) {
    cache_.begin_reading(&reading);
  } else if (Unit* unit = cache_.find_or_begin_reading(source.phys, source.phys_next, frame.mode, &reading)) {
    return unit;
  }
  for (u32 i = 0; i < reading.pages; ++i) mark_page(vcpu, GuestPhys(reading.page[i]));
  for (u32 races = 0;; ++races) {
    const bool timed = translator.statistics.blocks % kTimedEvery == 0;
    const u64 start = timed ? now_ns() : 0;
    const u64 in_page = std::min<u64>(source.size, translator.window);
    // Whole lines, so that nothing depends on how the code is aligned, which is another way at every block.
    const u64 before = offset % kRamLineBytes;
    ram_copy_lines(reinterpret_cast<std::byte*>(translator.bytes.data()), source.host_page + offset - before,
                   (before + in_page + kRamLineBytes - 1) / kRamLineBytes);
    u8* const bytes = translator.bytes.data() + before;
    u64 size = in_page;
    if (straddles) {
      ram_copy_out(reinterpret_cast<std::byte*>(bytes + in_page), source.host_next, kMaxInsnBytes);
      size += kMaxInsnBytes;
    }
    // Another vcpu may have put a longer instruction at the end since the caller looked.
    const u32 first_length = guest_.instruction_length(bytes);
    if (first_length > size) return nullptr;
    const auto stop = std::ranges::upper_bound(stops_, offset);
    const bool is_stop = stop != stops_.begin() && stop[-1] == offset;
    u32 most = source.max_insns;
    if (stop != stops_.end() && *stop - offset < size) {
      size = *stop - offset;
      if (size < first_length) {  // in the middle of the instruction
        size = first_length;
        most = 1;
      }
    }
    translator.builder.start(&translator.block, guest_.slots, options_.forward_state);
    guest_.translate(translator.builder, {.code = {bytes, static_cast<u32>(size), frame.pc},
                                          .mode = frame.mode,
                                          .max_insns = most,
                                          .features = vcpu.features()});
#ifdef PAGODA_VERIFY_IR
    ir::verify_or_die(translator.block, guest_.slots, guest_.helpers);
#endif
    if (log_enabled(Log::in_asm)) {
      const std::span code(bytes, translator.block.guest_bytes);
      log(Log::in_asm, "pc {:#x}, physical {:#x}, mode {:#x}:\n{}", frame.pc, source.phys, frame.mode,
          guest_.disassemble(code, frame.pc));
    }
    if (log_enabled(Log::ir)) {
      log(Log::ir, "pc {:#x}:\n{}", frame.pc, ir::print(translator.block, guest_.slots, guest_.helpers));
    }
    const u64 lifted = timed ? now_ns() : 0;
    // The check of the second page looks where the mode's data accesses look.
    const bool can_check = straddles && guest_.fetch_mode(vcpu) == frame.memory_mode;
    const bool linkable = (!straddles || can_check) && !source.once && !is_stop;
    tier::Job job{.block = &translator.block, .next_page = straddles && linkable ? source.host_next : nullptr};
    interpreter_->compile(vcpu.index(), job);
    Unit* unit = job.unit;
    if (unit->is_spare) {  // the host is short of memory: this block for now, and room for others
      make_room();
    }
    unit->mode.store(frame.mode, std::memory_order_relaxed);
    unit->phys = source.phys;
    unit->phys_next = source.phys_next;
    unit->host_page = source.host_page;
    unit->cut_short = source.once || unit->is_spare;
    unit->linkable = linkable && !unit->is_spare;
    for (u32 side = 0; side < 2; ++side) {
      unit->exit_is_far[side] = static_cast<u64>(static_cast<i64>(offset) + unit->exit_offset[side]) >= kPageSize;
    }
    if (compiler_ != nullptr && unit->linkable) {
      const u32 first = hot_spots_.entries_of(hot_spots_.begin(unit->warmth, vcpu.instructions()));
      unit->heat.store(options_.min_tier > 0 ? 1 : first + 1, std::memory_order_relaxed);
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
    const u64 deaths = cache_.deaths();
    if (Unit* published = cache_.publish(unit, &reading)) {
      after_deaths(deaths);
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
  const u64 deaths = cache_.deaths();
  for (const u16 offset : changed) cache_.invalidate_offset(offset);
  after_deaths(deaths);
}

Unit* CodeManager::unit_at(Vcpu& vcpu, u32 max_insns) {
  for (;;) {
    Unit* unit = try_unit_at(vcpu, max_insns);
    if (unit != nullptr || vcpu.frame().fault != 0) return unit;
  }
}

Unit* CodeManager::try_unit_at(Vcpu& vcpu, u32 max_insns) {
  VcpuFrame& frame = vcpu.frame();
  Softmmu::CodePage code = vcpu.mmu().fetch_page(GuestVirt(frame.pc));
  if (code.host == nullptr) return nullptr;
  const u32 offset = static_cast<u32>(frame.pc & ~kPageMask);
  const u64 address = code.phys.value + offset;
  Source source{
      .phys = address, .host_page = code.host, .size = code.end - offset, .max_insns = max_insns, .once = false};

  // Units are known by their pages as wholes: what ends at a boundary inside one is made for each run.
  source.once = !code.whole;
  // An instruction that reaches beyond the page, or beyond a protection boundary in it, is a unit of its own; one
  // across two pages is found by both.
  if (source.size < guest_.max_insn_bytes) {
    u8 head[kMaxInsnBytes] = {};
    ram_copy_out(reinterpret_cast<std::byte*>(head), code.host + offset, source.size);
    if (guest_.instruction_length(head) > source.size) {
      const Softmmu::CodePage rest = vcpu.mmu().fetch_page(GuestVirt((frame.pc & kPageMask) + code.end));
      if (rest.host == nullptr) return nullptr;
      source.max_insns = 1;
      if (code.end == kPageSize) {
        source.once |= !rest.whole;
        source.phys_next = rest.phys.value;
        source.host_next = rest.host;
      } else {
        source.size = rest.end - offset;
      }
    }
  }
  source.once |= max_insns < options_.max_block_insns && source.host_next == nullptr;  // less than a whole block
  return find_or_translate(vcpu, source);
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
  }
  total.interpreter = interpreter_->statistics();
  if (compiler_ != nullptr) {
    total.compiler = compiler_->statistics();
    total.code_bytes = compiler_->code_bytes();
    total.guard = guard_->statistics();
    if (regions_ != nullptr) total.regions = regions_->statistics();
  }
  total.backend = guard_ != nullptr ? guard_->backend().name : nullptr;
  total.policy = hot_spots_.policy().name;
  total.promotion = hot_spots_.statistics();
  return total;
}

}  // namespace pagoda
