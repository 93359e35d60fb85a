// SPDX-License-Identifier: MIT
// Discarding, zeroing and preallocating clusters: changes of tables, with data only at ragged ends.
#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.h"
#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda {

using namespace qcow2;

namespace {
constexpr u64 kMostAtOnce = 4096;  // clusters changed under one hold of the lock
}

int Qcow2Image::discard(u64 offset, u64 size) {
  CHECK(offset <= this->size() && size <= this->size() - offset);
  if (read_only()) return EROFS;
  if (!options_.unmap) return 0;
  // Only whole clusters: the rest is kept. The disk's last cluster may be cut.
  const u64 first = (offset + mask_) >> bits_;
  const u64 end = offset + size == this->size() ? header_.clusters() : (offset + size) >> bits_;
  return end > first ? change_clusters(first, end - first, true, false) : 0;
}

int Qcow2Image::write_zeroes(u64 offset, u64 size, bool may_unmap) {
  CHECK(offset <= this->size() && size <= this->size() - offset);
  if (read_only()) return EROFS;
  if (size == 0) return 0;
  const u64 first = (offset + mask_) >> bits_;
  const u64 end = offset + size == this->size() ? header_.clusters() : (offset + size) >> bits_;
  // Version 2 has no zero clusters: without a backing file an unallocated one does.
  const bool by_table = header_.has_zero_flag() || backing_ == nullptr;
  if (end <= first || !by_table) return write_zero_bytes(offset, size);
  const u64 head = (first << bits_) - offset;
  const u64 tail_at = std::min(end << bits_, this->size());
  if (head != 0) {
    if (const int error = write_zero_bytes(offset, head)) return error;
  }
  if (offset + size > tail_at) {
    if (const int error = write_zero_bytes(tail_at, offset + size - tail_at)) return error;
  }
  return change_clusters(first, end - first, false, header_.has_zero_flag() && !(may_unmap && options_.unmap));
}

int Qcow2Image::write_zero_bytes(u64 offset, u64 size) {
  static constexpr std::array<std::byte, 64 * 1024> kZeros{};
  for (u64 done = 0; done < size;) {
    // Up to a cluster's end: what reads as zeros already is left alone.
    const u64 in_cluster = (offset + done) & mask_;
    const u64 step = std::min({size - done, u64{kZeros.size()}, header_.cluster_size() - in_cluster});
    bool zero = false;
    {
      Lock lock(mutex_);
      const u64 cluster = (offset + done) >> bits_;
      while (!wait_alone(lock, cluster, cluster)) {
      }
      if (const int error = reads_as_zero(cluster, &zero)) return error;
    }
    if (!zero) {
      if (const int error = DiskImage::write(offset + done, std::span(kZeros).first(step))) return error;
    }
    done += step;
  }
  return 0;
}

int Qcow2Image::change_clusters(u64 first, u64 count, bool is_discard, bool keep_place) {
  const u64 per_table = header_.l2_entries();
  while (count != 0) {
    const u64 step = std::min({count, per_table - (first & (per_table - 1)), kMostAtOnce});
    {
      Lock lock(mutex_);
      while (!wait_alone(lock, first, first + step - 1)) {
      }
      if (broken_) return EIO;
      if (const int error = begin_writing()) return error;
      if (const int error = change_piece(first, step, is_discard, keep_place)) return error;
    }
    write_back_if_much();
    first += step;
    count -= step;
  }
  return 0;
}

int Qcow2Image::change_piece(u64 first, u64 count, bool is_discard, bool keep_place) {
  for (u64 cluster = first; cluster < first + count; ++cluster) {
    MetaBlock* block = nullptr;
    u64 index = 0;
    if (const int error = entry_block(cluster, false, &block, &index)) return error;
    const bool hides_backing = has_backing_at(cluster << bits_);
    if (block == nullptr && (is_discard || !hides_backing)) {
      if (backing_ == nullptr) return 0;  // the whole table is missing, and with it the rest of the range
      continue;
    }
    const u64 entry = block == nullptr ? 0 : load_be<u64>(&block->bytes[8 * index]);
    const bool is_compressed = (entry & kCompressed) != 0;
    const bool is_allocated = is_compressed || (entry & kOffsetMask) != 0;
    if (!is_compressed && (entry & kOffsetMask & mask_) != 0)
      return corrupt(fmt::format("cluster at {:#x} is not aligned", entry & kOffsetMask));
    u64 wanted = hides_backing ? kZero : 0;
    if (is_discard) {
      if (!is_allocated || (hides_backing && !header_.has_zero_flag())) continue;
    } else {
      if (!is_compressed && (entry & kZero) != 0 && (keep_place || !is_allocated)) continue;
      if (!is_allocated && !hides_backing) continue;
      bool ours = false;
      if (keep_place) {
        if (const int error = is_ours(entry, &ours)) return error;
      }
      if (ours) wanted = entry | kZero;
    }
    if (entry == wanted) continue;
    if (const int error = set_entry(cluster, wanted, true)) return error;
  }
  return 0;
}

int Qcow2Image::allocate_all() {
  for (u64 cluster = 0; cluster < header_.clusters();) {
    {
      const Lock lock(mutex_);
      if (const int error = begin_writing()) return error;
      u64 host = 0, count = 0;
      const u64 most = std::min(header_.clusters() - cluster, kMostAtOnce);
      if (const int error = refcounts_.allocate(most, &host, &count)) return error;
      // No entry may point beyond the file's end.
      int error = 0;
      if (!file_->is_block_device() && file_->size(&error) < refcounts_.file_end())
        error = file_->resize(refcounts_.file_end());
      if (error != 0) return error;
      for (u64 i = 0; i < count; ++i) {
        error = set_entry(cluster + i, ((host + i) << bits_) | kCopied, false);
        if (error != 0) return error;
      }
      cluster += count;
    }
    write_back_if_much();
  }
  return 0;
}

}  // namespace pagoda
