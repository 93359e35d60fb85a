// SPDX-License-Identifier: MIT
// Damaged qcow2 images under all that can be done to an image.
#include "disk/qcow2_input.h"

#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "devices/storage/qcow2/check_image.h"
#include "devices/storage/qcow2/create.h"
#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda::test {
namespace {

class Reader {
 public:
  explicit Reader(std::span<const u8> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  u64 number(std::size_t size) {
    u64 value = 0;
    for (; size != 0 && !bytes_.empty(); --size, bytes_ = bytes_.subspan(1)) value = value << 8 | bytes_[0];
    return value;
  }

 private:
  std::span<const u8> bytes_;
};

// A file in memory, by the name that opens it.
struct MemoryFile {
  explicit MemoryFile(const std::vector<u8>& content) : fd(memfd_create("qcow2", MFD_CLOEXEC)) {
    CHECK(fd >= 0 && ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
    path = fmt::format("/proc/self/fd/{}", fd);
  }
  ~MemoryFile() { close(fd); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::vector<u8> content() const {
    std::vector<u8> bytes(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)));
    CHECK(pread(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return bytes;
  }
  int fd;
  std::string path;
};

struct Shape {
  u32 version, cluster_bits, refcount_order;
  u64 size;
  bool lazy, zstd;
};
constexpr std::array kShapes = {
    Shape{3, 9, 4, 200 << 10, false, false}, Shape{3, 12, 4, 4 << 20, false, true},
    Shape{2, 10, 4, 1 << 20, false, false},  Shape{3, 9, 6, 64 << 10, true, false},
    Shape{3, 10, 0, 1 << 20, false, false},  Shape{3, 16, 3, 1 << 20, false, false},
};

// A sound image with data, zeros, holes and compressed clusters.
std::vector<u8> sound_image(const Shape& shape) {
  MemoryFile memory({});
  qcow2::Header header;
  header.version = shape.version;
  header.cluster_bits = shape.cluster_bits;
  header.refcount_order = shape.refcount_order;
  header.size = shape.size;
  header.compatible = shape.lazy ? 1 : 0;
  if (shape.zstd) header.compression = qcow2::Compression::zstd;
  auto file = HostFile::open(memory.path, {.no_flush = true});
  CHECK(file && qcow2::create(**file, header));
  auto disk = Qcow2Image::open(std::move(*file), header, nullptr, {});
  CHECK(disk.has_value());
  const u64 cluster = header.cluster_size();
  const std::vector<std::byte> data(cluster, std::byte{'d'});
  for (u64 i = 0; i < 12 && (i + 1) * cluster <= shape.size; ++i) {
    if (i % 4 == 0) CHECK((*disk)->write_compressed(i * cluster, data) == 0);
    if (i % 4 == 1) CHECK((*disk)->write(i * cluster, data) == 0);
    if (i % 4 == 2 && shape.version == 3) CHECK((*disk)->write_zeroes(i * cluster, cluster, i > 5) == 0);
  }
  disk->reset();
  return memory.content();
}

const std::vector<u8>& base_image(u64 which) {
  static const auto images = [] {
    std::array<std::vector<u8>, kShapes.size()> all;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = sound_image(kShapes[i]);
    return all;
  }();
  return images[which % images.size()];
}

void patch(Reader& reader, u32 cluster_bits, std::vector<u8>& bytes) {
  const u64 kind = reader.number(1);
  const auto put = [&](u64 at, u64 value, std::size_t size) {
    for (std::size_t i = 0; i < size && at + i < bytes.size(); ++i)
      bytes[at + i] = static_cast<u8>(value >> (8 * (size - 1 - i)));
  };
  if (bytes.empty()) return;
  switch (kind % 6) {
    case 0:
      put(reader.number(3) % bytes.size(), reader.number(1), 1);
      break;
    case 1:
      put(reader.number(3) % bytes.size() & ~u64{7}, reader.number(8), 8);
      break;
    case 2: {  // something like an entry of a table
      const u64 at = reader.number(2) * 8 % bytes.size();
      const u64 flags = reader.number(1);
      put(at, flags << 56 | reader.number(2) << cluster_bits | (flags & 1), 8);
      break;
    }
    case 3: {
      constexpr std::array<u64, 16> kFields = {4, 8, 16, 20, 24, 32, 36, 40, 48, 56, 60, 64, 72, 80, 88, 96};
      const u64 field = kFields[reader.number(1) % kFields.size()];
      put(field, reader.number(4), 4);
      break;
    }
    case 4:
      put(kind / 6 % 2 == 0 ? 72 : 88, reader.number(1), 8);
      break;
    default:
      bytes.resize(reader.number(3) % bytes.size());
  }
}

// A place on the disk, near one of its ends or anywhere.
u64 place(Reader& reader, u64 size, u64 most, u64* length) {
  *length = std::min<u64>({size, most, (reader.number(1) + 1) * 512});
  const u64 last = (size - *length) / 512 * 512;
  const u64 choice = reader.number(2);
  if (choice % 4 == 0) return last;
  if (choice % 4 == 1) return last == 0 ? 0 : choice * 0x9e3779b97f4a7c15 % last / 512 * 512;
  return std::min(last, choice / 4 * 512);
}

void use(Reader& reader, DiskImage& disk) {
  constexpr u64 kMost = 128 << 10;
  std::vector<std::byte> buffer(kMost, std::byte{'n'});
  for (int i = 0; i < 24 && disk.size() >= 512; ++i) {
    const u64 what = reader.empty() ? static_cast<u64>(i) : reader.number(1);
    u64 length = 0;
    const u64 offset = place(reader, disk.size(), kMost, &length);
    const std::span part = std::span(buffer).first(length);
    // Whether it works is another matter.
    switch (what % 8) {
      case 0:
      case 1:
      case 2:
        (void)disk.write(offset, std::span<const std::byte>(part));
        break;
      case 3:
        (void)disk.write_zeroes(offset, length, what % 16 == 3);
        break;
      case 4:
        (void)disk.discard(offset, length);
        break;
      case 5:
        (void)disk.flush();
        break;
      case 6: {
        DiskImage::Extent extent;
        if (disk.extent(offset, length, &extent) == 0)
          CHECK(extent.size != 0 && extent.size <= length, "{} of {}", extent.size, length);
        break;
      }
      default:
        (void)disk.read(offset, part);
    }
  }
}

struct Look {
  bool is_image = false;
  bool is_sound = false;
};

Look look(const std::string& path, qcow2::Repair repair) {
  const auto file = HostFile::open(path, {.read_only = repair == qcow2::Repair::none, .no_flush = true});
  CHECK(file.has_value(), "{}", file.error().message);
  auto header = qcow2::read_header(**file);
  if (!header) return {};
  const auto result = qcow2::check_image(**file, *header, repair);
  return {true, result && result->corruptions == 0 && result->errors == 0};
}

}  // namespace

void run_qcow2_input(std::span<const u8> input) {
  Reader reader(input);
  const u64 which = reader.number(1);
  std::vector<u8> bytes = base_image(which);
  for (u64 patches = reader.number(1) % 8; patches != 0; --patches)
    patch(reader, kShapes[which % kShapes.size()].cluster_bits, bytes);
  MemoryFile memory(bytes);
  const Look before = look(memory.path, qcow2::Repair::none);
  DiskOptions options{.format = DiskFormat::qcow2, .read_only = true, .no_flush = true, .no_backing = true};
  if (auto disk = open_disk(memory.path, options)) {
    Reader same = reader;
    use(same, **disk);
  }
  MemoryFile copy(bytes);
  options.read_only = false;
  if (auto disk = open_disk(memory.path, options)) use(reader, **disk);
  const Look after = look(memory.path, qcow2::Repair::none);
  CHECK(!before.is_sound || after.is_sound, "a consistent image became inconsistent");
  if (before.is_image) {
    look(copy.path, qcow2::Repair::leaks);
    look(copy.path, qcow2::Repair::all);
    // What could be repaired can be used.
    if (look(copy.path, qcow2::Repair::none).is_sound) {
      if (auto disk = open_disk(copy.path, options)) use(reader, **disk);
      CHECK(look(copy.path, qcow2::Repair::none).is_sound, "a repaired image became inconsistent");
    }
  }
}

}  // namespace pagoda::test
