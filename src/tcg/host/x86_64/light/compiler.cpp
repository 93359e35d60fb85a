// SPDX-License-Identifier: MIT
// The compiler's core: one pass over the threaded code, then placing the result in code memory.
#include "tcg/light/light.h"

#include <chrono>
#include <cstring>

#include "base/check.h"
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {
namespace {

constexpr u32 kTimedEvery = 16;
constexpr std::size_t kMostBytes = 60000;  // of one unit: what a piece of code memory may be

u64 now_ns() { return static_cast<u64>(std::chrono::steady_clock::now().time_since_epoch().count()); }

}  // namespace

Compiler::Work::Work(const Stubs& from) : stubs(from) {
  index_of_place.resize(0x10000 / 8);
  for (std::size_t i = 0; i < stubs.layout.pinned.size(); ++i) {
    index_of_place[stubs.layout.pinned[i] / 8] = static_cast<u8>(i + 1);
  }
}

void Compiler::Work::constant(x86::Gp to, u64 value) {
  if (value <= 0xffffffff) {
    a.mov(to.r32(), static_cast<u32>(value));
  } else {
    a.mov(to.r64(), value);
  }
}

x86::Gp Compiler::Work::read64(u16 place, x86::Gp scratch) {
  if (const x86::Gp* reg = pinned(place)) return *reg;
  move(scratch.r64(), place, true);
  return scratch.r64();
}

x86::Gp Compiler::Work::read32(u16 place, x86::Gp scratch) {
  if (const x86::Gp* reg = pinned(place)) return reg->r32();
  move(scratch.r32(), place, false);
  return scratch.r32();
}

void Compiler::Work::move(x86::Gp to, u16 place, bool wide) {
  const x86::Gp* reg = pinned(place);
  if (reg != nullptr) {
    if (reg->id() == to.id()) return;
    wide ? a.mov(to.r64(), *reg) : a.mov(to.r32(), reg->r32());
  } else if (is_zero(place)) {
    a.mov(to.r32(), 0);
  } else if (wide) {
    a.mov(to.r64(), at(place, 8));
  } else {
    a.mov(to.r32(), at(place, 4));
  }
}

void Compiler::Work::done(u16 place, x86::Gp reg) {
  const x86::Gp* own = pinned(place);
  if (own == nullptr) {
    a.mov(at(place, 8), reg.r64());
  } else if (own->id() != reg.id()) {
    a.mov(*own, reg.r64());
  }
}

void Compiler::Work::jump_to(const u8* code_at) {
  a.db(0xe9);
  fixups.push_back({static_cast<u32>(a.offset()), code_at, 0});
  a.dd(0);
}

void Compiler::Work::jump_if_not_equal(const u8* code_at) {
  a.db(0x0f);
  a.db(0x85);
  fixups.push_back({static_cast<u32>(a.offset()), code_at, 0});
  a.dd(0);
}

void Compiler::Work::call_stub(const u8* code_at) {
  a.db(0xe8);
  fixups.push_back({static_cast<u32>(a.offset()), code_at, 0});
  a.dd(0);
}

void Compiler::Work::data_reference(u32 data_offset) {
  const auto* data = loop.empty() ? nullptr : reinterpret_cast<const u8*>(unit->host.data) + data_offset;
  fixups.push_back({static_cast<u32>(a.offset()) - 4, data, data_offset});
}

void Compiler::Work::emit_step(u32 index) {
  ++stepped;
  a.mov(x86::rax, x86::ptr(x86::rip, 0));
  data_reference(offsetof(HostData, unit));
  a.mov(x86::ecx, index);
  a.mov(x86::edx, site());
  call_stub(stubs.step);
}

void Compiler::Work::cold_step(const asmjit::Label& at_label, const asmjit::Label& end) {
  const u32 index = static_cast<u32>(op - unit->code), at_insn = insn;
  cold.push_back([this, at_label, end, index, at_insn, at_end = copies] {
    a.bind(at_label);
    insn = at_insn;
    emit_step(index);
    load_copies(at_end);
    a.jmp(end);
  });
}

bool Compiler::Work::emit(Handler handler, const ThreadedOp& step) {
  op = &step;
  const bool is_emitted = emit_op(handler);
  after_op(is_emitted ? handler : Handler::call);  // a step calls C++
  if (is_emitted) return true;
  if (!interp::is_plain(handler)) return false;  // only an emitter of its own can do it
  emit_step(static_cast<u32>(&step - unit->code));
  return true;
}

bool Compiler::Work::emit_op(Handler handler) {
  return emit_integer(handler) || emit_memory(handler) || emit_atomic(handler) || emit_control(handler) ||
         emit_flags(handler) || emit_float(handler) || emit_vector(handler);
}

Compiler::Compiler(const Stubs& stubs) : work_(std::make_unique<Work>(stubs)), stubs_(stubs) {}
Compiler::~Compiler() = default;

void Compiler::set_listing(std::string* text) { work_->listing = text; }

void Compiler::Work::start(u32 mode) {
  holder.reset(asmjit::ResetPolicy::kSoft);
  holder.init(asmjit::Environment::host());
  if (listing != nullptr) {
    logger.clear();
    holder.setLogger(&logger);
  }
  holder.attach(&a);
  fixups.clear();
  cold.clear();
  slow_accesses.clear();
  loop = {};
  memory_mode = mode;
  stepped = 0;
}

void Compiler::Work::start_unit(const Unit& to) {
  unit = &to;
  insn = 0;
  fault_exit_used = false;
  fault_exit = a.newLabel();
  host_flags = {};
  copies = {};
  busy_copies = 0;
  has_floats = has_float_result = false;
  handlers.assign(unit->op_count, Handler::count);
  for (u32 i = 0; i < unit->op_count; i += interp::ops_of(handlers[i])) {
    handlers[i] = interp::handler_of(unit->code[i].handler);
    has_floats |= handlers[i] >= Handler::fadd_f32 && handlers[i] <= Handler::f32_unbox;
  }
  runs.find(*unit, handlers);
}

bool Compiler::Work::emit_ops() {
  prologue();
  u32 next_insn = 1;
  for (u32 i = 0; i < unit->op_count;) {
    while (next_insn < unit->guest_insns && unit->insns[next_insn].first_op <= i) insn = next_insn++;
    if (!emit(handlers[i], unit->code[i])) return false;
    i += interp::ops_of(handlers[i]);
    if (skip_next) ++i;  // an op of one piece
    skip_next = false;
  }
  return true;
}

void Compiler::Work::emit_cold() {
  for (const SlowAccess& access : slow_accesses) emit_slow_access(access);  // adds to what is cold
  for (std::size_t i = 0; i < cold.size(); ++i) {                           // as leaving a loop does
    const auto write = std::move(cold[i]);
    write();
  }
  if (!fault_exit_used) return;
  a.bind(fault_exit);
  a.mov(x86::rdx, x86::ptr(x86::rip, 0));
  data_reference(offsetof(HostData, unit));
  a.mov(x86::eax, static_cast<u32>(Left::exception));
  jump_to(stubs.leave);
}

CodeMemory::Piece Compiler::Work::place() {
  CHECK(!holder.hasUnresolvedLinks());
  const std::size_t bytes = a.offset();
  const CodeMemory::Piece piece = stubs.memory.allocate(bytes);
  if (piece.write == nullptr) return piece;
  std::memcpy(piece.write, holder.textSection()->data(), bytes);
  for (const Fixup& fixup : fixups) {
    const u8* to = fixup.target != nullptr ? fixup.target : reinterpret_cast<const u8*>(piece.data) + fixup.data_offset;
    const auto displacement = static_cast<i32>(to - (piece.execute + fixup.at + 4));
    std::memcpy(piece.write + fixup.at, &displacement, 4);
  }
  return piece;
}

bool Compiler::compile(Unit& unit, u32 memory_mode) {
  const bool timed = statistics_.units % kTimedEvery == 0;
  const u64 start = timed ? now_ns() : 0;
  Work& w = *work_;
  w.start(memory_mode);
  w.start_unit(unit);
  w.entry = w.a.newLabel();
  if (!w.emit_ops()) return false;
  if (w.listing != nullptr) w.listing->assign(w.logger.data(), w.logger.dataSize());
  w.emit_cold();
  // What an exit without a target does.
  u32 ask[2] = {};
  for (u32 side = 0; side < 2; ++side) {
    ask[side] = static_cast<u32>(w.a.offset());
    w.exit_to(side == 0 ? Left::lookup_link0 : Left::lookup_link1, unit.exit_offset[side]);
  }

  const std::size_t bytes = w.a.offset();
  if (bytes > kMostBytes) return false;
  const CodeMemory::Piece piece = w.place();
  if (piece.write == nullptr) {
    ++statistics_.no_room;
    return false;
  }
  auto* data = new (piece.data) HostData();
  data->unit = &unit;
  data->turns = static_cast<i32>(stubs_.layout.loop_threshold);
  for (u32 side = 0; side < 2; ++side) {
    data->links[side].ask = piece.execute + ask[side];
    data->links[side].jump.store(data->links[side].ask, std::memory_order_relaxed);
    unit.host.links[side] = &data->links[side];
  }
  unit.host.start = piece.execute;
  unit.host.data = piece.data;
  unit.host.memory = &stubs_.memory;
  unit.host.bytes = static_cast<u32>(bytes);
  ++statistics_.units;
  statistics_.guest_insns += unit.guest_insns;
  statistics_.host_bytes += bytes;
  statistics_.ops += unit.op_count;
  statistics_.stepped_ops += w.stepped;
  if (timed) {
    statistics_.timed_insns += unit.guest_insns;
    statistics_.ns += now_ns() - start;
  }
  return true;
}

void Compiler::Work::keep(Part& part) {
  cold.swap(part.cold);
  slow_accesses.swap(part.slow_accesses);
  handlers.swap(part.handlers);
  std::swap(runs, part.runs);
  std::swap(fault_exit, part.fault_exit);
  std::swap(fault_exit_used, part.fault_exit_used);
  entry = part.entry;
}

// Depth first: what leads to a unit on the way to itself closes a way round, so that each way round has a poll.
void Compiler::Work::find_polls(u32 from) {
  parts[from].walk = Part::on_the_way;
  for (const i8 next : loop[from].next) {
    if (next < 0) continue;
    Part& to = parts[static_cast<u8>(next)];
    to.polls |= to.walk == Part::on_the_way;
    if (to.walk == Part::unseen) find_polls(static_cast<u8>(next));
  }
  parts[from].walk = Part::done;
}

LoopCode Compiler::compile_loop(std::span<const LoopUnit> loop, u32 memory_mode) {
  Work& w = *work_;
  w.start(memory_mode);
  w.loop = loop;
  w.parts.clear();
  w.parts.resize(loop.size());
  for (Work::Part& part : w.parts) part.entry = w.a.newLabel();
  w.parts[0].polls = true;
  w.find_polls(0);
  bool is_emitted = true;
  for (w.position = 0; w.position < loop.size() && is_emitted; ++w.position) {
    Work::Part& part = w.parts[w.position];
    w.entry = part.entry;
    w.start_unit(*loop[w.position].unit);
    is_emitted = w.emit_ops();
    w.keep(part);
  }
  if (w.listing != nullptr) w.listing->assign(w.logger.data(), w.logger.dataSize());
  for (w.position = 0; w.position < loop.size() && is_emitted; ++w.position) {
    w.unit = loop[w.position].unit;
    w.keep(w.parts[w.position]);
    w.emit_cold();
  }
  w.cold.clear();
  w.slow_accesses.clear();
  w.parts.clear();
  w.loop = {};
  const std::size_t bytes = w.a.offset();
  if (!is_emitted || bytes > kMostBytes) return {};
  const CodeMemory::Piece piece = w.place();
  if (piece.write == nullptr) {
    ++statistics_.no_room;
    return {};
  }
  ++statistics_.loops;
  statistics_.host_bytes += bytes;
  return {.start = piece.execute, .data = piece.data, .memory = &stubs_.memory, .bytes = static_cast<u32>(bytes)};
}

}  // namespace pagoda::light
