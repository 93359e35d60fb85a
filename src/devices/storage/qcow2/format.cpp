// SPDX-License-Identifier: MIT
// qcow2 headers: read with distrust, written whole only for new images.
#include "devices/storage/qcow2/format.h"

#include <algorithm>
#include <array>

namespace pagoda::qcow2 {
namespace {

constexpr std::array<std::string_view, 5> kIncompatibleNames = {"dirty bit", "corrupt bit", "external data file",
                                                                "compression type", "extended L2 entries"};

Result<> parse_extensions(std::span<const u8> bytes, u64 end, const std::string& path, Header* header) {
  u64 at = header->version == 2 ? kHeaderSizeV2 : header->length;
  while (at + 8 <= end) {
    const u32 type = load_be<u32>(&bytes[at]);
    const u64 size = load_be<u32>(&bytes[at + 4]);
    at += 8;
    if (type == kExtensionEnd) break;
    if (size > end - at) return fail("disk image {}: malformed: a header extension is longer than the header", path);
    if (type == kExtensionBackingFormat) {
      header->backing_format.assign(reinterpret_cast<const char*>(&bytes[at]), size);
    } else if (type == kExtensionBitmaps && (header->autoclear & kAutoclearBitmaps) != 0) {
      if (size < 24) return fail("disk image {}: malformed: the bitmaps extension has {} bytes", path, size);
      header->bitmaps = load_be<u32>(&bytes[at]);
      header->bitmaps_size = load_be<u64>(&bytes[at + 8]);
      header->bitmaps_offset = load_be<u64>(&bytes[at + 16]);
    }
    at += (size + 7) & ~u64{7};
  }
  return {};
}

Result<> parse_features(std::span<const u8> bytes, const std::string& path, Header* header) {
  if (header->version == 2) {
    header->length = kHeaderSizeV2;
    return {};
  }
  if (bytes.size() < kHeaderSizeV3) return fail("disk image {}: malformed: the header is cut short", path);
  header->incompatible = load_be<u64>(&bytes[kHeaderIncompatible]);
  header->compatible = load_be<u64>(&bytes[80]);
  header->autoclear = load_be<u64>(&bytes[kHeaderAutoclear]);
  header->refcount_order = load_be<u32>(&bytes[96]);
  header->length = load_be<u32>(&bytes[100]);
  if (header->length < kHeaderSizeV3 || header->length > bytes.size())
    return fail("disk image {}: malformed: a header of {} bytes", path, header->length);
  const u64 unsupported =
      header->incompatible & ~(kIncompatibleDirty | kIncompatibleCorrupt | kIncompatibleCompression);
  if (unsupported != 0) {
    const u32 bit = static_cast<u32>(std::countr_zero(unsupported));
    return fail("disk image {}: uses a qcow2 feature that is not supported: {}", path,
                bit < kIncompatibleNames.size() ? std::string(kIncompatibleNames[bit])
                                                : fmt::format("incompatible feature bit {}", bit));
  }
  if (header->refcount_order > 6)
    return fail("disk image {}: malformed: refcounts of 2^{} bits", path, header->refcount_order);
  u8 compression = 0;
  if (header->length > kHeaderSizeV3) compression = bytes[kHeaderSizeV3];
  if (compression > static_cast<u8>(Compression::zstd))
    return fail("disk image {}: uses compression type {}, which is not supported", path, compression);
  if ((compression != 0) != ((header->incompatible & kIncompatibleCompression) != 0))
    return fail("disk image {}: malformed: compression type {} against its feature bit", path, compression);
  header->compression = static_cast<Compression>(compression);
  return {};
}

// A table of `size` bytes that must lie in clusters of its own.
Result<> check_table(const Header& header, u64 offset, u64 size, std::string_view what, const std::string& path) {
  if ((offset & header.cluster_mask()) != 0 || offset > kMaxOffset - size || (offset == 0 && size != 0))
    return fail("disk image {}: malformed: {} of {} bytes at {:#x}", path, what, size, offset);
  return {};
}

}  // namespace

Result<Header> parse_header(std::span<const u8> bytes, const std::string& path) {
  if (bytes.size() < 4 || load_be<u32>(bytes.data()) != kMagic) return fail("disk image {}: not in qcow2 format", path);
  if (bytes.size() < kHeaderSizeV2) return fail("disk image {}: malformed: the header is cut short", path);
  Header header;
  header.version = load_be<u32>(&bytes[4]);
  if (header.version != 2 && header.version != 3)
    return fail("disk image {}: qcow2 version {} is not supported (2 and 3 are)", path, header.version);
  const u64 backing_offset = load_be<u64>(&bytes[8]);
  const u32 backing_size = load_be<u32>(&bytes[16]);
  header.cluster_bits = load_be<u32>(&bytes[20]);
  header.size = load_be<u64>(&bytes[24]);
  const u32 encryption = load_be<u32>(&bytes[32]);
  header.l1_size = load_be<u32>(&bytes[36]);
  header.l1_offset = load_be<u64>(&bytes[40]);
  header.reftable_offset = load_be<u64>(&bytes[kHeaderReftable]);
  header.reftable_clusters = load_be<u32>(&bytes[kHeaderReftable + 8]);
  header.snapshots = load_be<u32>(&bytes[60]);
  header.snapshots_offset = load_be<u64>(&bytes[64]);
  if (header.cluster_bits < kMinClusterBits || header.cluster_bits > kMaxClusterBits)
    return fail("disk image {}: malformed: clusters of 2^{} bytes", path, header.cluster_bits);
  if (encryption != 0) return fail("disk image {}: is encrypted, which is not supported", path);
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), header.cluster_size()));
  TRY(parse_features(bytes, path, &header));

  u64 extensions_end = bytes.size();
  if (backing_offset != 0) {
    if (backing_size > kMaxBackingName || backing_offset > bytes.size() || backing_size > bytes.size() - backing_offset)
      return fail("disk image {}: malformed: a backing file name of {} bytes at {:#x}", path, backing_size,
                  backing_offset);
    header.backing_file.assign(reinterpret_cast<const char*>(&bytes[backing_offset]), backing_size);
    if (header.backing_file.find('\0') != std::string::npos)
      return fail("disk image {}: malformed: the backing file's name has a zero byte", path);
    extensions_end = backing_offset;
  }
  TRY(parse_extensions(bytes, extensions_end, path, &header));

  if (header.size > u64{1} << 62) return fail("disk image {}: malformed: a disk of {} bytes", path, header.size);
  if (header.l1_size > kMaxL1Bytes / 8 || header.l1_size < header.l1_needed())
    return fail("disk image {}: malformed: an L1 table of {} entries for {} bytes", path, header.l1_size, header.size);
  TRY(check_table(header, header.l1_offset, u64{header.l1_size} * 8, "an L1 table", path));
  const u64 reftable_bytes = u64{header.reftable_clusters} << header.cluster_bits;
  if (header.reftable_clusters == 0 || reftable_bytes > kMaxReftableBytes)
    return fail("disk image {}: malformed: a refcount table of {} clusters", path, header.reftable_clusters);
  TRY(check_table(header, header.reftable_offset, reftable_bytes, "a refcount table", path));
  if (header.snapshots > kMaxSnapshots)
    return fail("disk image {}: malformed: {} internal snapshots", path, header.snapshots);
  if (header.snapshots != 0) TRY(check_table(header, header.snapshots_offset, 40, "a snapshot table", path));
  if (header.bitmaps != 0) TRY(check_table(header, header.bitmaps_offset, header.bitmaps_size, "bitmaps", path));
  return header;
}

