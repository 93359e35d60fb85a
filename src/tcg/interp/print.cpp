// SPDX-License-Identifier: MIT
// Names of handlers and text of threaded code.
#include <array>

#include <fmt/format.h>

#include "tcg/interp/handlers.h"
#include "tcg/interp/interp.h"

namespace pagoda::interp {

const char* handler_name(Handler handler) {
  static constexpr const char* names[] = {
#define BINARY(op) \
  #op ".i8", #op ".i8 imm", #op ".i16", #op ".i16 imm", #op ".i32", #op ".i32 imm", #op ".i64", #op ".i64 imm",
#define COMPARE(op) BINARY(op)
#define SEXT32(op) #op ".sext32", #op ".sext32 imm",
#define UNARY(op) #op ".i8", #op ".i16", #op ".i32", #op ".i64",
#define BRANCH(op)                                                                                                    \
  "branch." #op ".i8", "branch." #op ".i8 imm", "branch." #op ".i16", "branch." #op ".i16 imm", "branch." #op ".i32", \
      "branch." #op ".i32 imm", "branch." #op ".i64", "branch." #op ".i64 imm",
#define SELECT(op) "select." #op ".i32", "select." #op ".i32 imm", "select." #op ".i64", "select." #op ".i64 imm",
#define FLAGS(op) #op ".i8", #op ".i16", #op ".i32", #op ".i64",
#define STEP(op) FLAGS(op)
#define FLAGS_IMM(op) #op ".i8.imm", #op ".i16.imm", #op ".i32.imm", #op ".i64.imm",
#define RMW(op) "rmw." #op ".i8", "rmw." #op ".i16", "rmw." #op ".i32", "rmw." #op ".i64",
#define FLOAT(op) #op ".f32", #op ".f64",
#define SIMPLE(name) #name,
#include "tcg/interp/handlers.def"
  };
  return names[static_cast<u32>(handler)];
}

namespace {
std::string place_name(u16 place, ir::SlotTable slots) {
  for (u32 i = 0; i < slots.count; ++i) {
    if (slots.slots[i].offset == place) return slots.slots[i].name;
  }
  const u32 temps = offsetof(VcpuFrame, temps);
  if (place == temps) return "0";
  if (place > temps && place < temps + sizeof(VcpuFrame::temps)) return fmt::format("t{}", (place - temps) / 8);
  return fmt::format("{}", place);
}
}  // namespace

Handler handler_of(const void* address) {
  // Open addressing; labels of one function lie close together, so the low bits tell them apart.
  constexpr u32 kSlots = 4096;
  static_assert(static_cast<u32>(Handler::count) < kSlots / 4);
  struct Table {
    std::array<u16, kSlots> slots;
    static u32 slot(const void* key) {
      return static_cast<u32>(reinterpret_cast<u64>(key) * 0x9e3779b97f4a7c15 >> 52) & (kSlots - 1);
    }
    Table() {
      slots.fill(static_cast<u16>(Handler::count));
      for (u32 i = 0; i < static_cast<u32>(Handler::count); ++i) {
        u32 at = slot(handler_addresses()[i]);
        while (slots[at] != static_cast<u16>(Handler::count)) at = (at + 1) & (kSlots - 1);
        slots[at] = static_cast<u16>(i);
      }
    }
  };
  static const Table table;
  for (u32 at = Table::slot(address);; at = (at + 1) & (kSlots - 1)) {
    const auto handler = static_cast<Handler>(table.slots[at]);
    if (handler == Handler::count || handler_addresses()[static_cast<u32>(handler)] == address) return handler;
  }
}

std::string print_code(const Unit& unit, ir::SlotTable slots) {
  std::string text;
  u32 insn = 0;
  for (u32 i = 0; i < unit.op_count; ++i) {
    while (insn < unit.guest_insns && unit.insns[insn].first_op == i) {
      text += fmt::format("+{}:\n", unit.insns[insn++].offset);
    }
    const ThreadedOp& op = unit.code[i];
    const Handler handler = handler_of(op.handler);
    if (handler == Handler::count) continue;  // the second half of a two-op step
    text += fmt::format("  {:<20} d={} a={} b={} c={} imm={:#x}\n", handler_name(handler), place_name(op.d, slots),
                        place_name(op.a, slots), place_name(op.b, slots), place_name(op.c, slots), op.imm);
  }
  return text;
}

}  // namespace pagoda::interp
