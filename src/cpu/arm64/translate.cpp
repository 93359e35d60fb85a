// SPDX-License-Identifier: MIT
// The block loop, and what all handlers share.
#include "cpu/arm64/translate.h"

#include <cstring>

#include "base/check.h"
#include "cpu/arm64/translator.h"
#include "tcg/ir/condition.h"

namespace pagoda::arm64 {

using ir::Condition;
using ir::Value;

Value Translator::flags_of_field(u32 field) {
  const auto bit = [&](u32 at, ir::Flag flag) { return (field >> at & 1) << static_cast<u32>(flag); };
  const u32 bits = bit(3, ir::Flag::n) | bit(2, ir::Flag::z) | bit(1, ir::Flag::c) | bit(0, ir::Flag::v);
  return b.flags_bits(b.constant(ir::Type::i8, bits));
}

// Arm ARM C1.2.4: pairs of a condition and its opposite.
Value Translator::condition(u32 field) {
  struct Row {
    Condition condition;
    bool invert;
  };
  constexpr Row rows[] = {{Condition::z, false},        {Condition::c, false},           {Condition::n, false},
                          {Condition::v, false},        {Condition::c_and_not_z, false}, {Condition::n_xor_v, true},
                          {Condition::less_equal, true}};
  if (field >= 14) return b.constant(ir::Type::i1, 1);
  const Row& row = rows[field >> 1];
  return ir::condition_value(b, nzcv(), row.condition, row.invert != ((field & 1) != 0));
}

void Translator::raise(Cause cause, u64 value) {
  call(HelperId::raise, ir::Type::none, static_cast<u64>(cause), b.i64(value));
  b.exit(ir::Exit::exception, offset());
}

void Translator::undefined(u32 word) {
  call(HelperId::undefined, ir::Type::none, word);
  b.exit(ir::Exit::exception, offset());
}

u32 instruction_length(const u8*) { return kInsnBytes; }

void translate_block(ir::Builder& builder, const TranslateRequest& request) {
  const Features features{request.features};
  Translator translator(builder, request.mode);
  u32 offset = 0;
  for (u32 count = 0; count < request.max_insns && !builder.ended(); ++count) {
    if (request.code.size - offset < kInsnBytes) break;
    u32 word;
    std::memcpy(&word, request.code.bytes + offset, kInsnBytes);
    builder.insn(offset, kInsnBytes);
    Insn insn;
    if (decode(word, features, insn)) {
      insn.row->handler(translator, insn);
    } else {
      translator.undefined(word);
    }
    offset += kInsnBytes;
  }
  CHECK(offset != 0, "no whole instruction in the window");
  if (!builder.ended()) builder.jump(offset);
}

}  // namespace pagoda::arm64
