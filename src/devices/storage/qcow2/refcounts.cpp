// SPDX-License-Identifier: MIT
// Refcount table and blocks: look-up, allocation, growth.
#include "devices/storage/qcow2/refcounts.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"

namespace pagoda::qcow2 {

int Refcounts::broken(std::string why) {
  problem_ = std::move(why);
  return EIO;
}

int Refcounts::load() {
  const u64 bytes = u64{header_.reftable_clusters} << header_.cluster_bits;
  std::vector<u8> raw(bytes);
  if (const int error = file_.read_padded(header_.reftable_offset, raw.data(), bytes)) return error;
  table_.resize(bytes / 8);
  for (u64 i = 0; i < table_.size(); ++i) {
    table_[i] = load_be<u64>(&raw[8 * i]) & kReftableMask;
    if (table_[i] != 0) metadata_.insert(table_[i] >> header_.cluster_bits);
  }
  for (u64 i = 0; i < header_.reftable_clusters; ++i)
    metadata_.insert((header_.reftable_offset >> header_.cluster_bits) + i);
  return 0;
}

int Refcounts::find(u64 cluster, MetaBlock** block, u64* index) {
  const u64 entry = cluster / header_.refcounts_per_block();
  const u64 offset = table_[entry];
  if ((offset & header_.cluster_mask()) != 0 || offset > kMaxOffset || offset >= file_end_)
    return broken(fmt::format("refcount block at {:#x}", offset));
  const u64 in_block = cluster % header_.refcounts_per_block();
  const u64 per_piece = cache_.block_size() * 8 >> header_.refcount_order;
  int error = 0;
  *block = cache_.get(offset + in_block / per_piece * cache_.block_size(), MetaKind::refcounts, &error);
  *index = in_block % per_piece;
  return error;
}

int Refcounts::get(u64 cluster, u64* value) {
  const u64 entry = cluster / header_.refcounts_per_block();
  *value = 0;
  if (entry >= table_.size() || table_[entry] == 0) return 0;
  MetaBlock* block = nullptr;
  u64 index = 0;
  if (const int error = find(cluster, &block, &index)) return error;
  *value = get_refcount(block->bytes.get(), index, header_.refcount_order);
  return 0;
}

int Refcounts::set(u64 cluster, u64 value) {
  MetaBlock* block = nullptr;
  u64 index = 0;
  if (const int error = find(cluster, &block, &index)) return error;
  set_refcount(block->bytes.get(), index, header_.refcount_order, value);
  cache_.changed(block);
  return 0;
}

int Refcounts::use(u64 first, u64 count) {
  for (u64 i = 0; i < count; ++i) {
    if (const int error = set(first + i, 1)) return error;
  }
  file_end_ = std::max(file_end_, (first + count) << header_.cluster_bits);
  return 0;
}

int Refcounts::allocate(u64 wanted, u64* cluster, u64* count) {
  const u64 per_block = header_.refcounts_per_block();
  const u64 per_piece = cache_.block_size() * 8 >> header_.refcount_order;
  for (u64 at = next_free_;;) {
    if (at >= kMaxOffset >> header_.cluster_bits) return ENOSPC;
    const u64 entry = at / per_block;
    if (entry >= table_.size()) {
      if (const int error = grow_table()) return error;
      continue;
    }
    if (table_[entry] == 0) {
      if (const int error = add_block(entry, at)) return error;
      next_free_ = ++at;
      continue;
    }
    MetaBlock* block = nullptr;
    u64 index = 0;
    if (const int error = find(at, &block, &index)) return error;
    const u64 start = index;
    const auto is_used = [&](u64 i) { return get_refcount(block->bytes.get(), i, header_.refcount_order) != 0; };
    while (index < per_piece && is_used(index)) ++index;
    at += index - start;
    if (index == per_piece) continue;
    u64 run = 1;
    while (run < wanted && index + run < per_piece && !is_used(index + run)) ++run;
    for (u64 i = 0; i < run; ++i) {
      if (metadata_.contains(at + i)) return broken(fmt::format("metadata cluster {} has no refcount", at + i));
    }
    if (const int error = use(at, run)) return error;
    next_free_ = at + run;
    *cluster = at;
    *count = run;
    return 0;
  }
}

int Refcounts::add_block(u64 index, u64 cluster) {
  // The block describes itself: the first free cluster of its range is where it lies.
  if (metadata_.contains(cluster)) return broken(fmt::format("metadata cluster {} has no refcount", cluster));
  std::vector<u8> bytes(header_.cluster_size());
  set_refcount(bytes.data(), cluster % header_.refcounts_per_block(), header_.refcount_order, 1);
  const u64 offset = cluster << header_.cluster_bits;
  if (const int error = file_.write(offset, bytes.data(), bytes.size())) return error;
  cache_.forget(offset, bytes.size());
  table_[index] = offset;
  dirty_table_.insert(index);
  metadata_.insert(cluster);
  file_end_ = std::max(file_end_, offset + header_.cluster_size());
  return 0;
}

// The new table comes right behind what the old one can describe, with the blocks that describe it in front.
int Refcounts::grow_table() {
  const u64 per_block = header_.refcounts_per_block();
  const u64 per_cluster = header_.cluster_size() / 8;
  const u64 first = table_.size() * per_block;
  u64 clusters = header_.reftable_clusters + header_.reftable_clusters / 2 + 1;
  u64 blocks = 1;
  for (;;) {
    const u64 needed = (clusters + blocks + per_block - 1) / per_block;
    if (needed > blocks) {
      blocks = needed;
    } else if (clusters * per_cluster < table_.size() + blocks) {
      ++clusters;
    } else {
      break;
    }
  }
  if (clusters << header_.cluster_bits > kMaxReftableBytes) return EFBIG;
  for (u64 i = 0; i < blocks + clusters; ++i) {
    if (metadata_.contains(first + i)) return broken(fmt::format("metadata cluster {} has no refcount", first + i));
  }
  std::vector<u64> table = table_;
  table.resize(clusters * per_cluster);
  std::vector<u8> bytes((blocks + clusters) << header_.cluster_bits);
  for (u64 i = 0; i < blocks + clusters; ++i)
    set_refcount(&bytes[i / per_block << header_.cluster_bits], i % per_block, header_.refcount_order, 1);
  for (u64 i = 0; i < blocks; ++i) table[table_.size() + i] = (first + i) << header_.cluster_bits;
  u8* const raw_table = &bytes[blocks << header_.cluster_bits];
  for (u64 i = 0; i < table.size(); ++i) store_be<u64>(raw_table + 8 * i, table[i]);

  // Everything that the new table names is on the disk before the header names the table.
  if (const int error = write_blocks()) return error;
  if (const int error = file_.write(first << header_.cluster_bits, bytes.data(), bytes.size())) return error;
  if (const int error = file_.sync()) return error;
  const u64 old_first = header_.reftable_offset >> header_.cluster_bits;
  const u64 old_count = header_.reftable_clusters;
  u8 fields[12];
  store_be<u64>(fields, (first + blocks) << header_.cluster_bits);
  store_be<u32>(fields + 8, static_cast<u32>(clusters));
  if (const int error = file_.write(kHeaderReftable, fields, sizeof fields)) return error;
  if (const int error = file_.sync()) return error;

  cache_.forget(first << header_.cluster_bits, bytes.size());
  header_.reftable_offset = (first + blocks) << header_.cluster_bits;
  header_.reftable_clusters = static_cast<u32>(clusters);
  table_ = std::move(table);
  dirty_table_.clear();
  for (u64 i = 0; i < blocks + clusters; ++i) metadata_.insert(first + i);
  file_end_ = std::max(file_end_, (first + blocks + clusters) << header_.cluster_bits);
  for (u64 i = 0; i < old_count; ++i) {
    bool is_free = false;
    metadata_.erase(old_first + i);
    if (const int error = release(old_first + i, &is_free)) return error;
  }
  return 0;
}

int Refcounts::add(u64 cluster) {
  u64 value = 0;
  if (const int error = get(cluster, &value)) return error;
  if (value == 0) return broken(fmt::format("cluster {} is in use without a refcount", cluster));
  if (value >= header_.max_refcount()) return EMLINK;
  return set(cluster, value + 1);
}

int Refcounts::release(u64 cluster, bool* is_free) {
  u64 value = 0;
  *is_free = false;
  if (const int error = get(cluster, &value)) return error;
  if (value == 0) return broken(fmt::format("cluster {} is in use without a refcount", cluster));
  if (value == 1 && metadata_.contains(cluster)) return broken(fmt::format("metadata cluster {} to be freed", cluster));
  if (const int error = set(cluster, value - 1)) return error;
  *is_free = value == 1;
  if (*is_free) next_free_ = std::min(next_free_, cluster);
  return 0;
}

int Refcounts::write_blocks() {
  const std::vector<MetaBlock*> dirty = cache_.dirty(MetaKind::refcounts);
  for (MetaBlock* block : dirty) {
    if (const int error = file_.write(block->offset, block->bytes.get(), cache_.block_size())) return error;
    cache_.wrote(block->offset, block->changes);
  }
  return 0;
}

int Refcounts::write_table(const std::set<u64>& entries) {
  for (const u64 index : entries) {
    u8 raw[8];
    store_be<u64>(raw, table_[index]);
    if (const int error = file_.write(header_.reftable_offset + 8 * index, raw, sizeof raw)) return error;
  }
  return 0;
}

}  // namespace pagoda::qcow2
