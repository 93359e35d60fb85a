// SPDX-License-Identifier: MIT
// qcow2 files: what is refused and how, backing chains, locks, temporary overlays, damage, repair, and images that
// qemu-img made.
#include <fstream>
#include <iterator>

#include "disk/disk_scratch.h"

namespace pagoda::test {
namespace {

constexpr DiskOptions kReadOnly = {.read_only = true};

class Qcow2File : public testing::Test {
 protected:
  std::string image(const std::string& name = "disk", u64 size = 1 << 20) {
    qcow2::Header header;
    header.size = size;
    return scratch_.qcow2(name, header);
  }
  std::string overlay(const std::string& name, const std::string& backing, const std::string& format = "qcow2") {
    qcow2::Header header;
    header.size = 1 << 20;
    header.backing_file = backing;
    header.backing_format = format;
    return scratch_.qcow2(name, header);
  }
  static std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Big-endian bytes of the file.
  template <class T>
  static void poke(const std::string& path, u64 offset, T value) {
    std::fstream file(path, std::ios::in | std::ios::out);
    char raw[sizeof(T)];
    qcow2::store_be<T>(raw, value);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(raw, sizeof raw);
  }
  static u64 peek(const std::string& path, u64 offset) {
    return qcow2::load_be<u64>(content(path).substr(offset, 8).data());
  }
  std::string said(const std::string& path, const std::string& what) { return "disk image " + path + ": " + what; }

