// SPDX-License-Identifier: MIT
// Counting the references to each cluster of a qcow2 file.
#include "devices/storage/qcow2/checker.h"

#include <algorithm>
#include <unordered_set>

#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda::qcow2 {
namespace {
constexpr std::size_t kMaxMessages = 1000;
constexpr u64 kMaxClusters = u64{1} << 28;  // of a file, that counts are kept for: 2 GiB of memory
}  // namespace

void Checker::note(std::string message) {
  if (result_.messages.size() < kMaxMessages) result_.messages.push_back(std::move(message));
}

void Checker::corruption(std::string message) {
  ++result_.corruptions;
  note("ERROR " + std::move(message));
}

void Checker::error(std::string message) {
  ++result_.errors;
  note("ERROR " + std::move(message));
}

void Checker::reference(u64 offset, u64 size, std::string_view what) {
  if (size == 0) return;
  if (offset > file_size_ + header_.cluster_size() || offset + size > file_size_ + header_.cluster_size())
    return corruption(fmt::format("{} at {:#x} lies beyond the file's end", what, offset));
  for (u64 cluster = offset >> header_.cluster_bits; cluster <= (offset + size - 1) >> header_.cluster_bits;
       ++cluster) {
    if (cluster < counts_.size() && counts_[cluster] != ~u32{0}) ++counts_[cluster];
  }
}

bool Checker::read_table(u64 offset, u64 bytes, std::string_view what, std::vector<u8>* table) {
  if (offset >= file_size_ || bytes > file_size_ - offset + header_.cluster_size()) {
    corruption(fmt::format("{} of {} bytes at {:#x} lies beyond the file's end", what, bytes, offset));
    return false;
  }
  table->resize(bytes);
  if (file_.read_padded(offset, table->data(), bytes) == 0) return true;
  error(fmt::format("{} at {:#x} cannot be read", what, offset));
  return false;
}

void Checker::count_references() {
  int host_error = 0;
  file_size_ = file_.size(&host_error);
  file_clusters_ = (file_size_ + header_.cluster_mask()) >> header_.cluster_bits;
  result_.total_clusters = header_.clusters();
  if (host_error != 0 || file_clusters_ > kMaxClusters) return error("the file is too large to be checked");
  counts_.assign(file_clusters_ + 1, 0);
  reference(0, header_.cluster_size(), "header");
  walk_l1(header_.l1_offset, header_.l1_size, true);
  u64 table_size = 0;
  const auto snapshots = read_snapshots(file_, header_, &table_size);
  if (!snapshots) {
    corruption(snapshots.error().message);
  } else {
    reference(header_.snapshots_offset, table_size, "snapshot table");
    for (const Snapshot& snapshot : *snapshots) walk_l1(snapshot.l1_offset, snapshot.l1_size, false);
  }
  if (header_.bitmaps != 0) walk_bitmaps();
}

void Checker::walk_l1(u64 offset, u64 entries, bool is_active) {
  if (entries == 0) return;
  std::vector<u8> table;
  if ((offset & header_.cluster_mask()) != 0)
    return corruption(fmt::format("L1 table at {:#x} is not aligned", offset));
  if (!read_table(offset, entries * 8, "L1 table", &table)) return;
  reference(offset, entries * 8, "L1 table");
  std::unordered_set<u64> seen;
  for (u64 i = 0; i < entries; ++i) {
    const u64 entry = load_be<u64>(&table[8 * i]);
    const u64 l2 = entry & kOffsetMask;
    if (l2 == 0) continue;
    if ((entry & kL1Reserved) != 0) corruption(fmt::format("L1 entry {} has reserved bits set: {:#x}", i, entry));
    if ((l2 & header_.cluster_mask()) != 0) {
      corruption(fmt::format("L2 table at {:#x} is not aligned", l2));
      continue;
    }
    reference(l2, header_.cluster_size(), "L2 table");
    if (!seen.insert(l2).second) {
      corruption(fmt::format("L2 table at {:#x} is used twice by one L1 table", l2));
      continue;
    }
    walk_l2(l2, is_active);
  }
}

