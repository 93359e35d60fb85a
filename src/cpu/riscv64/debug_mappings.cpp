// SPDX-License-Identifier: MIT
// The tables that satp names (Privileged ISA 10.3-10.6), walked from low to high addresses.
#include "cpu/riscv64/debug_mappings.h"

#include <fmt/format.h>

#include "cpu/riscv64/hart.h"
#include "cpu/vcpu.h"
#include "memory/guest_memory.h"

namespace pagoda::riscv64 {
namespace {

constexpr u32 kMostTables = 1 << 12, kMostLines = 4096;
constexpr u64 kValid = 1, kLeaf = 2 | 8, kAttributes = 0xfe, kPpnMask = (u64{1} << 44) - 1, kNapot = u64{1} << 63;

class Walker {
 public:
  explicit Walker(GuestMemory& memory, u32 address_bits) : memory_(memory), address_bits_(address_bits) {}

  void walk(u64 table, u32 level, u64 address) {
    if (is_full() || ++tables_ > kMostTables) return;
    const u32 shift = static_cast<u32>(kPageBits) + level * 9;
    for (u64 i = 0; i < 512 && !is_full(); ++i) {
      u64 entry = 0;
      if (!memory_.load<u64>(GuestPhys(table + i * 8), &entry)) return;
      if ((entry & kValid) == 0) continue;
      const u64 next = (entry >> 10 & kPpnMask) << kPageBits, at = address | i << shift;
      if ((entry & kLeaf) != 0) {
        // Each entry of a contiguous range (Svnapot) stands for its own page.
        const u64 page = (entry & kNapot) != 0 && level == 0 ? (next & ~u64{0xffff}) | (at & 0xffff) : next;
        add(at, page, u64{1} << shift, entry & kAttributes);
      } else if (level != 0) {
        walk(next, level - 1, at);
      }
    }
  }
  std::string take() {
    end_run();
    if (is_full() || tables_ > kMostTables) text_ += "(more is not shown)\n";
    return std::move(text_);
  }

 private:
  bool is_full() const { return lines_ >= kMostLines; }
  void add(u64 address, u64 phys, u64 size, u64 attributes) {
    if (size_ != 0 && address == start_ + size_ && phys == phys_ + size_ && attributes == attributes_) {
      size_ += size;
      return;
    }
    end_run();
    start_ = address, phys_ = phys, size_ = size, attributes_ = attributes;
  }
  void end_run() {
    if (size_ == 0 || is_full()) return;
    ++lines_;
    std::string letters;
    for (u32 bit = 1; bit <= 7; ++bit) letters += (attributes_ >> bit & 1) != 0 ? "vrwxugad"[bit] : '-';
    const u32 unused = 64 - address_bits_;
    const u64 canonical = static_cast<u64>(static_cast<i64>(start_ << unused) >> unused);
    text_ += fmt::format("{:016x} {:016x} {:016x} {}\n", canonical, phys_, size_, letters);
    size_ = 0;
  }

  GuestMemory& memory_;
  const u32 address_bits_;
  std::string text_;
  u32 tables_ = 0, lines_ = 0;
  u64 start_ = 0, phys_ = 0, size_ = 0, attributes_ = 0;
};

}  // namespace

std::string mappings_text(Vcpu& vcpu) {
  const auto& hart = vcpu.state<Hart>();
  const u64 mode = hart.satp >> 60;
  if (mode < 8 || mode > 10) return "No translation or protection\n";
  const u32 levels = static_cast<u32>(mode) - 8 + 3;
  Walker walker(vcpu.memory(), static_cast<u32>(kPageBits) + levels * 9);
  walker.walk((hart.satp & kPpnMask) << kPageBits, levels - 1, 0);
  return "vaddr            paddr            size             attr\n"
         "---------------- ---------------- ---------------- -------\n" +
         walker.take();
}

}  // namespace pagoda::riscv64
