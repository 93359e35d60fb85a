// SPDX-License-Identifier: MIT
// Traps from supervisor and user mode: SBI calls, machine interrupts, `rdtime`; the rest is passed on to the
// supervisor.
#include "console.h"
#include "csr.h"
#include "hart.h"
#include "sbi.h"

extern "C" int64_t guarded_fetch_parcel(uint64_t address, uint64_t mprv);

namespace pagoda::firmware {
namespace {

// SYSTEM instructions that read a CSR (unprivileged specification, chapter "Zicsr").
constexpr uint32_t kOpcodeMask = 0x7f;
constexpr uint32_t kOpcodeSystem = 0x73;

bool time_counter_open(const Hart& hart) {
  constexpr uint64_t kTimeBit = 2;
  return (hart.mstatus & kStatusMppMask) != 0 || (csr_read<kScounteren>() & kTimeBit) != 0;
}

// The trapped instruction, or 0. Implementations may leave mtval zero.
uint32_t trapped_instruction(const Hart& hart) {
  if (const uint64_t value = csr_read<kMtval>(); value != 0) return static_cast<uint32_t>(value);
  // MXR: code may be execute-only.
  const int64_t low = guarded_fetch_parcel(hart.mepc, kStatusMprv | kStatusMxr);
  const int64_t high = guarded_fetch_parcel(hart.mepc + 2, kStatusMprv | kStatusMxr);
  if (low < 0 || high < 0 || (low & 3) != 3) return 0;
  return static_cast<uint32_t>(low | high << 16);
}

// Reads of the time CSR where the hart has none.
bool emulate_time(Hart& hart) {
  const uint32_t instruction = trapped_instruction(hart);
  if ((instruction & kOpcodeMask) != kOpcodeSystem || instruction >> 20 != kTime) return false;
  const uint32_t operation = instruction >> 12 & 3;
  const uint32_t source = instruction >> 15 & 31;
  const uint32_t destination = instruction >> 7 & 31;
  // Only set and clear with an empty mask leave the read-only register alone.
  if (operation < 2 || source != 0 || hart.mtime == nullptr || !time_counter_open(hart)) return false;
  if (destination != 0) hart.x[destination] = *hart.mtime;
  hart.mepc += 4;
  return true;
}

// As if the exception had been delegated (privileged specification, chapter "Supervisor Status"). Traps of a
// hypervisor's guests never come here: they are all delegated.
void redirect_to_supervisor(Hart& hart, uint64_t cause) {
  const bool from_supervisor = (hart.mstatus & kStatusMppMask) != 0;
  csr_write<kScause>(cause);
  csr_write<kSepc>(hart.mepc);
  csr_write<kStval>(csr_read<kMtval>());
  uint64_t status = hart.mstatus & ~(kStatusSpp | kStatusSpie | kStatusSie | kStatusMppMask);
  if (from_supervisor) status |= kStatusSpp;
  if ((hart.mstatus & kStatusSie) != 0) status |= kStatusSpie;
  hart.mstatus = status | kStatusMppSupervisor;
  hart.mepc = csr_read<kStvec>() & ~uint64_t{3};
}

}  // namespace

extern "C" void handle_trap(Hart& hart, uint64_t cause) {
  switch (cause) {
    case kCauseSupervisorEcall:
      hart.mepc += 4;
      sbi_call(hart);
      break;
    case kCauseMachineSoft:
      serve_mailbox(hart);
      break;
    case kCauseMachineTimer:
      timer_expired(hart);
      break;
    case kCauseIllegalInstruction:
      if (!emulate_time(hart)) redirect_to_supervisor(hart, cause);
      break;
    default:
      redirect_to_supervisor(hart, cause);
      break;
  }
}

extern "C" void machine_trap_panic(uint64_t cause, uint64_t epc, uint64_t value) {
  console_write("Pagoda SBI: unexpected trap in machine mode: cause ");
  console_write_hex(cause);
  console_write(" pc ");
  console_write_hex(epc);
  console_write(" value ");
  console_write_hex(value);
  console_write("\n");
}

}  // namespace pagoda::firmware
