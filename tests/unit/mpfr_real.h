// SPDX-License-Identifier: MIT
// A number of MPFR that frees itself.
#pragma once

#include <cstdint>
#define MPFR_USE_INTMAX_T  // for mpfr_get_uj, which needs cstdint before it
#include <mpfr.h>

namespace pagoda {

struct Real {
  explicit Real(mpfr_prec_t bits) { mpfr_init2(x, bits); }
  ~Real() { mpfr_clear(x); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;
  mpfr_t x;
};

}  // namespace pagoda
