// SPDX-License-Identifier: MIT
// Names that both halves of HostFolder use: the extended attributes of security_model=mapped-xattr, and how a
// descriptor is named as a path. Inside src/devices/p9 only.
#pragma once

#include <string>

namespace pagoda::p9 {

// QEMU's names, so that it reads what we wrote; values are little-endian, 4 bytes, the device number 8.
inline constexpr const char* kUidName = "user.virtfs.uid";
inline constexpr const char* kGidName = "user.virtfs.gid";
inline constexpr const char* kModeName = "user.virtfs.mode";
inline constexpr const char* kDeviceName = "user.virtfs.rdev";

// Leads to exactly the file of the descriptor, an O_PATH one too.
inline std::string proc_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace pagoda::p9
