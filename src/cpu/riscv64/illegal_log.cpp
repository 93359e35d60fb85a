// SPDX-License-Identifier: MIT
// Tells by the instruction word, which is the exception's value, why it was illegal.
#include "cpu/riscv64/illegal_log.h"

#include "base/log.h"
#include "cpu/riscv64/csr.h"
#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/disassembler.h"

namespace pagoda::riscv64 {
namespace {

// Words that the manual promises to keep illegal: all bits 0, all bits 1 (Unprivileged ISA 1.5).
bool is_defined_illegal(u32 word) { return (word & 0xffff) == 0 || word == ~u32{0}; }

const char* mode_name(const Hart& hart) {
  return hart.privilege == Mode::machine ? "machine" : hart.privilege == Mode::supervisor ? "supervisor" : "user";
}

void log_csr(const Hart& hart, const Insn& insn) {
  constexpr u32 kReadOnly = 3;
  const u32 number = insn.bits >> 20;
  if (find_csr(number) == nullptr) {
    return log(Log::unimplemented, "hart {}: pc {:#x}: csr {:#x} does not exist", hart.hart_id, hart.pc, number);
  }
  // Registers of machine mode are out of reach below it, and so on; the upper two bits say what cannot be written.
  if (static_cast<u32>(hart.privilege) < (number >> 8 & 3)) {
    return log(Log::guest_error, "hart {}: pc {:#x}: csr {} accessed in {} mode", hart.hart_id, hart.pc,
               csr_name(number), mode_name(hart));
  }
  if (number >> 10 == kReadOnly && csr_allowed(hart, number, false)) {
    log(Log::guest_error, "hart {}: pc {:#x}: csr {} is read-only", hart.hart_id, hart.pc, csr_name(number));
  }
}

}  // namespace

void log_illegal_instruction(const Hart& hart) {
  if (!log_enabled(Log::unimplemented) && !log_enabled(Log::guest_error)) return;
  const u32 word = static_cast<u32>(hart.fault_value);
  Insn insn;
  if (decode(word, hart.extensions, insn)) {
    if (format_info(insn.row->format).immediate == Immediate::csr) log_csr(hart, insn);
    return;
  }
  if (decode(word, kAllExtensions, insn)) {
    log(Log::guest_error, "hart {}: pc {:#x}: {}: this hart lacks the extension", hart.hart_id, hart.pc,
        disassemble(word, hart.pc));
  } else if (is_defined_illegal(word)) {
    log(Log::guest_error, "hart {}: pc {:#x}: {:#x} is never an instruction", hart.hart_id, hart.pc, word);
  } else {
    log(Log::unimplemented, "hart {}: pc {:#x}: {:#x} is no instruction that is implemented", hart.hart_id, hart.pc,
        word);
  }
}

}  // namespace pagoda::riscv64
