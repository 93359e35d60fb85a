// SPDX-License-Identifier: MIT
// What the disk tests share: a folder that goes away, new images, qemu-img where it is installed.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "devices/storage/host_file.h"
#include "devices/storage/qcow2/check_image.h"
#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda::test {

class Scratch {
 public:
  Scratch();
  ~Scratch();
  std::string path(const std::string& name) const { return dir_ + "/" + name; }
  // A file of these bytes.
  std::string file(const std::string& name, const std::string& content) const;
  // An empty qcow2 image; the header's fields as in qcow2::create().
  std::string qcow2(const std::string& name, qcow2::Header header) const;

 private:
  std::string dir_;
};

std::unique_ptr<DiskImage> must_open(const std::string& path, DiskOptions options = {});
std::string open_error(const std::string& path, DiskOptions options = {});
std::string read_string(DiskImage& disk, u64 offset, u64 size);
int write_string(DiskImage& disk, u64 offset, const std::string& bytes);
qcow2::CheckResult check(const std::string& path, qcow2::Repair repair = qcow2::Repair::none);
// No corruption and, unless they are allowed, no leaks; and the same by qemu-img where there is one.
void expect_clean(const std::string& path, bool leaks_allowed = false);
bool has_qemu_img();
// Its exit status; output in *out.
int qemu_img(const std::string& arguments, std::string* out = nullptr);

}  // namespace pagoda::test
