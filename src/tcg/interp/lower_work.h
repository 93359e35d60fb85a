// SPDX-License-Identifier: MIT
// What the two passes of lowering share: backward (lower_decide.cpp) to decide what each op fuses with and how long
// values live, forward (lower.cpp) to place values and emit. Internal to tier 0.
#pragma once

#include <array>
#include <vector>

#include "tcg/interp/handlers.h"
#include "tcg/interp/interp.h"

namespace pagoda::interp {

using ir::Inst;
using ir::Op;
using ir::Type;
using ir::ValueId;

inline constexpr u16 kNever = 0xffff;
inline constexpr u16 kNoPlace = 0xffff;
inline constexpr u32 kTempsBase = offsetof(VcpuFrame, temps);
inline constexpr u16 kZeroPlace = kTempsBase;  // temps[0] is always 0
// Threaded ops that one IR op may take: a constant and an extension for each operand, itself in two, one behind it.
inline constexpr std::size_t kMostOpsOfInst = 12;

// How an op takes part in a fusion.
enum class Form : u8 {
  plain,
  immediate,  // second operand is a constant
  address,    // load/store: address is add(x, constant)
  sext,       // sext of a 32-bit op: that op's operands
  sext_imm,   // the same with a constant operand
  shift_add,  // add(shl(x, constant), y)
  compare,    // select: the comparison's operands
  compare_imm,
  step,  // flags_merge: flags of adding or subtracting 1, with the old carry
  sunk,  // put_slot of flags: done only where the block is left (lower_flags.cpp); last_use says until where
};

constexpr bool is_binary(Op op) { return op >= Op::add && op <= Op::xor_ && op != Op::not_; }
constexpr bool is_shift(Op op) { return op >= Op::shl && op <= Op::rotr; }
constexpr bool is_minmax(Op op) { return op >= Op::min_s && op <= Op::max_u; }
constexpr bool is_compare(Op op) { return op >= Op::eq && op <= Op::le_u; }

// What both passes ask of every op, as one look-up.
enum Trait : u8 {
  kRemovable = 1,   // may go when nobody uses its value
  kTwoOperand = 2,  // has rr and ri handlers
  kCommutes = 4,
  kMayView = 8,   // may be another way of reading its operand
  kMayLook = 16,  // guest state may be looked at there (of calls, by their helpers)
};
inline constexpr std::array<u8, ir::kOpCount> kTraits = [] {
  std::array<u8, ir::kOpCount> traits{};
  for (u32 i = 0; i < ir::kOpCount; ++i) {
    const auto op = static_cast<Op>(i);
    if ((ir::kOpEffects[i] & ~ir::kReadState) == 0 && op != Op::insn) traits[i] |= kRemovable;
    if (is_binary(op) || is_shift(op) || is_minmax(op) || is_compare(op)) traits[i] |= kTwoOperand;
  }
  for (const Op op : {Op::add, Op::mul, Op::and_, Op::or_, Op::xor_, Op::eq, Op::ne}) {
    traits[static_cast<u32>(op)] |= kCommutes;
  }
  for (u32 i = 0; i < ir::kOpCount; ++i) {
    if ((ir::kOpEffects[i] & (ir::kMayFault | ir::kReadMem | ir::kWriteMem | ir::kEndsBlock)) != 0)
      traits[i] |= kMayLook;
  }
  traits[static_cast<u32>(Op::call)] |= kMayLook;
  for (const Op op : {Op::trunc, Op::bitcast, Op::zext}) traits[static_cast<u32>(op)] |= kMayView;
  return traits;
}();
// Whether the op leaves zeros above its 32-bit result, on every tier.
inline bool has_clean_top(const Inst& op) {
  if (op.type != Type::i32 || is_compare(op.op)) return false;
  return is_binary(op.op) || is_shift(op.op) || is_minmax(op.op) || op.op == Op::not_ || op.op == Op::clz ||
         op.op == Op::ctz || op.op == Op::popcnt || op.op == Op::bswap || op.op == Op::select;
}

inline bool has_trait(Op op, Trait trait) { return (kTraits[static_cast<u32>(op)] & trait) != 0; }

// Of a 32-bit op with its result sign-extended; Handler::count: there is none.
inline Handler sext32_handler(Op op) {
  switch (op) {
#define SEXT32(name) \
  case Op::name:     \
    return Handler::sx_##name##_rr;
#include "tcg/interp/handlers.def"
    default:
      return Handler::count;
  }
}

// Of a compare-and-branch; Handler::count: there is none for the type.
inline Handler branch_handler(Op op, Type type) {
  if (type < Type::i8 || type > Type::i64) return Handler::count;
  return Handler::br_eq_i8_rr + (static_cast<u32>(op) - static_cast<u32>(Op::eq)) * 8 + width_index(type) * 2;
}

// Of a comparison with the selection that it decides.
inline Handler select_handler(Op op, Type type) {
  if (type != Type::i32 && type != Type::i64) return Handler::count;
  return Handler::sel_eq_i32_rr + (static_cast<u32>(op) - static_cast<u32>(Op::eq)) * 4 + (type == Type::i64 ? 2 : 0);
}

// What is known of a value or op, by its number.
struct alignas(16) ValueInfo {
  u16 uses = 0;
  u16 last_use = 0;
  u16 place = kNoPlace;
  u16 put = kNever;         // the first put_slot of this value: that register may become its place
  u16 next_write = kNever;  // get_slot and put_slot: the next op that writes the slot
  Form form = Form::plain;
  bool swapped = false;  // operands exchanged, so that the constant or the shift is where the handler wants it
  bool is_dead = false;  // put_slot: the register is written again before anything can look at it
  bool in_temp = false;  // the place is a temporary that it alone uses
};

struct Lowering::Work {
  const ir::Block* block = nullptr;
  const Inst* insts = nullptr;  // of the block
  ir::SlotTable slots;
  HelperTable helpers;
  u32 fusions = 0;
  u64* counts = nullptr;
  const void* const* addresses = handler_addresses();