std::vector<u8> format_header(const Header& header) {
  std::vector<u8> bytes(header.cluster_size());
  store_be<u32>(&bytes[0], kMagic);
  store_be<u32>(&bytes[4], header.version);
  store_be<u32>(&bytes[20], header.cluster_bits);
  store_be<u64>(&bytes[24], header.size);
  store_be<u32>(&bytes[36], header.l1_size);
  store_be<u64>(&bytes[40], header.l1_offset);
  store_be<u64>(&bytes[kHeaderReftable], header.reftable_offset);
  store_be<u32>(&bytes[kHeaderReftable + 8], header.reftable_clusters);
  u64 at = kHeaderSizeV2;
  if (header.version >= 3) {
    store_be<u64>(&bytes[kHeaderIncompatible], header.incompatible);
    store_be<u64>(&bytes[80], header.compatible);
    store_be<u64>(&bytes[kHeaderAutoclear], header.autoclear);
    store_be<u32>(&bytes[96], header.refcount_order);
    store_be<u32>(&bytes[100], kHeaderSizeFull);
    bytes[kHeaderSizeV3] = static_cast<u8>(header.compression);
    at = kHeaderSizeFull;
  }
  const auto extension = [&](u32 type, std::string_view content) {
    store_be<u32>(&bytes[at], type);
    store_be<u32>(&bytes[at + 4], static_cast<u32>(content.size()));
    std::memcpy(&bytes[at + 8], content.data(), content.size());
    at += 8 + ((content.size() + 7) & ~std::size_t{7});
  };
  if (!header.backing_format.empty()) extension(kExtensionBackingFormat, header.backing_format);
  extension(kExtensionEnd, "");
  if (!header.backing_file.empty()) {
    store_be<u64>(&bytes[8], at);
    store_be<u32>(&bytes[16], static_cast<u32>(header.backing_file.size()));
    std::memcpy(&bytes[at], header.backing_file.data(), header.backing_file.size());
  }
  return bytes;
}

CompressedExtent compressed_extent(const Header& header, u64 entry) {
  const u32 shift = 62 - (header.cluster_bits - 8);
  const u64 offset = entry & ((u64{1} << shift) - 1);
  const u64 sectors = (entry >> shift & ((u64{1} << (header.cluster_bits - 8)) - 1)) + 1;
  return {offset, sectors * 512 - (offset & 511)};
}

u64 compressed_entry(const Header& header, u64 offset, u64 size) {
  const u32 shift = 62 - (header.cluster_bits - 8);
  const u64 sectors = ((offset + size - 1) >> 9) - (offset >> 9);
  return kCompressed | sectors << shift | offset;
}

u64 get_refcount(const u8* block, u64 index, u32 order) {
  switch (order) {
    case 3:
      return block[index];
    case 4:
      return load_be<u16>(block + 2 * index);
    case 5:
      return load_be<u32>(block + 4 * index);
    case 6:
      return load_be<u64>(block + 8 * index);
    default: {
      const u32 bits = 1u << order;
      const u32 shift = static_cast<u32>(index * bits % 8);
      return block[index * bits / 8] >> shift & ((1u << bits) - 1);
    }
  }
}

void set_refcount(u8* block, u64 index, u32 order, u64 value) {
  switch (order) {
    case 3:
      block[index] = static_cast<u8>(value);
      return;
    case 4:
      return store_be<u16>(block + 2 * index, static_cast<u16>(value));
    case 5:
      return store_be<u32>(block + 4 * index, static_cast<u32>(value));
    case 6:
      return store_be<u64>(block + 8 * index, value);
    default: {
      const u32 bits = 1u << order;
      const u32 shift = static_cast<u32>(index * bits % 8);
      const u32 mask = ((1u << bits) - 1) << shift;
      u8& byte = block[index * bits / 8];
      byte = static_cast<u8>((byte & ~mask) | (value << shift & mask));
    }
  }
}

}  // namespace pagoda::qcow2
