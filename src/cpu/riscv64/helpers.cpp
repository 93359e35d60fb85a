// SPDX-License-Identifier: MIT
// The helpers of helpers.def. They run in guest mode of the host's FP state and use no floating point.
#include "cpu/riscv64/helpers.h"

#include <algorithm>

#include "base/check.h"
#include "base/futex.h"
#include "base/log.h"
#include "cpu/riscv64/crypto.h"
#include "cpu/riscv64/csr.h"
#include "cpu/riscv64/fp_state.h"
#include "cpu/riscv64/mmu.h"
#include "cpu/riscv64/modes.h"
#include "cpu/riscv64/trap.h"
#include "cpu/vcpu.h"
#include "tcg/host/fp.h"

namespace pagoda::riscv64 {
namespace helper {
namespace {

Vcpu& vcpu_of(VcpuFrame* frame) { return *static_cast<Vcpu*>(frame->vcpu); }
Hart& hart_of(VcpuFrame* frame) { return *static_cast<Hart*>(frame); }

// The value of mtval is the instruction word, from the upper half of a helper's immediate.
u64 illegal(VcpuFrame* frame, u64 imm) {
  raise_exception(*frame, cause::kIllegal, imm >> 32);
  return 0;
}

u64 csr_access(VcpuFrame* frame, u64 source, u64, u64 index_in_block, u64 imm) {
  Vcpu& vcpu = vcpu_of(frame);
  const CsrContext context{vcpu, hart_of(frame), vcpu.instructions() + index_in_block, true};
  const u32 number = static_cast<u32>(imm & 0xfff);
  const auto op = static_cast<CsrOp>(imm >> 12 & 3);
  const bool reads = (imm >> 14 & 1) != 0, writes = (imm >> 15 & 1) != 0;
  u64 old = 0;
  if (!csr_instruction(context, number, op, reads, writes, source, &old)) return illegal(frame, imm);
  return old;
}

u64 csr_plain(VcpuFrame* frame, u64 source, u64 b, u64 index_in_block, u64 imm) {
  [[maybe_unused]] const u32 mode = frame->mode;
  const u64 old = csr_access(frame, source, b, index_in_block, imm);
  DCHECK(frame->mode == mode, "csr {:#x}: mode key {:#x} -> {:#x} inside a block", imm & 0xfff, mode, frame->mode);
  return old;
}

u64 read_fflags(VcpuFrame*, u64, u64, u64, u64) { return fp::read_flags(); }

u64 write_fflags(VcpuFrame*, u64 flags, u64, u64, u64) {
  fp::write_flags(static_cast<u8>(flags & 31));
  return 0;
}

u64 raise(VcpuFrame* frame, u64 value, u64, u64, u64 cause) {
  raise_exception(*frame, cause, value);
  return 0;
}

u64 mret(VcpuFrame* frame, u64, u64, u64, u64 imm) {
  Hart& hart = hart_of(frame);
  if (hart.privilege != Mode::machine) return illegal(frame, imm);
  return return_from_machine(vcpu_of(frame), hart);
}

u64 sret(VcpuFrame* frame, u64, u64, u64, u64 imm) {
  Hart& hart = hart_of(frame);
  const bool trapped = hart.privilege == Mode::supervisor && (hart.mstatus & status::kTsr) != 0;
  if (hart.privilege == Mode::user || trapped) return illegal(frame, imm);
  return return_from_supervisor(vcpu_of(frame), hart);
}

// User mode may never wait: its time limit, like that of TW, is zero (3.1.6.6, 3.3.3).
u64 wfi(VcpuFrame* frame, u64, u64, u64, u64 imm) {
  const Hart& hart = hart_of(frame);
  const bool trapped = hart.privilege == Mode::supervisor && (hart.mstatus & status::kTw) != 0;
  if (hart.privilege == Mode::user || trapped) return illegal(frame, imm);
  return 0;
}

u64 sfence_vma(VcpuFrame* frame, u64 address, u64 asid, u64, u64 imm) {
  const Hart& hart = hart_of(frame);
  const bool trapped = hart.privilege == Mode::supervisor && (hart.mstatus & status::kTvm) != 0;
  if (hart.privilege == Mode::user || trapped) return illegal(frame, imm);
  Softmmu& mmu = vcpu_of(frame).mmu();
  const bool all_addresses = (imm & 1) != 0, all_asids = (imm & 2) != 0;
  const u64 context = context_of_asid(asid & 0xffff);
  if (log_enabled(Log::mmu)) {
    log(Log::mmu, "hart {}: sfence.vma, {}, {}", hart.hart_id,
        all_addresses ? "all addresses" : fmt::format("address {:#x}", address),
        all_asids ? "all address spaces" : fmt::format("address space {}", asid & 0xffff));
  }
  if (all_addresses && all_asids) {
    mmu.flush_all();
  } else if (all_addresses) {
    mmu.flush_context(context);
  } else if (all_asids) {
    mmu.flush_page(GuestVirt(address));
  } else {
    mmu.flush_page(GuestVirt(address), context);
  }
  return 0;
}

enum class CacheOp : u32 { inval = 0, clean = 1, flush = 2, zero = 4 };
constexpr u64 kCacheBlock = 64;

bool cache_op_enabled(const Hart& hart, CacheOp op) {
  const u64 field = op == CacheOp::inval ? envcfg::kCbie : op == CacheOp::zero ? envcfg::kCbze : envcfg::kCbcfe;
  if (hart.privilege == Mode::machine) return true;
  if ((hart.menvcfg & field) == 0) return false;
  return hart.privilege == Mode::supervisor || (hart.senvcfg & field) != 0;
}

// Zicbom, Zicboz. There are no caches to manage: what is left are the permission checks, which are those of a store but
// for management, where being allowed to load is enough. All exceptions are those of stores.
u64 cbo(VcpuFrame* frame, u64 address, u64, u64, u64 imm) {
  const auto op = static_cast<CacheOp>(imm & 7);
  if (!cache_op_enabled(hart_of(frame), op)) return illegal(frame, imm);
  const u64 block = address & ~(kCacheBlock - 1);
  if (op == CacheOp::zero) {
    constexpr u32 store = ir::MemOp{.size_log2 = 3}.pack();
    for (u64 i = 0; i < kCacheBlock && frame->fault == 0; i += 8) frame->slow->store(frame, block + i, 0, store);
    return 0;
  }
  Vcpu& vcpu = vcpu_of(frame);
  const Translation page = walk(vcpu, GuestVirt(block), AccessKind::read, frame->memory_mode);
  if (!page.ok) {
    const bool table = page.cause == cause::kLoadPage;
    raise_exception(*frame, table ? cause::kStorePage : cause::kStoreAccess, block);
  } else if (vcpu.memory().find(page.page) == nullptr || (block & ~kPageMask) + kCacheBlock - 1 > page.last) {
    raise_exception(*frame, cause::kStoreAccess, block);
  }
  return 0;
}

u64 mark_fp_dirty(VcpuFrame* frame, u64, u64, u64, u64) {
  riscv64::mark_fp_dirty(vcpu_of(frame), hart_of(frame));
  return 0;
}

u64 fclass_h(VcpuFrame*, u64 bits, u64, u64, u64) { return fp::fclass(static_cast<u16>(bits)); }

// Zfa, 25.3.
u64 fcvtmod_w_d(VcpuFrame*, u64 bits, u64, u64, u64) {
  constexpr int kFraction = 52, kBias = 1023;
  const int exponent = static_cast<int>(bits >> kFraction & 0x7ff) - kBias;
  if (exponent == kBias + 1 || exponent > kFraction + 63) {  // not finite, or a multiple of 2^32
    fp::raise_flags(fp::kInvalid);
    return 0;
  }
  const u64 significand = (bits & ((u64{1} << kFraction) - 1)) | u64{1} << kFraction;
  const int shift = kFraction - exponent;
  u64 whole = shift <= 0 ? significand << -shift : shift > kFraction ? 0 : significand >> shift;
  const bool negative = bits >> 63 != 0;
  if (exponent >= 31 && !(negative && exponent == 31 && whole == u64{1} << 31)) {
    fp::raise_flags(fp::kInvalid);
  } else if (shift > kFraction ? (bits << 1) != 0 : shift > 0 && (significand & ((u64{1} << shift) - 1)) != 0) {
    fp::raise_flags(fp::kInexact);
  }
  if (negative) whole = 0 - whole;
  return static_cast<u64>(i64{static_cast<i32>(static_cast<u32>(whole))});
}

// Zacas, 16.1. A pair at x0 reads as zero and swallows the result.
u64 amocas_q(VcpuFrame* frame, u64 address, u64, u64, u64 imm) {
  Hart& hart = hart_of(frame);
  const u32 rd = static_cast<u32>(imm & 31), rs2 = static_cast<u32>(imm >> 8 & 31);
  constexpr u64 kNothing[2] = {0, 0};
  u64 expected[2] = {0, 0};
  if (rd != 0) std::copy_n(&hart.x[rd], 2, expected);
  constexpr u32 op = ir::MemOp{.size_log2 = 4, .align = true, .order = ir::Order::seq_cst}.pack();
  frame->slow->cas_wide(frame, address, expected, rs2 == 0 ? kNothing : &hart.x[rs2], op);
  if (frame->fault == 0 && rd != 0) std::copy_n(expected, 2, &hart.x[rd]);
  return 0;
}

// Zawrs, 15.1. No other hart tells us of its stores, so the reserved word is looked at: for about as long as a lock is
// usually held, and then between naps, which an interrupt ends. imm = 1: the short one. May end for any reason.
u64 wait_reservation(VcpuFrame* frame, u64, u64, u64, u64 imm) {
  constexpr u32 kLooks = 100;
  constexpr u32 kFirstNap = 20'000, kLastNap = 320'000;  // nanoseconds
  Vcpu& vcpu = vcpu_of(frame);
  const Hart& hart = hart_of(frame);
  if (hart.reserved_address == kNoReservation || vcpu.deterministic()) return 0;
  const auto word = vcpu.guest().debug->translate(vcpu, GuestVirt{hart.reserved_address & ~u64{3}});
  if (!word) return 0;
  // A change in the upper half of a doubleword is not seen and costs what is left of the naps.
  const auto stands = [&] {
    u32 now = 0;
    return vcpu.memory().load(*word, &now) && now == static_cast<u32>(hart.reserved_value) &&
           frame->poll.load(std::memory_order_relaxed) == 0;
  };
  for (u32 i = 0; i < kLooks; ++i) {
    if (!stands()) return 0;
    spin_pause();
  }
  if (should_wake(vcpu)) {  // pending though not taken here: it would end each nap, and we are to end soon
    vcpu.relax();
    return 0;
  }
  const u32 last = imm == 1 ? kFirstNap : kLastNap;
  for (u32 length = kFirstNap; length <= last && stands(); length *= 2) vcpu.nap(length);
  return 0;
}

u64 pause(VcpuFrame* frame, u64, u64, u64, u64) {
  vcpu_of(frame).relax();
  return 0;
}

}  // namespace
}  // namespace helper

#define HELPERS "cpu/riscv64/helpers.def"
#include "cpu/helper_table.inc"
#undef HELPERS

}  // namespace pagoda::riscv64
