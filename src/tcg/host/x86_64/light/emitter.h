// SPDX-License-Identifier: MIT
// The emitter's state and vocabulary; what each handler of the threaded code becomes stands in emit_*.cpp by subject.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "tcg/host/x86_64/light/registers.h"
#include "tcg/interp/handlers.h"
#include "tcg/light/light.h"
#include "tcg/light/page_runs.h"

namespace pagoda::light {

using interp::Handler;
using interp::ThreadedOp;

// Two-operand operations, numbered as their handlers follow one another.
enum class Operation : u16 {
#define BINARY(name) name,
#define COMPARE(name) name,
#include "tcg/interp/handlers.def"
  count
};

// Data beside the code of a unit.
struct HostData {
  HostLink links[2];
  const Unit* unit;
  i32 turns;  // jumps back, inside the page, that are left before the loop they make is looked for
};
static_assert(sizeof(HostData) <= CodeMemory::kDataBytes);

// Where in the guest code a slow path was entered: offset of the unit in its page, its instructions, the current one.
constexpr u32 site_word(u32 page_offset, u32 insns, u32 index) { return page_offset | insns << 12 | index << 20; }

x86::CondCode condition_of(Operation operation);

// The low bytes of a register.
inline x86::Gp low_part(x86::Gp reg, u32 size) {
  switch (size) {
    case 1:
      return x86::Gp(reg.r8());
    case 2:
      return x86::Gp(reg.r16());
    case 4:
      return x86::Gp(reg.r32());
    default:
      return x86::Gp(reg.r64());
  }
}
// Extends to 64 bits.
void load_sized(x86::Assembler& a, x86::Gp to, const x86::Mem& from, u32 size, bool sign);

using X86Feature = asmjit::CpuFeatures::X86;

// Places whose floating-point value a vector register holds as well. The frame has it, too: code that makes the
// registers void, which is cold code, loads them again, and nobody else has to know of them.
struct FloatCopies {
  static constexpr u32 kFirst = 4, kCount = 12;
  u16 place[kCount] = {};  // 0: none
  u16 is_wide = 0;         // by bit: 8 bytes of the place, not 4
  u16 is_boxed = 0;        // by bit: the place's high half is all ones (f32_box)
};

struct Compiler::Work {
  explicit Work(const Stubs& from);

  const Stubs& stubs;
  const host::Features& can = stubs.layout.features;
  const bool has_bmi = can.has(X86Feature::kBMI) && can.has(X86Feature::kBMI2);
  const bool has_fma = can.has(X86Feature::kFMA), has_lzcnt = can.has(X86Feature::kLZCNT);
  const bool has_popcnt = can.has(X86Feature::kPOPCNT);
  asmjit::CodeHolder holder;
  asmjit::StringLogger logger;
  std::string* listing = nullptr;
  x86::Assembler a;
  const Unit* unit = nullptr;
  const ThreadedOp* op = nullptr;  // the op being emitted
  u32 memory_mode = 0;
  u32 insn = 0;            // guest instruction of the op
  bool skip_next = false;  // the op being emitted did what the next one says
  u32 stepped = 0;

  // 32-bit displacements at `at` in the code (their end is at + 4) to an address outside or to the data.
  struct Fixup {
    u32 at;
    const u8* target;  // null: into the data
    u32 data_offset;
  };
  std::vector<Fixup> fixups;
  // Code that rarely runs, put behind the rest.
  std::vector<std::function<void()>> cold;
  // The same for loads and stores that need more than the first level of the TLB. What follows at once in the same run
  // is done there too: it has no test of its own.
  struct SlowAccess {
    const ThreadedOp* op;
    const PageRun* run;  // null: it shares no check
    u32 last;            // index of the last op
    FloatCopies copies;  // at the end
    asmjit::Label slow, found, end;
    x86::Gp address;
  };
  std::vector<SlowAccess> slow_accesses;
  std::vector<Handler> handlers;  // by op
  PageRuns runs;
  asmjit::Label entry, fault_exit;
  bool fault_exit_used = false;
  // Of a loop's code: what each of its units has for itself while others are emitted.
  struct Part {
    std::vector<std::function<void()>> cold;
    std::vector<SlowAccess> slow_accesses;
    std::vector<Handler> handlers;
    PageRuns runs;
    asmjit::Label entry, fault_exit;
    bool fault_exit_used = false;
    bool polls = false;                                    // control comes back to it, or from outside
    enum : u8 { unseen, on_the_way, done } walk = unseen;  // of find_polls
  };
  std::vector<Part> parts;
  std::span<const LoopUnit> loop;  // empty: one unit's code
  u32 position = 0;                // in it
  void find_polls(u32 from);
  void keep(Part& part);           // exchanges the unit's own things with the part's
  std::vector<u8> index_of_place;  // by frame offset / 8: index into kPinned + 1

