// SPDX-License-Identifier: MIT
// Disk images in memory, for tests.
#pragma once

#include <memory>
#include <string>

#include "devices/storage/disk_image.h"

namespace pagoda::test {

// An image with this content and no name in the file system.
std::unique_ptr<DiskImage> make_disk(const std::string& content, bool read_only = false);
// Content of sector n: 512 bytes that name it.
std::string sector_pattern(u64 sector, u64 salt = 0);

}  // namespace pagoda::test
