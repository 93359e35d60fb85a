// SPDX-License-Identifier: MIT
// MetadataCache: pieces of L2 tables and refcount blocks in memory, clean or waiting to be written.
//
// Threading: none of its own, the image's lock serialises all calls.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/types.h"
#include "devices/storage/host_file.h"

namespace pagoda::qcow2 {

enum class MetaKind : u8 { l2, refcounts };

struct MetaBlock {
  u64 offset = 0;  // in the file
  MetaKind kind = MetaKind::l2;
  bool dirty = false;
  u64 changes = 0;  // how often it was changed: says whether a copy is still current
  u64 last_use = 0;
  std::unique_ptr<u8[]> bytes;
};

class MetadataCache {
 public:
  static constexpr u64 kBlockSize = 4096;  // at most: never more than a cluster
  static constexpr std::size_t kMaxBlocks = 8192;

  MetadataCache(HostFile& file, u64 cluster_size) : file_(file), block_size_(std::min(cluster_size, kBlockSize)) {}
  u64 block_size() const { return block_size_; }

  // The block that holds `offset`, read if need be; null and an errno value on failure. It stays until trim().
  MetaBlock* get(u64 offset, MetaKind kind, int* error);
  void changed(MetaBlock* block);
  // What lies in the range is no longer metadata.
  void forget(u64 offset, u64 size);
  // Throws out blocks long not used, if there are too many. Call it while holding no block.
  void trim();

  std::size_t dirty_count(MetaKind kind) const { return dirty_[static_cast<u8>(kind)].size(); }
  const std::vector<MetaBlock*>& dirty(MetaKind kind) const { return dirty_[static_cast<u8>(kind)]; }
  // The block was written as it was after `changes` changes.
  void wrote(u64 offset, u64 changes);

 private:
  void unlist(MetaBlock* block);

  HostFile& file_;
  const u64 block_size_;
  u64 clock_ = 0;
  std::unordered_map<u64, std::unique_ptr<MetaBlock>> blocks_;
  std::vector<MetaBlock*> dirty_[2];
};

}  // namespace pagoda::qcow2
