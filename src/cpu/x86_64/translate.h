// SPDX-License-Identifier: MIT
// x86-64 translation entry points, as a Guest table wants them (cpu/guest.h).
#pragma once

#include "cpu/guest.h"

namespace pagoda::x86_64 {

// Guest::translate. request.features are the bits of Features; there are no modes yet.
void translate_block(ir::Builder& builder, const TranslateRequest& request);

}  // namespace pagoda::x86_64
