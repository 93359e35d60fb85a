// SPDX-License-Identifier: MIT
// Confined access to a folder: what changes it.
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <cerrno>

#include "devices/p9/host_folder.h"
#include "devices/p9/host_names.h"

namespace pagoda::p9 {
namespace {

constexpr u32 kPermissions = 07777;
constexpr u32 kHiddenFileMode = 0600, kHiddenFolderMode = 0700;  // on the host, of mapped files

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

int set_attribute(const Fd& file, const char* name, u64 value, u32 size) {
  u8 bytes[8];
  for (u32 i = 0; i < size; ++i) bytes[i] = static_cast<u8>(value >> (8 * i));
  return setxattr(proc_path(file.get()).c_str(), name, bytes, size, 0) == 0 ? 0 : errno;
}

}  // namespace

int HostFolder::set_owner(const Fd& file, Owner owner) const {
  if (owner.uid == ~u32{0} && owner.gid == ~u32{0}) return 0;
  if (security_ == Security::mapped) {
    int error = owner.uid != ~u32{0} ? set_attribute(file, kUidName, owner.uid, 4) : 0;
    if (error == 0 && owner.gid != ~u32{0}) error = set_attribute(file, kGidName, owner.gid, 4);
    return error;
  }
  if (fchownat(file.get(), "", owner.uid, owner.gid, AT_EMPTY_PATH) == 0) return 0;
  return security_ == Security::none && errno == EPERM ? 0 : errno;
}

// Gives a file that was just made its owner and mode; if that fails, the file goes.
int HostFolder::take_over(const Fd& folder, const std::string& name, u32 mode, u64 device, Owner owner,
                          bool is_folder) const {
  const Fd file(openat(folder.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file.is_open()) return errno;
  int error = set_owner(file, owner);
  if (security_ == Security::mapped) {
    if (error == 0) error = set_attribute(file, kModeName, mode, 4);
    if (error == 0 && (S_ISCHR(mode) || S_ISBLK(mode))) error = set_attribute(file, kDeviceName, device, 8);
  } else if (error == 0 && !S_ISLNK(mode) && chmod(proc_path(file.get()).c_str(), mode & kPermissions) != 0) {
    error = errno;
  }
  if (error != 0) unlinkat(folder.get(), name.c_str(), is_folder ? AT_REMOVEDIR : 0);
  return error;
}

int HostFolder::create(const std::string& folder, const std::string& name, int flags, u32 mode, Owner owner,
                       Fd* file) const {
  if (read_only_) return EROFS;
  if (!is_name(name)) return EINVAL;
  Fd parent;
  if (const int error = find_folder(folder, &parent)) return error;
  const bool is_mapped = security_ == Security::mapped;
  // Made and not merely opened: what is there already may be no regular file.
  Fd made(openat(parent.get(), name.c_str(), flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
                 is_mapped ? kHiddenFileMode : mode & kPermissions));
  if (!made.is_open()) {
    if (errno != EEXIST || (flags & O_EXCL) != 0) return errno;
    return open(join(folder, name), flags & ~O_EXCL, file);
  }
  if (const int error = take_over(parent, name, S_IFREG | (mode & kPermissions), 0, owner, false)) return error;
  *file = std::move(made);
  return 0;
}

int HostFolder::make_folder(const std::string& folder, const std::string& name, u32 mode, Owner owner) const {
  if (read_only_) return EROFS;
  if (!is_name(name)) return EINVAL;
  Fd parent;
  if (const int error = find_folder(folder, &parent)) return error;
  const u32 on_host = security_ == Security::mapped ? kHiddenFolderMode : mode & kPermissions;
  if (mkdirat(parent.get(), name.c_str(), on_host) != 0) return errno;
  return take_over(parent, name, S_IFDIR | (mode & kPermissions), 0, owner, true);
}

int HostFolder::make_symlink(const std::string& folder, const std::string& name, const std::string& target,
                             Owner owner) const {
  if (read_only_) return EROFS;
  if (!is_name(name) || target.empty() || target.find('\0') != std::string::npos) return EINVAL;
  Fd parent;
  if (const int error = find_folder(folder, &parent)) return error;
  if (security_ != Security::mapped) {
    if (symlinkat(target.c_str(), parent.get(), name.c_str()) != 0) return errno;
  } else {
    const Fd made(
        openat(parent.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kHiddenFileMode));
    if (!made.is_open()) return errno;
    if (::write(made.get(), target.data(), target.size()) != static_cast<ssize_t>(target.size())) {
      unlinkat(parent.get(), name.c_str(), 0);
      return ENOSPC;
    }
  }
  return take_over(parent, name, S_IFLNK | 0777, 0, owner, false);
}

int HostFolder::make_node(const std::string& folder, const std::string& name, u32 mode, u64 device, Owner owner) const {
  if (read_only_) return EROFS;
  if (!is_name(name)) return EINVAL;
  const u32 type = mode & S_IFMT;
  if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR && type != S_IFBLK) return EINVAL;
  if (security_ == Security::none && (type == S_IFCHR || type == S_IFBLK)) return EPERM;
  Fd parent;
  if (const int error = find_folder(folder, &parent)) return error;
  const bool is_mapped = security_ == Security::mapped;
  const u32 on_host = is_mapped ? S_IFREG | kHiddenFileMode : type | (mode & kPermissions);
  if (mknodat(parent.get(), name.c_str(), on_host, is_mapped ? 0 : device) != 0) return errno;
  return take_over(parent, name, type | (mode & kPermissions), device, owner, false);
}

int HostFolder::link(const std::string& path, const std::string& folder, const std::string& name) const {
  if (read_only_) return EROFS;
  if (!is_name(name) || path.empty()) return EINVAL;
  const auto [from_folder, from_name] = split(path);
  Fd from, to;
  if (const int error = find_folder(from_folder, &from)) return error;
  if (const int error = find_folder(folder, &to)) return error;
  return linkat(from.get(), from_name.c_str(), to.get(), name.c_str(), 0) == 0 ? 0 : errno;
}

int HostFolder::rename(const std::string& path, const std::string& folder, const std::string& name) const {
  if (read_only_) return EROFS;
  if (!is_name(name)) return EINVAL;
  if (path.empty()) return EBUSY;
  const auto [from_folder, from_name] = split(path);
  Fd from, to;
  if (const int error = find_folder(from_folder, &from)) return error;
  if (const int error = find_folder(folder, &to)) return error;
  return renameat(from.get(), from_name.c_str(), to.get(), name.c_str()) == 0 ? 0 : errno;
}

int HostFolder::remove(const std::string& path, bool is_folder) const {
  if (read_only_) return EROFS;
  if (path.empty()) return EBUSY;
  const auto [folder, name] = split(path);
  Fd parent;
  if (const int error = find_folder(folder, &parent)) return error;
  return unlinkat(parent.get(), name.c_str(), is_folder ? AT_REMOVEDIR : 0) == 0 ? 0 : errno;
}

int HostFolder::change(const std::string& path, const Fd& file, const Changes& changes) const {
  if (read_only_) return EROFS;
  Fd found;
  if (const int error = find(path, &found)) {
    if (!file.is_open()) return error;
    found = Fd(fcntl(file.get(), F_DUPFD_CLOEXEC, 0));  // removed while it was open
    if (!found.is_open()) return errno;
  }
  if (const int error = set_owner(found, changes.owner)) return error;
  if (changes.mode) {
    if (security_ == Security::mapped) {
      struct ::stat status{};
      if (const int error = stat(found, &status)) return error;
      const u32 mode = (status.st_mode & S_IFMT) | (*changes.mode & kPermissions);
      if (const int error = set_attribute(found, kModeName, mode, 4)) return error;
    } else if (chmod(proc_path(found.get()).c_str(), *changes.mode & kPermissions) != 0) {
      return errno;
    }
  }
  if (changes.size) {
    constexpr u64 kMost = u64{1} << 62;
    if (*changes.size > kMost) return EFBIG;
    const off_t size = static_cast<off_t>(*changes.size);
    Fd own;
    const bool can_write = file.is_open() && (fcntl(file.get(), F_GETFL) & O_ACCMODE) != O_RDONLY;
    if (!can_write) {
      if (const int error = open(path, O_WRONLY, &own)) return error;
    }
    if (ftruncate(can_write ? file.get() : own.get(), size) != 0) return errno;
  }
  if (changes.accessed || changes.modified) {
    constexpr timespec kKeep{0, UTIME_OMIT};
    const timespec times[2] = {changes.accessed.value_or(kKeep), changes.modified.value_or(kKeep)};
    if (utimensat(AT_FDCWD, proc_path(found.get()).c_str(), times, 0) != 0) return errno;
  }
  return 0;
}

}  // namespace pagoda::p9
