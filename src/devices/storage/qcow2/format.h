// SPDX-License-Identifier: MIT
// What a qcow2 file looks like: header, tables and flags. Section names are those of the format's specification
// (docs/interop/qcow2 of the QEMU project). All numbers in the file are big endian.
#pragma once

#include <bit>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda::qcow2 {

inline constexpr u32 kMagic = 0x514649fb;  // "QFI" and 0xfb

// "Header": offsets of the fields that are written one by one.
inline constexpr u64 kHeaderReftable = 48;  // offset (8 bytes) and clusters (4 bytes), side by side
inline constexpr u64 kHeaderIncompatible = 72;
inline constexpr u64 kHeaderAutoclear = 88;
inline constexpr u32 kHeaderSizeV2 = 72;
inline constexpr u32 kHeaderSizeV3 = 104;    // the least of version 3
inline constexpr u32 kHeaderSizeFull = 112;  // with the compression type
inline constexpr u32 kMaxBackingName = 1023;

inline constexpr u64 kIncompatibleDirty = 1;
inline constexpr u64 kIncompatibleCorrupt = 2;
inline constexpr u64 kIncompatibleDataFile = 4;
inline constexpr u64 kIncompatibleCompression = 8;
inline constexpr u64 kIncompatibleExtendedL2 = 16;
inline constexpr u64 kCompatibleLazyRefcounts = 1;
inline constexpr u64 kAutoclearBitmaps = 1;

// "Header extensions".
inline constexpr u32 kExtensionEnd = 0;
inline constexpr u32 kExtensionBackingFormat = 0xe2792aca;
inline constexpr u32 kExtensionFeatureNames = 0x6803f857;
inline constexpr u32 kExtensionBitmaps = 0x23852875;

enum class Compression : u8 { zlib = 0, zstd = 1 };

// "Cluster mapping": entries of L1 and L2 tables.
inline constexpr u64 kCopied = u64{1} << 63;      // the refcount is exactly one
inline constexpr u64 kCompressed = u64{1} << 62;  // L2
inline constexpr u64 kZero = 1;                   // L2, version 3: reads as zeros
inline constexpr u64 kOffsetMask = 0x00ff'ffff'ffff'fe00;
inline constexpr u64 kL1Reserved = 0x7f00'0000'0000'01ff;
inline constexpr u64 kL2Reserved = 0x3f00'0000'0000'01fe;
inline constexpr u64 kReftableMask = ~u64{511};

// Limits on what is held in memory; QEMU has the same.
inline constexpr u32 kMinClusterBits = 9;
inline constexpr u32 kMaxClusterBits = 21;
inline constexpr u64 kMaxL1Bytes = u64{32} << 20;
inline constexpr u64 kMaxReftableBytes = u64{8} << 20;
inline constexpr u32 kMaxSnapshots = 65536;
inline constexpr u64 kMaxOffset = (u64{1} << 56) - 1;  // of anything in the file

template <class T>
T load_be(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(value));
  if constexpr (sizeof(T) == 4) return static_cast<T>(__builtin_bswap32(value));
  if constexpr (sizeof(T) == 8) return static_cast<T>(__builtin_bswap64(value));
  return value;
}
template <class T>
void store_be(void* to, T value) {
  static_assert(std::endian::native == std::endian::little);
  if constexpr (sizeof(T) == 2) value = static_cast<T>(__builtin_bswap16(value));
  if constexpr (sizeof(T) == 4) value = static_cast<T>(__builtin_bswap32(value));
  if constexpr (sizeof(T) == 8) value = static_cast<T>(__builtin_bswap64(value));
  std::memcpy(to, &value, sizeof(T));
}

struct Header {
  u32 version = 3;
  u32 cluster_bits = 16;
  u64 size = 0;  // of the disk, bytes
  u32 l1_size = 0;
  u64 l1_offset = 0;
  u64 reftable_offset = 0;
  u32 reftable_clusters = 0;
  u32 snapshots = 0;
  u64 snapshots_offset = 0;
  u64 incompatible = 0;
  u64 compatible = 0;
  u64 autoclear = 0;
  u32 refcount_order = 4;  // refcounts have 2^order bits
  u32 length = kHeaderSizeFull;
  Compression compression = Compression::zlib;
  std::string backing_file;
  std::string backing_format;  // empty: not said
  u32 bitmaps = 0;             // persistent bitmaps, and their directory
  u64 bitmaps_offset = 0;
  u64 bitmaps_size = 0;

  u64 cluster_size() const { return u64{1} << cluster_bits; }
  u64 cluster_mask() const { return cluster_size() - 1; }
  u32 l2_bits() const { return cluster_bits - 3; }  // log2 of the entries of an L2 table
  u64 l2_entries() const { return u64{1} << l2_bits(); }
  u64 clusters() const { return (size >> cluster_bits) + ((size & cluster_mask()) != 0 ? 1 : 0); }
  u64 l1_needed() const { return (clusters() + l2_entries() - 1) >> l2_bits(); }
  u64 refcounts_per_block() const { return cluster_size() * 8 >> refcount_order; }
  u64 max_refcount() const { return refcount_order == 6 ? ~u64{0} >> 1 : (u64{1} << (1u << refcount_order)) - 1; }
  bool has_zero_flag() const { return version >= 3; }
};

// `bytes`: the file's first cluster, or all of a shorter file. Checks everything that can be checked without reading
// more. Errors name `path`.
Result<Header> parse_header(std::span<const u8> bytes, const std::string& path);
// The first cluster of a new image.
std::vector<u8> format_header(const Header& header);

// "Standard" and "Compressed Clusters Descriptor": where a compressed cluster's bytes are.
struct CompressedExtent {
  u64 offset;  // in the file, any byte
  u64 size;    // upper bound: sectors to the end of the last one
};
CompressedExtent compressed_extent(const Header& header, u64 entry);
u64 compressed_entry(const Header& header, u64 offset, u64 size);

// A refcount of 2^order bits in a refcount block.
u64 get_refcount(const u8* block, u64 index, u32 order);
void set_refcount(u8* block, u64 index, u32 order, u64 value);

// "Snapshots": an entry of the snapshot table, as far as anything here needs it.
struct Snapshot {
  u64 l1_offset = 0;
  u32 l1_size = 0;
  std::string id;
  std::string name;
  u32 date_s = 0;
  u32 date_ns = 0;
  u64 vm_clock_ns = 0;
  u64 vm_state_size = 0;
  u64 icount = ~u64{0};
};

}  // namespace pagoda::qcow2
