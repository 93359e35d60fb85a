// SPDX-License-Identifier: MIT
// Vcpus with memory and a page map that tests fill by hand, and the few RISC-V instructions they run: for tests of the
// parts of cpu/ that all guests share.
//
// The guest is riscv64 in machine mode with its page walk replaced: a page is where map() said, else where its address
// says. One bench at a time.
#pragma once

#include <array>
#include <initializer_list>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/check.h"
#include "cpu/code_manager.h"
#include "cpu/rendezvous.h"
#include "cpu/riscv64/cpu_model.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "cpu/vcpu.h"
#include "unit/tier_options.h"

namespace pagoda {

// Encoders (RV64I chapters 2 and 4).
namespace rv {
enum Reg : u32 { x0, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5 };
constexpr u32 itype(u32 op, u32 f3, u32 rd, u32 rs1, i32 imm) {
  return static_cast<u32>(imm) << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}
constexpr u32 stype(u32 f3, u32 rs2, u32 rs1, i32 imm) {
  const u32 u = static_cast<u32>(imm);
  return (u >> 5 & 127) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (u & 31) << 7 | 0x23;
}
constexpr u32 btype(u32 f3, u32 rs1, u32 rs2, i32 imm) {
  const u32 u = static_cast<u32>(imm);
  return (u >> 12 & 1) << 31 | (u >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (u >> 1 & 15) << 8 |
         (u >> 11 & 1) << 7 | 0x63;
}
constexpr u32 addi(u32 rd, u32 rs1, i32 imm) { return itype(0x13, 0, rd, rs1, imm); }
constexpr u32 li(u32 rd, i32 imm) { return addi(rd, x0, imm); }
constexpr u32 ld(u32 rd, u32 rs1, i32 imm) { return itype(0x03, 3, rd, rs1, imm); }
constexpr u32 sd(u32 rs2, u32 rs1, i32 imm) { return stype(3, rs2, rs1, imm); }
constexpr u32 sw(u32 rs2, u32 rs1, i32 imm) { return stype(2, rs2, rs1, imm); }
constexpr u32 bne(u32 rs1, u32 rs2, i32 imm) { return btype(1, rs1, rs2, imm); }
constexpr u32 jal(u32 rd, i32 imm) {
  const u32 u = static_cast<u32>(imm);
  return (u >> 20 & 1) << 31 | (u >> 1 & 1023) << 21 | (u >> 11 & 1) << 20 | (u >> 12 & 255) << 12 | rd << 7 | 0x6f;
}
constexpr u32 j(i32 imm) { return jal(x0, imm); }
constexpr u32 jalr(u32 rd, u32 rs1) { return itype(0x67, 0, rd, rs1, 0); }
constexpr u32 jr(u32 rs1) { return jalr(x0, rs1); }
constexpr u32 auipc(u32 rd) { return rd << 7 | 0x17; }
constexpr u32 fence_i() { return 0x100f; }
constexpr u32 wfi() { return 0x10500073; }
constexpr u32 rdinstret(u32 rd) { return 0xb02u << 20 | 2u << 12 | rd << 7 | 0x73; }  // mcycle's neighbour: minstret
}  // namespace rv

class CpuBench {
 public:
  static constexpr u64 kRam = 0x80000000, kRamSize = 0x400000;
  struct Page {
    bool ok = true;
    u64 phys = 0;
    bool readable = true, writable = true, executable = true, global = false;
    u8 bits = 12;
  };

  using Translate = void (*)(ir::Builder& builder, const TranslateRequest& request);
  explicit CpuBench(u32 count = 1, const CodeOptions& options = tier_options(), Translate translate = nullptr)
      : clock([] { return u64{0}; }) {
    guest = riscv64_guest();
    guest.walk = walk;
    if (translate != nullptr) guest.translate = translate;
    current() = this;
    CHECK(memory.add_ram(GuestPhys(kRam), kRamSize, "ram").has_value());
    code = std::make_unique<CodeManager>(memory, rendezvous, guest, count, options);
    for (u32 i = 0; i < count; ++i) {
      vcpus.push_back(std::make_unique<Vcpu>(i, guest, riscv64::parse_cpu("rv64")->bits,
                                             Vcpu::Environment{&memory, &clock, &rendezvous, code.get()}));
      rendezvous.add(vcpus.back().get());
      riscv64::configure_hart(*vcpus.back(), i, kRam);
      vcpus.back()->reset();
    }
  }
  ~CpuBench() { current() = nullptr; }

