// SPDX-License-Identifier: MIT
// A handler for every row of the tables: one that is missing does not link. Defined in translate/*.cpp.
#pragma once

namespace pagoda::x86_64 {

class Translator;
struct Insn;

namespace op {
#define INSN(name, opcode, operands, traits, effect, feature, handler) void handler(Translator& t, const Insn& i);
#define VINSN(name, opcode, operands, traits, feature, handler, kind) void handler(Translator& t, const Insn& i);
#include "cpu/x86_64/forms.def"
#undef INSN
#undef VINSN
}  // namespace op

}  // namespace pagoda::x86_64