  // --- places
  bool is_zero(u16 place) const { return place == offsetof(VcpuFrame, temps); }
  const x86::Gp* pinned(u16 place) const {
    const u8 index = index_of_place[place / 8];
    return index == 0 ? nullptr : &kPinned[index - 1];
  }
  x86::Mem at(std::size_t offset, u32 size) const { return x86::ptr(kFrame, static_cast<i32>(offset), size); }
  // The place's low 64 or 32 bits in a register: its own, or `scratch` after a load.
  x86::Gp read64(u16 place, x86::Gp scratch);
  x86::Gp read32(u16 place, x86::Gp scratch);
  x86::Gp read(u16 place, bool wide, x86::Gp scratch) { return wide ? read64(place, scratch) : read32(place, scratch); }
  void move(x86::Gp to, u16 place, bool wide);  // copies; never changes flags
  // Where a 64-bit result should be computed: the place's own register or `scratch`; then done() stores it.
  x86::Gp target(u16 place, x86::Gp scratch) const {
    const x86::Gp* reg = pinned(place);
    return reg != nullptr ? *reg : scratch;
  }
  void done(u16 place, x86::Gp reg);  // the 64-bit value of `reg` becomes the place's
  void constant(x86::Gp to, u64 value);
  // The address `field` of a frame field.
  static constexpr bool fits(u64 value) { return static_cast<i64>(value) == static_cast<i32>(value); }

  // --- links to the outside
  void jump_to(const u8* target);
  void jump_if_not_equal(const u8* target);
  void call_stub(const u8* target);
  void data_reference(u32 data_offset);  // the last four bytes emitted are a displacement to it
  u32 page_offset() const { return static_cast<u32>(unit->phys & 0xfff); }
  u32 site() const { return site_word(page_offset(), unit->guest_insns, insn); }

  // --- what the host's flags are, as long as nothing is emitted behind `end`
  struct HostFlags {
    std::size_t end = 0;
    u32 width = 0;
    u16 a = 0, b = 0;  // places of what was compared; `a` of the result whose Z and N they are
    bool is_immediate = false, is_inverted = false, is_result = false;  // inverted: C is the opposite of the borrow
    u64 imm = 0;
  };
  HostFlags host_flags;

  // --- groups; false: no emitter for this handler
  bool emit(Handler handler, const ThreadedOp& step);
  bool emit_op(Handler handler);
  bool emit_integer(Handler handler);
  bool emit_two_operand(Operation operation, u32 width, bool immediate, bool extend);
  bool emit_unary(u32 operation, u32 width);
  bool emit_move(Handler handler);
  bool emit_memory(Handler handler);
  bool emit_atomic(Handler handler);
  bool emit_float(Handler handler);
  bool emit_control(Handler handler);
  bool emit_flags(Handler handler);
  bool emit_vector(Handler handler);
  void emit_step(u32 index);

  // --- floating point
  FloatCopies copies;
  u32 next_copy = 0, busy_copies = 0;  // busy: by bit, those that the op being emitted uses
  bool has_floats = false;             // the unit computes with floating-point values
  bool has_float_result = false;       // the op's result is in a copy
  static x86::Xmm copy_register(u32 number) { return x86::xmm(FloatCopies::kFirst + number); }
  u32 find_copy(u16 place, bool wide) const;  // kCount: none
  void is_copy_of(x86::Xmm reg, u16 place, bool wide);
  x86::Xmm new_float();  // a register for the op's result: given to write_float or lost
  x86::Xmm float_source(u16 place, bool wide);
  void drop_copies(u16 place, u32 bytes);
  void load_copies(const FloatCopies& from);  // cold: the registers are void
  void after_op(Handler handler);
  void load_float(x86::Xmm to, u16 place, bool wide);
  void write_float(u16 place, x86::Xmm from, bool wide);  // `from` is new_float's
  void finish_float(x86::Xmm result, bool wide);
  bool float_arithmetic(Handler base, bool wide);
  bool fused_multiply_add(bool wide);
  bool float_compare(bool wide);
  bool float_to_int(bool wide);
  bool float_to_unsigned(bool wide, u32 bits);
  bool int_to_float(bool wide);
  // Cold code: does the op from its operands by tier 0's handler, then goes on at `end`.
  void cold_step(const asmjit::Label& at_label, const asmjit::Label& end);

