// SPDX-License-Identifier: MIT
// The CSR table: look-up, legality, one CSR instruction, reset, listing.
#include "cpu/riscv64/csr.h"

#include <array>

#include <fmt/format.h>

#include "cpu/riscv64/csr_hooks.h"
#include "cpu/vcpu.h"

namespace pagoda::riscv64 {
namespace {

using namespace hooks;

constexpr u64 kAll = ~u64{0};
constexpr u64 kEnvWritable = envcfg::kFiom | envcfg::kCbie | envcfg::kCbcfe | envcfg::kCbze;
constexpr bool plain = false, ends = true;
constexpr u32 kCsrNumbers = 4096;
constexpr u32 kMip = 0x344, kSeed = 0x015;

constexpr CsrInfo kRows[] = {
#define CSR(number, name, gate, storage, mask, reset, read, write, block) \
  {number, 1, #name, -1, Gate::gate, block, storage, mask, reset, read, write},
#define CSRS(number, count, name, first, gate, read, write, block) \
  {number, count, #name, first, Gate::gate, block, nullptr, 0, 0, read, write},
#include "cpu/riscv64/csr.def"
#undef CSR
#undef CSRS
};

// Number of a CSR -> its row + 1.
constexpr std::array<u8, kCsrNumbers> make_index() {
  std::array<u8, kCsrNumbers> index{};
  u8 row = 0;
  for (const CsrInfo& info : kRows) {
    ++row;
    for (u32 i = 0; i < info.count; ++i) index[info.number + i] = row;
  }
  return index;
}
constexpr std::array<u8, kCsrNumbers> kIndex = make_index();
static_assert(std::size(kRows) < 256);

constexpr u64 lowest_privilege(u32 number) { return number >> 8 & 3; }
constexpr bool read_only(u32 number) { return number >> 10 == 3; }

// Below machine mode a counter must have been enabled by each higher mode (Privileged ISA 3.1.11, 10.1.5).
bool counter_enabled(const Hart& hart, u32 counter) {
  if (hart.privilege == Mode::machine) return true;
  if ((hart.mcounteren >> counter & 1) == 0) return false;
  return hart.privilege == Mode::supervisor || (hart.scounteren >> counter & 1) != 0;
}

// Smstateen: below machine mode the bit of mstateen<index> must be set.
bool state_enabled(const Hart& hart, u32 index, u64 bit) {
  return hart.privilege == Mode::machine || !hart.extensions.has(Extension::smstateen) ||
         (hart.mstateen[index] & bit) != 0;
}

// Zkr 32.4.1: machine mode always, the others as mseccfg says.
bool seed_enabled(const Hart& hart) {
  if (hart.privilege == Mode::machine) return true;
  return (hart.mseccfg & (hart.privilege == Mode::supervisor ? seccfg::kSseed : seccfg::kUseed)) != 0;
}

// The window on the interrupt file is the file's state, too.
bool window_enabled(const Hart& hart) {
  constexpr u64 kFirstOfFile = 0x70;
  return state_enabled(hart, 0, stateen::kWindow) &&
         (hart.siselect < kFirstOfFile || state_enabled(hart, 0, stateen::kImsic));
}

bool gate_open(const Hart& hart, Gate gate, u32 number) {
  constexpr u32 kTimeCounter = 1;
  switch (gate) {
    case Gate::none:
      return true;
    case Gate::fp:
      return hart.extensions.has(Extension::f) && (hart.mstatus & status::kFs) != 0;
    case Gate::counter:
      return hart.extensions.has(Extension::zicntr) && counter_enabled(hart, number & 31);
    case Gate::hpm:
      return hart.extensions.has(Extension::zihpm) && counter_enabled(hart, number & 31);
    case Gate::sscofpmf:
      return hart.extensions.has(Extension::sscofpmf);
    case Gate::smcntrpmf:
      return hart.extensions.has(Extension::smcntrpmf);
    case Gate::zkr:
      return hart.extensions.has(Extension::zkr);
    case Gate::seed:
      return hart.extensions.has(Extension::zkr) && seed_enabled(hart);
    case Gate::smstateen:
      return hart.extensions.has(Extension::smstateen);
    case Gate::sstateen:
      return hart.extensions.has(Extension::smstateen) && state_enabled(hart, number & 3, stateen::kStateen);
    case Gate::senvcfg:
      return state_enabled(hart, 0, stateen::kEnvcfg);
    case Gate::sstc:
      if (!hart.extensions.has(Extension::sstc)) return false;
      return hart.privilege == Mode::machine ||
             ((hart.menvcfg & envcfg::kStce) != 0 && counter_enabled(hart, kTimeCounter));
    case Gate::tvm:
      return hart.privilege == Mode::machine || (hart.mstatus & status::kTvm) == 0;
    case Gate::smaia:
      return hart.extensions.has(Extension::smaia);
    case Gate::ssaia:
      return hart.extensions.has(Extension::ssaia) && state_enabled(hart, 0, stateen::kAia);
    case Gate::siselect:
      return hart.extensions.has(Extension::ssaia) && state_enabled(hart, 0, stateen::kWindow);
    case Gate::mireg:
      return hart.extensions.has(Extension::smaia) && window_register_exists(hart, AiaLevel::machine);
    case Gate::sireg:
      return hart.extensions.has(Extension::ssaia) && window_enabled(hart) &&
             window_register_exists(hart, AiaLevel::supervisor);
    case Gate::mtopei:
      return hart.extensions.has(Extension::smaia) && hart.files[static_cast<u32>(AiaLevel::machine)] != nullptr;
    case Gate::stopei:
      return hart.extensions.has(Extension::ssaia) && state_enabled(hart, 0, stateen::kImsic) &&
             hart.files[static_cast<u32>(AiaLevel::supervisor)] != nullptr;
  }
  return false;
}

bool allowed(const Hart& hart, const CsrInfo& info, u32 number, bool writes) {
  if (static_cast<u64>(hart.privilege) < lowest_privilege(number)) return false;
  if (writes && read_only(number)) return false;
  if (number == kSeed && !writes) return false;  // reading has an effect, so it must look like one (Zkr 32.4)
  return gate_open(hart, info.gate, number);
}

u64 read_value(const CsrContext& context, const CsrInfo& info, u32 index) {
  if (info.read != nullptr) return info.read(context, index);
  return info.storage != nullptr ? context.hart.*info.storage : 0;
}

void write_value(const CsrContext& context, const CsrInfo& info, u32 index, u64 value) {
  if (info.storage != nullptr) {
    u64& storage = context.hart.*info.storage;
    value = (storage & ~info.mask) | (value & info.mask);
    if (info.write == nullptr) storage = value;
  }
  if (info.write != nullptr) info.write(context, index, value);
}

}  // namespace

const CsrInfo* find_csr(u32 number) {
  const u32 row = kIndex[number & (kCsrNumbers - 1)];
  return row == 0 ? nullptr : &kRows[row - 1];
}

std::string csr_name(u32 number) {
  const CsrInfo* info = find_csr(number);
  if (info == nullptr) return fmt::format("csr{:#x}", number);
  if (info->first < 0) return info->name;
  return fmt::format("{}{}", info->name, info->first + static_cast<int>(number - info->number));
}

bool csr_allowed(const Hart& hart, u32 number, bool writes) {
  const CsrInfo* info = find_csr(number);
  return info != nullptr && allowed(hart, *info, number, writes);
}

bool csr_instruction(const CsrContext& context, u32 number, CsrOp op, bool reads, bool writes, u64 source, u64* old) {
  const CsrInfo* info = find_csr(number);
  if (info == nullptr || !allowed(context.hart, *info, number, writes)) return false;
  const u32 index = number - info->number;
  const u64 value = reads || op != CsrOp::write ? read_value(context, *info, index) : 0;
  *old = value;
  if (!writes) return true;

  u64 result = source;
  if (op != CsrOp::write) {
    // The pin of SEIP is read but does not take part in a set or clear of the bit (Privileged ISA 3.1.9).
    const u64 base = number != kMip ? value : (value & ~irq::kSeip) | (context.hart.software_pending & irq::kSeip);
    result = op == CsrOp::set ? base | source : base & ~source;
  }
  write_value(context, *info, index, result);
  return true;
}

u64 csr_peek(Vcpu& vcpu, u32 number) {
  const CsrInfo* info = find_csr(number);
  if (info == nullptr || number == kSeed) return 0;  // looking at the seed would use it up
  const CsrContext context{vcpu, vcpu.state<Hart>(), vcpu.instructions(), false};
  return read_value(context, *info, number - info->number);
}

void csr_poke(Vcpu& vcpu, u32 number, u64 value) {
  const CsrInfo* info = find_csr(number);
  if (info == nullptr || read_only(number)) return;
  const CsrContext context{vcpu, vcpu.state<Hart>(), vcpu.instructions(), false};
  write_value(context, *info, number - info->number, value);
}

void csr_reset(Hart& hart) {
  for (const CsrInfo& info : kRows) {
    if (info.storage != nullptr) hart.*info.storage = info.reset;
  }
}

void for_each_csr(const std::function<void(u32 number, const std::string& name)>& each) {
  for (const CsrInfo& info : kRows) {
    for (u32 i = 0; i < info.count; ++i) each(info.number + i, csr_name(info.number + i));
  }
}

bool csr_ends_block(u32 number, CsrOp op, bool writes, u64 source_bits, u32 mode) {
  const CsrInfo* info = find_csr(number);
  if (!writes || info == nullptr || !info->ends_block) return false;
  switch (number) {
    case 0x104:  // sie
    case 0x144:  // sip
    case 0x304:  // mie
    case 0x344:  // mip
      // Clearing bits only takes interrupts away.
      return op != CsrOp::clear;
    case 0x100:  // sstatus
    case 0x300:  // mstatus
      return op != CsrOp::clear || (source_bits & ~(status::kSie | status::kMie)) != 0;
    case kFflags:
      return (mode & ModeKey::kFpDirty) == 0;
    default:
      return true;
  }
}

}  // namespace pagoda::riscv64
