// SPDX-License-Identifier: MIT
// Registers for debuggers, made from state.def and csr.def; the debugger's page walk.
//
// Numbers are GDB's own for RISC-V: x0-x31, pc, f0-f31, CSRs from 65 on by their number, privilege mode behind them.
#include "cpu/riscv64/debug.h"

#include <cstring>

#include "cpu/riscv64/csr.h"
#include "cpu/riscv64/debug_mappings.h"
#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/modes.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "cpu/riscv64/translate.h"
#include "cpu/vcpu.h"
#include "memory/guest_memory.h"

namespace pagoda::riscv64 {
namespace {

constexpr u32 kPc = 32, kFirstFloat = 33, kFirstCsr = 65, kCsrs = 4096, kPrivilege = kFirstCsr + kCsrs;

// Where state.def keeps the registers of a group, and how GDB numbers and types them.
enum class Group { integer, fp, reservation };
struct StateRow {
  const char* name;
  u64* (*value)(Hart& hart);
  Group group;
};
constexpr StateRow kState[] = {
#define STATE(name, type, member, group) {#name, [](Hart& hart) { return &hart.member; }, Group::group},
#include "cpu/riscv64/state.def"
#undef STATE
};

std::string_view integer_type(std::string_view name) {
  if (name == "ra") return "code_ptr";
  return name == "sp" || name == "gp" || name == "tp" || name == "s0" ? "data_ptr" : "int";
}

bool has_csr(const Hart& hart, u32 number) {
  switch (find_csr(number)->gate) {
    case Gate::fp:
      return hart.extensions.has(Extension::f);
    case Gate::counter:
      return hart.extensions.has(Extension::zicntr);
    case Gate::sstc:
      return hart.extensions.has(Extension::sstc);
    case Gate::sscofpmf:
      return hart.extensions.has(Extension::sscofpmf);
    case Gate::smcntrpmf:
      return hart.extensions.has(Extension::smcntrpmf);
    case Gate::smstateen:
    case Gate::sstateen:
      return hart.extensions.has(Extension::smstateen);
    case Gate::zkr:
      return hart.extensions.has(Extension::zkr);
    case Gate::seed:
      return false;  // reading it would use it up
    default:
      return true;
  }
}

std::vector<DebugFeature> features(const Vcpu& vcpu) {
  const auto& hart = vcpu.state<Hart>();
  DebugFeature cpu{.name = "org.gnu.gdb.riscv.cpu", .types = "", .registers = {{"zero", 0, 64, "int", "general"}}};
  DebugFeature fpu{.name = "org.gnu.gdb.riscv.fpu",
                   .types =
                       "<union id=\"riscv_double\"><field name=\"float\" type=\"ieee_single\"/>"
                       "<field name=\"double\" type=\"ieee_double\"/></union>",
                   .registers = {}};
  u32 integers = 1, floats = kFirstFloat;
  for (const StateRow& row : kState) {
    if (row.group == Group::integer) {
      const std::string_view name = row.name;
      cpu.registers.push_back(
          {std::string(name == "s0" ? "fp" : name), integers++, 64, std::string(integer_type(name)), "general"});
    } else if (row.group == Group::fp) {
      fpu.registers.push_back({row.name, floats++, 64, "riscv_double", "float"});
    }
  }
  cpu.registers.push_back({"pc", kPc, 64, "code_ptr", "general"});

  DebugFeature csrs{.name = "org.gnu.gdb.riscv.csr", .types = "", .registers = {}};
  for_each_csr([&](u32 number, const std::string& name) {
    if (has_csr(hart, number)) csrs.registers.push_back({name, kFirstCsr + number, 64, "int", "csr", false});
  });
  DebugFeature virtual_registers{.name = "org.gnu.gdb.riscv.virtual",
                                 .types = "",
                                 .registers = {{"priv", kPrivilege, 64, "int", "system", false}}};
  std::vector<DebugFeature> all = {std::move(cpu)};
  if (hart.extensions.has(Extension::f)) all.push_back(std::move(fpu));
  all.push_back(std::move(csrs));
  all.push_back(std::move(virtual_registers));
  return all;
}

// The n-th row of a group.
u64* state_of(Hart& hart, Group group, u32 index) {
  for (const StateRow& row : kState) {
    if (row.group == group && index-- == 0) return row.value(hart);
  }
  return nullptr;
}

void append(std::vector<u8>& out, u64 value) {
  for (u32 i = 0; i < 8; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
}

bool read_register(Vcpu& vcpu, u32 number, std::vector<u8>& out) {
  auto& hart = vcpu.state<Hart>();
  if (number == 0) {
    append(out, 0);
  } else if (number < kPc) {
    append(out, *state_of(hart, Group::integer, number - 1));
  } else if (number == kPc) {
    append(out, hart.pc);
  } else if (number < kFirstCsr) {
    if (!hart.extensions.has(Extension::f)) return false;
    append(out, *state_of(hart, Group::fp, number - kFirstFloat));
  } else if (number < kPrivilege) {
    if (find_csr(number - kFirstCsr) == nullptr || !has_csr(hart, number - kFirstCsr)) return false;
    append(out, csr_peek(vcpu, number - kFirstCsr));
  } else if (number == kPrivilege) {
    append(out, static_cast<u64>(hart.privilege));
  } else {
    return false;
  }
  return true;
}

bool write_register(Vcpu& vcpu, u32 number, std::span<const u8> bytes) {
  auto& hart = vcpu.state<Hart>();
  if (bytes.size() != 8) return false;
  u64 value = 0;
  std::memcpy(&value, bytes.data(), 8);
  if (number == 0) return true;  // wired to zero
  if (number < kPc) {
    *state_of(hart, Group::integer, number - 1) = value;
  } else if (number == kPc) {
    // Where no instruction can begin the guest itself could not be either.
    vcpu.set_pc(value & ~(hart.extensions.has(Extension::c) ? u64{1} : u64{3}));
  } else if (number < kFirstCsr) {
    if (!hart.extensions.has(Extension::f)) return false;
    *state_of(hart, Group::fp, number - kFirstFloat) = value;
  } else if (number < kPrivilege) {
    if (find_csr(number - kFirstCsr) == nullptr || !has_csr(hart, number - kFirstCsr)) return false;
    csr_poke(vcpu, number - kFirstCsr, value);
  } else if (number == kPrivilege && (value < 2 || value == 3)) {
    hart.privilege = static_cast<Mode>(value);
    hart_restored(vcpu);
  } else {
    return false;
  }
  return true;
}

// As the walk of mmu.cpp (Privileged ISA 10.3.2), but without permissions, accessed and dirty bits: what is mapped can
// be looked at. M-mode sees physical addresses, also where MPRV says otherwise for its loads.
std::optional<GuestPhys> translate(Vcpu& vcpu, GuestVirt address) {
  const auto& hart = vcpu.state<Hart>();
  const u64 mode = hart.satp >> 60;
  if (fetch_memory_mode(hart) == MemoryMode::bare || mode < 8 || mode > 10) return GuestPhys(address.value);
  constexpr u64 kValid = 1, kLeaf = 2 | 8, kNapot = u64{1} << 63, kPpnMask = (u64{1} << 44) - 1;
  u32 level = static_cast<u32>(mode) - 8 + 3;
  const u32 unused_bits = 64 - (12 + level * 9);
  if (static_cast<u64>(static_cast<i64>(address.value << unused_bits) >> unused_bits) != address.value) return {};
  u64 table = (hart.satp & kPpnMask) << kPageBits;
  while (level-- != 0) {
    const u32 shift = static_cast<u32>(kPageBits) + level * 9;
    u64 entry = 0;
    if (!vcpu.memory().load<u64>(GuestPhys(table + ((address.value >> shift & 511) << 3)), &entry)) return {};
    if ((entry & kValid) == 0) return {};
    const u64 next = (entry >> 10 & kPpnMask) << kPageBits;
    if ((entry & kLeaf) == 0) {
      table = next;
      continue;
    }
    // A contiguous 64 KiB leaf (Svnapot) has a marker in the low bits of its page number.
    const u64 offset_mask = (entry & kNapot) != 0 && level == 0 ? 0xffff : (u64{1} << shift) - 1;
    return GuestPhys((next & ~offset_mask) | (address.value & offset_mask));
  }
  return {};
}

u32 disassemble_one(u64 pc, std::span<const u8> bytes, std::string& text) {
  if (bytes.size() < 2 || bytes.size() < instruction_length(bytes.data())) return 0;
  const u32 length = instruction_length(bytes.data());
  u32 word = 0;
  std::memcpy(&word, bytes.data(), std::min<u32>(length, 4));
  text = disassemble(word, pc);
  return length;
}

}  // namespace

const GuestDebug& guest_debug() {
  static const GuestDebug debug{.architecture = "riscv:rv64",
                                .general_registers = kPc + 1,
                                .features = features,
                                .read_register = read_register,
                                .write_register = write_register,
                                .translate = translate,
                                .disassemble = disassemble_one,
                                .mappings = mappings_text};
  return debug;
}

}  // namespace pagoda::riscv64
