// SPDX-License-Identifier: MIT
// Refcounts: which clusters of a qcow2 file are in use, how often, and where the next free ones are.
//
// Changes stay in memory until write_blocks() and write_table(); the image orders these with everything else. A new
// refcount block is written at once, before anything points to it; so is a whole new table when the old one is full.
// Threading: none of its own, the image's lock serialises all calls.
#pragma once

#include <set>
#include <unordered_set>
#include <utility>
#include <vector>

#include "devices/storage/qcow2/format.h"
#include "devices/storage/qcow2/metadata_cache.h"

namespace pagoda::qcow2 {

class Refcounts {
 public:
  // `metadata`: clusters that hold tables; kept up to date here for the refcount structure's own.
  Refcounts(HostFile& file, Header& header, MetadataCache& cache, std::unordered_set<u64>& metadata)
      : file_(file), header_(header), cache_(cache), metadata_(metadata) {}

  // All functions return 0 or an errno value; EIO with a problem() if the image contradicts itself.
  void set_file_size(u64 bytes) { file_end_ = (bytes + header_.cluster_mask()) & ~header_.cluster_mask(); }
  int load();
  int get(u64 cluster, u64* value);
  // Takes up to `wanted` free clusters in a row, at least one: cluster number and how many.
  int allocate(u64 wanted, u64* cluster, u64* count);
  // One more reference to a cluster in use; EMLINK if it can have no more.
  int add(u64 cluster);
  // One reference less; *is_free: it was the last.
  int release(u64 cluster, bool* is_free);

  bool has_dirty_blocks() const { return cache_.dirty_count(MetaKind::refcounts) != 0; }
  int write_blocks();
  // Entries of the table that point to new blocks. The blocks must be on the disk before the entries are written.
  std::set<u64> take_dirty_table() { return std::exchange(dirty_table_, {}); }
  void put_back_dirty_table(const std::set<u64>& entries) { dirty_table_.insert(entries.begin(), entries.end()); }
  int write_table(const std::set<u64>& entries);

  // Bytes from here on have never been written: they read as zeros.
  u64 file_end() const { return file_end_; }
  const std::string& problem() const { return problem_; }

 private:
  int broken(std::string why);
  // The piece of a block that holds the cluster's count, and its index in there.
  int find(u64 cluster, MetaBlock** block, u64* index);
  int set(u64 cluster, u64 value);
  int add_block(u64 index, u64 cluster);
  int grow_table();
  int use(u64 first, u64 count);

  HostFile& file_;
  Header& header_;
  MetadataCache& cache_;
  std::unordered_set<u64>& metadata_;
  std::vector<u64> table_;  // offsets of refcount blocks, 0: none
  std::set<u64> dirty_table_;
  u64 next_free_ = 0;  // no cluster below is free
  u64 file_end_ = 0;
  std::string problem_;
};

}  // namespace pagoda::qcow2