  // --- vectors
  bool emit_lanes();
  void write_integer();
  bool finish_propagating();
  void choose(u32 instruction);
  void move_wide(u16 to, u16 from, u32 bytes);
  void wide_access(bool write);

  // --- pieces
  void arithmetic(Operation operation, bool wide, bool immediate, bool extend);
  void multiply_high(Operation operation, bool wide, bool immediate, bool extend);
  void divide(Operation operation, bool wide, bool immediate, bool extend);
  void shift(Operation operation, bool wide, bool immediate, bool extend);
  void rotate(Operation operation, bool wide, bool immediate, bool extend);
  void min_max(Operation operation, bool wide, bool immediate, bool extend);
  void finish(x86::Gp result, bool extend);
  void compare(bool wide, bool immediate);
  x86::CondCode compare_for(Operation operation, u32 width, bool immediate);
  void compare_narrow(u32 width, bool immediate);
  void note_comparison(u32 width, bool immediate, bool inverted);
  void note_result(u16 place, u32 width);
  void take(x86::CondCode condition, u16 yes, u16 no, bool wide);
  void flags_word();
  void flags_of_arithmetic(bool add, bool inverted, u32 width, bool immediate);
  bool flags_with_result(bool add, bool inverted, u32 width, bool immediate);
  bool has_flags_of_logic(u32 width) const;
  void flags_of_logic(u32 width);
  void flags_of_step(bool up, u32 width);
  bool is_same_insn(u32 next_index) const;
  // On a hit rcx is what to add for the host address. On a miss jumps to `slow`, where probe() looks further: it comes
  // back to `found` if it finds the page. Clobbers rcx, rdx.
  void check_tlb(x86::Gp address, u32 size, std::size_t tag, const asmjit::Label& slow, const asmjit::Label& found);
  void finish_check(u32 size, std::size_t tag, const asmjit::Label& slow, const asmjit::Label& found);
  void probe(std::size_t tag, const asmjit::Label& found);
  x86::Gp address_of(u16 place, u64 displacement);  // the place's register or rax
  u32 op_index() const { return static_cast<u32>(op - unit->code); }
  // Memory operand of a load or store. On a miss jumps to the cold code of the access that this adds.
  x86::Mem host_memory(u32 size, bool write);
  void check_run(const PageRun& run, x86::Gp base, const SlowAccess& access);
  void end_access();
  void emit_slow_access(SlowAccess access);
  void load(u32 size, bool sign);
  void store(u32 size);
  void read_modify_write(ir::Rmw kind, u32 width);
  void compare_exchange(u32 size, bool conditional);
  struct AtomicLabels {
    asmjit::Label slow, found, end;
  };
  AtomicLabels atomic_labels() { return {a.newLabel(), a.newLabel(), a.newLabel()}; }
  template <class Arguments, class Result>
  void slow_atomic(const AtomicLabels& labels, const u8* stub, Arguments arguments, Result result);
  void argument(u32 number, u16 place, u32 size);
  // Cold: where a slow path or helper, whose result is in rax, goes with its "not equal": leaves with a fault, or
  // behind the guest instruction.
  void finish_insn(const ThreadedOp& slow_op);
  void zero_extend(x86::Gp reg, u32 size);
  void call_helper(const ThreadedOp& step);
  void exit_to(Left left, i64 pc_offset);
  bool is_own_start(u32 side) const;
  void chain(u32 side);
  void chain_far(u32 side);
  bool counts_turns(u32 side) const;
  bool counts_own(u32 side) const;
  // A unit that jumps to itself gets to its region's code in no other way.
  static constexpr u32 kOwnTurnsAgain = 1 << 13;
  void count_turn(u32 side, u32 again);
  // Where an exit leads to within this code; null: out of it.
  const asmjit::Label* inside(u32 side) const;
  bool is_next(u32 side) const;  // and its code follows
  void branch(x86::CondCode taken);
  // Cold: asks the second level after compare_exec_tag(); "equal" if the page is there now. rcx and rdx stay.
  void probe_page();
  void jump_indirect();
  void check_next_page();
  void raise_fault();
  void prologue();
  bool polls() const;
  void start(u32 memory_mode);
  void start_unit(const Unit& unit);
  bool emit_ops();
  void emit_cold();
  CodeMemory::Piece place();  // the finished code, in code memory; or null
};

}  // namespace pagoda::light
