// SPDX-License-Identifier: MIT
// The host's floating point: picks the folder of the host the program is built for. Every host supplies the same names.
#pragma once

#if defined(__x86_64__)
#include "tcg/host/x86_64/fp_env.h"
#include "tcg/host/x86_64/fp_ops.h"
#else
#error "this host has no tcg/host folder"
#endif