  Scratch scratch_;
};

TEST_F(Qcow2File, FeaturesThatAreNotThereAreRefusedByName) {
  const std::string path = image();
  const std::string prefix = "uses a qcow2 feature that is not supported: ";
  for (const auto& [bits, name] : std::vector<std::pair<u64, std::string>>{
           {4, "external data file"}, {16, "extended L2 entries"}, {u64{1} << 40, "incompatible feature bit 40"}}) {
    poke<u64>(path, 72, bits);
    EXPECT_EQ(open_error(path), said(path, prefix + name));
    EXPECT_EQ(open_error(path, kReadOnly), said(path, prefix + name));
  }
  poke<u64>(path, 72, 0);
  poke<u32>(path, 32, 2);
  EXPECT_EQ(open_error(path), said(path, "is encrypted, which is not supported"));
  poke<u32>(path, 32, 0);
  poke<u32>(path, 4, 1);
  EXPECT_EQ(open_error(path), said(path, "qcow2 version 1 is not supported (2 and 3 are)"));
  poke<u32>(path, 4, 3);
  EXPECT_EQ(open_error(path), "");
  EXPECT_EQ(open_error(scratch_.file("text", "hello"), {.format = DiskFormat::qcow2}),
            said(scratch_.path("text"), "not in qcow2 format"));
}

TEST_F(Qcow2File, MalformedHeadersAreRefused) {
  const std::string path = image();
  const std::string good = content(path);
  const auto refused = [&](u64 offset, auto value, const std::string& what) {
    scratch_.file("disk", good);
    poke(path, offset, value);
    const std::string error = open_error(path, kReadOnly);
    EXPECT_NE(error.find(what), std::string::npos) << error;
  };
  refused(20, u32{8}, "clusters of 2^8 bytes");
  refused(20, u32{22}, "clusters of 2^22 bytes");
  refused(24, u64{1} << 40, "an L1 table of 1 entries");
  refused(36, u32{0}, "an L1 table of 0 entries");
  refused(40, u64{0x30001}, "an L1 table of 8 bytes at 0x30001");
  refused(40, u64{1} << 40, "beyond the file's end");
  refused(48, u64{1} << 60, "a refcount table");
  refused(56, u32{0}, "a refcount table of 0 clusters");
  refused(60, u32{1}, "snapshot");
  refused(96, u32{7}, "refcounts of 2^7 bits");
  refused(100, u32{8}, "a header of 8 bytes");
  refused(8, u64{1} << 32, "backing file name");
  scratch_.file("disk", good.substr(0, 90));
  EXPECT_NE(open_error(path, kReadOnly).find("cut short"), std::string::npos);
}

TEST_F(Qcow2File, BackingFilesAreFoundBesideTheOverlay) {
  const std::string base = scratch_.file("base.raw", std::string(4096, 'r') + std::string(4096, 's'));
  overlay("middle", "base.raw", "raw");
  const std::string top = overlay("top", "middle");
  auto disk = must_open(top);
  EXPECT_EQ(read_string(*disk, 0, 12288), std::string(4096, 'r') + std::string(4096, 's') + std::string(4096, '\0'));
  EXPECT_EQ(write_string(*disk, 512, std::string(512, 'w')), 0);
  disk.reset();
  EXPECT_EQ(read_string(*must_open(top), 0, 4096),
            std::string(512, 'r') + std::string(512, 'w') + std::string(3072, 'r'));
  EXPECT_EQ(content(base), std::string(4096, 'r') + std::string(4096, 's'));
  expect_clean(top);
}

TEST_F(Qcow2File, BackingChainsThatDoNotWorkAreRefused) {
  const std::string self = overlay("self", "self");
  EXPECT_EQ(open_error(self), said(self, "backing file: ") + said(self, "is its own backing file"));
  overlay("a", "b");
  const std::string b = overlay("b", "a");
  EXPECT_NE(open_error(b).find("is its own backing file"), std::string::npos);
  const std::string missing = overlay("missing", "nowhere");
  EXPECT_NE(open_error(missing).find("nowhere: No such file or directory"), std::string::npos);
  const std::string nbd = overlay("nbd", "nbd:localhost:10809");
  EXPECT_EQ(open_error(nbd), said(nbd, "backing file 'nbd:localhost:10809': only plain files are supported"));
  const std::string other = overlay("other", "base", "vmdk");
  EXPECT_EQ(open_error(other), said(other, "its backing file has format 'vmdk', which is not supported"));
  std::string last = image("link0");
  for (int i = 1; i <= 64; ++i) last = overlay(fmt::format("link{}", i), fmt::format("link{}", i - 1));
  EXPECT_NE(open_error(last).find("more than 64 backing files"), std::string::npos);
}

TEST_F(Qcow2File, OneWriterOrManyReaders) {
  const std::string path = image();
  {
    const auto writer = must_open(path);
    EXPECT_EQ(open_error(path), said(path, "locked by another instance"));
    EXPECT_EQ(open_error(path, kReadOnly), said(path, "locked by another instance"));
    EXPECT_TRUE(!has_qemu_img() || qemu_img("check " + path) != 0) << "QEMU sees the lock";
  }
  const auto reader = must_open(path, kReadOnly);
  EXPECT_EQ(open_error(path, kReadOnly), "");
  EXPECT_EQ(open_error(path), said(path, "locked by another instance"));
}

TEST_F(Qcow2File, ASnapshotDiskForgets) {
  for (const std::string& path : {image(), scratch_.file("raw", std::string(1 << 20, 'r'))}) {
    const std::string before = content(path);
    auto disk = must_open(path, {.snapshot = true});
    EXPECT_FALSE(disk->read_only());
    EXPECT_EQ(write_string(*disk, 4096, std::string(8192, 'w')), 0);
    EXPECT_EQ(disk->flush(), 0);
    EXPECT_EQ(read_string(*disk, 4096, 8192), std::string(8192, 'w'));
    EXPECT_EQ(read_string(*disk, 0, 4096), before[0] == 'r' ? std::string(4096, 'r') : std::string(4096, '\0'));
    disk.reset();
    EXPECT_TRUE(content(path) == before);
  }
}

TEST_F(Qcow2File, AProbedRawDiskCannotBecomeAnotherFormat) {
  const std::string path = scratch_.file("raw", std::string(4096, 'r'));
  std::string magic(512, '\0');
  qcow2::store_be<u32>(magic.data(), qcow2::kMagic);
  EXPECT_EQ(write_string(*must_open(path), 0, magic), EPERM);
  EXPECT_EQ(write_string(*must_open(path, {.format = DiskFormat::raw}), 0, magic), 0);
}

TEST_F(Qcow2File, ReadOnlyImagesAreNotTouched) {
  const std::string path = image();
  const std::string before = content(path);
  auto disk = must_open(path, kReadOnly);
  EXPECT_EQ(write_string(*disk, 0, std::string(512, 'w')), EROFS);
  EXPECT_EQ(disk->discard(0, 65536), EROFS);
  EXPECT_EQ(disk->write_zeroes(0, 65536, true), EROFS);
  EXPECT_EQ(disk->flush(), 0);
  disk.reset();
  EXPECT_TRUE(content(path) == before);
}

TEST_F(Qcow2File, AnEntryThatMakesNoSenseMarksTheImageCorrupt) {
  const std::string path = image();
  ASSERT_EQ(write_string(*must_open(path), 0, std::string(1 << 17, 'd')), 0);
  const u64 l2 = peek(path, peek(path, 40)) & qcow2::kOffsetMask;
  // The second cluster lies where the refcount table is.
  poke<u64>(path, l2 + 8, qcow2::kCopied | peek(path, 48));
  auto disk = must_open(path);
  EXPECT_EQ(write_string(*disk, 65536, std::string(512, 'w')), EIO);
  EXPECT_EQ(write_string(*disk, 0, std::string(512, 'w')), EIO) << "nothing is written any more";
  EXPECT_EQ(disk->flush(), EIO);
  EXPECT_EQ(read_string(*disk, 0, 512), std::string(512, 'd'));
  disk.reset();
  EXPECT_EQ(peek(path, 72), qcow2::kIncompatibleCorrupt);
  EXPECT_NE(open_error(path).find("is marked as corrupt"), std::string::npos);
  EXPECT_EQ(open_error(path, kReadOnly), "");
  EXPECT_NE(check(path).corruptions, 0u);
}

TEST_F(Qcow2File, LeaksAndWrongRefcountsAreRepaired) {
  const std::string path = image("disk", 4 << 20);
  ASSERT_EQ(write_string(*must_open(path), 0, std::string(4 << 20, 'd')), 0);
  const u64 block = peek(path, peek(path, 48));
  const u64 l2 = peek(path, peek(path, 40)) & qcow2::kOffsetMask;
  const u64 cluster = (peek(path, l2 + 8 * 20) & qcow2::kOffsetMask) >> 16;
  poke<u16>(path, block + 2 * cluster, 0);        // in use without a refcount
  poke<u16>(path, block + 2 * (cluster + 1), 3);  // counted too often
  EXPECT_TRUE(!has_qemu_img() || qemu_img("check " + path) == 2);
  EXPECT_EQ(check(path).leaks, 1u);
  EXPECT_EQ(check(path).corruptions, 3u) << "and two flags that do not fit";
  const qcow2::CheckResult leaks = check(path, qcow2::Repair::leaks);
  EXPECT_EQ(leaks.leaks, 0u);
  EXPECT_NE(leaks.corruptions, 0u);
  const qcow2::CheckResult all = check(path, qcow2::Repair::all);
  EXPECT_EQ(all.corruptions + all.leaks, 0u);
  EXPECT_NE(all.corruptions_fixed, 0u);
  expect_clean(path);
  EXPECT_EQ(read_string(*must_open(path), 0, 4 << 20), std::string(4 << 20, 'd'));
}

TEST_F(Qcow2File, ALostRefcountTableIsMadeAnew) {
  const std::string path = image("disk", 4 << 20);
  ASSERT_EQ(write_string(*must_open(path), 0, std::string(4 << 20, 'd')), 0);
  poke<u64>(path, peek(path, 48), 0x1234567890);
  EXPECT_NE(check(path).corruptions, 0u);
  EXPECT_EQ(check(path, qcow2::Repair::all).corruptions, 0u);
  expect_clean(path);
  EXPECT_EQ(read_string(*must_open(path), 0, 4 << 20), std::string(4 << 20, 'd'));
}

TEST_F(Qcow2File, ADirtyImageIsRepairedWhenOpenedForWriting) {
  const std::string path = image("disk", 4 << 20);
  ASSERT_EQ(write_string(*must_open(path), 0, std::string(1 << 20, 'd')), 0);
  const u64 block = peek(path, peek(path, 48));
  for (u64 cluster = 5; cluster < 20; ++cluster) poke<u16>(path, block + 2 * cluster, 0);
  poke<u64>(path, 72, qcow2::kIncompatibleDirty);
  EXPECT_EQ(read_string(*must_open(path, kReadOnly), 0, 1 << 20), std::string(1 << 20, 'd'));
  EXPECT_EQ(peek(path, 72), qcow2::kIncompatibleDirty);
  must_open(path).reset();
  EXPECT_EQ(peek(path, 72), 0u);
  expect_clean(path);
}

TEST_F(Qcow2File, ReadsWhatQemuImgCompressed) {
  if (!has_qemu_img()) GTEST_SKIP() << "qemu-img is not installed";
  std::string text;
  for (u64 i = 0; text.size() < 1 << 20; ++i) text += fmt::format("line {} {}\n", i, i * 0x9e3779b97f4a7c15);
  text.resize(1 << 20);
  const std::string raw = scratch_.file("raw", text);
  for (const std::string type : {"zlib", "zstd"}) {
    for (const std::string cluster : {"512", "4k", "64k", "2M"}) {
      const std::string path = scratch_.path(type + cluster);
      std::string out;
      ASSERT_EQ(qemu_img("convert -c -O qcow2 -o compression_type=" + type + ",cluster_size=" + cluster + " " + raw +
                             " " + path,
                         &out),
                0)
          << out;
      EXPECT_TRUE(read_string(*must_open(path), 0, text.size()) == text) << path;
      // Written over, in places: the rest stays.
      {
        auto disk = must_open(path);
        ASSERT_EQ(write_string(*disk, 70000 / 512 * 512, std::string(1024, 'w')), 0);
        EXPECT_TRUE(read_string(*disk, 0, 65536) == text.substr(0, 65536));
      }
      expect_clean(path);
    }
  }
}

}  // namespace
}  // namespace pagoda::test
