// SPDX-License-Identifier: MIT
// New qcow2 files.
#pragma once

#include "devices/storage/host_file.h"
#include "devices/storage/qcow2/format.h"

namespace pagoda::qcow2 {

// Writes an empty image into an empty file. Of `header` these count: version, cluster_bits, size, compatible,
// refcount_order, compression, backing_file, backing_format; the rest is filled in. Errors name the file.
Result<> create(HostFile& file, Header& header);

}  // namespace pagoda::qcow2
