// SPDX-License-Identifier: MIT
// The integer cores of the reciprocal estimates (Arm ARM RecipEstimate, RecipSqrtEstimate). Pure functions.
#pragma once

#include "base/types.h"

namespace pagoda::arm64 {

// a: 256..511, a fixed-point number of nine bits from 0.5 up to 1. Result: 256..511, its reciprocal from 1 up to 2.
u32 reciprocal_of(u32 a);
// a: 128..511, from 0.25 up to 1. Result: 256..511, its reciprocal square root from 1 up to 2.
u32 reciprocal_root_of(u32 a);

}  // namespace pagoda::arm64
