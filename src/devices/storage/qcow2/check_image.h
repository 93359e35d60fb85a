// SPDX-License-Identifier: MIT
// Is a qcow2 file consistent? Counts every reference to every cluster and compares with what the file says; mends it.
#pragma once

#include <string>
#include <vector>

#include "devices/storage/host_file.h"
#include "devices/storage/qcow2/format.h"

namespace pagoda::qcow2 {

enum class Repair : u8 { none, leaks, all };

struct CheckResult {
  u64 errors = 0;  // what could not be looked at
  u64 corruptions = 0;
  u64 leaks = 0;
  u64 corruptions_fixed = 0;
  u64 leaks_fixed = 0;
  u64 total_clusters = 0;  // of the disk
  u64 allocated_clusters = 0;
  u64 fragmented_clusters = 0;
  u64 compressed_clusters = 0;
  u64 image_end = 0;                  // behind the last cluster in use
  std::vector<std::string> messages;  // a line each, the first thousand
};

// Errors of the host while repairing name the file. With a repair the numbers are those of a second look; `header` is
// brought up to date. The file is used by nobody else meanwhile.
Result<CheckResult> check_image(HostFile& file, Header& header, Repair repair);

}  // namespace pagoda::qcow2
