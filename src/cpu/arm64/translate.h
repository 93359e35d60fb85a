// SPDX-License-Identifier: MIT
// ARM64 translation entry points, for the Guest table (cpu/guest.h).
#pragma once

#include "cpu/guest.h"

namespace pagoda::arm64 {

u32 instruction_length(const u8* bytes);

// Guest::translate. request.features is the bits of Features.
void translate_block(ir::Builder& builder, const TranslateRequest& request);

}  // namespace pagoda::arm64
