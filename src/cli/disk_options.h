// SPDX-License-Identifier: MIT
// "pagoda disk ...": qemu-img's words to a DiskCommand.
#pragma once

#include <span>
#include <string>
#include <variant>

#include "base/result.h"
#include "machines/disk/disk_command.h"

namespace pagoda::cli {

// `words` follow "disk". Help is text to be printed. Errors begin with the subcommand or the option.
Result<std::variant<DiskCommand, std::string>> parse_disk_command(std::span<const std::string> words);

}  // namespace pagoda::cli
