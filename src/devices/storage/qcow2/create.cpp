// SPDX-License-Identifier: MIT
// New qcow2 files: header, refcount table, refcount blocks, L1 table, in this order.
#include "devices/storage/qcow2/create.h"

#include <cstring>

namespace pagoda::qcow2 {

Result<> create(HostFile& file, Header& header) {
  const u64 cluster = header.cluster_size();
  header.incompatible = header.compression == Compression::zlib ? 0 : kIncompatibleCompression;
  header.l1_size = static_cast<u32>(header.l1_needed());
  if (header.l1_needed() * 8 > kMaxL1Bytes)
    return fail("disk image {}: {} bytes are too many for clusters of {} bytes", file.path(), header.size, cluster);
  const u64 fixed = header.version >= 3 ? kHeaderSizeFull : kHeaderSizeV2;
  if (fixed + 8 + 8 + header.backing_format.size() + 8 + header.backing_file.size() > cluster ||
      header.backing_file.size() > kMaxBackingName)
    return fail("disk image {}: the name of the backing file is too long", file.path());
  const u64 l1_clusters = (u64{header.l1_size} * 8 + cluster - 1) >> header.cluster_bits;
  const u64 per_block = header.refcounts_per_block();
  u64 blocks = 1, table = 1;
  for (;;) {
    const u64 all = 1 + table + blocks + l1_clusters;
    if (blocks * per_block < all) {
      ++blocks;
    } else if (table * cluster / 8 < blocks) {
      ++table;
    } else {
      break;
    }
  }
  header.reftable_offset = cluster;
  header.reftable_clusters = static_cast<u32>(table);
  // An image of no bytes has no L1 table, but the field points somewhere that is ours.
  header.l1_offset = (1 + table + blocks) << header.cluster_bits;
  std::vector<u8> bytes = format_header(header);
  bytes.resize((1 + table + blocks + l1_clusters) << header.cluster_bits);
  u8* const raw_table = &bytes[cluster];
  u8* const raw_blocks = &bytes[(1 + table) << header.cluster_bits];
  for (u64 i = 0; i < blocks; ++i) store_be<u64>(raw_table + 8 * i, (1 + table + i) << header.cluster_bits);
  for (u64 i = 0; i < bytes.size() >> header.cluster_bits; ++i)
    set_refcount(raw_blocks + (i / per_block << header.cluster_bits), i % per_block, header.refcount_order, 1);
  if (const int error = file.write(0, bytes.data(), bytes.size()))
    return fail("disk image {}: {}", file.path(), std::strerror(error));
  return {};
}

}  // namespace pagoda::qcow2
