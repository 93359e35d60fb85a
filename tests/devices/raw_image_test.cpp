// SPDX-License-Identifier: MIT
// Raw images: what can be opened, what is refused and how, locking, I/O.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "devices/storage/disk_image.h"

namespace pagoda::test {
namespace {

class RawImageTest : public testing::Test {
 protected:
  RawImageTest() {
    std::string pattern = testing::TempDir() + "pagoda_raw_XXXXXX";
    dir_ = mkdtemp(pattern.data());
  }
  ~RawImageTest() override {
    for (const std::string& path : files_) unlink(path.c_str());
    rmdir(dir_.c_str());
  }
  std::string make(const std::string& name, const std::string& content) {
    const std::string path = dir_ + "/" + name;
    std::ofstream(path) << content;
    files_.push_back(path);
    return path;
  }
  static auto open_raw(const std::string& path, bool read_only) {
    return open_disk(path, {.format = DiskFormat::raw, .read_only = read_only});
  }
  static std::string error_of(const std::string& path, bool read_only = false) {
    const auto file = open_raw(path, read_only);
    return file ? "" : file.error().message;
  }
  static std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

  std::string dir_;
  std::vector<std::string> files_;
};

TEST_F(RawImageTest, ReadsAndWritesWhereItIsTold) {
  const std::string path = make("disk", std::string(2048, 'a'));
  auto file = open_raw(path, false);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((*file)->size(), 2048u);
  EXPECT_EQ((*file)->write(512, bytes(std::string(512, 'b'))), 0);
  EXPECT_EQ((*file)->flush(), 0);
  std::string back(1536, '\0');
  EXPECT_EQ((*file)->read(0, std::as_writable_bytes(std::span(back))), 0);
  EXPECT_EQ(back, std::string(512, 'a') + std::string(512, 'b') + std::string(512, 'a'));
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 2048);
}

TEST_F(RawImageTest, ErrorsNameTheFileAndTheReason) {
  const std::string missing = dir_ + "/missing";
  EXPECT_EQ(error_of(missing), "disk image " + missing + ": No such file or directory");
  EXPECT_EQ(error_of(dir_), "disk image " + dir_ + ": is a directory");
  EXPECT_EQ(error_of(dir_, true), "disk image " + dir_ + ": is a directory");
  const std::string odd = make("odd", std::string(1000, 'a'));
  EXPECT_EQ(error_of(odd), "disk image " + odd + ": its size of 1000 bytes is not a multiple of 512");
  EXPECT_EQ(error_of("/dev/null"), "disk image /dev/null: is neither a file nor a block device");
  const std::string pipe = dir_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  files_.push_back(pipe);
  EXPECT_EQ(error_of(pipe, true), "disk image " + pipe + ": is neither a file nor a block device");
}

TEST_F(RawImageTest, ErrorsOfPermission) {
  const std::string path = make("disk", std::string(512, 'a'));
  const uid_t self = geteuid();
  if (self == 0) {  // root may read everything: be somebody else for a while
    chmod(dir_.c_str(), 0755);
    ASSERT_EQ(chown(path.c_str(), 65534, 65534), 0);
    ASSERT_EQ(seteuid(65534), 0);
  }
  chmod(path.c_str(), 0400);
  EXPECT_EQ(error_of(path),
            "disk image " + path + ": not writable: Permission denied (readonly=on opens it for reading)");
  EXPECT_EQ(error_of(path, true), "");
  chmod(path.c_str(), 0);
  EXPECT_EQ(error_of(path, true), "disk image " + path + ": Permission denied");
  ASSERT_EQ(seteuid(self), 0);
}

TEST_F(RawImageTest, OneWriterOrManyReaders) {
  const std::string path = make("disk", std::string(512, 'a'));
  const std::string locked = "disk image " + path + ": locked by another instance";
  {
    const auto writer = open_raw(path, false);
    ASSERT_TRUE(writer);
    EXPECT_EQ(error_of(path), locked);
    EXPECT_EQ(error_of(path, true), locked);
  }
  const auto reader = open_raw(path, true);
  ASSERT_TRUE(reader);
  EXPECT_EQ(error_of(path, true), "");
  EXPECT_EQ(error_of(path), locked);
}

TEST_F(RawImageTest, WithoutLockingNobodyIsToldOrAsked) {
  const std::string path = make("disk", std::string(512, 'a'));
  const DiskOptions unlocked{.format = DiskFormat::raw, .locking = false};
  const auto first = open_disk(path, unlocked);
  ASSERT_TRUE(first);
  const auto writer = open_raw(path, false);
  ASSERT_TRUE(writer) << "an unlocked file is anybody's";
  EXPECT_TRUE(open_disk(path, unlocked)) << "locks of others are not looked at";
}

TEST_F(RawImageTest, DiscardGivesSpaceBackAndZeroesReadAsZero) {
  auto file = open_raw(make("disk", std::string(1 << 20, 'a')), false);
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->discard(0, 512 << 10), 0);
  EXPECT_EQ((*file)->write_zeroes((512 << 10) + 512, 1024, false), 0);
  EXPECT_EQ((*file)->write_zeroes((1 << 20) - 4096, 4096, true), 0);
  std::string back(512 << 10, 'x');
  EXPECT_EQ((*file)->read(512 << 10, std::as_writable_bytes(std::span(back))), 0);
  EXPECT_EQ(back.substr(0, 2048), std::string(512, 'a') + std::string(1024, '\0') + std::string(512, 'a'));
  EXPECT_EQ(back.substr(back.size() - 4097), "a" + std::string(4096, '\0'));
  EXPECT_EQ((*file)->size(), 1u << 20);
}

TEST_F(RawImageTest, AShortenedFileIsAnError) {
  const std::string path = make("disk", std::string(1024, 'a'));
  auto file = open_raw(path, false);
  ASSERT_TRUE(file);
  ASSERT_EQ(truncate(path.c_str(), 512), 0);
  std::string back(1024, '\0');
  EXPECT_EQ((*file)->read(0, std::as_writable_bytes(std::span(back))), EIO);
}

TEST_F(RawImageTest, WritingAReadOnlyFileIsAnError) {
  auto file = open_raw(make("disk", std::string(512, 'a')), true);
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->read_only());
  EXPECT_EQ((*file)->write(0, bytes(std::string(512, 'b'))), EBADF);
  EXPECT_EQ((*file)->flush(), 0);
}

}  // namespace
}  // namespace pagoda::test
