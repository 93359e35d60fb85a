// SPDX-License-Identifier: MIT
// Declares the handlers that the instruction tables name: one without a definition, or without a row, shows when
// linking. Rows of one kind share a handler, which tells them apart by the word's fields.
#pragma once

#include "cpu/arm64/decode.h"

namespace pagoda::arm64::translate {

#define INSN(name, pattern, feature, constraint, text, handler) void handler(Translator& t, const Insn& i);
#include "cpu/arm64/all.insns"
#undef INSN

}  // namespace pagoda::arm64::translate
