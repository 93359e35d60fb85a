// SPDX-License-Identifier: MIT
// The 9P server: what is done with files.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>

#include "devices/p9/server.h"

namespace pagoda::p9 {
namespace {

// Descriptors that one client may hold open.
constexpr u32 kMaxOpenFiles = 4096;

// Open flags of 9P2000.L, in its own numbers; the rest are hints, or for the client's kernel (append).
constexpr u32 kAccess = 03, kExclusive = 0200, kTruncate = 01000, kDataSync = 010000, kSync = 04000000;

int host_flags(u32 flags) {
  int result = (flags & kAccess) == 1 ? O_WRONLY : (flags & kAccess) == 2 ? O_RDWR : O_RDONLY;
  if ((flags & kExclusive) != 0) result |= O_EXCL;
  if ((flags & kTruncate) != 0) result |= O_TRUNC;
  if ((flags & kDataSync) != 0) result |= O_DSYNC;
  if ((flags & kSync) == kSync) result |= O_SYNC;
  return result;
}

// Bits of Tsetattr.
constexpr u32 kSetMode = 1, kSetUid = 2, kSetGid = 4, kSetSize = 8, kSetAccessed = 0x10, kSetModified = 0x20,
              kAccessedGiven = 0x80, kModifiedGiven = 0x100;
constexpr u64 kBasicAttributes = 0x7ff;  // of Rgetattr: everything but birth time, generation and data version

// The kernel's own 32-bit form of a device number.
u64 device_number(dev_t device) {
  const u64 minor_number = minor(device), major_number = major(device);
  return (minor_number & 0xff) | major_number << 8 | (minor_number & ~u64{0xff}) << 12;
}

// As getdents64() writes them.
struct HostEntry {
  u64 inode;
  i64 next;
  u16 size;
  u8 type;
  char name[];
};

}  // namespace

int Server::open_fid(Fid& fid, int flags) {
  if (open_files_ >= kMaxOpenFiles) return ENFILE;
  Fd file;
  if (const int error = folder_->open(fid.path, flags & ~O_EXCL, &file)) return error;
  struct ::stat status{};
  if (fstat(file.get(), &status) != 0) return errno;
  fid.file = std::move(file);
  fid.is_open = true;
  fid.is_folder = S_ISDIR(status.st_mode);
  fid.flags = flags & (O_ACCMODE | O_SYNC | O_DSYNC);
  ++open_files_;
  return 0;
}

int Server::open(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  const u32 flags = in.word();
  if (!in.ok()) return EINVAL;
  if (fid == nullptr || fid->is_open) return EBADF;
  if (const int error = open_fid(*fid, host_flags(flags))) return error;
  struct ::stat status{};
  if (const int error = folder_->stat(fid->file, &status)) return error;
  out.qid(qid_of(status));
  out.word(0);  // the client cuts requests by the message size
  return 0;
}

int Server::create(Reader& in, Writer& out) {
  const u32 number = in.word();
  const std::string name = in.text();
  const u32 flags = in.word(), mode = in.word(), gid = in.word();
  Fid* fid = find(number);
  if (!in.ok()) return EINVAL;
  if (fid == nullptr || fid->is_open) return EBADF;
  if (open_files_ >= kMaxOpenFiles) return ENFILE;
  if (fid->path.size() + 1 + name.size() > kLongestPath) return ENAMETOOLONG;
  Fd file;
  if (const int error = folder_->create(fid->path, name, host_flags(flags), mode, {fid->uid, gid}, &file)) return error;
  struct ::stat status{};
  if (const int error = folder_->stat(file, &status)) return error;
  path_bytes_ -= fid->path.size();
  fid->path = join(fid->path, name);
  path_bytes_ += fid->path.size();
  fid->file = std::move(file);
  fid->is_open = true;
  fid->is_folder = S_ISDIR(status.st_mode);
  fid->flags = host_flags(flags) & (O_ACCMODE | O_SYNC | O_DSYNC);
  ++open_files_;
  out.qid(qid_of(status));
  out.word(0);
  return 0;
}

int Server::read(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  const u64 offset = in.wide();
  const u32 count = in.word();
  if (!in.ok()) return EINVAL;
  if (fid == nullptr || !fid->is_open || !fid->file.is_open()) return EBADF;
  if (fid->is_folder) return EISDIR;
  if (offset > static_cast<u64>(INT64_MAX)) return EINVAL;
  constexpr u32 kOverhead = kHeaderSize + 4;
  std::vector<u8> data(std::min(count, room_ - kOverhead));
  ssize_t got = 0;
  do {
    got = pread(fid->file.get(), data.data(), data.size(), static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno;
  out.word(static_cast<u32>(got));
  out.bytes(std::span(data).first(static_cast<std::size_t>(got)));
  return 0;
}

int Server::write(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  const u64 offset = in.wide();
  const auto data = in.take(in.word());
  if (!in.ok()) return EINVAL;
  if (fid == nullptr || !fid->is_open || !fid->file.is_open()) return EBADF;
  if (fid->is_folder) return EISDIR;
  if (offset > static_cast<u64>(INT64_MAX) - data.size()) return EFBIG;
  ssize_t put = 0;
  do {
    put = pwrite(fid->file.get(), data.data(), data.size(), static_cast<off_t>(offset));
  } while (put < 0 && errno == EINTR);
  if (put < 0) return errno;
  out.word(static_cast<u32>(put));
  return 0;
}

int Server::sync(Reader& in, Writer&) {
  Fid* fid = find(in.word());
  const bool data_only = in.word() != 0;  // older clients leave it out
  if (fid == nullptr || !fid->is_open || !fid->file.is_open()) return EBADF;
  return (data_only ? fdatasync(fid->file.get()) : fsync(fid->file.get())) == 0 ? 0 : errno;
}

int Server::read_folder(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  const u64 offset = in.wide();
  const u32 wanted = in.word();
  if (!in.ok()) return EINVAL;
  if (fid == nullptr || !fid->is_open || !fid->file.is_open()) return EBADF;
  if (!fid->is_folder) return ENOTDIR;
  const u32 count = std::min(wanted, room_ - (kHeaderSize + 4));
  if (lseek(fid->file.get(), static_cast<off_t>(offset), SEEK_SET) < 0) return errno;
  struct ::stat status{}, entry_status{};
  if (fstat(fid->file.get(), &status) != 0) return errno;
  std::vector<u8> entries;
  Writer list(entries);
  alignas(HostEntry) std::array<char, 32 << 10> buffer;
  for (bool full = false; !full;) {
    const long got = syscall(SYS_getdents64, fid->file.get(), buffer.data(), buffer.size());
    if (got < 0) return errno;
    if (got == 0) break;
    for (long at = 0; at < got && !full;) {
      const auto* entry = reinterpret_cast<const HostEntry*>(buffer.data() + at);
      const std::string_view name = entry->name;
      at += entry->size;
      constexpr std::size_t kFixed = 13 + 8 + 1 + 2;
      full = entries.size() + kFixed + name.size() > count;
      if (full) break;
      // What lies above the folder is not told.
      entry_status = status;
      const bool is_above = name == ".." && fid->path.empty();
      if (!is_above) entry_status.st_ino = entry->inode;
      entry_status.st_mode = entry->type == DT_DIR ? S_IFDIR : entry->type == DT_LNK ? S_IFLNK : S_IFREG;
      entry_status.st_mtim = {};
      entry_status.st_size = 0;
      list.qid(qid_of(entry_status));
      list.wide(static_cast<u64>(entry->next));
      // The type of a mapped file is not the host's.
      list.byte(folder_->security() == Security::mapped ? u8{DT_UNKNOWN} : entry->type);
      list.text(name);
    }
    if (full && entries.empty()) return EINVAL;
  }
  out.word(static_cast<u32>(entries.size()));
  out.bytes(entries);
  return 0;
}

int Server::get_attributes(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  in.wide();  // which are wanted: all the basic ones come anyway
  if (!in.ok()) return EINVAL;
  if (fid == nullptr) return EBADF;
  struct ::stat status{};
  const bool by_file = fid->is_open && fid->file.is_open();
  if (const int error = by_file ? folder_->stat(fid->file, &status) : folder_->stat(fid->path, &status)) return error;
  out.wide(kBasicAttributes);
  out.qid(qid_of(status));
  out.word(status.st_mode);
  out.word(status.st_uid);
  out.word(status.st_gid);
  out.wide(status.st_nlink);
  out.wide(device_number(status.st_rdev));
  out.wide(static_cast<u64>(status.st_size));
  out.wide(static_cast<u64>(status.st_blksize));
  out.wide(static_cast<u64>(status.st_blocks));
  for (const timespec& time : {status.st_atim, status.st_mtim, status.st_ctim}) {
    out.wide(static_cast<u64>(time.tv_sec));
    out.wide(static_cast<u64>(time.tv_nsec));
  }
  for (u32 i = 0; i < 4; ++i) out.wide(0);  // birth time, generation, data version
  return 0;
}

int Server::set_attributes(Reader& in, Writer&) {
  Fid* fid = find(in.word());
  const u32 valid = in.word(), mode = in.word(), uid = in.word(), gid = in.word();
  const u64 size = in.wide();
  std::array<timespec, 2> times;
  for (timespec& time : times) {
    time.tv_sec = static_cast<time_t>(in.wide());
    time.tv_nsec = static_cast<long>(in.wide());
  }
  if (!in.ok()) return EINVAL;
  if (fid == nullptr) return EBADF;
  Changes changes;
  if ((valid & kSetMode) != 0) changes.mode = mode;
  if ((valid & kSetUid) != 0) changes.owner.uid = uid;
  if ((valid & kSetGid) != 0) changes.owner.gid = gid;
  if ((valid & kSetSize) != 0) changes.size = size;
  const auto time_of = [&](u32 set, u32 given, const timespec& time) -> std::optional<timespec> {
    if ((valid & set) == 0) return {};
    return (valid & given) != 0 ? time : timespec{0, UTIME_NOW};
  };
  changes.accessed = time_of(kSetAccessed, kAccessedGiven, times[0]);
  changes.modified = time_of(kSetModified, kModifiedGiven, times[1]);
  return folder_->change(fid->path, fid->file, changes);
}

int Server::no_attributes(Reader&, Writer&) { return EOPNOTSUPP; }

int Server::stat_file_system(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  if (fid == nullptr) return EBADF;
  struct ::statfs status{};
  if (const int error = folder_->stat_file_system(fid->path, &status)) return error;
  constexpr u32 kMagic = 0x0102'1997;  // the client's own
  out.word(kMagic);
  out.word(static_cast<u32>(status.f_bsize));
  for (const u64 value : {u64{status.f_blocks}, u64{status.f_bfree}, u64{status.f_bavail}, u64{status.f_files},
                          u64{status.f_ffree}, u64{0}}) {
    out.wide(value);
  }
  out.word(static_cast<u32>(status.f_namelen));
  return 0;
}

// --- names ---

int Server::symlink(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  const std::string name = in.text(), target = in.text();
  const u32 gid = in.word();
  if (!in.ok()) return EINVAL;
  if (fid == nullptr) return EBADF;
  if (const int error = folder_->make_symlink(fid->path, name, target, {fid->uid, gid})) return error;
  return answer_qid(join(fid->path, name), out);
}

int Server::make_node(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  const std::string name = in.text();
  const u32 mode = in.word(), major_number = in.word(), minor_number = in.word(), gid = in.word();
  if (!in.ok()) return EINVAL;
  if (fid == nullptr) return EBADF;
  const u64 device = makedev(major_number, minor_number);
  if (const int error = folder_->make_node(fid->path, name, mode, device, {fid->uid, gid})) return error;
  return answer_qid(join(fid->path, name), out);
}

int Server::make_folder(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  const std::string name = in.text();
  const u32 mode = in.word(), gid = in.word();
  if (!in.ok()) return EINVAL;
  if (fid == nullptr) return EBADF;
  if (const int error = folder_->make_folder(fid->path, name, mode, {fid->uid, gid})) return error;
  return answer_qid(join(fid->path, name), out);
}

int Server::link(Reader& in, Writer&) {
  Fid* folder = find(in.word());
  Fid* fid = find(in.word());
  const std::string name = in.text();
  if (!in.ok()) return EINVAL;
  if (folder == nullptr || fid == nullptr) return EBADF;
  return folder_->link(fid->path, folder->path, name);
}

int Server::rename(Reader& in, Writer&) {
  Fid* fid = find(in.word());
  Fid* folder = find(in.word());
  const std::string name = in.text();
  if (!in.ok()) return EINVAL;
  if (folder == nullptr || fid == nullptr) return EBADF;
  return move(std::string(fid->path), *folder, name);
}

int Server::rename_at(Reader& in, Writer&) {
  Fid* old_folder = find(in.word());
  const std::string old_name = in.text();
  Fid* folder = find(in.word());
  const std::string name = in.text();
  if (!in.ok() || !is_name(old_name)) return EINVAL;
  if (folder == nullptr || old_folder == nullptr) return EBADF;
  return move(join(old_folder->path, old_name), *folder, name);
}

int Server::read_link(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  if (fid == nullptr) return EBADF;
  std::string target;
  if (const int error = folder_->read_link(fid->path, &target)) return error;
  out.text(target);
  return 0;
}

int Server::unlink_at(Reader& in, Writer&) {
  constexpr u32 kFolder = 0x200;
  Fid* fid = find(in.word());
  const std::string name = in.text();
  const u32 flags = in.word();
  if (!in.ok() || !is_name(name) || (flags & ~kFolder) != 0) return EINVAL;
  if (fid == nullptr) return EBADF;
  return folder_->remove(join(fid->path, name), (flags & kFolder) != 0);
}

// The fid goes, whatever becomes of the file.
int Server::remove(Reader& in, Writer&) {
  const u32 number = in.word();
  Fid* fid = find(number);
  if (fid == nullptr) return EBADF;
  int error = folder_->remove(fid->path, false);
  if (error == EISDIR || error == EPERM) error = folder_->remove(fid->path, true);
  forget(number);
  return error;
}

int Server::lock(Reader& in, Writer& out) {
  Fid* fid = find(in.word());
  if (fid == nullptr) return EBADF;
  out.byte(0);  // granted
  return 0;
}

int Server::get_lock(Reader& in, Writer& out) {
  constexpr u8 kUnlocked = 2;
  Fid* fid = find(in.word());
  in.byte();
  const u64 start = in.wide(), length = in.wide();
  const u32 process = in.word();
  const std::string client = in.text();
  if (!in.ok()) return EINVAL;
  if (fid == nullptr) return EBADF;
  out.byte(kUnlocked);
  out.wide(start);
  out.wide(length);
  out.word(process);
  out.text(client);
  return 0;
}

}  // namespace pagoda::p9
