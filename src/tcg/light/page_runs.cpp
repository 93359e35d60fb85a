// SPDX-License-Identifier: MIT
// Finding accesses that can share a page check: one pass over the unit's threaded code.
#include "tcg/light/page_runs.h"

#include <algorithm>

namespace pagoda::light {
namespace {

using interp::Handler;
using interp::ThreadedOp;

constexpr i32 kMostBytes = 2048;  // of a run: what spans more lies in two pages too often

struct Kind {
  enum : u8 { load, store, plain, barrier } what;
  u8 size = 0;  // bytes of an access
};

constexpr bool fits(u64 value) { return static_cast<i64>(value) == static_cast<i32>(value); }

// Handlers that write 8 bytes at most, and never get to a safepoint; loads and stores; all others end runs.
Kind kind_of(Handler handler) {
  if (handler >= Handler::load_u8 && handler <= Handler::load_u64) {
    return {Kind::load, static_cast<u8>(1u << (static_cast<u32>(handler) - static_cast<u32>(Handler::load_u8)) / 2)};
  }
  if (handler >= Handler::store_8 && handler <= Handler::store_64) {
    return {Kind::store, static_cast<u8>(1u << (static_cast<u32>(handler) - static_cast<u32>(Handler::store_8)))};
  }
  const bool is_plain = handler <= Handler::bswap_i64 ||                                   // integers
                        (handler >= Handler::fadd_f32 && handler <= Handler::mov_8) ||     // floating point
                        (handler >= Handler::constant && handler <= Handler::select_8) ||  // moves
                        (handler >= Handler::sel_eq_i32_rr && handler <= Handler::flags_subc_imm_i64) ||
                        handler == Handler::flag || handler == Handler::flags_merge || handler == Handler::shift_add ||
                        handler == Handler::fence_none;
  return {is_plain ? Kind::plain : Kind::barrier};
}

}  // namespace

void PageRuns::close(u32 candidate) {
  Candidate& run = candidates_[candidate];
  if (!run.open) return;
  run.open = false;
  if (run.count < 2) return;
  // The last aligned piece of the largest size.
  const i32 size = static_cast<i32>(run.size);
  run.check += (run.end - 1 - run.check) / size * size;
  runs_.push_back(run);
  for (u32 i = 0; i < run.count; ++i) run_of_op_[run.ops[i]] = static_cast<u16>(runs_.size());
}

void PageRuns::close_changed(u32 place, u32 bytes) {
  for (u32 i = 0; i < kPageAddends; ++i) {
    if (candidates_[i].base >= place && candidates_[i].base < place + bytes) close(i);
  }
}

void PageRuns::move_base(u32 place, u64 distance) {
  for (u32 i = 0; i < kPageAddends; ++i) {
    Candidate& run = candidates_[i];
    if (run.base != place) continue;
    run.added += static_cast<i64>(distance);
    if (run.added != static_cast<i32>(run.added)) close(i);
  }
}

void PageRuns::add(u32 op, const ThreadedOp& step, bool write, u32 size) {
  const auto distance = static_cast<i64>(step.imm);
  if (step.a == offsetof(VcpuFrame, temps) || distance != static_cast<i32>(distance)) return;
  u32 place = kPageAddends;
  for (u32 i = 0; i < kPageAddends; ++i) {
    Candidate& run = candidates_[i];
    if (!run.open) {
      if (place == kPageAddends) place = i;
      continue;
    }
    if (run.base != step.a) continue;
    const i64 offset = distance + run.added;
    if (offset != static_cast<i32>(offset)) return;
    // Alike modulo the smaller size: if one is aligned, so is the other.
    const i64 low = std::min<i64>(run.low, offset), end = std::max<i64>(run.end, offset + size);
    if (run.count == std::size(run.ops) || end - low > kMostBytes) return;
    if ((offset - run.check) % static_cast<i64>(std::min(size, run.size)) != 0) return;
    if (size > run.size) {
      run.size = size;
      run.check = static_cast<i32>(offset);
    }
    run.low = static_cast<i32>(low);
    run.end = static_cast<i32>(end);
    run.write |= write;
    run.kept |= run.last + 1 != op;
    run.last = op;
    run.ops[run.count++] = op;
    return;
  }
  if (place == kPageAddends) {  // the one that was not used for longest gives way
    for (u32 i = 0; i < kPageAddends; ++i) {
      if (place == kPageAddends || candidates_[i].last < candidates_[place].last) place = i;
    }
    close(place);
  }
  Candidate& run = candidates_[place];
  static_cast<PageRun&>(run) = {.base = step.a,
                                .write = write,
                                .slot = static_cast<u8>(place),
                                .first = op,
                                .last = op,
                                .count = 1,
                                .low = static_cast<i32>(distance),
                                .end = static_cast<i32>(distance + size),
                                .check = static_cast<i32>(distance),
                                .size = size};
  run.open = true;
  run.added = 0;
  run.ops[0] = op;
}

void PageRuns::find(const Unit& unit, std::span<const Handler> handlers) {
  runs_.clear();
  run_of_op_.assign(unit.op_count, 0);
  for (Candidate& candidate : candidates_) candidate.open = false;
  for (u32 i = 0; i < unit.op_count; ++i) {
    if (handlers[i] == Handler::count) continue;
    const ThreadedOp& step = unit.code[i];
    const Kind kind = kind_of(handlers[i]);
    switch (kind.what) {
      case Kind::load:
        add(i, step, false, kind.size);
        close_changed(step.d, 8);
        break;
      case Kind::store:
        add(i, step, true, kind.size);
        break;
      case Kind::plain:
        if (handlers[i] == Handler::add_i64_ri && step.d == step.a && fits(step.imm)) {
          move_base(step.d, step.imm);
        } else {
          close_changed(step.d, 8);
        }
        break;
      case Kind::barrier:
        for (u32 run = 0; run < kPageAddends; ++run) close(run);
    }
  }
  for (u32 run = 0; run < kPageAddends; ++run) close(run);
}

}  // namespace pagoda::light
