// SPDX-License-Identifier: MIT
// Raw images: opening, locking, and I/O that survives signals and short transfers.
#include "devices/storage/raw_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"

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

// Calls transfer(done) -> ssize_t until `size` bytes are through.
template <class Transfer>
int transfer_all(std::size_t size, Transfer transfer) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t step = transfer(done);
    if (step > 0) {
      done += static_cast<std::size_t>(step);
    } else if (step == 0) {
      return EIO;  // the file was made shorter behind our back
    } else if (errno != EINTR) {
      return errno;
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

Result<std::unique_ptr<RawFile>> RawFile::open(const std::string& path, bool read_only) {
  // O_NONBLOCK only keeps the open of a pipe from waiting for its other end.
  const int fd = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    struct stat status{};
    if (error == EISDIR) return fail("disk image {}: is a directory", path);
    if (!read_only && (error == EACCES || error == EROFS) && eaccess(path.c_str(), R_OK) == 0 &&
        stat(path.c_str(), &status) == 0)
      return fail("disk image {}: not writable: {} (readonly=on opens it for reading)", path, std::strerror(error));
    return fail("disk image {}: {}", path, std::strerror(error));
  }
  std::unique_ptr<RawFile> file;
  struct stat status{};
  if (fstat(fd, &status) != 0) {
    const int error = errno;
    close(fd);
    return fail("disk image {}: {}", path, std::strerror(error));
  }
  const off_t size = lseek(fd, 0, SEEK_END);
  file.reset(new RawFile(path, fd, size > 0 ? static_cast<u64>(size) : 0, read_only));
  if (S_ISDIR(status.st_mode)) return fail("disk image {}: is a directory", path);
  if ((!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) || size < 0)
    return fail("disk image {}: is neither a file nor a block device", path);
  if (file->size_ % kSectorSize != 0)
    return fail("disk image {}: its size of {} bytes is not a multiple of {}", path, file->size_, kSectorSize);
  if (const int error = take_locks(fd, read_only)) {
    if (error == EAGAIN || error == EACCES) return fail("disk image {}: locked by another instance", path);
    // A file system without locks (EINVAL, ENOLCK, ENOTSUP) is no reason to refuse the disk.
  }
  return file;
}

RawFile::~RawFile() { close(fd_); }

int RawFile::read(u64 offset, std::span<std::byte> out) const {
  CHECK(offset <= size_ && out.size() <= size_ - offset);
  return transfer_all(out.size(), [&](std::size_t done) {
    return pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
  });
}

int RawFile::write(u64 offset, std::span<const std::byte> bytes) {
  CHECK(offset <= size_ && bytes.size() <= size_ - offset);
  return transfer_all(bytes.size(), [&](std::size_t done) {
    return pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
  });
}

int RawFile::flush() {
  while (fdatasync(fd_) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int RawFile::discard(u64 offset, u64 size) {
  CHECK(offset <= size_ && size <= size_ - offset);
  if (size == 0) return 0;
  const int error = allocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
  return is_unsupported(error) ? 0 : error;  // a discard is a wish
}

int RawFile::write_zeroes(u64 offset, u64 size, bool may_unmap) {
  CHECK(offset <= size_ && size <= size_ - offset);
  if (size == 0) return 0;
  int error = EOPNOTSUPP;
  if (may_unmap) error = allocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
  if (is_unsupported(error)) error = allocate(fd_, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, size);
  if (!is_unsupported(error)) return error;
  static constexpr std::array<std::byte, 64 * 1024> kZeros{};
  for (u64 done = 0; done < size;) {
    const u64 step = std::min<u64>(size - done, kZeros.size());
    if (const int write_error = write(offset + done, std::span(kZeros).first(step))) return write_error;
    done += step;
  }
  return 0;
}

}  // namespace pagoda
