// SPDX-License-Identifier: MIT
// Numbers that entry.S and the C++ sources must agree on: sizes and the offsets of `Hart` (hart.h asserts them).
#pragma once

#define MAX_HARTS 64     // the width of the hart bitmaps
#define STACK_SIZE 2048  // per hart; the deepest path uses well under half of it
#define HART_SIZE 512

#define HART_X(n) ((n) * 8)  // saved x1..x31
#define HART_MEPC 256
#define HART_MSTATUS 264
#define HART_STACK_TOP 272
#define HART_RECOVER 280  // where a machine-mode access that may fault continues, 0 outside of such accesses
#define HART_ID 288

// fw_dynamic_info, the structure a2 points to at entry: six 64-bit words.
#define BOOT_INFO_MAGIC 0x4942534f
#define BOOT_INFO_VERSION 8
#define BOOT_INFO_BOOT_HART 40