  std::vector<ValueInfo> values;  // one more than ops: the terminal
  ValueInfo fresh;                // in memory, so that values are set as wholes, not member by member
  struct NextUse {
    u16 write = kNever, read = kNever;
  };
  std::vector<NextUse> slot_next;  // backward: the next ops that write and read each slot
  std::vector<u16> slot_live_until;
  std::vector<u16> free_temps, free_pairs;  // temporaries of one and two doublewords that nobody uses now
  std::vector<u16> expiring;
  std::vector<ThreadedOp> code;  // as long as any block needed; code_size counts
  u32 code_size = 0;
  std::vector<InsnStart> insns;
  u32 next_temp = 1;
  u16 next_look = 0;  // backward: the next op at which guest state has to be exact
  u16 now = 0;        // op being emitted
  bool fused_branch = false;
  const u8* next_page = nullptr;

  // Slots of type flags, for lower_flags.cpp.
  struct FlagsSlot {
    u16 slot;
    u16 observed = kNever;  // backward: until where somebody could see the slot before its next write
    bool read = false;      // backward: its next reader comes before its next write
    u16 pending = kNever;   // forward: the sunk put whose value the slot should have
  };
  std::vector<FlagsSlot> flags_slots;
  struct Hold {
    u16 until;
    ValueId value;
  };
  std::vector<Hold> holds;  // places that repairs read, latest first
  std::vector<ThreadedOp> repairs;
  u16 next_marker = kNever;
  u16 repair_scratch = 0;

  bool on(Fusion fusion) const { return (fusions >> static_cast<u32>(fusion) & 1) != 0; }
  void count(Fusion fusion) { ++counts[static_cast<u32>(fusion)]; }
  const Inst& inst(ValueId value) const { return insts[value]; }
  bool is_constant(ValueId value) const { return inst(value).op == Op::constant; }
  u16 terminal_index() const { return static_cast<u16>(block->insts.size()); }

  // The value whose bits `value` is another way of reading.
  ValueId root(ValueId value) const { return has_trait(inst(value).op, kMayView) ? root_of_view(value) : value; }
  ValueId root_of_view(ValueId value) const;
  void use(ValueId value, u16 at);
  bool looks_at_state(const Inst& op) const;
  bool may_leave_behind(u16 at) const;
  void decide(u16 at);
  void decide_two_operand(u16 at, const Inst& op);
  void backward();

  void find_flags_slots();
  FlagsSlot& flags_slot(u32 slot);
  void start_flags();
  void observe_flags(u16 at, const Inst& op);
  bool has_observer_before(u16 at) const;
  bool sink_flags(u16 put, const Inst& op);
  bool is_step(u16 merge) const;
  bool is_repairable(ValueId flags) const;
  ValueId result_of_flags(ValueId flags) const;
  void hold_flags(ValueId flags, u16 until);
  void hold(ValueId value, u16 until);
  void release_holds();
  u16 repair_here();
  u16 repair_value(ValueId flags);
  u16 repair_operand(ValueId value);
  u16 repair_op(Handler handler, u16 a, u16 b, u16 c, u64 imm);

  u16 temp(u32 doublewords);
  u16 source(ValueId value);
  u16 destination(u16 at);
  bool can_live_in_slot(u16 at, u16 put) const;
  void emit(Handler handler, u16 d, u16 a, u16 b, u16 c, u64 imm);
  void emit_extension(u16 d, u16 a, const void* pointer);
  u16 insn_index() const { return static_cast<u16>(insns.size() - 1); }
  void forward();
  void emit_op(u16 at);
  void emit_two_operand(u16 at, const Inst& op);
  void emit_convert(u16 at, const Inst& op);
  void emit_memory(u16 at, const Inst& op);
  void emit_float(u16 at, const Inst& op);
  void emit_put(u16 at, const Inst& op);
  void emit_call(u16 at, const Inst& op);
  void emit_terminal();
};

}  // namespace pagoda::interp
