// SPDX-License-Identifier: MIT
// Mode key, memory mode, address-space context.
#include "cpu/riscv64/modes.h"

#include "cpu/vcpu.h"

namespace pagoda::riscv64 {
namespace {

MemoryMode memory_mode_of(Mode privilege, u64 mstatus) {
  if (privilege == Mode::machine) return MemoryMode::bare;
  const bool mxr = (mstatus & status::kMxr) != 0;
  if (privilege == Mode::user) return mxr ? MemoryMode::user_mxr : MemoryMode::user;
  const bool sum = (mstatus & status::kSum) != 0;
  const u32 base = static_cast<u32>(MemoryMode::supervisor);
  return static_cast<MemoryMode>(base + (sum ? 1 : 0) + (mxr ? 2 : 0));
}

}  // namespace

MemoryView memory_view(MemoryMode mode) {
  constexpr MemoryView views[kMemoryModeCount] = {{Mode::machine, false, false},   {Mode::user, false, false},
                                                  {Mode::user, false, true},       {Mode::supervisor, false, false},
                                                  {Mode::supervisor, true, false}, {Mode::supervisor, false, true},
                                                  {Mode::supervisor, true, true}};
  return views[static_cast<u32>(mode)];
}

MemoryMode data_memory_mode(const Hart& hart) {
  Mode privilege = hart.privilege;
  if ((hart.mstatus & status::kMprv) != 0) {
    privilege = static_cast<Mode>((hart.mstatus & status::kMpp) >> status::kMppShift);
  }
  return memory_mode_of(privilege, hart.mstatus);
}

MemoryMode fetch_memory_mode(const Hart& hart) { return memory_mode_of(hart.privilege, hart.mstatus); }

u32 mode_key(const Hart& hart) {
  u32 key = static_cast<u32>(hart.privilege);
  const u64 fs = hart.mstatus & status::kFs;
  if (fs != 0) {
    key |= ModeKey::kFpOn;
    if (fs == status::kFs) key |= ModeKey::kFpDirty;
    // Without FP the field means nothing: fewer translations of the same code.
    if (hart.frm >= 4) key |= (hart.frm == 4 ? ModeKey::kRoundAway : ModeKey::kRoundReserved) << ModeKey::kRoundShift;
  }
  return key | static_cast<u32>(data_memory_mode(hart)) << ModeKey::kMemoryShift;
}

u64 context_key(const Hart& hart) {
  if (hart.satp >> 60 == 0) return 0;
  return context_of_asid(hart.satp >> 44 & 0xffff);
}

void update_mode(Vcpu& vcpu, Hart& hart) {
  const u32 key = mode_key(hart);
  if (key == hart.mode) return;
  hart.mode = key;
  // Contexts are brought up to date when a mode is selected, so that a write of satp touches one mode, not six.
  const u32 memory_mode = key >> ModeKey::kMemoryShift;
  if (memory_mode == hart.memory_mode) return;
  if (memory_mode != static_cast<u32>(MemoryMode::bare)) vcpu.mmu().set_context(memory_mode, context_key(hart));
  vcpu.mmu().select_mode(memory_mode);
}

void update_context(Vcpu& vcpu, Hart& hart) {
  if (hart.memory_mode == static_cast<u32>(MemoryMode::bare)) return;
  vcpu.mmu().set_context(hart.memory_mode, context_key(hart));
  vcpu.mmu().select_mode(hart.memory_mode);
}

}  // namespace pagoda::riscv64
