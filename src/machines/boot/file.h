// SPDX-License-Identifier: MIT
// Reading whole files that a configuration names.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

// The file's bytes; `option` ("-kernel") begins the error. Errors: cannot be opened or read, a directory, empty, bigger
// than `limit` bytes. Pipes work.
Result<std::vector<std::byte>> read_file(std::string_view option, const std::string& path, u64 limit);

// Writes a file anew; `option` begins the error.
Result<> write_file(std::string_view option, const std::string& path, std::span<const std::byte> bytes);

}  // namespace pagoda
