// SPDX-License-Identifier: MIT
// When what is written: the order that keeps a qcow2 file consistent at every moment.
#include <cerrno>

#include "base/log.h"
#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda {

using namespace qcow2;

namespace {

// So much may wait in memory without the guest asking for a flush.
constexpr std::size_t kMaxDirtyBlocks = 2048;
constexpr std::size_t kMaxFreed = 8192;

struct Copy {
  u64 offset;
  u64 changes;
  std::vector<u8> bytes;
};

}  // namespace

int Qcow2Image::patch_header(u64 offset, u64 value) {
  u8 raw[8];
  store_be<u64>(raw, value);
  return file_->write(offset, raw, sizeof raw);
}

int Qcow2Image::begin_writing() {
  if (writing_) return 0;
  if (header_.version >= 3) {
    // What an autoclear bit vouches for is no longer true once somebody writes who does not know it.
    if (header_.autoclear != 0) {
      if (const int error = patch_header(kHeaderAutoclear, 0)) return error;
      header_.autoclear = 0;
    }
    if (is_lazy_) {
      if (const int error = patch_header(kHeaderIncompatible, header_.incompatible | kIncompatibleDirty)) return error;
      if (const int error = file_->sync()) return error;
      header_.incompatible |= kIncompatibleDirty;
    }
  }
  writing_ = true;
  return 0;
}

int Qcow2Image::write_metadata() {
  const std::lock_guard flushing(flush_mutex_);
  std::vector<Copy> l2;
  std::vector<std::pair<u64, u64>> l1;
  std::set<u64> table;
  std::vector<Freed> freed;
  std::set<u64> dirty_l1;
  {
    const Lock lock(mutex_);
    if (broken_) return EIO;
    if (!is_lazy_ || closing_ || cache_.dirty_count(MetaKind::refcounts) > kMaxDirtyBlocks) {
      if (const int error = refcounts_.write_blocks()) return error;
    }
    // From here on it is these that are written: what changes later has no refcounts on the disk yet.
    table = refcounts_.take_dirty_table();
    for (MetaBlock* block : cache_.dirty(MetaKind::l2))
      l2.push_back({block->offset, block->changes, {block->bytes.get(), block->bytes.get() + cache_.block_size()}});
    dirty_l1.swap(dirty_l1_);
    for (const u64 index : dirty_l1) l1.emplace_back(index, l1_[index]);
    freed.swap(freed_);
  }
  const auto give_up = [&](int error) {
    const Lock lock(mutex_);
    dirty_l1_.merge(dirty_l1);
    freed_.insert(freed_.begin(), freed.begin(), freed.end());
    refcounts_.put_back_dirty_table(table);
    return error;
  };
  // 1. Data, refcounts and the first content of new tables.
  if (const int error = file_->sync()) {
    return give_up(error);
  }
  // 2. The refcount table. Under the lock, for it may move.
  if (!table.empty()) {
    int error = 0;
    {
      const Lock lock(mutex_);
      error = refcounts_.write_table(table);
    }
    if (error == 0) error = file_->sync();
    if (error != 0) return give_up(error);
  }
  // 3. What names clusters.
  if (!l2.empty() || !l1.empty()) {
    for (const Copy& copy : l2) {
      if (const int error = file_->write(copy.offset, copy.bytes.data(), copy.bytes.size())) return give_up(error);
    }
    for (const auto& [index, entry] : l1) {
      u8 raw[8];
      store_be<u64>(raw, entry);
      if (const int error = file_->write(header_.l1_offset + 8 * index, raw, sizeof raw)) return give_up(error);
    }
    if (const int error = file_->sync()) return give_up(error);
  }
  // 4. Nothing on the disk names these any more.
  const Lock lock(mutex_);
  for (const Copy& copy : l2) cache_.wrote(copy.offset, copy.changes);
  return apply_freed(freed);
}

int Qcow2Image::apply_freed(const std::vector<Freed>& freed) {
  if (freed.empty()) return 0;
  {
    const std::lock_guard lock(inflated_mutex_);
    inflated_.fill({});
  }
  for (const Freed& run : freed) {
    u64 punch_from = 0, punch_count = 0;
    const auto punch = [&] {
      if (punch_count != 0) file_->punch(punch_from << bits_, punch_count << bits_);  // a wish: it may fail
      punch_count = 0;
    };
    for (u64 cluster = run.cluster; cluster < run.cluster + run.count; ++cluster) {
      u64 count = 0;
      if (const int error = refcounts_.get(cluster, &count)) return error == EIO ? corrupt("refcount block") : error;
      if (count == 1 && run.is_table && metadata_.erase(cluster) != 0)
        cache_.forget(cluster << bits_, header_.cluster_size());
      bool is_free = false;
      if (const int error = refcounts_.release(cluster, &is_free)) {
        punch();
        return error == EIO ? corrupt(refcounts_.problem()) : error;
      }
      if (is_free && free_byte_ >> bits_ == cluster) free_byte_ = 0;
      if (!is_free || !run.punch || !options_.unmap) {
        punch();
      } else {
        if (punch_count == 0) punch_from = cluster;
        ++punch_count;
      }
    }
    punch();
  }
  return 0;
}

int Qcow2Image::flush() { return read_only() ? 0 : write_metadata(); }

void Qcow2Image::write_back_if_much() {
  {
    const Lock lock(mutex_);
    cache_.trim();
    if (cache_.dirty_count(MetaKind::l2) < kMaxDirtyBlocks && freed_.size() < kMaxFreed) return;
  }
  if (const int error = write_metadata())
    log(Log::device, "disk image {}: tables could not be written: errno {}; they stay in memory", path(), error);
}

Qcow2Image::~Qcow2Image() {
  if (read_only() || !writing_) return;
  closing_ = true;
  // Twice: freeing what the first one found unused changes refcounts.
  int error = write_metadata();
  if (error == 0) error = write_metadata();
  if (error == 0 && (header_.incompatible & kIncompatibleDirty) != 0) {
    error = patch_header(kHeaderIncompatible, header_.incompatible & ~kIncompatibleDirty);
    if (error == 0) error = file_->sync();
  }
  if (error != 0) log(Log::device, "disk image {}: not all could be written: errno {}", path(), error);
}

}  // namespace pagoda
