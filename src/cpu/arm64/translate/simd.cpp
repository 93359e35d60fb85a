// SPDX-License-Identifier: MIT
// Vector instructions that are helpers on the vector registers (Arm ARM C3.9).
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

#define BY_HELPER(name) \
  void name(Translator& t, const Insn& i) { t.call(HelperId::name, ir::Type::none, i.bits); }
BY_HELPER(simd_three_same)
BY_HELPER(simd_three_different)
BY_HELPER(simd_by_element)
BY_HELPER(simd_two_misc)
BY_HELPER(simd_across)
BY_HELPER(simd_shift)
BY_HELPER(simd_shift_narrow)
BY_HELPER(simd_shift_long)
BY_HELPER(simd_permute)
BY_HELPER(simd_table)
BY_HELPER(simd_aes)
BY_HELPER(simd_sha)
BY_HELPER(simd_estimate)
BY_HELPER(simd_fp_three)
BY_HELPER(simd_fp_by_element)
BY_HELPER(simd_fp_two)
BY_HELPER(simd_fp_narrow)
BY_HELPER(simd_fp_long)
BY_HELPER(simd_fp_across)
BY_HELPER(simd_fp_fixed)
#undef BY_HELPER

}  // namespace pagoda::arm64::translate