  Vcpu& vcpu(u32 i = 0) { return *vcpus[i]; }
  Softmmu& mmu(u32 i = 0) { return vcpu(i).mmu(); }
  VcpuFrame& frame(u32 i = 0) { return vcpu(i).frame(); }
  u64& x(u32 reg, u32 i = 0) { return vcpu(i).state<riscv64::Hart>().x[reg]; }
  u64& pc(u32 i = 0) { return frame(i).pc; }

  // The map, by address space and virtual page; a change is only seen by walks.
  void map(u64 virt, const Page& page, u64 space = 0) { pages[{space, virt >> kPageBits}] = page; }
  void map(u64 virt, u64 phys, u64 space = 0) { map(virt, Page{.phys = phys}, space); }
  u64 root = 0;  // the address space that walks look at

  // Code goes in by the door for DMA.
  void put(u64 phys, std::initializer_list<u32> words) {
    CHECK(memory.write(GuestPhys(phys), std::as_bytes(std::span(words.begin(), words.size()))));
  }
  void put64(u64 phys, u64 value) { CHECK(memory.store<u64>(GuestPhys(phys), value)); }
  u64 get64(u64 phys) {
    u64 value = 0;
    CHECK(memory.load<u64>(GuestPhys(phys), &value));
    return value;
  }
  Vcpu::Stop run_from(u64 address, i64 instructions, u32 i = 0) {
    pc(i) = address;
    return vcpu(i).run(instructions);
  }
  CodeCache::Statistics cache() { return code->cache().statistics(); }
  u64 walks(u32 i = 0) { return mmu(i).statistics().walks; }

  // --- accesses as translated code makes them: first level, then slow path
  template <u64 TlbEntry::* kTag>
  bool hits(u64 address, u32 i = 0) {
    const MemoryContext& context = frame(i).memory;
    return context.table->entries[tlb_index(address)].*kTag == tlb_tag(address, 1, context.tag);
  }
  u64 load(u64 address, u32 i = 0) {
    frame(i).fault = 0;
    return frame(i).slow->load(&frame(i), address, ir::MemOp{.size_log2 = 3}.pack());
  }
  void store(u64 address, u64 value, u32 i = 0) {
    frame(i).fault = 0;
    frame(i).slow->store(&frame(i), address, value, ir::MemOp{.size_log2 = 3}.pack());
  }

  GuestMemory memory;
  VirtualClock clock;
  Rendezvous rendezvous;
  Guest guest{};
  std::unique_ptr<CodeManager> code;
  std::vector<std::unique_ptr<Vcpu>> vcpus;
  std::map<std::pair<u64, u64>, Page> pages;

 private:
  static CpuBench*& current() {
    static CpuBench* bench = nullptr;
    return bench;
  }
  static Translation walk(Vcpu&, GuestVirt address, AccessKind kind, u32) {
    CpuBench& bench = *current();
    Page page{.phys = address.value & kPageMask};
    if (const auto found = bench.pages.find({bench.root, address.value >> kPageBits}); found != bench.pages.end()) {
      page = found->second;
    }
    const bool allowed = kind == AccessKind::read    ? page.readable
                         : kind == AccessKind::write ? page.writable
                                                     : page.executable;
    Translation result;
    result.ok = page.ok && allowed;
    result.page = GuestPhys(page.phys);
    result.readable = page.readable;
    result.writable = page.writable;
    result.executable = page.executable;
    result.global = page.global;
    result.page_bits = page.bits;
    result.cause = 13;
    return result;
  }
};

}  // namespace pagoda
