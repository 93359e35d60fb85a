// SPDX-License-Identifier: MIT
// What the options that name disk images share; inside src/cli only.
#pragma once

#include "cli/builder.h"
#include "cli/text.h"

namespace pagoda::cli {

// A key of -drive that concerns the image itself. False: it is none of these.
Result<bool> apply_drive_key(const KeyValue& item, DriveConfig* drive);

}  // namespace pagoda::cli
