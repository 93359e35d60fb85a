// SPDX-License-Identifier: MIT
// From a disk's clusters to the file's: L1 and L2 tables, and what to do with entries that make no sense.
#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/log.h"
#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda {

using namespace qcow2;

int Qcow2Image::corrupt(std::string_view why) {
  if (broken_) return EIO;
  broken_ = true;
  log(Log::device, "disk image {}: corrupt: {}{}", path(), why, read_only() ? "" : "; it is written no more");
  if (!read_only() && header_.version >= 3) {
    header_.incompatible |= kIncompatibleCorrupt;
    // What cannot be marked cannot be written either; the guest's requests fail in any case.
    if (patch_header(kHeaderIncompatible, header_.incompatible) == 0) file_->sync();
  }
  return EIO;
}

int Qcow2Image::entry_block(u64 cluster, bool for_writing, MetaBlock** block, u64* index) {
  const u64 l1_index = cluster >> header_.l2_bits();
  CHECK(l1_index < l1_.size());
  *block = nullptr;
  if (for_writing) {
    if (const int error = make_l2_writable(l1_index)) return error;
  }
  const u64 table = l1_[l1_index] & kOffsetMask;
  if (table == 0) return 0;
  if ((table & mask_) != 0 || table >= refcounts_.file_end()) return corrupt(fmt::format("L2 table at {:#x}", table));
  const u64 in_table = cluster & (header_.l2_entries() - 1);
  int error = 0;
  *block = cache_.get(table + in_table * 8, MetaKind::l2, &error);
  *index = in_table % (cache_.block_size() / 8);
  return error;
}

int Qcow2Image::make_l2_writable(u64 l1_index) {
  const u64 entry = l1_[l1_index];
  const u64 old = entry & kOffsetMask;
  if ((old & mask_) != 0 || old >= refcounts_.file_end()) return corrupt(fmt::format("L2 table at {:#x}", old));
  if (old != 0 && (entry & kCopied) != 0) {
    if (l2_checked_[l1_index]) return 0;
    u64 count = 0;
    if (const int error = refcounts_.get(old >> bits_, &count)) return error == EIO ? corrupt("refcount block") : error;
    if (count == 0) return corrupt(fmt::format("L2 table at {:#x} has no refcount", old));
    if (count == 1) {
      l2_checked_[l1_index] = true;
      return 0;
    }
  }
  // A new table, or one's own copy of a table that a snapshot uses too.
  std::vector<u8> bytes(header_.cluster_size());
  if (old != 0) {
    if (const int error = file_->read_padded(old, bytes.data(), bytes.size())) return error;
    for (u64 i = 0; i < bytes.size(); i += 8) {
      const u64 value = load_be<u64>(&bytes[i]);
      if ((value & kCompressed) == 0) store_be<u64>(&bytes[i], value & ~kCopied);
    }
  }
  u64 cluster = 0, count = 0;
  if (const int error = refcounts_.allocate(1, &cluster, &count))
    return error == EIO && !refcounts_.problem().empty() ? corrupt(refcounts_.problem()) : error;
  const u64 offset = cluster << bits_;
  if (const int error = file_->write(offset, bytes.data(), bytes.size())) {
    free_clusters(cluster, 1, false);
    return error;
  }
  cache_.forget(offset, bytes.size());
  metadata_.insert(cluster);
  l1_[l1_index] = offset | kCopied;
  l2_checked_[l1_index] = true;
  dirty_l1_.insert(l1_index);
  if (old != 0) freed_.push_back({old >> bits_, 1, false, true});
  return 0;
}

int Qcow2Image::map(u64 cluster, u64 most, Run* run) {
  MetaBlock* block = nullptr;
  u64 index = 0;
  if (const int error = entry_block(cluster, false, &block, &index)) return error;
  *run = Run{};
  if (block == nullptr) {
    run->clusters = std::min(most, header_.l2_entries() - (cluster & (header_.l2_entries() - 1)));
    return 0;
  }
  const u64 limit = std::min(most, cache_.block_size() / 8 - index);
  for (u64 i = 0; i < limit; ++i) {
    const u64 entry = load_be<u64>(&block->bytes[8 * (index + i)]);
    const u64 host = entry & kOffsetMask;
    Kind kind = Kind::data;
    if ((entry & kCompressed) != 0) {
      kind = Kind::compressed;
    } else if ((entry & kZero) != 0) {
      if (!header_.has_zero_flag()) return corrupt("zero cluster in an image of version 2");
      kind = Kind::zero;
    } else if (host == 0) {
      kind = Kind::unallocated;
    }
    if (kind != Kind::compressed && (host & mask_) != 0)
      return corrupt(fmt::format("cluster at {:#x} is not aligned", host));
    if (i == 0) {
      *run = Run{kind, 1, kind == Kind::data ? host : 0, entry};
      if (kind == Kind::compressed) return 0;
      continue;
    }
    if (kind != run->kind || (kind == Kind::data && host != run->host + (i << bits_))) break;
    ++run->clusters;
  }
  return 0;
}

int Qcow2Image::is_ours(u64 entry, bool* ours) {
  *ours = false;
  const u64 host = entry & kOffsetMask;
  if ((entry & kCompressed) != 0 || (entry & kCopied) == 0 || host == 0) return 0;
  if ((host & mask_) != 0) return corrupt(fmt::format("cluster at {:#x} is not aligned", host));
  const u64 cluster = host >> bits_;
  if (host >= refcounts_.file_end()) return corrupt(fmt::format("cluster at {:#x} beyond the file's end", host));
  if (metadata_.contains(cluster)) return corrupt(fmt::format("data cluster at {:#x} holds metadata", host));
  if (header_.snapshots != 0) {  // a wrong flag would change what a snapshot holds
    u64 count = 0;
    if (const int error = refcounts_.get(cluster, &count)) return error;
    if (count != 1) return 0;
  }
  *ours = true;
  return 0;
}

int Qcow2Image::set_entry(u64 cluster, u64 entry, bool punch_old) {
  MetaBlock* block = nullptr;
  u64 index = 0;
  if (const int error = entry_block(cluster, true, &block, &index)) return error;
  const u64 old = load_be<u64>(&block->bytes[8 * index]);
  store_be<u64>(&block->bytes[8 * index], entry);
  cache_.changed(block);
  const bool keeps_place =
      (old & kCompressed) == 0 && (entry & kCompressed) == 0 && (old & kOffsetMask) == (entry & kOffsetMask);
  if (!keeps_place) free_entry(old, punch_old);
  return 0;
}

void Qcow2Image::free_entry(u64 entry, bool punch) {
  if ((entry & kCompressed) != 0) {
    const CompressedExtent place = compressed_extent(header_, entry);
    const u64 first = place.offset >> bits_;
    const u64 last = (place.offset + place.size - 1) >> bits_;
    for (u64 i = first; i <= last; ++i) free_clusters(i, 1, false);
  } else if ((entry & kOffsetMask) != 0) {
    free_clusters((entry & kOffsetMask) >> bits_, 1, punch);
  }
}

void Qcow2Image::free_clusters(u64 first, u64 count, bool punch) {
  if (!freed_.empty() && freed_.back().punch == punch && !freed_.back().is_table &&
      freed_.back().cluster + freed_.back().count == first) {
    freed_.back().count += count;
  } else {
    freed_.push_back({first, count, punch, false});
  }
}

}  // namespace pagoda
