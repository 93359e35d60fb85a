// SPDX-License-Identifier: MIT
// LIR: tier 2's machine level. Virtual registers, short host sequences, blocks; before and after register allocation.
//
// Selection makes it of a Graph, the register allocator gives each operand a place and adds moves, the emitter writes
// host code. A virtual register has one def, unless it is a page's (use_def operands change it in place; the value
// lives on in the same register). Blocks are in the order in which their code will lie; block 0 is the entry. A block
// with two successors leads only to blocks with one predecessor (split_edges), so moves of an edge have a place. Plain
// data; one thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tcg/opt/graph.h"

namespace pagoda::opt {

struct RegionCount;

enum class Lir : u16 {
#define LIR(name, operands, meaning) name,
#include "tcg/opt/lir.def"
#undef LIR
};
inline constexpr u32 kLirCount = 0
#define LIR(name, operands, meaning) +1
#include "tcg/opt/lir.def"
#undef LIR
    ;
struct LirInfo {
  const char* name;
  const char* operands;
  const char* meaning;
};
const LirInfo& lir_info(Lir op);

using VReg = u32;  // 0: none

// First half of a page that there is none. What it is compared with has these bits clear: an address without its
// offset in the page, but for the low bits that make a misaligned access differ.
inline constexpr u64 kNoPage = 0x800;

enum class RegClass : u8 { gpr, xmm };

// Temps and clobbered registers lose what they hold while the instruction runs: only a `use` that is fixed there may
// be in one of them. A def that is fixed in a clobbered register is written after that.
enum class Role : u8 {
  use,       // read when the instruction begins; a def may take its register
  use_late,  // read until its end
  use_def,   // read and changed in place
  def,       // written at its end, when uses are dead
  temp,      // written while the instruction runs: shares with nothing
};
inline constexpr u8 kAnyReg = 0xff;
struct Operand {
  VReg reg = 0;
  Role role = Role::use;
  u8 fixed = kAnyReg;           // host register number it has to be in
  bool may_be_spilled = false;  // the emitter takes it from, or writes it to, its spill slot as well
};

enum class Condition : u8 { eq, ne, lt_s, le_s, gt_s, ge_s, lt_u, le_u, gt_u, ge_u };

struct LirInsn {
  Lir op{};
  u8 size = 8, size2 = 8;
  Condition cc = Condition::eq;
  bool test = false;
  u8 scale = 1;
  bool write = false;  // page: is for writing too
  u8 side = 0;
  u8 operands = 0;  // how many
  u32 first = 0;    // in LirCode::operands
  i64 imm = 0, imm2 = 0;
  u32 aux = 0;   // ir::MemOp::pack()
  u32 site = 0;  // index into LirCode::sites; 0: it never leaves by one
  const Unit* unit = nullptr;
  u32 clobbers[2] = {};  // by class: host registers that are lost, as bits
};

struct LirPhi {
  VReg reg;
  u32 first;  // in LirCode::phi_args, one for each predecessor in the order of LirBlock::before
};
struct LirBlock {
  u32 first = 0, count = 0;  // in LirCode::insns
  std::vector<LirPhi> phis;
  std::vector<u32> before;
  u32 next[2] = {};
  u32 successors = 0;
  u32 depth = 0;         // of loops
  u64 seen = 0;          // how often it ran in a sample, if there was one (Block::count)
  bool is_cold = false;  // lies behind the others
};

// Where something is after allocation.
struct Place {
  enum Kind : u8 { none, reg, spill } kind = none;
  u8 reg_number = 0;
  u16 spill_index = 0;  // doubleword of VcpuFrame::temps
  constexpr bool operator==(const Place&) const = default;
};

// How the value of a slot, or of an access that was done, is made on leaving.
struct Recipe {
  enum Form : u8 {
    constant,  // imm
    pc,        // page of the region's start + imm
    value,     // the register as it is (of an xmm: its low bytes)
    box32,     // an xmm's low 4 bytes under 32 ones
    sext32,    // a general register's low 4 bytes, sign-extended
  } form = constant;
  bool has_reg() const { return form >= value; }
  RegClass of = RegClass::gpr;
  VReg reg = 0;
  u64 imm = 0;
  Place place;  // the allocator's answer; of a constant it may also make the form `constant`
};
struct SiteSlot {
  u32 offset = 0;  // in the frame
  u8 bytes = 8;
  Recipe recipe;
};
// Where a region may be left in C++: what an instruction's State becomes. The registers of its recipes are used by the
// instruction, late and in any place, and their places there are the allocator's to fill in. A site belongs to one
// instruction.
struct Site {
  i64 pc = 0;  // from the region's page
  i32 budget = 0;
  u32 memory_op = 0;  // MemOp::pack() of an access
  std::vector<SiteSlot> slots;
  std::vector<Recipe> replayed;
};

// Moves that the allocator adds; those with the same `at` happen one after the other.
struct Move {
  u32 at;  // index of the instruction before which it happens
  RegClass of;
  Place from, to;
  bool is_imm = false;  // to = imm: a constant made anew instead of loaded; `to` is a general register
  u64 imm = 0;
  bool is_exchange = false;  // two general registers exchange what they hold
};

struct LirCode {
  std::vector<LirInsn> insns;
  std::vector<Operand> operands;
  std::vector<LirBlock> blocks;
  std::vector<VReg> phi_args;
  std::vector<Site> sites;  // sites[0] is nothing
  struct VRegInfo {
    RegClass of = RegClass::gpr;
    u8 bytes = 8;              // to keep when spilled: 8, or 4 and 8 of an xmm
    bool is_constant = false;  // its def is an `imm`: may be made anew anywhere
    u64 imm = 0;
    VReg hint = 0;  // would like the place of that one
    u8 fixed_hint = kAnyReg;
    i32 frame_home = -1;  // not negative: the frame has the value there as well, as long as it is needed
  };
  std::vector<VRegInfo> vregs;  // vregs[0] is nothing

