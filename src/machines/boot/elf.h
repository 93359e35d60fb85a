// SPDX-License-Identifier: MIT
// ELF programs for bare machines (System V gABI, chapters 4 and 5): segments at physical addresses, entry, symbols.
//
// Files are hostile: every offset and size is checked against the file. Results point into the file's bytes.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

inline constexpr u16 kElfRiscv = 243;

struct ElfSegment {
  u64 address;                       // physical
  std::span<const std::byte> bytes;  // what the file holds
  u64 memory_size;                   // at least bytes.size(); the rest is zero
};
struct ElfImage {
  u64 entry = 0;  // physical, as far as a segment says how
  std::vector<ElfSegment> segments = {};
  bool is_relocatable = false;  // position-independent: it may lie elsewhere, moved as a whole
};

bool is_elf(std::span<const std::byte> file);
// A 64-bit little-endian program for `machine` (e_machine). Errors say what the file is instead.
Result<ElfImage> parse_elf(std::span<const std::byte> file, u16 machine);
// Value of a symbol of the file's symbol table.
std::optional<u64> find_elf_symbol(std::span<const std::byte> file, std::string_view name);

}  // namespace pagoda
