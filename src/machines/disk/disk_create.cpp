// SPDX-License-Identifier: MIT
// "pagoda disk create": new images.
#include <unistd.h>
#include <cstring>

#include "devices/storage/host_file.h"
#include "devices/storage/qcow2/create.h"
#include "devices/storage/qcow2/qcow2_image.h"
#include "devices/storage/raw_image.h"
#include "machines/disk/disk_tool.h"

namespace pagoda::disk_tool {
namespace {

using Preallocation = DiskCommand::Preallocation;

Result<> host_result(const std::string& path, int error) {
  if (error == 0) return {};
  return fail("disk image {}: {}", path, std::strerror(error));
}

Result<qcow2::Header> header_of(const DiskCommand& command, u64 size) {
  qcow2::Header header;
  header.version = command.version.value_or(3);
  header.cluster_bits = command.cluster_bits.value_or(16);
  header.refcount_order = command.refcount_order.value_or(4);
  header.size = size;
  header.backing_file = command.backing_file;
  header.backing_format = command.backing_format;
  if (command.lazy_refcounts.value_or(false)) header.compatible = qcow2::kCompatibleLazyRefcounts;
  if (command.zstd.value_or(false)) header.compression = qcow2::Compression::zstd;
  if (header.version == 2) {
    if (header.compatible != 0) return fail("lazy_refcounts=on needs compat=1.1");
    if (header.refcount_order != 4) return fail("refcount_bits other than 16 need compat=1.1");
    if (header.compression != qcow2::Compression::zlib) return fail("compression_type=zstd needs compat=1.1");
  }
  return header;
}

// The size of an image that has a backing file and none of its own, and that the backing file can be used.
Result<u64> backing_size(const DiskCommand& command, const std::string& path) {
  TRY_ASSIGN(const std::string backing, resolve_backing(path, command.backing_file));
  TRY_ASSIGN(const DiskFormat format, format_named(command.backing_format));
  auto disk = open_disk(backing, {.format = format, .read_only = true});
  if (!disk) return fail("backing file: {}", disk.error().message);
  return (*disk)->size();
}

std::string description(const std::string& path, DiskFormat format, const qcow2::Header& header, u64 size,
                        const DiskCommand& command) {
  std::string text = fmt::format("Formatting '{}', fmt={}", path, format == DiskFormat::raw ? "raw" : "qcow2");
  if (format == DiskFormat::raw) {
    text += fmt::format(" size={}", size);
  } else {
    text += fmt::format(" cluster_size={} extended_l2=off compression_type={} size={}", header.cluster_size(),
                        header.compression == qcow2::Compression::zstd ? "zstd" : "zlib", size);
    if (command.version) text += fmt::format(" compat={}", *command.version == 2 ? "0.10" : "1.1");
    if (!header.backing_file.empty()) text += fmt::format(" backing_file={}", header.backing_file);
    if (!header.backing_format.empty()) text += fmt::format(" backing_fmt={}", header.backing_format);
  }
  static constexpr const char* kPreallocations[] = {"off", "metadata", "falloc", "full"};
  if (command.preallocation != Preallocation::off)
    text += fmt::format(" preallocation={}", kPreallocations[static_cast<u8>(command.preallocation)]);
  if (format == DiskFormat::qcow2)
    text += fmt::format(" lazy_refcounts={} refcount_bits={}", header.compatible != 0 ? "on" : "off",
                        1u << header.refcount_order);
  return text;
}

Result<> fill(HostFile& file, Preallocation preallocation, u64 from, u64 to) {
  if (preallocation == Preallocation::falloc && to > from) TRY(host_result(file.path(), file.reserve(from, to - from)));
  if (preallocation != Preallocation::full) return {};
  const std::vector<std::byte> zeros(1 << 20);
  for (u64 at = from; at < to; at += zeros.size())
    TRY(host_result(file.path(), file.write(at, zeros.data(), std::min<u64>(zeros.size(), to - at))));
  return host_result(file.path(), file.sync());
}

Result<std::unique_ptr<DiskImage>> make_raw(const DiskCommand& command, std::unique_ptr<HostFile> file, u64 size) {
  if (!command.backing_file.empty()) return fail("a raw image cannot have a backing file");
  if (command.preallocation == Preallocation::metadata) return fail("preallocation=metadata is not for raw images");
  if (file->is_block_device()) {
    int error = 0;
    if (file->size(&error) < size) return fail("disk image {}: is smaller than {} bytes", file->path(), size);
  } else {
    TRY(host_result(file->path(), file->resize(size)));
  }
  TRY(fill(*file, command.preallocation, 0, size));
  return RawImage::open(std::move(file), true, false);
}

Result<std::unique_ptr<DiskImage>> make_qcow2(const DiskCommand& command, std::unique_ptr<HostFile> file,
                                              qcow2::Header header, bool unsafe) {
  if (command.preallocation != Preallocation::off && !header.backing_file.empty())
    return fail("preallocation and a backing file exclude each other");
  const std::string path = file->path();
  TRY(qcow2::create(*file, header));
  const u64 tables_end = header.l1_offset + u64{header.l1_size} * 8;
  std::unique_ptr<DiskImage> backing;
  if (!header.backing_file.empty() && !unsafe) {
    TRY_ASSIGN(const std::string name, resolve_backing(path, header.backing_file));
    TRY_ASSIGN(const DiskFormat format, format_named(header.backing_format));
    TRY_ASSIGN(backing, open_disk(name, {.format = format, .read_only = true}));
  }
  TRY_ASSIGN(auto disk, Qcow2Image::open(std::move(file), header, std::move(backing), {}));
  if (command.preallocation != Preallocation::off) {
    TRY(host_result(path, disk->allocate_all()));
    TRY(host_result(path, disk->flush()));
    int error = 0;
    const u64 end = disk->file().size(&error);
    // Tables lie between the data: only holes may be filled, and reserving space leaves what is there.
    if (command.preallocation != Preallocation::metadata)
      TRY(host_result(path, disk->file().reserve(tables_end, end - tables_end)));
    if (command.preallocation == Preallocation::full) {
      const std::vector<std::byte> zeros(1 << 20);
      for (u64 at = 0; at < disk->size(); at += zeros.size()) {
        const std::span part = std::span(zeros).first(std::min<u64>(zeros.size(), disk->size() - at));
        TRY(host_result(path, static_cast<DiskImage&>(*disk).write(at, part)));
      }
    }
  }
  return disk;
}

}  // namespace

Result<std::unique_ptr<DiskImage>> make_disk_file(const DiskCommand& command, const std::string& path,
                                                  DiskFormat format, u64 size, bool announce) {
  size = (size + DiskImage::kSectorSize - 1) & ~(DiskImage::kSectorSize - 1);
  qcow2::Header header;
  if (format == DiskFormat::qcow2) {
    TRY_ASSIGN(header, header_of(command, size));
    if (header.l1_needed() * 8 > qcow2::kMaxL1Bytes)
      return fail("disk image {}: {} bytes are too many for clusters of {} bytes", path, size, header.cluster_size());
  }
  if (announce) fmt::print("{}\n", description(path, format, header, size, command));
  TRY_ASSIGN(auto file, HostFile::create(path));
  auto disk = format == DiskFormat::raw ? make_raw(command, std::move(file), size)
                                        : make_qcow2(command, std::move(file), header, command.unsafe_backing);
  if (!disk) unlink(path.c_str());  // half an image is of no use
  return disk;
}

Result<int> create(const DiskCommand& command) {
  TRY_ASSIGN(DiskFormat format, format_named(command.format));
  if (format == DiskFormat::probe) format = DiskFormat::raw;
  u64 size = command.size.value_or(0);
  if (format == DiskFormat::raw && !command.backing_file.empty()) return fail("a raw image cannot have a backing file");
  if (!command.backing_file.empty() && command.backing_format.empty())
    return fail("-b {}: the backing file's format is missing (-F)", command.backing_file);
  if (!command.backing_file.empty() && !(command.unsafe_backing && command.size)) {
    TRY_ASSIGN(const u64 below, backing_size(command, command.file));
    if (!command.size) size = below;
  } else if (!command.size) {
    return fail("disk image {}: a size is missing", command.file);
  }
  TRY(make_disk_file(command, command.file, format, size, !command.quiet));
  return 0;
}

}  // namespace pagoda::disk_tool
