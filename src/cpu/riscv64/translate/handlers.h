// SPDX-License-Identifier: MIT
// Declares the handler of every row of the instruction tables: a row without one, or one without a row, shows when
// linking.
#pragma once

#include "cpu/riscv64/decode.h"

namespace pagoda::riscv64::translate {

#define INSN(name, pattern, extension, format, handler) void handler(Translator& t, const Insn& i);
#define SPECIAL(name, pattern, extension, format, handler) void handler(Translator& t, const Insn& i);
#include "cpu/riscv64/rv64.insns"
#include "cpu/riscv64/rv64c.insns"
#undef INSN
#undef SPECIAL

}  // namespace pagoda::riscv64::translate
