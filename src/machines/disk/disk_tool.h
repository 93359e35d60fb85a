// SPDX-License-Identifier: MIT
// "pagoda disk create|info|check|convert": disk images without a machine, with qemu-img's output and exit statuses.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "devices/storage/disk_image.h"
#include "machines/disk/disk_command.h"

namespace pagoda {

// The exit status. 0, or 1 with a line on stderr; check: 2 for corruptions, 3 for leaks alone, 63 for a format that has
// nothing to check.
int run_disk_command(const DiskCommand& command);

namespace disk_tool {

Result<int> create(const DiskCommand& command);
Result<int> info(const DiskCommand& command);
Result<int> check(const DiskCommand& command);
Result<int> convert(const DiskCommand& command);

// Makes a new file of `size` bytes and opens it; `format` and the options of -o are the command's. Says so on stdout if
// `announce`.
Result<std::unique_ptr<DiskImage>> make_disk_file(const DiskCommand& command, const std::string& path,
                                                  DiskFormat format, u64 size, bool announce);
Result<DiskFormat> format_named(const std::string& name);
std::string json_string(std::string_view text);
// "1.5 GiB", with three digits.
std::string human_size(u64 bytes);

}  // namespace disk_tool

}  // namespace pagoda
