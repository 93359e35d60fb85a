// SPDX-License-Identifier: MIT
// From a -drive or -blockdev to an open disk image.
#pragma once

#include <memory>

#include "base/result.h"
#include "devices/storage/disk_image.h"
#include "machines/config.h"

namespace pagoda {

// Errors begin with the option that asked for the drive.
Result<std::unique_ptr<DiskImage>> open_drive(const DriveConfig& drive);

}  // namespace pagoda
