// SPDX-License-Identifier: MIT
// Vector instructions that are helpers on the vector registers, and those that are where IR does not say them (Arm ARM
// C3.9).
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translate/vectors.h"

namespace pagoda::arm64::translate {

#define BY_HELPER(name) \
  void name(Translator& t, const Insn& i) { t.call(HelperId::name, ir::Type::none, i.bits); }
BY_HELPER(simd_across)
BY_HELPER(simd_sha)
BY_HELPER(simd_estimate)
BY_HELPER(simd_fp_narrow)
BY_HELPER(simd_fp_long)
BY_HELPER(simd_fp_across)
BY_HELPER(simd_fp_fixed)
#undef BY_HELPER

#define IN_IR_OR_BY_HELPER(name, in_ir)                               \
  void name(Translator& t, const Insn& i) {                           \
    if (!in_ir(t, i)) t.call(HelperId::name, ir::Type::none, i.bits); \
  }
IN_IR_OR_BY_HELPER(simd_three_same, three_same_in_ir)
IN_IR_OR_BY_HELPER(simd_three_different, three_different_in_ir)
IN_IR_OR_BY_HELPER(simd_by_element, by_element_in_ir)
IN_IR_OR_BY_HELPER(simd_two_misc, two_misc_in_ir)
IN_IR_OR_BY_HELPER(simd_shift, shift_in_ir)
IN_IR_OR_BY_HELPER(simd_shift_narrow, shift_in_ir)
IN_IR_OR_BY_HELPER(simd_shift_long, shift_in_ir)
IN_IR_OR_BY_HELPER(simd_permute, permute_in_ir)
IN_IR_OR_BY_HELPER(simd_fp_three, fp_three_in_ir)
IN_IR_OR_BY_HELPER(simd_fp_two, fp_two_in_ir)
IN_IR_OR_BY_HELPER(simd_fp_by_element, fp_by_element_in_ir)
#undef IN_IR_OR_BY_HELPER

}  // namespace pagoda::arm64::translate
