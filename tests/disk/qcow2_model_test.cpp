// SPDX-License-Identifier: MIT
// Random requests against qcow2 images of many shapes, compared with an array in memory; consistent whenever closed.
#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "disk/disk_scratch.h"

namespace pagoda::test {
namespace {

struct Shape {
  const char* name;
  u32 version;
  u32 cluster_bits;
  u32 refcount_order;
  bool lazy;
  bool backing;
  u64 size;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.name; }

class Qcow2Model : public testing::TestWithParam<Shape> {
 protected:
  std::string random_bytes(u64 size) {
    std::string bytes(size, '\0');
    const char seed = static_cast<char>(random_());
    for (u64 i = 0; i < size; ++i) bytes[i] = static_cast<char>(seed + i / 7);
    return bytes;
  }
  std::mt19937_64 random_{12345};
  Scratch scratch_;
};

TEST_P(Qcow2Model, BehavesLikeMemory) {
  const Shape& shape = GetParam();
  std::string model(shape.size, '\0');
  qcow2::Header header;
  header.version = shape.version;
  header.cluster_bits = shape.cluster_bits;
  header.refcount_order = shape.refcount_order;
  header.size = shape.size;
  header.compatible = shape.lazy ? 1 : 0;
  if (shape.backing) {
    // Shorter than the overlay, and ending inside a cluster.
    const std::string base = random_bytes((shape.size / 2 & ~u64{511}) + 512);
    scratch_.file("base", base);
    std::copy(base.begin(), base.end(), model.begin());
    header.backing_file = "base";
    header.backing_format = "raw";
  }
  const std::string path = scratch_.qcow2("disk", header);
  for (int round = 0; round < 6; ++round) {
    auto disk = must_open(path, {.format = DiskFormat::qcow2, .no_flush = true});
    ASSERT_EQ(disk->size(), shape.size);
    for (int i = 0; i < 400; ++i) {
      const u64 longest = random_() % 8 == 0 ? shape.size / 4 : std::min<u64>(shape.size, u64{3} << shape.cluster_bits);
      const u64 size = (random_() % longest / 512 + 1) * 512;
      const u64 offset = random_() % ((shape.size - size) / 512 + 1) * 512;
      const auto at = model.begin() + static_cast<std::ptrdiff_t>(offset);
      switch (random_() % 8) {
        case 0:
        case 1:
        case 2: {
          const std::string bytes = random_bytes(size);
          ASSERT_EQ(write_string(*disk, offset, bytes), 0);
          std::copy(bytes.begin(), bytes.end(), at);
          break;
        }
        case 3:
          ASSERT_EQ(disk->write_zeroes(offset, size, random_() % 2 == 0), 0);
          std::fill(at, at + static_cast<std::ptrdiff_t>(size), '\0');
          break;
        case 4: {
          ASSERT_EQ(disk->discard(offset, size), 0);
          // It reads as before or as zeros, sector by sector.
          const std::string now = read_string(*disk, offset, size);
          for (u64 s = 0; s < size; s += 512) {
            const bool is_zero = now.compare(s, 512, std::string(512, '\0')) == 0;
            ASSERT_TRUE(is_zero || now.compare(s, 512, model, offset + s, 512) == 0) << offset + s;
          }
          std::copy(now.begin(), now.end(), at);
          break;
        }
        case 5:
          ASSERT_EQ(disk->flush(), 0);
          break;
        default:
          ASSERT_TRUE(read_string(*disk, offset, size) == model.substr(offset, size)) << offset << " " << size;
      }
    }
    ASSERT_TRUE(read_string(*disk, 0, shape.size) == model);
    disk.reset();
    expect_clean(path);
    if (round == 2 && has_qemu_img() && shape.version == 3 && shape.refcount_order > 0) {
      // From here on everything is shared with a snapshot, which must stay as it is.
      ASSERT_EQ(qemu_img("snapshot -c before " + path), 0);
      ASSERT_EQ(qemu_img("convert -O raw " + path + " " + scratch_.path("before.raw")), 0);
    }
  }
  if (!has_qemu_img()) return;
  ASSERT_EQ(qemu_img("convert -O raw " + path + " " + scratch_.path("after.raw")), 0);
  EXPECT_TRUE(read_string(*must_open(scratch_.path("after.raw")), 0, shape.size) == model);
  std::string out;
  if (shape.version == 3 && shape.refcount_order > 0) {
    ASSERT_EQ(qemu_img("convert -l before -O raw " + path + " " + scratch_.path("before2.raw"), &out), 0) << out;
    EXPECT_TRUE(read_string(*must_open(scratch_.path("before2.raw")), 0, shape.size) ==
                read_string(*must_open(scratch_.path("before.raw")), 0, shape.size));
    ASSERT_EQ(qemu_img("snapshot -d before " + path), 0);
    expect_clean(path);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Qcow2Model,
    testing::Values(
        Shape{"Default", 3, 16, 4, false, false, 6u << 20}, Shape{"Backing", 3, 16, 4, false, true, 6u << 20},
        Shape{"Version2", 2, 16, 4, false, false, 3u << 20}, Shape{"Version2Backing", 2, 12, 4, false, true, 1u << 20},
        Shape{"Lazy", 3, 16, 4, true, true, 6u << 20}, Shape{"Small", 3, 9, 4, false, true, 1u << 20},
        Shape{"SmallWide", 3, 9, 6, false, false, (1u << 20) + 512}, Shape{"Bit", 3, 12, 0, false, true, 1u << 20},
        Shape{"TwoBits", 3, 12, 1, false, true, 1u << 20}, Shape{"Byte", 3, 10, 3, false, false, 512u * 1537},
        Shape{"Long", 3, 13, 5, true, false, 2u << 20}, Shape{"Huge", 3, 21, 4, false, true, 9u << 20}),
    [](const auto& each) { return each.param.name; });

TEST(Qcow2Threads, WritersOfTheirOwnPlacesDoNotDisturbEachOther) {
  constexpr u64 kSize = 8 << 20, kPiece = 4096;
  Scratch scratch;
  qcow2::Header header;
  header.size = kSize;
  const std::string base(kSize, 'b');
  scratch.file("base", base);
  header.backing_file = "base";
  header.backing_format = "raw";
  const std::string path = scratch.qcow2("disk", header);
  auto disk = must_open(path, {.no_flush = true});
  // Each thread owns every fourth piece: neighbours share clusters.
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (u64 self = 0; self < 4; ++self) {
    threads.emplace_back([&, self] {
      std::mt19937_64 random(self);
      std::vector<char> content(kSize / kPiece, 'b');
      for (int i = 0; i < 1500; ++i) {
        const u64 piece = random() % (kSize / kPiece / 4) * 4 + self;
        std::string bytes(kPiece, '\0');
        switch (random() % 5) {
          case 0:
            failures += disk->read(piece * kPiece, std::as_writable_bytes(std::span(bytes))) != 0;
            failures += bytes != std::string(kPiece, content[piece]);
            break;
          case 1:
            failures += disk->write_zeroes(piece * kPiece, kPiece, true) != 0;
            content[piece] = '\0';
            break;
          case 2:
            if (i % 50 == 0) failures += disk->flush() != 0;
            break;
          default:
            content[piece] = static_cast<char>('A' + random() % 26);
            failures +=
                disk->write(piece * kPiece, std::as_bytes(std::span(bytes.assign(kPiece, content[piece])))) != 0;
        }
      }
      std::string bytes(kPiece, '\0');
      for (u64 piece = self; piece < content.size(); piece += 4) {
        failures += disk->read(piece * kPiece, std::as_writable_bytes(std::span(bytes))) != 0;
        failures += bytes != std::string(kPiece, content[piece]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  disk.reset();
  expect_clean(path);
}

}  // namespace
}  // namespace pagoda::test
