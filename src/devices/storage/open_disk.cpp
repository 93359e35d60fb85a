// SPDX-License-Identifier: MIT
// Opening disks: format, backing chain, temporary overlays.
#include <sys/stat.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "devices/storage/disk_image.h"
#include "devices/storage/host_file.h"
#include "devices/storage/qcow2/create.h"
#include "devices/storage/qcow2/qcow2_image.h"
#include "devices/storage/raw_image.h"

namespace pagoda {
namespace {

constexpr std::size_t kMaxChain = 64;

Result<DiskFormat> probe(const HostFile& file) {
  u8 magic[4];
  if (const int error = file.read_padded(0, magic, sizeof magic))
    return fail("disk image {}: {}", file.path(), std::strerror(error));
  return qcow2::load_be<u32>(magic) == qcow2::kMagic ? DiskFormat::qcow2 : DiskFormat::raw;
}

using Chain = std::vector<std::pair<u64, u64>>;  // identities of the files above

Result<std::unique_ptr<DiskImage>> open_in_chain(const std::string& path, const DiskOptions& options, Chain chain);

Result<std::unique_ptr<DiskImage>> open_backing(const HostFile& file, const qcow2::Header& header,
                                                const DiskOptions& options, Chain chain) {
  if (header.backing_file.empty() || options.no_backing) return std::unique_ptr<DiskImage>();
  DiskOptions below = options;
  below.read_only = true;
  below.snapshot = false;
  below.format = DiskFormat::probe;
  if (header.backing_format == "raw") {
    below.format = DiskFormat::raw;
  } else if (header.backing_format == "qcow2") {
    below.format = DiskFormat::qcow2;
  } else if (!header.backing_format.empty()) {
    return fail("disk image {}: its backing file has format '{}', which is not supported", file.path(),
                header.backing_format);
  }
  TRY_ASSIGN(const std::string path, resolve_backing(file.path(), header.backing_file));
  auto backing = open_in_chain(path, below, std::move(chain));
  if (!backing) return fail("disk image {}: backing file: {}", file.path(), backing.error().message);
  return backing;
}

Result<std::unique_ptr<DiskImage>> open_in_chain(const std::string& path, const DiskOptions& options, Chain chain) {
  // Before it is opened: that would only find it locked.
  struct stat status{};
  if (stat(path.c_str(), &status) == 0 &&
      std::ranges::find(chain, std::pair<u64, u64>(status.st_dev, status.st_ino)) != chain.end())
    return fail("disk image {}: is its own backing file", path);
  TRY_ASSIGN(auto file, HostFile::open(path, {.read_only = options.read_only,
                                              .direct = options.direct,
                                              .no_flush = options.no_flush,
                                              .locking = options.locking}));
  if (chain.size() == kMaxChain) return fail("disk image {}: more than {} backing files", path, kMaxChain);
  chain.push_back(file->identity());
  DiskFormat format = options.format;
  if (format == DiskFormat::probe) {
    TRY_ASSIGN(format, probe(*file));
  }
  if (format == DiskFormat::raw) return RawImage::open(std::move(file), options.unmap, options.format != format);
  TRY_ASSIGN(const qcow2::Header header, qcow2::read_header(*file));
  TRY_ASSIGN(auto backing, open_backing(*file, header, options, std::move(chain)));
  return Qcow2Image::open(std::move(file), header, std::move(backing), {.unmap = options.unmap});
}

}  // namespace

Result<std::unique_ptr<DiskImage>> open_disk(const std::string& path, const DiskOptions& options) {
  if (!options.snapshot) return open_in_chain(path, options, {});
  DiskOptions below = options;
  below.read_only = true;
  TRY_ASSIGN(auto disk, open_in_chain(path, below, {}));
  TRY_ASSIGN(auto file, HostFile::create_temporary());
  qcow2::Header header;
  header.size = disk->size();
  TRY(qcow2::create(*file, header));
  return Qcow2Image::open(std::move(file), header, std::move(disk), {.unmap = options.unmap});
}

Result<DiskFormat> probe_disk(const std::string& path, bool locking) {
  TRY_ASSIGN(const auto file, HostFile::open(path, {.read_only = true, .locking = locking}));
  return probe(*file);
}

Result<std::string> resolve_backing(const std::string& overlay, const std::string& name) {
  std::string_view path = name;
  if (path.starts_with("file:")) {
    path.remove_prefix(5);
  } else if (const std::size_t colon = path.find(':');
             colon != std::string_view::npos && path.find('/') > colon && path[0] != '.') {
    return fail("disk image {}: backing file '{}': only plain files are supported", overlay, name);
  }
  if (path.empty()) return fail("disk image {}: the backing file has no name", overlay);
  const std::size_t slash = overlay.rfind('/');
  if (path[0] == '/' || slash == std::string::npos) return std::string(path);
  return overlay.substr(0, slash + 1) + std::string(path);
}

}  // namespace pagoda
