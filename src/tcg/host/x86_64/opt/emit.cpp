// SPDX-License-Identifier: MIT
// The emitter's core: blocks in order, moves, operands, sites, then placing the result in code memory.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "tcg/host/x86_64/opt/emitter.h"

namespace pagoda::opt {
namespace {

constexpr std::size_t kMostBytes = 60000;  // what a piece of code memory may be, with room to align it
constexpr u32 kMostSlots = 128;            // of a site (runtime.cpp)
constexpr u32 kLoopAlignment = 32;
constexpr u32 kAllocatable = 0x7fcf;     // all but rsp, rbp and r15
constexpr u32 kAllocatableXmm = 0x7fff;  // xmm15 is for moves from memory to memory

void destroy_region(std::byte* data) { delete reinterpret_cast<RegionData*>(data)->region; }

}  // namespace

Registers allocatable_registers() { return {.allocatable = {kAllocatable, kAllocatableXmm}}; }

void EncodingErrors::handleError(asmjit::Error, const char* message, asmjit::BaseEmitter*) {
  CHECK(false, "{}", message);
}

// --- operands -------------------------------------------------------------------------------------------------------

x86::Gp Emitter::Work::borrow() {
  for (u32 number = 0; number < 16; ++number) {
    if ((kAllocatable & ~taken[0]) >> number & 1) {
      taken[0] |= 1u << number;
      borrowed.push_back({.number = static_cast<u8>(number), .home = {}});
      a.push(x86::gpq(number));
      return x86::gpq(number);
    }
  }
  CHECK(false);
}

x86::Gp Emitter::Work::gp(u32 operand) {
  const Place at = place(operand);
  if (at.kind == Place::reg) return x86::gpq(at.reg_number);
  const x86::Gp reg = borrow();
  a.mov(reg, home(at));
  return reg;
}

x86::Gp Emitter::Work::gp_result(u32 operand) {
  const Place at = place(operand);
  if (at.kind == Place::reg) return x86::gpq(at.reg_number);
  const x86::Gp reg = borrow();
  borrowed.back().is_result = true;
  borrowed.back().home = at;
  return reg;
}

x86::Xmm Emitter::Work::xmm(u32 operand) {
  const x86::Xmm reg = xmm_result(operand);
  if (!is_reg(operand)) {
    borrowed.back().is_result = false;
    a.vmovsd(reg, home(place(operand)));
  }
  return reg;
}

x86::Xmm Emitter::Work::xmm_result(u32 operand) {
  const Place at = place(operand);
  if (at.kind == Place::reg) return x86::xmm(at.reg_number);
  const u32 number = static_cast<u32>(std::countr_one(taken[1]));
  CHECK(number < 16);
  taken[1] |= 1u << number;
  borrowed.push_back({.is_xmm = true, .is_result = true, .number = static_cast<u8>(number), .home = at});
  a.lea(x86::rsp, x86::ptr(x86::rsp, -8));
  a.vmovsd(x86::qword_ptr(x86::rsp), x86::xmm(number));
  return x86::xmm(number);
}

asmjit::Operand Emitter::Work::any(u32 operand, u32 size) {
  const Place at = place(operand);
  if (at.kind == Place::reg) return part(x86::gpq(at.reg_number), size);
  return home(at, size);
}

asmjit::Operand Emitter::Work::any_xmm(u32 operand, u32 size) {
  const Place at = place(operand);
  if (at.kind == Place::reg) return x86::xmm(at.reg_number);
  return home(at, size);
}

void Emitter::Work::release() {
  while (!borrowed.empty()) {
    const Borrowed last = borrowed.back();
    borrowed.pop_back();
    if (last.is_xmm) {
      const x86::Xmm reg = x86::xmm(last.number);
      if (last.is_result) a.vmovsd(home(last.home), reg);
      a.vmovsd(reg, x86::qword_ptr(x86::rsp));
      a.lea(x86::rsp, x86::ptr(x86::rsp, 8));
    } else {
      const x86::Gp reg = x86::gpq(last.number);
      if (last.is_result) a.mov(home(last.home), reg);
      a.pop(reg);
    }
  }
}

// --- links to the outside -------------------------------------------------------------------------------------------

void Emitter::Work::reference(const void* data, u32 behind) {
  // A displacement counts from the end of its instruction.
  fixups.push_back({static_cast<u32>(a.offset()) - 4 - behind, static_cast<const u8*>(data) - behind});
}

void Emitter::Work::jump_to(const u8* target) {
  a.db(0xe9);
  a.dd(0);
  reference(target);
}

void Emitter::Work::call(const u8* target) {
  a.db(0xe8);
  a.dd(0);
  reference(target);
}

void Emitter::Work::jump_if_not_equal(const u8* target) {
  a.db(0x0f);
  a.db(0x85);
  a.dd(0);
  reference(target);
}

// --- moves ----------------------------------------------------------------------------------------------------------

void Emitter::Work::constant(x86::Gp to, u64 value) {
  if (value == 0) {
    a.xor_(to.r32(), to.r32());
  } else if (value <= 0xffffffff) {
    a.mov(to.r32(), static_cast<u32>(value));
  } else if (fits(static_cast<i64>(value))) {
    a.mov(to.r64(), static_cast<i32>(value));
  } else {
    a.mov(to.r64(), value);
  }
}

void Emitter::Work::constant(const Place& to, u64 value) {
  if (to.kind == Place::reg) return constant(x86::gpq(to.reg_number), value);
  if (fits(static_cast<i64>(value))) {
    a.mov(home(to), static_cast<i32>(value));
    return;
  }
  a.mov(home(to, 4), static_cast<i32>(value));
  a.mov(home(to, 4).cloneAdjusted(4), static_cast<i32>(value >> 32));
}

void Emitter::Work::move(RegClass of, const Place& to, const Place& from) {
  if (to == from) return;
  if (to.kind == Place::spill && from.kind == Place::spill) {
    a.vmovsd(kMoving, home(from));
    a.vmovsd(home(to), kMoving);
  } else if (of == RegClass::gpr) {
    if (to.kind == Place::spill) {
      a.mov(home(to), x86::gpq(from.reg_number));
    } else if (from.kind == Place::spill) {
      a.mov(x86::gpq(to.reg_number), home(from));
    } else {
      a.mov(x86::gpq(to.reg_number), x86::gpq(from.reg_number));
    }
  } else if (to.kind == Place::spill) {
    a.vmovsd(home(to), x86::xmm(from.reg_number));
  } else if (from.kind == Place::spill) {
    a.vmovsd(x86::xmm(to.reg_number), home(from));
  } else {
    a.vmovaps(x86::xmm(to.reg_number), x86::xmm(from.reg_number));
  }
}

void Emitter::Work::emit_move(const Move& each) {
  if (each.is_exchange) {
    a.xchg(x86::gpq(each.to.reg_number), x86::gpq(each.from.reg_number));
    return;
  }
  if (!each.is_imm) return move(each.of, each.to, each.from);
  if (each.of == RegClass::gpr || each.to.kind == Place::spill) return constant(each.to, each.imm);
  CHECK(each.imm == 0, "constants of vector registers are loaded");
  a.vxorps(x86::xmm(each.to.reg_number), x86::xmm(each.to.reg_number), x86::xmm(each.to.reg_number));
}

// --- the region's object --------------------------------------------------------------------------------------------

RegionValue Emitter::Work::value_of(const Recipe& recipe) const {
  using Form = RegionValue::Form;
  RegionValue value;
  value.imm = recipe.imm;
  if (recipe.form == Recipe::constant || recipe.form == Recipe::pc) {
    value.form = recipe.form == Recipe::pc ? Form::pc : Form::constant;
    return value;
  }
  const bool box = recipe.form == Recipe::box32, extends = recipe.form == Recipe::sext32;
  CHECK(recipe.place.kind != Place::none);
  if (recipe.place.kind == Place::spill) {
    value.form = box ? Form::spill_box : extends ? Form::spill_sext : Form::spill;
    value.place = static_cast<u16>(spill_offset(recipe.place.spill_index));
  } else if (recipe.of == RegClass::xmm) {
    value.form = box ? Form::xmm_box : Form::xmm;
    value.place = recipe.place.reg_number;
  } else {
    value.form = extends ? Form::gpr_sext : Form::gpr;
    value.place = recipe.place.reg_number;
  }
  return value;
}

bool Emitter::Work::make_region() {
  region = std::make_unique<Region>();
  region->sites.reserve(code->sites.size());
  region->count = code->count;
  for (const Site& site : code->sites) {
    if (site.slots.size() > kMostSlots || site.replayed.size() >= kMostReplayed) return false;
    RegionSite& to = region->sites.emplace_back();
    to.pc = site.pc;
    to.budget = site.budget;
    to.memory_op = site.memory_op;
    to.first = static_cast<u32>(region->values.size());
    to.slots = static_cast<u32>(site.slots.size());
    for (const SiteSlot& slot : site.slots) {
      if (slot.bytes > 8) return false;
      RegionValue value = value_of(slot.recipe);
      value.slot = slot.offset;
      value.bytes = slot.bytes;
      region->values.push_back(value);
    }
    to.first_replayed = static_cast<u32>(region->values.size());
    to.replayed = static_cast<u32>(site.replayed.size());
    for (const Recipe& recipe : site.replayed) region->values.push_back(value_of(recipe));
  }
  return true;
}

// --- blocks ---------------------------------------------------------------------------------------------------------

// Blocks that are nothing but a jump have no code: who leads there leads to where they lead.
void Emitter::Work::find_ways() {
  const auto count = static_cast<u32>(code->blocks.size());
  const auto is_empty = [&](u32 b) {
    const LirBlock& block = code->blocks[b];
    if (b == 0 || block.count != 1 || code->insns[block.first].op != Lir::jump) return false;
    const auto move = std::ranges::lower_bound(code->moves, block.first, {}, &Move::at);
    return move == code->moves.end() || move->at != block.first;
  };
  way.resize(count);
  for (u32 b = 0; b < count; ++b) way[b] = is_empty(b) ? code->blocks[b].next[0] : b;
  for (u32 b = 0; b < count; ++b) {
    for (u32 steps = 0; way[way[b]] != way[b] && steps < count; ++steps) way[b] = way[way[b]];
  }
}

void Emitter::Work::order_blocks() {
  find_ways();
  order.clear();
  for (u32 cold_ones = 0; cold_ones < 2; ++cold_ones) {
    for (u32 block = 0; block < code->blocks.size(); ++block) {
      if (way[block] != block) continue;
      const bool is_cold = code->blocks[block].is_cold && block != 0;
      if (is_cold == (cold_ones != 0)) order.push_back(block);
    }
  }
  labels.clear();
  for (std::size_t i = 0; i < code->blocks.size(); ++i) labels.push_back(a.newLabel());
}

void Emitter::Work::emit_insn() {
  taken[0] = taken[1] = 0;
  for (u32 i = 0; i < insn->operands; ++i) {
    if (!is_reg(i)) continue;
    const u8 number = place(i).reg_number;
    // Which class does not matter: more than is needed is taken.
    taken[0] |= 1u << number;
    taken[1] |= 1u << number;
  }
  const bool is_done = emit_integer() || emit_control() || emit_memory() || emit_float();
  CHECK(is_done, "no emitter for operation {}", static_cast<u32>(insn->op));
  release();
}

void Emitter::Work::emit_blocks() {
  std::vector<u32> place_of(code->blocks.size());
  for (u32 i = 0; i < order.size(); ++i) place_of[order[i]] = i;
  std::vector<u8> is_led_back_to(code->blocks.size());
  for (u32 i = 0; i < order.size(); ++i) {
    const LirBlock& block = code->blocks[order[i]];
    for (u32 side = 0; side < block.successors; ++side) {
      const u32 to = way[block.next[side]];
      if (place_of[to] <= i) is_led_back_to[to] = 1;
    }
  }
  for (position = 0; position < order.size(); ++position) {
    const u32 index = order[position];
    const LirBlock& block = code->blocks[index];
    if (block.depth > 0 && !block.is_cold && is_led_back_to[index] != 0)
      a.align(asmjit::AlignMode::kCode, kLoopAlignment);
    a.bind(labels[index]);
    auto next_move = std::ranges::lower_bound(code->moves, block.first, {}, &Move::at);
    for (u32 i = block.first; i < block.first + block.count; ++i) {
      for (; next_move != code->moves.end() && next_move->at == i; ++next_move) emit_move(*next_move);
      insn = &code->insns[i];
      emit_insn();
    }
  }
}

// --- placing --------------------------------------------------------------------------------------------------------

void Emitter::Work::start(u32 mode) {
  holder.reset(asmjit::ResetPolicy::kSoft);
  holder.init(asmjit::Environment::host());
  holder.setErrorHandler(&errors);
  if (listing != nullptr) {
    logger.clear();
    holder.setLogger(&logger);
  }
  holder.attach(&a);
  fixups.clear();
  cold.clear();
  borrowed.clear();
  memory_mode = mode;
}

LoopCode Emitter::Work::place_code() {
  CHECK(!holder.hasUnresolvedLinks());
  const std::size_t bytes = a.offset();
  if (bytes > kMostBytes) return {};
  const CodeMemory::Piece piece = stubs.memory.allocate(bytes + kLoopAlignment - 16);
  if (piece.write == nullptr) return {};
  const std::size_t skip = -reinterpret_cast<std::size_t>(piece.execute) % kLoopAlignment;
  const u8* start = piece.execute + skip;
  std::memcpy(piece.write + skip, holder.textSection()->data(), bytes);
  for (const Fixup& fixup : fixups) {
    const u8* to = static_cast<const u8*>(fixup.target);
    if (to == nullptr) to = reinterpret_cast<const u8*>(piece.data);
    const auto displacement = static_cast<i32>(to - (start + fixup.at + 4));
    std::memcpy(piece.write + skip + fixup.at, &displacement, 4);
  }
  new (piece.data) RegionData{region.release()};
  return {.start = start,
          .data = piece.data,
          .memory = &stubs.memory,
          .bytes = static_cast<u32>(bytes),
          .destroy = destroy_region};
}

Emitter::Emitter(const Stubs& stubs) : work_(std::make_unique<Work>(stubs)), stubs_(stubs) {}
Emitter::~Emitter() = default;

void Emitter::set_listing(std::string* text) { work_->listing = text; }

LoopCode Emitter::emit(const LirCode& code, u32 memory_mode) {
  Work& w = *work_;
  if (code.spills > kMostSpills) return {};
  w.code = &code;
  w.start(memory_mode);
  if (!w.make_region()) return {};
  w.order_blocks();
  w.emit_blocks();
  if (w.listing != nullptr) w.listing->assign(w.logger.data(), w.logger.dataSize());
  for (std::size_t i = 0; i < w.cold.size(); ++i) {  // writing one may add another
    const auto write = std::move(w.cold[i]);
    write();
  }
  return w.place_code();
}

}  // namespace pagoda::opt
