// SPDX-License-Identifier: MIT
// What each hart sets up once: delegation, counters, environment, protection; then it boots the kernel or waits for
// HSM.
#include "csr.h"
#include "platform.h"
#include "pmp.h"
#include "sbi.h"

namespace pagoda::firmware {
namespace {

// Exceptions the supervisor may handle alone. Not here: 9 (the SBI itself) and, without a time CSR, 2 (its emulation).
// Privileged specification, chapter "Machine Trap Delegation".
constexpr uint64_t kExceptions = 1u << 0 | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 |
                                 1u << 12 | 1u << 13 | 1u << 15 | 1u << 18 | 1u << 19;
constexpr uint64_t kHypervisorExceptions = 1u << 10 | 1u << 20 | 1u << 21 | 1u << 22 | 1u << 23;

// cycle, time, instret: what user mode sees unless the supervisor decides otherwise.
constexpr uint64_t kBasicCounters = 7;

// Indirect-CSR, AIA, envcfg and context access for the supervisor (specification "Smstateen"): bits 63:57.
constexpr uint64_t kStateenSupervisor = 0xfeull << 56;

void delegate_traps(const Hart& hart) {
  uint64_t exceptions = kExceptions;
  if ((csr_read<kMisa>() & misa_bit('H')) != 0) exceptions |= kHypervisorExceptions;
  if (csr_exists<kTime>()) exceptions |= 1u << kCauseIllegalInstruction;
  csr_write<kMedeleg>(exceptions);
  csr_write<kMideleg>(kSupervisorInterrupts | ((hart.extensions & kIsaSscofpmf) != 0 ? kCounterOverflow : 0));
}

void open_counters() {
  csr_write<kMcounteren>(0xffffffff);
  csr_write<kScounteren>(kBasicCounters);
}

void set_environment(const Hart& hart) {
  if (!csr_exists<kMenvcfg>()) return;
  const uint32_t isa = hart.extensions;
  uint64_t bits = csr_read<kMenvcfg>();
  if ((isa & kIsaSstc) != 0) bits |= kEnvStce;
  if ((isa & kIsaSvpbmt) != 0) bits |= kEnvPbmte;
  if ((isa & kIsaZicboz) != 0) bits |= kEnvCbze;
  if ((isa & kIsaZicbom) != 0) bits |= kEnvCbcfe | kEnvCbieInvalidate;
  // With both listed page faults are the supervisor's own business until it chooses otherwise (sbi_fwft.cpp).
  if ((isa & kIsaSvade) != 0 && (isa & kIsaSvadu) != 0) bits &= ~kEnvAdue;
  if ((isa & kIsaSvade) == 0 && (isa & kIsaSvadu) != 0) bits |= kEnvAdue;
  csr_write<kMenvcfg>(bits);
}

}  // namespace

extern "C" [[noreturn]] void hart_main(Hart& hart) {
  csr_write<kMstatus>(0);
  csr_write<kMip>(0);
  delegate_traps(hart);
  open_counters();
  counters_stop(hart);
  set_environment(hart);
  // Machines exist whose device tree promises what their harts lack.
  if (!csr_exists<kStimecmp>()) hart.extensions &= ~uint32_t{kIsaSstc};
  if ((hart.extensions & kIsaSmstateen) != 0 && csr_exists<kMstateen0>()) csr_set<kMstateen0>(kStateenSupervisor);
  // Kernels that find Zkr listed read the seed without asking.
  if ((hart.extensions & kIsaZkr) != 0 && csr_exists<kMseccfg>()) csr_set<kMseccfg>(kSecSseed);
  protect_memory();
  timer_stop(hart);
  csr_write<kMie>(kMachineSoft);

  if (hart.id == platform.boot_hart_id) {
    set_hart_state(hart, HartState::kStarted);
    enter_supervisor(hart, platform.next_address, platform.device_tree);
  }
  hart_wait_for_start(hart);
}

}  // namespace pagoda::firmware
