// SPDX-License-Identifier: MIT
// The semihosting calls.
#include "cpu/semihosting.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/log.h"
#include "cpu/vcpu.h"

namespace pagoda {
namespace {

constexpr u64 kFailed = ~u64{0};
constexpr u64 kChunk = 64 << 10;
constexpr std::size_t kMostFiles = 64;
constexpr u64 kLongestName = 4096, kLongestText = 1 << 20;
// ":semihosting-features": magic, then the bits for SYS_EXIT_EXTENDED and for separate standard error.
constexpr std::array<u8, 5> kFeatures = {'S', 'H', 'F', 'B', 3};

enum Operation : u64 {
  kOpen = 0x01,
  kClose = 0x02,
  kWriteC = 0x03,
  kWrite0 = 0x04,
  kWrite = 0x05,
  kRead = 0x06,
  kReadC = 0x07,
  kIsError = 0x08,
  kIsTty = 0x09,
  kSeek = 0x0a,
  kLength = 0x0c,
  kClock = 0x10,
  kTime = 0x11,
  kErrno = 0x13,
  kCommandLine = 0x15,
  kHeapInfo = 0x16,
  kExit = 0x18,
  kExitExtended = 0x20,
  kElapsed = 0x30,
  kTickFrequency = 0x31,
};

// A regular file below the current folder; -1 and errno. No "..", absolute path, symbolic link or device gets through.
int open_below(const std::string& name, int flags) {
  open_how how{};
  how.flags = static_cast<u64>(flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  how.mode = (flags & O_CREAT) != 0 ? 0666 : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const int fd = static_cast<int>(syscall(SYS_openat2, AT_FDCWD, name.c_str(), &how, sizeof(how)));
  struct stat status{};
  if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
    ::close(fd);
    errno = EACCES;
    return -1;
  }
  return fd;
}

}  // namespace

// One call: the guest's memory as the vcpu maps it.
struct Semihosting::Call {
  Vcpu& vcpu;
  u64 parameter;