void Checker::walk_l2(u64 offset, bool is_active) {
  std::vector<u8> table;
  if (!read_table(offset, header_.cluster_size(), "L2 table", &table)) return;
  next_contiguous_ = 0;
  for (u64 i = 0; i < header_.l2_entries(); ++i) {
    const u64 entry = load_be<u64>(&table[8 * i]);
    if (entry == 0) continue;
    if ((entry & kCompressed) != 0) {
      if ((entry & kCopied) != 0)
        corruption(fmt::format("compressed cluster {:#x} has the flag of a single reference", entry));
      const CompressedExtent place = compressed_extent(header_, entry);
      reference(place.offset, place.size, "compressed cluster");
      if (is_active) {
        ++result_.allocated_clusters;
        ++result_.compressed_clusters;
        ++result_.fragmented_clusters;  // by nature
      }
      continue;
    }
    const u64 host = entry & kOffsetMask;
    if ((entry & kL2Reserved) != 0) corruption(fmt::format("L2 entry has reserved bits set: {:#x}", entry));
    if ((entry & kZero) != 0 && !header_.has_zero_flag()) corruption("zero cluster in an image of version 2");
    if (host == 0) continue;
    if ((host & header_.cluster_mask()) != 0) {
      corruption(fmt::format("data cluster at {:#x} is not aligned", host));
      continue;
    }
    reference(host, header_.cluster_size(), "data cluster");
    if (!is_active) continue;
    ++result_.allocated_clusters;
    if (next_contiguous_ != 0 && host != next_contiguous_) ++result_.fragmented_clusters;
    next_contiguous_ = host + header_.cluster_size();
  }
}

void Checker::walk_bitmaps() {
  std::vector<u8> directory;
  if (!read_table(header_.bitmaps_offset, header_.bitmaps_size, "bitmap directory", &directory)) return;
  reference(header_.bitmaps_offset, header_.bitmaps_size, "bitmap directory");
  constexpr u64 kEntryHeader = 24;
  for (u64 at = 0; at + kEntryHeader <= directory.size();) {
    const u64 table_offset = load_be<u64>(&directory[at]);
    const u64 entries = load_be<u32>(&directory[at + 8]);
    const u64 name = load_be<u16>(&directory[at + 18]);
    const u64 extra = load_be<u32>(&directory[at + 20]);
    at += (kEntryHeader + name + extra + 7) & ~u64{7};
    std::vector<u8> table;
    if (!read_table(table_offset, entries * 8, "bitmap table", &table)) continue;
    reference(table_offset, entries * 8, "bitmap table");
    for (u64 i = 0; i < entries; ++i) {
      const u64 host = load_be<u64>(&table[8 * i]) & kOffsetMask;
      if (host != 0) reference(host, header_.cluster_size(), "bitmap cluster");
    }
  }
}

bool Checker::count_refcount_structure() {
  const u64 bytes = u64{header_.reftable_clusters} << header_.cluster_bits;
  std::vector<u8> table;
  if (!read_table(header_.reftable_offset, bytes, "refcount table", &table)) return false;
  reference(header_.reftable_offset, bytes, "refcount table");
  block_of_.assign(bytes / 8, 0);
  bool is_sane = true;
  for (u64 i = 0; i < block_of_.size(); ++i) {
    const u64 block = load_be<u64>(&table[8 * i]) & kReftableMask;
    if (block == 0) continue;
    if ((block & header_.cluster_mask()) != 0 || block >= file_size_) {
      corruption(fmt::format("refcount block {} at {:#x} is not aligned or beyond the file's end", i, block));
      is_sane = false;
      continue;
    }
    reference(block, header_.cluster_size(), "refcount block");
    if (count_of(block >> header_.cluster_bits) != 1) {
      corruption(fmt::format("refcount block {} at {:#x} is used for something else too", i, block));
      is_sane = false;
    }
    block_of_[i] = block;
  }
  return is_sane;
}

}  // namespace pagoda::qcow2
