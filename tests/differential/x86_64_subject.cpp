// SPDX-License-Identifier: MIT
// Blocks are made where control comes to, kept as long as cases have the same bytes, and run one after another until
// control leaves these.
#include "differential/x86_64_subject.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "cpu/x86_64/helpers.h"
#include "cpu/x86_64/processor.h"
#include "cpu/x86_64/translate.h"
#include "differential/x86_64_memory.h"
#include "tcg/host/fp.h"
#include "tcg/interp/interp.h"
#include "tcg/ir/builder.h"
#include "tcg/ir/verifier.h"
#include "tcg/light/light.h"

// The frame's members have bases; they have fixed offsets all the same.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace pagoda::x86_64 {
namespace {

constexpr u32 kMaxBlocks = 20000;  // rep instructions come again and again

std::vector<HelperFn> helper_functions() {
  std::vector<HelperFn> functions;
  for (u32 i = 0; i < helper_table().count; ++i) functions.push_back(helper_table().helpers[i].function);
  return functions;
}

X87State x87_of(const FpImage& image) {
  X87State state;
  state.control = image.get<u16>(FpImage::kControl);
  state.status = image.get<u16>(FpImage::kStatus);
  state.tags = 0;
  for (u32 i = 0; i < 8; ++i) {
    if ((image.fx[FpImage::kTags] >> i & 1) == 0) state.tags = static_cast<u16>(state.tags | 3 << 2 * i);
    std::memcpy(state.stack[i], &image.fx[FpImage::kStack + 16 * i], 10);
  }
  return state;
}
void put_x87(const X87State& state, FpImage& image) {
  image.set<u16>(FpImage::kControl, state.control);
  image.set<u16>(FpImage::kStatus, state.status);
  u32 used = 0;
  for (u32 i = 0; i < 8; ++i) {
    used |= u32{(state.tags >> 2 * i & 3) != 3} << i;
    std::memcpy(&image.fx[FpImage::kStack + 16 * i], state.stack[i], 10);
  }
  image.fx[FpImage::kTags] = static_cast<u8>(used);
}

}  // namespace

struct Subject::Machine {
  explicit Machine(const Side& side) : lowering(slot_table(), helper_table(), side.fusions) {
    for (u32 i = 0; i < kJumpCacheEntries; ++i)
      jump_cache[i] = {.pc = ~u64{0}, .unit = &none, .key = 0, .entry = nullptr};
    Processor& p = frame->processor;
    p.memory = p.contexts[0] = {&frame->tlb, u64{1} << 4, kNoTlbTag};
    for (u64 page = 0; page < kDataBytes; page += 0x1000) {
      TlbEntry& entry = frame->tlb.entries[tlb_index(kDataAddress + page)];
      entry.read_tag = entry.write_tag = kDataAddress + page + p.memory.tag;
      entry.addend = reinterpret_cast<u64>(data.data()) - kDataAddress;
    }
    p.slow = &case_memory_paths();
    p.vcpu = data.data();
    p.jump_cache = jump_cache.get();
    p.code_epoch.store(1, std::memory_order_relaxed);
    p.helpers = functions.data();
    p.fp_control = fp::control_word(ir::Round::nearest_even, 0);
    if (!side.compiled) return;
    auto memory = CodeMemory::create(std::size_t{1} << 20);
    if (!memory) return;
    code_memory = std::move(*memory);
    light::Layout layout{
        .pinned = pinned_registers(), .helpers = helper_table(), .features = host::host_features().value()};
    layout.tlb_offset[0] = offsetof(Frame, tlb);
    layout.second_tlb_offset[0] = offsetof(Frame, second_tlb);
    stubs = std::make_unique<light::Stubs>(*code_memory, layout);
    compiler = std::make_unique<light::Compiler>(*stubs);
  }

  ~Machine() { forget(); }

  // Block of the code's bytes from `offset` on.
  struct Made {
    u32 offset;
    bool compiled;
    Unit* unit;
  };

  void forget() {
    for (const Made& one : made) {
      if (one.compiled) code_memory->release(one.unit->host.start, one.unit->host.data);
      interp::free_unit(one.unit);
    }
    made.clear();
  }

  void set_code(std::span<const u8> bytes) {
    if (std::ranges::equal(bytes, std::span(code).first(code_bytes))) return;
    forget();
    std::ranges::copy(bytes, code.begin());
    code_bytes = static_cast<u32>(bytes.size());
  }

