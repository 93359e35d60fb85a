// SPDX-License-Identifier: MIT
// For plugins: how they come to the program's interpreter.
#pragma once

#include "tcg/tier/backend.h"

namespace pagoda::tier {

// Once in each process, before anything of tcg/interp is used; again does no harm.
void enter_door(const Setup& setup);

}  // namespace pagoda::tier
