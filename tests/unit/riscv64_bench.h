// SPDX-License-Identifier: MIT
// A hart with memory and a clock that tests move by hand, for tests of the RISC-V privileged architecture.
#pragma once

#include <memory>

#include "base/check.h"
#include "cpu/code_manager.h"
#include "cpu/rendezvous.h"
#include "cpu/riscv64/cpu_model.h"
#include "cpu/riscv64/csr.h"
#include "cpu/riscv64/hart_port.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/modes.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "cpu/riscv64/trap.h"
#include "cpu/vcpu.h"
#include "unit/tier_options.h"

namespace pagoda::riscv64 {

inline constexpr u64 kRam = 0x80000000, kRamSize = 0x400000;

class Bench {
 public:
  explicit Bench(std::string_view cpu = "rv64", const CodeOptions& options = tier_options(),
                 std::function<void(std::span<std::byte>)> entropy = nullptr)
      : clock([this] { return now_ns; }) {
    CHECK(memory.add_ram(GuestPhys(kRam), kRamSize, "ram").has_value());
    const auto extensions = parse_cpu(cpu);
    CHECK(extensions.has_value());
    code = std::make_unique<CodeManager>(memory, rendezvous, riscv64_guest(), 1, options);
    vcpu = std::make_unique<Vcpu>(0, riscv64_guest(), extensions->bits,
                                  Vcpu::Environment{.memory = &memory,
                                                    .clock = &clock,
                                                    .rendezvous = &rendezvous,
                                                    .code = code.get(),
                                                    .entropy = std::move(entropy)});
    rendezvous.add(vcpu.get());
    configure_hart(*vcpu, 0, kRam);
    vcpu->reset();
    port = std::make_unique<HartPort>(*vcpu);
  }

  Hart& hart() { return vcpu->state<Hart>(); }
  CsrContext context() { return {*vcpu, hart(), vcpu->instructions(), false}; }

  // CSR instructions as the current mode would execute them; false: illegal.
  bool write(u32 csr, u64 value) { return access(csr, CsrOp::write, value); }
  bool access(u32 csr, CsrOp op, u64 value) {
    u64 old = 0;
    return csr_instruction(context(), csr, op, true, true, value, &old);
  }
  u64 read(u32 csr) { return csr_peek(*vcpu, csr); }
  bool readable(u32 csr) { return csr_allowed(hart(), csr, false); }
  bool writable(u32 csr) { return csr_allowed(hart(), csr, true); }

  void set_mode(Mode mode) {
    hart().privilege = mode;
    update_mode(*vcpu, hart());
  }
  u64 helper(HelperId id, u64 a = 0, u64 b = 0, u64 c = 0, u64 imm = 0) {
    hart().fault = 0;
    return riscv64_guest().helpers.helpers[static_cast<u32>(id)].function(&hart(), a, b, c, imm);
  }
  bool faulted() { return hart().fault != 0; }
  void store64(u64 address, u64 value) { CHECK(memory.store<u64>(GuestPhys(address), value)); }
  void store32(u64 address, u32 value) { CHECK(memory.store<u32>(GuestPhys(address), value)); }
  u64 load64(u64 address) {
    u64 value = 0;
    CHECK(memory.load<u64>(GuestPhys(address), &value));
    return value;
  }
  // All of physical memory for everybody.
  void open_pmp() {
    write(0x3b0, ~u64{0});
    write(0x3a0, pmpcfg::kNapot << pmpcfg::kMatchShift | 7);
  }

  u64 now_ns = 0;
  GuestMemory memory;
  VirtualClock clock;
  Rendezvous rendezvous;
  std::unique_ptr<CodeManager> code;
  std::unique_ptr<Vcpu> vcpu;
  std::unique_ptr<HartPort> port;
};

}  // namespace pagoda::riscv64
