// SPDX-License-Identifier: MIT
// Cached metadata: look-up, dirty lists, eviction.
#include "devices/storage/qcow2/metadata_cache.h"

#include <algorithm>

#include "base/check.h"

namespace pagoda::qcow2 {

MetaBlock* MetadataCache::get(u64 offset, MetaKind kind, int* error) {
  offset &= ~(block_size_ - 1);
  *error = 0;
  if (const auto it = blocks_.find(offset); it != blocks_.end()) {
    it->second->last_use = ++clock_;
    // In a malformed image one cluster may be both; then neither view may be written.
    if (it->second->kind == kind) return it->second.get();
    *error = EIO;
    return nullptr;
  }
  auto block = std::make_unique<MetaBlock>();
  block->offset = offset;
  block->kind = kind;
  block->last_use = ++clock_;
  block->bytes = std::make_unique<u8[]>(block_size_);
  *error = file_.read_padded(offset, block->bytes.get(), block_size_);
  if (*error != 0) return nullptr;
  return blocks_.emplace(offset, std::move(block)).first->second.get();
}

void MetadataCache::changed(MetaBlock* block) {
  ++block->changes;
  if (block->dirty) return;
  block->dirty = true;
  dirty_[static_cast<u8>(block->kind)].push_back(block);
}

void MetadataCache::unlist(MetaBlock* block) {
  if (!block->dirty) return;
  block->dirty = false;
  std::erase(dirty_[static_cast<u8>(block->kind)], block);
}

void MetadataCache::forget(u64 offset, u64 size) {
  for (u64 at = offset & ~(block_size_ - 1); at < offset + size; at += block_size_) {
    const auto it = blocks_.find(at);
    if (it == blocks_.end()) continue;
    unlist(it->second.get());
    blocks_.erase(it);
  }
}

void MetadataCache::trim() {
  if (blocks_.size() <= kMaxBlocks) return;
  std::vector<MetaBlock*> clean;
  for (const auto& [offset, block] : blocks_) {
    if (!block->dirty) clean.push_back(block.get());
  }
  const std::size_t count = std::min(clean.size(), kMaxBlocks / 8);
  if (count == 0) return;
  std::ranges::nth_element(clean, clean.begin() + static_cast<std::ptrdiff_t>(count) - 1, {}, &MetaBlock::last_use);
  for (std::size_t i = 0; i < count; ++i) blocks_.erase(clean[i]->offset);
}

void MetadataCache::wrote(u64 offset, u64 changes) {
  const auto it = blocks_.find(offset);
  if (it != blocks_.end() && it->second->changes == changes) unlist(it->second.get());
}

}  // namespace pagoda::qcow2
