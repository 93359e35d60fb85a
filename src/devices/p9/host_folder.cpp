// SPDX-License-Identifier: MIT
// Confined access to a folder: resolving paths, opening, looking.
#include "devices/p9/host_folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstring>

#include "devices/p9/host_names.h"

namespace pagoda::p9 {

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

bool is_name(std::string_view name) {
  constexpr std::size_t kLongest = 255;
  return !name.empty() && name.size() <= kLongest && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

Result<std::unique_ptr<HostFolder>> HostFolder::open(const std::string& path, Security security, bool read_only) {
  Fd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct ::stat status{};
  if (!root.is_open() || fstat(root.get(), &status) != 0) return fail("{}: {}", path, std::strerror(errno));
  if (eaccess(path.c_str(), R_OK | X_OK) != 0) return fail("{}: {}", path, std::strerror(errno));
  if (security == Security::mapped && !read_only && getxattr(path.c_str(), kUidName, nullptr, 0) < 0 &&
      errno == EOPNOTSUPP) {
    return fail("{}: its file system has no extended attributes, which security_model=mapped-xattr needs", path);
  }
  return std::unique_ptr<HostFolder>(new HostFolder(std::move(root), status.st_dev, security, read_only));
}

int HostFolder::find_by_steps(const std::string& path, Fd* fd) const {
  Fd at(fcntl(root_.get(), F_DUPFD_CLOEXEC, 0));
  if (!at.is_open()) return errno;
  for (std::size_t from = 0; from < path.size();) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    const std::string name = path.substr(from, end - from);
    const int more = end < path.size() ? O_DIRECTORY : 0;
    Fd next(openat(at.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC | more));
    if (!next.is_open()) return errno;
    at = std::move(next);
    from = end + 1;
  }
  *fd = std::move(at);
  return 0;
}

// The file as an O_PATH descriptor; a symbolic link at the end is found itself, one on the way is an error.
int HostFolder::find(const std::string& path, Fd* fd) const {
  if (has_openat2_) {
    struct open_how how{};
    how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const char* name = path.empty() ? "." : path.c_str();
    const long found = syscall(SYS_openat2, root_.get(), name, &how, sizeof(how));
    if (found >= 0) {
      *fd = Fd(static_cast<int>(found));
      return 0;
    }
    // A sandbox may refuse the call as not permitted.
    if (errno != ENOSYS && errno != EPERM && errno != EAGAIN) return errno;
    if (errno != EAGAIN) has_openat2_ = false;
  }
  return find_by_steps(path, fd);
}

int HostFolder::find_folder(const std::string& path, Fd* fd) const {
  Fd found;
  if (const int error = find(path, &found)) return error;
  struct ::stat status{};
  if (fstat(found.get(), &status) != 0) return errno;
  if (!S_ISDIR(status.st_mode)) return ENOTDIR;
  *fd = std::move(found);
  return 0;
}

// Owner and mode as the guest set them.
void HostFolder::map(const Fd& file, struct ::stat* out) const {
  if (security_ != Security::mapped || S_ISLNK(out->st_mode)) return;
  const std::string path = proc_path(file.get());
  const auto get = [&](const char* name, u32 size, u64* value) {
    u8 bytes[8] = {};
    if (getxattr(path.c_str(), name, bytes, size) != static_cast<ssize_t>(size)) return false;
    *value = 0;
    for (u32 i = 0; i < size; ++i) *value |= u64{bytes[i]} << (8 * i);
    return true;
  };
  u64 value = 0;
  if (get(kUidName, 4, &value)) out->st_uid = static_cast<uid_t>(value);
  if (get(kGidName, 4, &value)) out->st_gid = static_cast<gid_t>(value);
  if (get(kModeName, 4, &value)) out->st_mode = static_cast<mode_t>(value);
  if (get(kDeviceName, 8, &value)) out->st_rdev = value;
}

int HostFolder::stat(const Fd& file, struct ::stat* out) const {
  if (fstat(file.get(), out) != 0) return errno;
  map(file, out);
  return 0;
}

int HostFolder::stat(const std::string& path, struct ::stat* out) const {
  Fd file;
  if (const int error = find(path, &file)) return error;
  return stat(file, out);
}

int HostFolder::stat_file_system(const std::string& path, struct ::statfs* out) const {
  Fd file;
  if (const int error = find(path, &file)) return error;
  return fstatfs(file.get(), out) == 0 ? 0 : errno;
}

int HostFolder::read_link(const std::string& path, std::string* target) const {
  Fd file;
  if (const int error = find(path, &file)) return error;
  struct ::stat status{};
  if (const int error = stat(file, &status)) return error;
  if (!S_ISLNK(status.st_mode)) return EINVAL;
  std::array<char, 4096> text;
  ssize_t size = readlinkat(file.get(), "", text.data(), text.size());
  if (size < 0 && security_ == Security::mapped) {
    Fd content(::open(proc_path(file.get()).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!content.is_open()) return errno;
    size = ::read(content.get(), text.data(), text.size());
  }
  if (size < 0) return errno;
  target->assign(text.data(), static_cast<std::size_t>(size));
  return 0;
}

int HostFolder::open(const std::string& path, int flags, Fd* file) const {
  if (read_only_ && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0)) return EROFS;
  Fd found;
  if (const int error = find(path, &found)) return error;
  struct ::stat status{}, mapped{};
  if (fstat(found.get(), &status) != 0) return errno;
  mapped = status;
  map(found, &mapped);
  if (S_ISLNK(mapped.st_mode)) return ELOOP;
  const auto can_open = [](mode_t mode) { return S_ISREG(mode) || S_ISDIR(mode); };
  if (!can_open(status.st_mode) || !can_open(mapped.st_mode)) return ENXIO;
  Fd opened(::open(proc_path(found.get()).c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!opened.is_open()) return errno;
  *file = std::move(opened);
  return 0;
}

}  // namespace pagoda::p9
