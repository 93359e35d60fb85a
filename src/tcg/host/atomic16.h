// SPDX-License-Identifier: MIT
// Compare and exchange of 16 bytes of memory: picks the folder of the host the program is built for.
#pragma once

#if defined(__x86_64__)
#include "tcg/host/x86_64/atomic16.h"
#else
#error "this host has no tcg/host folder"
#endif