  const Made& block_at(u32 offset) {
    for (const Made& one : made) {
      if (one.offset == offset) return one;
    }
    const u64 pc = kCodeAddress + kCodeOffset + offset;
    builder.start(&block, slot_table());
    translate_block(builder,
                    {.code = {.bytes = &code[offset], .size = code_bytes - offset, .pc = pc}, .max_insns = 48});
    ir::verify_or_die(block, slot_table(), helper_table());
    Unit* unit = lowering.lower(block);
    unit->linkable = false;  // once, even if it leads to itself
    unit->phys = pc;
    const bool compiled = compiler != nullptr && compiler->compile(*unit, 0);
    if (compiled) unit->host.entry.store(unit->host.start, std::memory_order_relaxed);
    return made.emplace_back(offset, compiled, unit);
  }

  interp::Leave run_block(u32 offset) {
    const Made& at = block_at(offset);
    ++runs;
    compiled_runs += at.compiled;
    return (at.compiled ? light::execute(*stubs, frame->processor, *at.unit)
                        : interp::execute(frame->processor, *at.unit))
        .reason;
  }

  // Compiled code finds the tables behind the state.
  struct Frame {
    Processor processor;
    TlbTable tlb;
    SecondTlbTable second_tlb;
  };

  std::unique_ptr<Frame> frame = std::make_unique<Frame>();
  alignas(4096) std::array<u8, kDataBytes> data{};
  Unit none;
  std::unique_ptr<JumpCacheEntry[]> jump_cache = std::make_unique<JumpCacheEntry[]>(kJumpCacheEntries);
  std::vector<HelperFn> functions = helper_functions();
  ir::Block block;
  ir::Builder builder;
  interp::Lowering lowering;
  std::unique_ptr<CodeMemory> code_memory;
  std::unique_ptr<light::Stubs> stubs;
  std::unique_ptr<light::Compiler> compiler;
  std::array<u8, kMaxCode> code{};
  u32 code_bytes = 0;
  std::vector<Made> made;
  u64 runs = 0, compiled_runs = 0;
};

Subject::Subject(const Side& side) : machine_(std::make_unique<Machine>(side)) {}
Subject::~Subject() = default;
u8* Subject::data() { return machine_->data.data(); }
u64 Subject::compiled_runs() const { return machine_->compiled_runs; }
u64 Subject::runs() const { return machine_->runs; }

void Subject::run(const Case& from, Outcome& to) {
  machine_->set_code(from.bytes());
  Processor& p = machine_->frame->processor;
  std::memcpy(p.gpr, from.gpr, sizeof p.gpr);
  write_rflags(p, from.rflags | rflags::kInterrupt);  // as any program has it
  p.gs_base = kGsBase;
  p.fs_base = 0;
  for (u32 i = 0; i < 16; ++i) {
    std::memcpy(p.vec[i].low, &from.fp.fx[FpImage::kXmm + 16 * i], 16);
    std::memcpy(p.vec[i].high, from.fp.high[i].data(), 16);
  }
  p.x87 = x87_of(from.fp);
  p.fp_control = from.fp.get<u32>(FpImage::kMxcsr);
  p.unmasked = 0;
  p.pc = kCodeAddress + kCodeOffset;
  p.fault = p.leave = 0;
  p.budget = i64{1} << 40;
  p.poll.store(0, std::memory_order_relaxed);
  to = Outcome{};
  for (u32 blocks = 0;; ++blocks) {
    CHECK(blocks < kMaxBlocks, "the case does not end: {:02x}", fmt::join(from.bytes(), " "));
    const u64 offset = p.pc - (kCodeAddress + kCodeOffset);
    if (offset >= from.code_bytes) break;
    const interp::Leave reason = machine_->run_block(static_cast<u32>(offset));
    if (reason != interp::Leave::exception) continue;
    to.vector = static_cast<u32>(p.fault_cause);
    to.fault_address = to.vector == static_cast<u32>(Vector::page_fault) ? p.fault_value : 0;
    break;
  }
  to.pc = p.pc;
  std::memcpy(to.gpr, p.gpr, sizeof to.gpr);
  for (u32 i = 0; i < 16; ++i) {
    std::memcpy(&to.fp.fx[FpImage::kXmm + 16 * i], p.vec[i].low, 16);
    std::memcpy(to.fp.high[i].data(), p.vec[i].high, 16);
  }
  put_x87(p.x87, to.fp);
  to.fp.set<u32>(FpImage::kMxcsr, p.fp_control & ~p.unmasked);
  to.rflags = read_rflags(p) & ~rflags::kInterrupt;
}

}  // namespace pagoda::x86_64
