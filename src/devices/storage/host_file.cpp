// SPDX-License-Identifier: MIT
// Files of the host: opening, locking, and I/O that survives signals and short transfers.
#include "devices/storage/host_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "devices/storage/io_span.h"

namespace pagoda {
namespace {

// QEMU's image locking: a byte of the file for each permission that somebody uses, from 100 on, and one for each that
// somebody does not let others use, from 200 on; both are taken shared. Who finds a lock of the other kind must go.
enum Permission : u32 { kConsistentRead = 0, kWrite = 1, kResize = 3 };
constexpr off_t kUsedBase = 100;
constexpr off_t kDeniedBase = 200;

struct flock lock_of(short type, off_t byte) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

// 0, EAGAIN if another holds what we exclude, or what stands in the way of locking.
int take_locks(int fd, bool read_only) {
  // A reader lets others read, a writer uses both; neither lets others write or resize.
  const std::array<Permission, 2> denied = {kWrite, kResize};
  std::array<Permission, 2> used = {kConsistentRead, kWrite};
  const std::size_t used_count = read_only ? 1 : 2;
  const auto take = [&](off_t byte) {
    struct flock lock = lock_of(F_RDLCK, byte);
    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
  };
  const auto is_held_by_other = [&](off_t byte) {
    struct flock lock = lock_of(F_WRLCK, byte);
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  };
  for (std::size_t i = 0; i < used_count; ++i) {
    if (const int error = take(kUsedBase + used[i])) return error;
  }
  for (const Permission permission : denied) {
    if (const int error = take(kDeniedBase + permission)) return error;
  }
  for (std::size_t i = 0; i < used_count; ++i) {
    if (is_held_by_other(kDeniedBase + used[i])) return EAGAIN;
  }
  for (const Permission permission : denied) {
    if (is_held_by_other(kUsedBase + permission)) return EAGAIN;
  }
  return 0;
}

// preadv or pwritev until all is through. After a short transfer, which may end anywhere, it goes on through
// `plain_fd`.
template <class Call>
int transfer_all(Call call, int fd, int plain_fd, u64 offset, IoSpan pieces, bool pad) {
  std::vector<iovec> rest;  // only after a short transfer
  while (!pieces.empty()) {
    const int count = static_cast<int>(std::min<std::size_t>(pieces.size(), IOV_MAX));
    const ssize_t step = call(fd, pieces.data(), count, static_cast<off_t>(offset));
    if (step < 0 && errno == EINTR) continue;
    if (step < 0) return errno;
    u64 left = static_cast<u64>(step);
    offset += left;
    while (!pieces.empty() && left >= pieces[0].iov_len) {
      left -= pieces[0].iov_len;
      pieces = pieces.subspan(1);
    }
    if (pieces.empty()) break;
    fd = plain_fd;
    if (step == 0) {
      if (!pad) return EIO;  // the file was made shorter behind our back
      io_fill_zero(pieces);
      break;
    }
    if (left != 0) {
      std::vector<iovec> shorter(pieces.begin(), pieces.end());
      shorter[0] = {static_cast<std::byte*>(shorter[0].iov_base) + left, shorter[0].iov_len - left};
      rest = std::move(shorter);
      pieces = rest;
    }
  }
  return 0;
}

int allocate(int fd, int mode, u64 offset, u64 size) {
  while (fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

bool is_unsupported(int error) {
  return error == EOPNOTSUPP || error == ENOSYS || error == ENOTTY || error == EINVAL || error == EPERM;
}

}  // namespace

Result<std::unique_ptr<HostFile>> HostFile::open(const std::string& path, const Options& options) {
  const bool read_only = options.read_only;
  // O_NONBLOCK only keeps the open of a pipe from waiting for its other end.
  const int flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
  const int fd = ::open(path.c_str(), flags);
  if (fd < 0) {
    const int error = errno;
    struct stat status{};
    if (error == EISDIR) return fail("disk image {}: is a directory", path);
    if (!read_only && (error == EACCES || error == EROFS) && eaccess(path.c_str(), R_OK) == 0 &&
        stat(path.c_str(), &status) == 0)
      return fail("disk image {}: not writable: {} (readonly=on opens it for reading)", path, std::strerror(error));
    return fail("disk image {}: {}", path, std::strerror(error));
  }
  std::unique_ptr<HostFile> file(new HostFile(path, fd, options));
  struct stat status{};
  if (fstat(fd, &status) != 0) return fail("disk image {}: {}", path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return fail("disk image {}: is a directory", path);
  if ((!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) || lseek(fd, 0, SEEK_END) < 0)
    return fail("disk image {}: is neither a file nor a block device", path);
  file->is_block_device_ = S_ISBLK(status.st_mode);
  file->identity_ = {status.st_dev, status.st_ino};
  if (const int error = options.locking ? take_locks(fd, read_only) : 0) {
    if (error == EAGAIN || error == EACCES) return fail("disk image {}: locked by another instance", path);
    // A file system without locks (EINVAL, ENOLCK, ENOTSUP) is no reason to refuse the disk.
  }
  if (options.direct) {
    file->direct_fd_ = ::open(path.c_str(), flags | O_DIRECT);
    if (file->direct_fd_ < 0)
      return fail("disk image {}: the host's file system cannot bypass its cache: {}", path, std::strerror(errno));
  }
  return file;
}

Result<std::unique_ptr<HostFile>> HostFile::create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
  if (fd < 0) return fail("disk image {}: {}", path, std::strerror(errno));
  close(fd);
  TRY_ASSIGN(auto file, open(path, {}));
  if (!file->is_block_device_ && ftruncate(file->fd_, 0) != 0)
    return fail("disk image {}: {}", path, std::strerror(errno));
  return file;
}

Result<std::unique_ptr<HostFile>> HostFile::create_temporary() {
  const char* folder = std::getenv("TMPDIR");
  if (folder == nullptr || *folder == '\0') folder = "/var/tmp";  // /tmp may be memory
  std::string path = fmt::format("{}/pagoda-XXXXXX", folder);
  const int fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return fail("temporary file in {}: {}", folder, std::strerror(errno));
  unlink(path.c_str());
  return std::unique_ptr<HostFile>(new HostFile(path, fd, {.read_only = false, .direct = false, .no_flush = true}));
}

HostFile::~HostFile() {
  if (direct_fd_ >= 0) close(direct_fd_);
  close(fd_);
}

u64 HostFile::size(int* error) const {
  const off_t end = lseek(fd_, 0, SEEK_END);
  *error = end < 0 ? errno : 0;
  return end < 0 ? 0 : static_cast<u64>(end);
}

u64 HostFile::allocated() const {
  struct stat status{};
  return fstat(fd_, &status) == 0 ? static_cast<u64>(status.st_blocks) * 512 : 0;
}

int HostFile::fd_for(u64 offset, IoSpan pieces) const {
  if (direct_fd_ < 0) return fd_;
  // What the strictest of today's disks asks for. The kernel keeps both ways into the file coherent.
  constexpr u64 kAlignment = 4096;
  u64 bits = offset;
  for (const iovec& piece : pieces) bits |= reinterpret_cast<std::uintptr_t>(piece.iov_base) | piece.iov_len;
  return bits % kAlignment == 0 ? direct_fd_ : fd_;
}

int HostFile::read(u64 offset, IoSpan to) const {
  return transfer_all(preadv, fd_for(offset, to), fd_, offset, to, false);
}

int HostFile::read_padded(u64 offset, IoSpan to) const {
  return transfer_all(preadv, fd_for(offset, to), fd_, offset, to, true);
}

int HostFile::write(u64 offset, IoSpan from) {
  if (trace_ != nullptr) trace_->write(offset, from);
  return transfer_all(pwritev, fd_for(offset, from), fd_, offset, from, false);
}

int HostFile::read(u64 offset, void* to, u64 size) const {
  const iovec piece{to, size};
  return read(offset, IoSpan(&piece, 1));
}

int HostFile::read_padded(u64 offset, void* to, u64 size) const {
  const iovec piece{to, size};
  return read_padded(offset, IoSpan(&piece, 1));
}

int HostFile::write(u64 offset, const void* from, u64 size) {
  const iovec piece{const_cast<void*>(from), size};
  return write(offset, IoSpan(&piece, 1));
}

int HostFile::sync() {
  if (trace_ != nullptr) trace_->sync();
  if (options_.no_flush) return 0;
  while (fdatasync(fd_) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int HostFile::resize(u64 size) {
  while (ftruncate(fd_, static_cast<off_t>(size)) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int HostFile::reserve(u64 offset, u64 size) { return allocate(fd_, 0, offset, size); }

int HostFile::punch(u64 offset, u64 size) {
  if (trace_ != nullptr) trace_->punch(offset, size);
  const int error = allocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
  return is_unsupported(error) ? EOPNOTSUPP : error;
}

int HostFile::zero(u64 offset, u64 size, bool may_punch) {
  int error = may_punch ? punch(offset, size) : EOPNOTSUPP;
  if (is_unsupported(error) && trace_ == nullptr)
    error = allocate(fd_, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, size);
  if (!is_unsupported(error)) return error;
  static constexpr std::array<std::byte, 64 * 1024> kZeros{};
  for (u64 done = 0; done < size;) {
    const u64 step = std::min<u64>(size - done, kZeros.size());
    if (const int write_error = write(offset + done, kZeros.data(), step)) return write_error;
    done += step;
  }
  return 0;
}

bool HostFile::data_or_hole(u64 offset, u64 size, u64* length, bool* is_hole) const {
  const off_t from = static_cast<off_t>(offset);
  const off_t data = lseek(fd_, from, SEEK_DATA);
  if (data < 0 && errno != ENXIO) return false;
  if (data == from) {
    const off_t hole = lseek(fd_, from, SEEK_HOLE);
    if (hole <= from) return false;
    *is_hole = false;
    *length = std::min<u64>(size, static_cast<u64>(hole - from));
  } else {
    *is_hole = true;
    *length = data < 0 ? size : std::min<u64>(size, static_cast<u64>(data - from));
  }
  return true;
}

}  // namespace pagoda
