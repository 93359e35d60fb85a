// SPDX-License-Identifier: MIT
// HostFolder: a folder of the host as a guest may use it: every file is named by a path relative to the folder, and
// nothing outside is ever reached, whatever the guest asks for and whoever renames things meanwhile.
//
// Paths have components without "/", "." and ".."; "" is the folder itself. They are resolved by openat2() with
// RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, or, where the host has no openat2(), component by component without
// following links. Symbolic links are files like others: the guest follows them itself. Only regular files and folders
// are opened: a FIFO or device node in the folder is for the guest's kernel, not the host's. Threading: any thread; the
// host orders what overlaps.
#pragma once

#include <sys/stat.h>
#include <sys/vfs.h>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/types.h"

namespace pagoda::p9 {

// What becomes of owner and mode of the guest's files: as QEMU's security_model=.
enum class Security : u8 {
  none,         // the host's, as far as they can be set; no device nodes
  passthrough,  // the host's; what cannot be set is an error
  mapped,       // kept in extended attributes user.virtfs.*; links and nodes are plain files
};

// An open file descriptor, closed with the object.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct Owner {
  u32 uid = ~u32{0};  // ~0: leave as it is
  u32 gid = ~u32{0};
};

struct Changes {
  std::optional<u32> mode;
  Owner owner;
  std::optional<u64> size;
  std::optional<timespec> accessed, modified;  // tv_nsec may be UTIME_NOW
};

class HostFolder {
 public:
  // Errors name the folder: missing, no folder, not permitted.
  static Result<std::unique_ptr<HostFolder>> open(const std::string& path, Security security, bool read_only);

  bool read_only() const { return read_only_; }
  Security security() const { return security_; }
  u64 device() const { return device_; }  // of the folder itself

  // All return 0 or an errno value.
  int stat(const std::string& path, struct ::stat* out) const;
  int stat(const Fd& file, struct ::stat* out) const;
  int stat_file_system(const std::string& path, struct ::statfs* out) const;
  int read_link(const std::string& path, std::string* target) const;
  // A regular file or folder; `flags`: access mode, O_TRUNC, O_DSYNC, O_SYNC.
  int open(const std::string& path, int flags, Fd* file) const;
  // As open(), making the file if it is not there; with O_EXCL it must not be.
  int create(const std::string& folder, const std::string& name, int flags, u32 mode, Owner owner, Fd* file) const;
  int make_folder(const std::string& folder, const std::string& name, u32 mode, Owner owner) const;
  int make_symlink(const std::string& folder, const std::string& name, const std::string& target, Owner owner) const;
  int make_node(const std::string& folder, const std::string& name, u32 mode, u64 device, Owner owner) const;
  int link(const std::string& path, const std::string& folder, const std::string& name) const;
  int rename(const std::string& path, const std::string& folder, const std::string& name) const;
  int remove(const std::string& path, bool is_folder) const;
  // `file`, if open for writing, is used to change the size.
  int change(const std::string& path, const Fd& file, const Changes& changes) const;

  // For tests: resolve as on a host without openat2().
  void walk_by_steps() { has_openat2_ = false; }

 private:
  HostFolder(Fd root, u64 device, Security security, bool read_only)
      : root_(std::move(root)), device_(device), security_(security), read_only_(read_only) {}
  int find(const std::string& path, Fd* fd) const;
  int find_by_steps(const std::string& path, Fd* fd) const;
  int find_folder(const std::string& path, Fd* fd) const;
  int take_over(const Fd& folder, const std::string& name, u32 mode, u64 device, Owner owner, bool is_folder) const;
  int set_owner(const Fd& file, Owner owner) const;
  void map(const Fd& file, struct ::stat* out) const;

  const Fd root_;
  const u64 device_;
  const Security security_;
  const bool read_only_;
  mutable bool has_openat2_ = true;
};

// A name that is one component of a path.
bool is_name(std::string_view name);
// "folder/name".
std::string join(const std::string& folder, const std::string& name);

}  // namespace pagoda::p9
