// SPDX-License-Identifier: MIT
// A handler for every row of the tables: one that is missing does not link. Defined in translate/*.cpp.
#pragma once

namespace pagoda::x86_64 {

class Translator;
struct Insn;

namespace op {
#define INSN(name, opcode, operands, traits, effect, feature, handler) void handler(Translator& t, const Insn& i);
#include "cpu/x86_64/forms.def"
#undef INSN
}  // namespace op

}  // namespace pagoda::x86_64
