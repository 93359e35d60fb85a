// SPDX-License-Identifier: MIT
// Region: what a region's code and the C++ side of leaving it share, in the form that is read when that happens.
//
// Made by the emitter, owned by the code's data (LoopCode::destroy). Read-only afterwards; any thread.
#pragma once

#include <memory>
#include <vector>

#include "tcg/abi/vcpu_frame.h"
#include "tcg/cache/unit.h"
#include "tcg/opt/region_count.h"

namespace pagoda::opt {

// The host registers of a region at a site, as a stub saved them; of vector registers the low halves.
struct SavedRegisters {
  u64 gpr[16];
  u64 xmm[16];
};

// Where a value is found at a site.
struct RegionValue {
  enum class Form : u8 {
    constant,
    pc,
    gpr,
    gpr_sext,
    xmm,
    xmm_box,
    spill,
    spill_box,
    spill_sext
  } form = Form::constant;
  u8 bytes = 8;   // of a slot
  u16 place = 0;  // number of a register; of a spilled value its offset in the frame
  u32 slot = 0;   // a slot's offset in the frame
  u64 imm = 0;    // the constant; of a pc the distance from the region's page
};

struct RegionSite {
  i64 pc = 0;
  i32 budget = 0;
  u32 first = 0, slots = 0;              // in Region::values
  u32 first_replayed = 0, replayed = 0;  // there, too
  // Of an access: registers by number. The address is register + displacement.
  u32 memory_op = 0;
  i32 displacement = 0;
  bool is_store = false, is_float = false;  // value: of a store what is written, of a load where it goes
  u8 address = 0, value = 0;
  bool has_page = false, wants_write = false;
  u8 page = 0, addend = 0;
};

struct Region {
  std::vector<RegionValue> values;
  std::vector<RegionSite> sites;  // as in the LirCode
  RegionCount* count = nullptr;   // null: nothing is counted
};

// What lies beside the code of a region.
struct RegionData {
  Region* region;
};

// The place of a spilled value. Index 0 is the doubleword that tier 0 keeps 0.
constexpr u32 spill_offset(u32 index) { return static_cast<u32>(offsetof(VcpuFrame, temps)) + 8 * index; }
inline constexpr u32 kMostSpills = kFrameTemps - 1;

// --- what stubs call -------------------------------------------------------------------------------------------------

// Does the access of a site. 0: done, and what it changes is in `saved`; otherwise the region is left: light::Left + 1,
// the frame is exact and frame.pc the instruction, which has not begun, or (replay_count) did some of its accesses.
u64 access(VcpuFrame* frame, SavedRegisters* saved, const Region* region, u32 site);
// Leaves by a site: makes the frame exact; returns `left`.
u64 leave(VcpuFrame* frame, SavedRegisters* saved, const Region* region, u32 site, u32 left);
// Executes the operation on call_args 0..2 that call_args 3 describes (fp_call_word).
u64 fp_call(VcpuFrame* frame);

// An op of the IR for fp_call: its number, bytes of the float (f_to_f: of the result) and of the integer, its aux
// (Round, FpCompare, or Round | Sign << 4).
constexpr u64 fp_call_word(u32 op, u32 size, u32 size2, u32 aux) {
  return op | u64{size} << 16 | u64{size2} << 24 | u64{aux} << 32;
}

}  // namespace pagoda::opt
