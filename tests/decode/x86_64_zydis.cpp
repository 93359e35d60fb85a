// SPDX-License-Identifier: MIT
// Zydis set up to write what our disassembler writes.
#include "decode/x86_64_zydis.h"

#include <string_view>

#include <Zydis/Zydis.h>

#include "base/check.h"

namespace pagoda::x86_64 {
namespace {

struct Oracle {
  ZydisDecoder decoder;
  ZydisFormatter formatter;

  Oracle() {
    CHECK(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)));
    CHECK(ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)));
    set(ZYDIS_FORMATTER_PROP_FORCE_SIZE, ZYAN_TRUE);
    set(ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
    set(ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_PADDING_DISABLED);
    set(ZYDIS_FORMATTER_PROP_ADDR_PADDING_RELATIVE, ZYDIS_PADDING_DISABLED);
    set(ZYDIS_FORMATTER_PROP_DISP_PADDING, ZYDIS_PADDING_DISABLED);
    set(ZYDIS_FORMATTER_PROP_IMM_PADDING, ZYDIS_PADDING_DISABLED);
    set(ZYDIS_FORMATTER_PROP_IMM_SIGNEDNESS, ZYDIS_SIGNEDNESS_UNSIGNED);
  }
  void set(ZydisFormatterProperty property, ZyanUPointer value) {
    CHECK(ZYAN_SUCCESS(ZydisFormatterSetProperty(&formatter, property, value)));
  }
};

void cut_out(std::string& text, std::string_view word) {
  if (const auto at = text.find(word); at != std::string::npos) text.erase(at, word.size());
}

}  // namespace

OracleDecode zydis_decode(std::span<const u8> bytes) {
  static const Oracle oracle;
  OracleDecode result;
  ZydisDecodedInstruction insn;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  const ZyanStatus status = ZydisDecoderDecodeFull(&oracle.decoder, bytes.data(), bytes.size(), &insn, operands);
  if (!ZYAN_SUCCESS(status)) {
    using Status = OracleDecode::Status;
    result.status = status == ZYDIS_STATUS_NO_MORE_DATA           ? Status::truncated
                    : status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ? Status::too_long
                                                                  : Status::undefined;
    return result;
  }
  result.status = OracleDecode::Status::ok;
  result.length = insn.length;
  result.is_other_encoding =
      insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY && insn.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX;
  result.is_coprocessor = insn.meta.isa_ext == ZYDIS_ISA_EXT_KNC;
  result.mnemonic = ZydisMnemonicGetString(insn.mnemonic);
  char text[256];
  CHECK(ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&oracle.formatter, &insn, operands, insn.operand_count_visible,
                                                     text, sizeof text, ZYDIS_RUNTIME_ADDRESS_NONE, nullptr)));
  result.text = text;
  // Hints of extensions that change nothing here: transactions, bounds, indirect-branch tracking.
  for (const char* hint : {"xacquire ", "xrelease ", "bnd ", "notrack "}) cut_out(result.text, hint);
  return result;
}

}  // namespace pagoda::x86_64
