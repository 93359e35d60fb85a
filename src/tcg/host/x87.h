// SPDX-License-Identifier: MIT
// The x87 unit of hosts that have one; on others a guest has none.
#pragma once

#if defined(__x86_64__)
#include "tcg/host/x86_64/x87.h"
#else
#error "this host has no x87"
#endif
