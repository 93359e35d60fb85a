// SPDX-License-Identifier: MIT
// Programs that -kernel and -bios name: what kind of file it is, and what of it goes into RAM.
//
// Known are ELF, Linux's RISC-V Image ("Boot image header in RISC-V Linux" in the kernel's documentation), either of
// them compressed by gzip, and flat binaries. Kernels of other architectures and formats that cannot be started are
// refused.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "machines/boot/elf.h"

namespace pagoda {

struct ProgramImage {
  enum class Kind : u8 { elf, linux_image, flat };
  Kind kind = Kind::flat;
  std::vector<std::byte> file;  // decompressed
  ElfImage elf;                 // elf: points into `file`
  u64 text_offset = 0;          // linux_image: where it wants to lie after a 2 MiB boundary
  u64 memory_size = 0;          // linux_image and flat: bytes it occupies once it runs
};

// `file` is consumed. `limit`: the most a decompressed image may have, bytes. The error goes after the file's name.
Result<ProgramImage> identify_riscv64_program(std::vector<std::byte> file, u64 limit);

}  // namespace pagoda
