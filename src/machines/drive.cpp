// SPDX-License-Identifier: MIT
// Opening drives.
#include "machines/drive.h"

#include "machines/disk/disk_tool.h"

namespace pagoda {

Result<std::unique_ptr<DiskImage>> open_drive(const DriveConfig& drive) {
  DiskOptions options;
  TRY_ASSIGN(options.format, disk_tool::format_named(drive.format));
  options.read_only = drive.readonly;
  options.snapshot = drive.snapshot;
  options.direct = drive.direct;
  options.no_flush = drive.no_flush;
  options.unmap = drive.unmap;
  options.locking = drive.locking;
  auto disk = open_disk(drive.file, options);
  if (!disk) return fail("{}: {}", drive.origin, disk.error().message);
  return disk;
}

}  // namespace pagoda
