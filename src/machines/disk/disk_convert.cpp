// SPDX-License-Identifier: MIT
// "pagoda disk convert": the content of one image, its backing files included, in a new one.
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <vector>

#include "devices/storage/qcow2/qcow2_image.h"
#include "machines/disk/disk_tool.h"

namespace pagoda::disk_tool {
namespace {

constexpr u64 kBuffer = u64{2} << 20;
constexpr u64 kSparse = 4096;  // so many zeros in a row need not be written

bool is_zero(std::span<const std::byte> bytes) {
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Writes what is not zero; the rest of a new image is, that of an old one (`old`) is made so.
int write_sparsely(DiskImage& to, u64 offset, std::span<const std::byte> bytes, bool old) {
  while (!bytes.empty()) {
    u64 zeros = 0, data = 0;
    while (zeros < bytes.size() && is_zero(bytes.subspan(zeros, std::min(kSparse, bytes.size() - zeros))))
      zeros += std::min(kSparse, bytes.size() - zeros);
    while (zeros + data < bytes.size() &&
           !is_zero(bytes.subspan(zeros + data, std::min(kSparse, bytes.size() - zeros - data))))
      data += std::min(kSparse, bytes.size() - zeros - data);
    if (old && zeros != 0) {
      if (const int error = to.write_zeroes(offset, zeros, true)) return error;
    }
    if (data != 0) {
      if (const int error = to.write(offset + zeros, bytes.subspan(zeros, data))) return error;
    }
    bytes = bytes.subspan(zeros + data);
    offset += zeros + data;
  }
  return 0;
}

int write_clusters(Qcow2Image& to, u64 offset, std::span<const std::byte> bytes, bool old) {
  const u64 cluster = to.header().cluster_size();
  for (u64 at = 0; at < bytes.size(); at += cluster) {
    const std::span part = bytes.subspan(at, std::min(cluster, bytes.size() - at));
    if (is_zero(part)) {
      if (const int error = old ? to.write_zeroes(offset + at, part.size(), true) : 0) return error;
      continue;
    }
    if (const int error = to.write_compressed(offset + at, part)) return error;
  }
  return 0;
}

Result<> copy(DiskImage& from, DiskImage& to, bool compress, bool old) {
  std::vector<std::byte> buffer(kBuffer);
  const auto failed = [](const DiskImage& disk, int error) {
    return fail("disk image {}: {}", disk.path(), std::strerror(error));
  };
  for (u64 offset = 0; offset < from.size();) {
    const u64 chunk = std::min(kBuffer, from.size() - offset);
    bool any_data = false;
    for (u64 at = 0; at < chunk;) {
      DiskImage::Extent extent;
      if (const int error = from.extent(offset + at, chunk - at, &extent)) return failed(from, error);
      const std::span part = std::span(buffer).subspan(at, extent.size);
      if (extent.zero) {
        std::ranges::fill(part, std::byte{0});
      } else {
        any_data = true;
        if (const int error = from.read(offset + at, part)) return failed(from, error);
      }
      at += extent.size;
    }
    const std::span<const std::byte> bytes = std::span(buffer).first(chunk);
    if (any_data || old) {
      const int error = compress ? write_clusters(static_cast<Qcow2Image&>(to), offset, bytes, old)
                                 : write_sparsely(to, offset, bytes, old);
      if (error != 0) return failed(to, error);
    }
    offset += chunk;
  }
  if (const int error = to.flush()) return failed(to, error);
  return {};
}

}  // namespace

Result<int> convert(const DiskCommand& command) {
  TRY_ASSIGN(const DiskFormat from_format, format_named(command.format));
  TRY_ASSIGN(DiskFormat to_format, format_named(command.output_format));
  if (to_format == DiskFormat::probe) to_format = DiskFormat::raw;
  if (command.compress && to_format == DiskFormat::raw) return fail("-c: a raw image cannot be compressed");
  if (!command.backing_file.empty()) return fail("-o backing_file: convert makes images without a backing file");
  TRY_ASSIGN(const auto from,
             open_disk(command.file, {.format = from_format, .read_only = true, .locking = !command.force_share}));
  std::error_code ignored;
  if (std::filesystem::equivalent(command.file, command.output, ignored))  // locks would say so, without -U
    return fail("disk image {}: locked by another instance", command.output);
  std::unique_ptr<DiskImage> to;
  if (command.into_existing) {
    TRY_ASSIGN(to, open_disk(command.output, {.format = to_format}));
    if (to->size() < from->size())
      return fail("disk image {}: its {} bytes are fewer than the {} to be converted", command.output, to->size(),
                  from->size());
  } else {
    TRY_ASSIGN(to, make_disk_file(command, command.output, to_format, from->size(), false));
  }
  const bool old = command.into_existing;
  if (auto copied = copy(*from, *to, command.compress, old); !copied) {
    to.reset();
    if (!command.into_existing) unlink(command.output.c_str());
    return std::unexpected(std::move(copied.error()));
  }
  return 0;
}

}  // namespace pagoda::disk_tool