  // Pages of guest code other than the entry's, by their distance from it in bytes: while the region is entered the TLB
  // has to map them to where their code was read; else `root` is entered instead.
  struct CodePage {
    i64 distance;
    const u8* host;
  };
  std::vector<CodePage> code_pages;
  const Unit* root = nullptr;
  std::vector<u32>
      pinned_slots;  // offsets: what the frame has of these does not matter when a region is left by an exit
  RegionCount* count = nullptr;  // not null: entries and exits are counted there

  // --- after allocation
  std::vector<Place> places;  // by operand; none: the def of an `imm` that is made anew wherever it is needed
  std::vector<Move> moves;    // by rising `at`
  u32 spills = 0;  // doublewords 1 to `spills` of VcpuFrame::temps are spill slots, and places of slots may be

  void clear();
  VReg new_vreg(RegClass of, u8 bytes = 8) {
    vregs.push_back({.of = of, .bytes = bytes});
    return static_cast<VReg>(vregs.size() - 1);
  }
  std::span<Operand> operands_of(const LirInsn& insn) { return {operands.data() + insn.first, insn.operands}; }
  std::span<const Operand> operands_of(const LirInsn& insn) const {
    return {operands.data() + insn.first, insn.operands};
  }
};

// The index that a spill slot at this place of the frame would have; 0: none, there are spill slots already.
u32 frame_slot(i32 offset);
// That of the register's frame_home; 0: it has none that can be said like that.
u32 home_slot(const LirCode& code, VReg reg);
// Whether all sites name the slot: nobody relies on what the frame has of it.
bool is_named_everywhere(const LirCode& code, u32 offset);

// Text, for dumps and tests; with places where there are some.
std::string print(const LirCode& code);

// The host registers that may be used, by class, as bits of their numbers.
struct Registers {
  u32 allocatable[2] = {};
  bool spill_everything = false;  // for tests: values live in spill slots between instructions
  u32 shuffle_seed = 0;           // for tests: not 0: registers are tried in an order made from it
};

// Fills `places`, the places of the sites' recipes, `moves` and `spills`. False: more spill slots than there are, or
// too much work; then the code is useless.
bool allocate_registers(LirCode& code, const Registers& registers);
// Follows every value along every way by what the moves and instructions do to places, on its own terms. Empty, or what
// is wrong.
std::string check_allocation(const LirCode& code, const Registers& registers);

}  // namespace pagoda::opt