  template <class F>
  bool each_piece(u64 address, u64 size, F&& piece) {
    for (u64 done = 0; done < size;) {
      const auto phys = vcpu.guest().debug->translate(vcpu, GuestVirt(address + done));
      const u64 room = std::min(size - done, kPageSize - ((address + done) & ~kPageMask));
      if (!phys || !piece(*phys, done, room)) return false;
      done += room;
    }
    return true;
  }
  bool load(u64 address, std::span<std::byte> out) {
    return each_piece(address, out.size(), [&](GuestPhys phys, u64 done, u64 size) {
      return vcpu.memory().read(phys, out.subspan(done, size));
    });
  }
  bool store(u64 address, std::span<const std::byte> bytes) {
    return each_piece(address, bytes.size(), [&](GuestPhys phys, u64 done, u64 size) {
      return vcpu.memory().write(phys, bytes.subspan(done, size));
    });
  }
  // Word `index` of the parameter block.
  std::optional<u64> word(u32 index) {
    u64 value = 0;
    if (!load(parameter + u64{index} * 8, std::as_writable_bytes(std::span(&value, 1)))) return {};
    return value;
  }
  bool set_word(u64 address, u64 value) { return store(address, std::as_bytes(std::span(&value, 1))); }
};

Semihosting::~Semihosting() {
  for (const File& file : files_) {
    if (file.fd >= 0) ::close(file.fd);
  }
}

Semihosting::File* Semihosting::file_of(u64 handle) {
  if (handle == 0 || handle > files_.size() || files_[handle - 1].kind == File::Kind::free) return nullptr;
  return &files_[handle - 1];
}

u64 Semihosting::open(Call& call) {
  const auto name_at = call.word(0), mode = call.word(1), size = call.word(2);
  if (!name_at || !mode || !size || *size > kLongestName || *mode > 11) return kFailed;
  std::string name(*size, '\0');
  if (!call.load(*name_at, std::as_writable_bytes(std::span(name)))) return kFailed;
  const bool writes = *mode >= 4;
  File file;
  if (name == ":tt") {
    file.kind = writes ? File::Kind::console_out : File::Kind::console_in;
  } else if (name == ":semihosting-features") {
    if (writes) return kFailed;
    file.kind = File::Kind::features;
  } else {
    // Modes are those of fopen: r rb r+ r+b w wb w+ w+b a ab a+ a+b.
    constexpr int kBase[] = {0, O_CREAT | O_TRUNC, O_CREAT | O_APPEND};
    const bool updates = (*mode & 2) != 0;
    file.kind = File::Kind::file;
    file.fd = open_below(name, kBase[*mode / 4] | (updates ? O_RDWR : writes ? O_WRONLY : O_RDONLY));
    if (file.fd < 0) {
      errno_ = errno;
      return kFailed;
    }
  }
  auto place = std::ranges::find(files_, File::Kind::free, &File::kind);
  if (place == files_.end()) {
    if (files_.size() == kMostFiles) {
      if (file.fd >= 0) ::close(file.fd);
      errno_ = EMFILE;
      return kFailed;
    }
    place = files_.insert(place, File{});
  }
  *place = file;
  return static_cast<u64>(place - files_.begin()) + 1;
}

u64 Semihosting::close(Call& call) {
  const auto handle = call.word(0);
  File* file = handle ? file_of(*handle) : nullptr;
  if (file == nullptr) return kFailed;
  if (file->fd >= 0) ::close(file->fd);
  *file = {};
  return 0;
}

// Both give the number of bytes that were not transferred.
u64 Semihosting::read(Call& call) {
  const auto handle = call.word(0), to = call.word(1), size = call.word(2);
  File* file = handle ? file_of(*handle) : nullptr;
  if (file == nullptr || !to || !size) return kFailed;
  u64 left = *size, address = *to;
  std::vector<std::byte> buffer(std::min(left, kChunk));
  while (left != 0) {
    const auto piece = std::span(buffer).first(std::min<u64>(left, buffer.size()));
    u64 got = 0;
    if (file->kind == File::Kind::file) {
      const ssize_t count = ::read(file->fd, piece.data(), piece.size());
      if (count < 0) errno_ = errno;
      got = count > 0 ? static_cast<u64>(count) : 0;
    } else if (file->kind == File::Kind::features) {
      got = std::min<u64>(piece.size(), kFeatures.size() - std::min<u64>(file->position, kFeatures.size()));
      if (got != 0) std::memcpy(piece.data(), kFeatures.data() + file->position, got);
      file->position += got;
    }
    if (got == 0 || !call.store(address, piece.first(got))) break;
    address += got;
    left -= got;
  }
  return left;
}

u64 Semihosting::write(Call& call) {
  const auto handle = call.word(0), from = call.word(1), size = call.word(2);
  File* file = handle ? file_of(*handle) : nullptr;
  if (file == nullptr || !from || !size) return kFailed;
  u64 left = *size, address = *from;
  std::vector<std::byte> buffer(std::min(left, kChunk));
  while (left != 0) {
    const auto piece = std::span(buffer).first(std::min<u64>(left, buffer.size()));
    if (!call.load(address, piece)) break;
    u64 done = 0;
    if (file->kind == File::Kind::console_out) {
      host_.write({reinterpret_cast<const char*>(piece.data()), piece.size()});
      done = piece.size();
    } else if (file->kind == File::Kind::file) {
      const ssize_t count = ::write(file->fd, piece.data(), piece.size());
      if (count < 0) errno_ = errno;
      done = count > 0 ? static_cast<u64>(count) : 0;
    }
    if (done == 0) break;
    address += done;
    left -= done;
  }
  return left;
}

u64 Semihosting::seek(Call& call) {
  const auto handle = call.word(0), position = call.word(1);
  File* file = handle ? file_of(*handle) : nullptr;
  if (file == nullptr || !position) return kFailed;
  if (file->kind == File::Kind::features && *position <= kFeatures.size()) {
    file->position = *position;
    return 0;
  }
  if (file->kind != File::Kind::file || *position > INT64_MAX) return kFailed;
  if (lseek(file->fd, static_cast<off_t>(*position), SEEK_SET) < 0) {
    errno_ = errno;
    return kFailed;
  }
  return 0;
}

u64 Semihosting::length(Call& call) {
  const auto handle = call.word(0);
  File* file = handle ? file_of(*handle) : nullptr;
  if (file == nullptr) return kFailed;
  if (file->kind == File::Kind::features) return kFeatures.size();
  struct stat status{};
  if (file->kind != File::Kind::file || fstat(file->fd, &status) != 0) return kFailed;
  return static_cast<u64>(status.st_size);
}

u64 Semihosting::write_text(Call& call) {
  std::string text;
  for (u64 at = call.parameter; text.size() < kLongestText; ++at) {
    std::byte byte{};
    if (!call.load(at, {&byte, 1}) || byte == std::byte{0}) break;
    text += static_cast<char>(byte);
  }
  host_.write(text);
  return 0;
}

u64 Semihosting::command_line(Call& call) {
  const auto to = call.word(0), size = call.word(1);
  const std::string& text = host_.command_line;
  if (!to || !size || *size <= text.size()) return kFailed;
  if (!call.store(*to, std::as_bytes(std::span(text.c_str(), text.size() + 1)))) return kFailed;
  return call.set_word(call.parameter + 8, text.size()) ? 0 : kFailed;
}

// The upper half of RAM is heap, with the stack coming down from its end.
u64 Semihosting::heap_info(Call& call) {
  const auto block = call.word(0);
  if (!block) return kFailed;
  const u64 base = host_.ram_start + host_.ram_size / 2, end = host_.ram_start + host_.ram_size;
  const u64 values[4] = {base, end, end, base};
  return call.store(*block, std::as_bytes(std::span(values))) ? 0 : kFailed;
}

u64 Semihosting::exit(Call& call, u64 operation) {
  constexpr u64 kApplicationExit = 0x20026;  // ADP_Stopped_ApplicationExit
  const auto reason = call.word(0), status = call.word(1);
  const bool is_exit = reason && *reason == kApplicationExit && status;
  host_.exit(is_exit ? static_cast<int>(*status & 0xff) : 1);
  return operation;
}

u64 Semihosting::call(Vcpu& vcpu, u64 operation, u64 parameter) {
  const ParkedScope parked(vcpu.rendezvous(), vcpu);
  const std::lock_guard lock(mutex_);
  Call call{vcpu, parameter};
  switch (operation) {
    case kOpen:
      return open(call);
    case kClose:
      return close(call);
    case kWriteC: {
      std::byte byte{};
      if (call.load(parameter, {&byte, 1})) host_.write({reinterpret_cast<const char*>(&byte), 1});
      return 0;
    }
    case kWrite0:
      return write_text(call);
    case kWrite:
      return write(call);
    case kRead:
      return read(call);
    case kReadC:
      return kFailed;  // the console has no input
    case kIsError: {
      const auto status = call.word(0);
      return status && static_cast<i64>(*status) < 0 ? 1 : 0;
    }
    case kIsTty: {
      const auto handle = call.word(0);
      const File* file = handle ? file_of(*handle) : nullptr;
      if (file == nullptr) return kFailed;
      return file->kind == File::Kind::console_in || file->kind == File::Kind::console_out ? 1 : 0;
    }
    case kSeek:
      return seek(call);
    case kLength:
      return length(call);
    case kClock:
      return vcpu.clock().now() / 10'000'000;  // hundredths of a second
    case kTime:
      return host_.wall_seconds();
    case kErrno:
      return static_cast<u64>(errno_);
    case kCommandLine:
      return command_line(call);
    case kHeapInfo:
      return heap_info(call);
    case kExit:
    case kExitExtended:
      return exit(call, operation);
    case kElapsed:
      return call.set_word(parameter, vcpu.clock().now()) ? 0 : kFailed;
    case kTickFrequency:
      return 1'000'000'000;
    default:
      log(Log::unimplemented, "vcpu {}: semihosting call {:#x}", vcpu.index(), operation);
      errno_ = ENOSYS;
      return kFailed;
  }
}

}  // namespace pagoda
