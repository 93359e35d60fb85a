// SPDX-License-Identifier: MIT
// Register listing by the state and CSR tables.
#include "machines/riscv_registers.h"

#include <array>

#include "cpu/riscv64/csr.h"
#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/hart.h"

namespace pagoda {
namespace {

constexpr std::array kPrivilegeNames = {"user", "supervisor", "reserved", "machine"};

class Listing {
 public:
  void add(std::string_view name, u64 value) {
    text_ += fmt::format(" {:<14} {:016x}", name, value);
    if (++in_line_ == 4) end_line();
  }
  void end_line() {
    if (in_line_ != 0) text_ += '\n';
    in_line_ = 0;
  }
  std::string take() {
    end_line();
    return std::move(text_);
  }

 private:
  std::string text_;
  int in_line_ = 0;
};

}  // namespace

std::string riscv_registers(Vcpu& vcpu) {
  const auto& hart = vcpu.state<riscv64::Hart>();
  Listing list;
  list.add("pc", hart.pc);
  list.end_line();
  for (u32 i = 0; i < 32; ++i) list.add(fmt::format("x{}/{}", i, riscv64::x_name(i)), hart.x[i]);
  riscv64::for_each_csr([&](u32 number, const std::string& name) {
    if (name.starts_with("pmp") || name.starts_with("mhpm") || name.starts_with("hpm")) return;
    list.add(name, riscv64::csr_peek(vcpu, number));
  });
  list.end_line();
  for (u32 i = 0; i < 32; ++i) list.add(fmt::format("f{}/{}", i, riscv64::f_name(i)), hart.f[i]);
  return list.take() + fmt::format(" mode: {}\n", kPrivilegeNames[static_cast<u32>(hart.privilege) & 3]);
}

}  // namespace pagoda
