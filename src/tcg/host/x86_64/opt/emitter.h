// SPDX-License-Identifier: MIT
// The emitter's state and vocabulary; what each operation of lir.def becomes stands in emit_*.cpp by subject.
//
// One vector register is reserved for the emitter (kMoving), and no other. Operations whose operands are all in
// registers, or in memory where the host instruction takes that, are emitted as they are; another spilled operand
// borrows a register, which is saved on the stack for as long as the operation takes. The host's flags live within one
// operation only.
#pragma once

#include <asmjit/x86.h>

#include <functional>
#include <span>
#include <vector>

#include "tcg/opt/opt.h"
#include "tcg/opt/region.h"

namespace pagoda::opt {

namespace x86 = asmjit::x86;

inline constexpr x86::Gp kFrame = x86::rbp;
inline constexpr x86::Gp kBudget = x86::r15;

inline x86::Mem frame_at(std::size_t offset, u32 size = 8) { return x86::ptr(kFrame, static_cast<i32>(offset), size); }
// The low bytes of a register.
inline x86::Gp part(x86::Gp reg, u32 size) {
  return size == 1 ? x86::Gp(reg.r8()) : size == 2 ? x86::Gp(reg.r16()) : size == 4 ? x86::Gp(reg.r32()) : reg.r64();
}
x86::CondCode condition_code(Condition condition);
constexpr bool fits(i64 value) { return value == static_cast<i32>(value); }

// An instruction that cannot be encoded is a bug of ours.
struct EncodingErrors : asmjit::ErrorHandler {
  void handleError(asmjit::Error, const char* message, asmjit::BaseEmitter*) override;
};

// No value lives in it: from memory to memory by way of it.
inline constexpr x86::Xmm kMoving = x86::xmm15;

struct Emitter::Work {
  explicit Work(const Stubs& from) : stubs(from) {}

  const Stubs& stubs;
  const light::Layout& layout = stubs.layout;
  EncodingErrors errors;
  asmjit::CodeHolder holder;
  asmjit::StringLogger logger;
  std::string* listing = nullptr;
  x86::Assembler a;

  const LirCode* code = nullptr;
  const LirInsn* insn = nullptr;  // the operation being emitted
  u32 memory_mode = 0;
  std::unique_ptr<Region> region;
  std::vector<u32> order;  // of blocks in the code
  std::vector<u32> way;    // by block: where its code is, itself or what it leads to
  std::vector<asmjit::Label> labels;
  u32 position = 0;  // in `order`
  std::vector<std::function<void()>> cold;
  struct Fixup {
    u32 at;              // of a 32-bit displacement whose end is at + 4
    const void* target;  // null: the region's own data
  };
  std::vector<Fixup> fixups;

  // --- operands
  Place place(u32 operand) const { return code->places[insn->first + operand]; }
  bool is_reg(u32 operand) const { return place(operand).kind == Place::reg; }
  bool same(u32 one, u32 other) const { return place(one) == place(other); }
  x86::Mem home(const Place& of, u32 size = 8) const { return frame_at(spill_offset(of.spill_index), size); }
  // The operand in a general register: its own, or one borrowed until release().
  x86::Gp gp(u32 operand);
  x86::Gp gp_result(u32 operand);  // as gp(), to be written
  x86::Xmm xmm(u32 operand);
  x86::Xmm xmm_result(u32 operand);
  // A general or vector operand as the host's instruction may take it: register or memory.
  asmjit::Operand any(u32 operand, u32 size);
  asmjit::Operand any_xmm(u32 operand, u32 size);
  x86::Gp borrow();  // a register that no operand is in
  void release();    // gives back what was borrowed; flags stay
  struct Borrowed {
    bool is_xmm = false, is_result = false;
    u8 number = 0;
    Place home;  // none: a scratch register
  };
  std::vector<Borrowed> borrowed;
  u32 taken[2] = {};  // registers of operands, by class

  // --- links to the outside
  void jump_to(const u8* target);
  void call(const u8* target);
  void jump_if_not_equal(const u8* target);
  void reference(const void* data, u32 behind = 0);  // the displacement lies `behind` + 4 bytes before the end

  // --- groups; false: not theirs
  bool emit_integer();
  bool emit_control();
  bool emit_memory();
  bool emit_float();

  // --- moves
  void emit_move(const Move& move);
  void move(RegClass of, const Place& to, const Place& from);
  void constant(const Place& to, u64 value);
  void constant(x86::Gp to, u64 value);

  // --- integers
  enum class Alu : u8 { add, sub, and_, or_, xor_, mul };
  void alu(Alu operation);
  void alu_op(Alu operation, x86::Gp to, const asmjit::Operand& from);
  void add_immediate();
  void lea();
  void shift();
  void rotate();
  void unary();
  void extend();
  void multiply_high();
  void divide();
  void set();
  void select();
  // Compares operands first and first + 1, or the first with imm; all condition codes are good then.
  x86::CondCode compare(u32 first, bool immediate);

  // --- control
  void branch(x86::CondCode condition);
  void jump(u32 successor);
  bool is_next(u32 block) const { return position + 1 < order.size() && order[position + 1] == way[block]; }
  const asmjit::Label& label_of(u32 block) const { return labels[way[block]]; }
  void begin_unit();
  void trap_if();
  void exit_link();
  void check_code_pages();
  void enter();
  void count_entry();
  void count_exit();
  void exit_far(u32 side);
  void exit_indirect();
  void helper();
  void leave_by(u32 site, light::Left left);

  // --- memory
  void access();
  void find_page();
  void access_at();
  struct Access;
  void check_tlb(const Access& access);
  void finish_access(const Access& access, x86::Gp addend);
  void slow_access(const Access& access);
  void look_in_tlb(const Access& access, x86::Gp from, i32 displacement);
  void take_page(const Access& access);
  void read(const Access& access, const x86::Mem& from);
  void write(const Access& access, const x86::Mem& to);

  // --- floating point
  void float_binary();
  void canonical(x86::Xmm result, bool wide);
  // Compares operand `first` with the next one; the condition code of "true". With `*parity` unordered operands have it
  // as well, and are known by the parity flag.
  x86::CondCode float_compare(u32 first, bool* parity);
  void float_set();
  void float_branch();
  void fused();
  void float_to_int();
  void float_to_unsigned();
  x86::Mem constant_at() const { return x86::ptr(x86::rip); }  // reference() has to follow
  void int_to_float();
  // The op in C++, with operands in registers or memory; the result in a register.
  void call_fp(u64 word, std::initializer_list<asmjit::Operand> operands, const asmjit::Operand& result);

  void start(u32 mode);
  bool make_region();
  RegionValue value_of(const Recipe& recipe) const;
  void find_ways();
  void order_blocks();
  void emit_blocks();
  void emit_insn();
  LoopCode place_code();
};

}  // namespace pagoda::opt
