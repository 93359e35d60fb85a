// SPDX-License-Identifier: MIT
// Temporary images and the oracle.
#include "disk/disk_scratch.h"

#include <sys/wait.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "devices/storage/qcow2/create.h"

namespace pagoda::test {

Scratch::Scratch() {
  std::string pattern = testing::TempDir() + "pagoda_disk_XXXXXX";
  CHECK(mkdtemp(pattern.data()) != nullptr);
  dir_ = pattern;
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

std::string Scratch::file(const std::string& name, const std::string& content) const {
  std::ofstream(path(name)) << content;
  return path(name);
}

std::string Scratch::qcow2(const std::string& name, qcow2::Header header) const {
  auto file = HostFile::create(path(name));
  CHECK(file.has_value(), "{}", file.error().message);
  const auto made = qcow2::create(**file, header);
  CHECK(made.has_value(), "{}", made.error().message);
  return path(name);
}

std::unique_ptr<DiskImage> must_open(const std::string& path, DiskOptions options) {
  auto disk = open_disk(path, options);
  CHECK(disk.has_value(), "{}", disk.error().message);
  return std::move(*disk);
}

std::string open_error(const std::string& path, DiskOptions options) {
  const auto disk = open_disk(path, options);
  return disk ? "" : disk.error().message;
}

std::string read_string(DiskImage& disk, u64 offset, u64 size) {
  std::string bytes(size, '?');
  const int error = disk.read(offset, std::as_writable_bytes(std::span(bytes)));
  EXPECT_EQ(error, 0);
  return bytes;
}

int write_string(DiskImage& disk, u64 offset, const std::string& bytes) {
  return disk.write(offset, std::as_bytes(std::span(bytes)));
}

qcow2::CheckResult check(const std::string& path, qcow2::Repair repair) {
  const auto file = HostFile::open(path, {.read_only = repair == qcow2::Repair::none});
  CHECK(file.has_value(), "{}", file.error().message);
  auto header = qcow2::read_header(**file);
  CHECK(header.has_value(), "{}", header.error().message);
  auto result = qcow2::check_image(**file, *header, repair);
  CHECK(result.has_value(), "{}", result.error().message);
  return *result;
}

void expect_clean(const std::string& path, bool leaks_allowed) {
  const qcow2::CheckResult ours = check(path);
  const std::string first = ours.messages.empty() ? "" : ours.messages[0];
  EXPECT_EQ(ours.corruptions + ours.errors, 0u) << first;
  EXPECT_TRUE(leaks_allowed || ours.leaks == 0) << first;
  if (!has_qemu_img()) return;
  std::string out;
  const int status = qemu_img("check " + path, &out);
  EXPECT_TRUE(status == 0 || (leaks_allowed && status == 3)) << status << ": " << out;
}

bool has_qemu_img() {
  static const bool has = std::system("qemu-img --version >/dev/null 2>&1") == 0;
  return has;
}

int qemu_img(const std::string& arguments, std::string* out) {
  std::FILE* pipe = popen(("qemu-img " + arguments + " 2>&1").c_str(), "r");
  CHECK(pipe != nullptr);
  std::string text;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) != 0;) text.append(buffer, n);
  const int status = pclose(pipe);
  if (out != nullptr) *out = text;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace pagoda::test
