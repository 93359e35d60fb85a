// SPDX-License-Identifier: MIT
// Checker: the walk over all tables of a qcow2 file behind check_image().
#pragma once

#include "devices/storage/qcow2/check_image.h"

namespace pagoda::qcow2 {

class Checker {
 public:
  Checker(HostFile& file, const Header& header) : file_(file), header_(header) {}
  CheckResult& result() { return result_; }

  // Counts all references but those of the refcount structure itself.
  void count_references();
  // The table and the blocks; false: they cannot be mended in place.
  bool count_refcount_structure();
  // Compares counts with refcounts; mends what `repair` allows.
  Result<> compare(Repair repair);
  // A new refcount structure behind everything else.
  Result<> rebuild(Header* header);
  // The flag of clusters with one reference, in the active tables.
  Result<> check_copied(bool mend);

 private:
  void corruption(std::string message);
  void error(std::string message);
  void note(std::string message);
  void reference(u64 offset, u64 size, std::string_view what);
  bool read_table(u64 offset, u64 bytes, std::string_view what, std::vector<u8>* table);
  void walk_l1(u64 offset, u64 entries, bool is_active);
  void walk_l2(u64 offset, bool is_active);
  void walk_bitmaps();
  u64 count_of(u64 cluster) const { return cluster < counts_.size() ? counts_[cluster] : 0; }
  u64 refcount_of(u64 cluster) const { return cluster < refcounts_.size() ? refcounts_[cluster] : 0; }

  HostFile& file_;
  const Header header_;
  CheckResult result_;
  u64 file_size_ = 0;
  u64 file_clusters_ = 0;
  std::vector<u32> counts_;     // references found
  std::vector<u32> refcounts_;  // what the file says, after mending; large ones cut off
  std::vector<u64> block_of_;   // refcount table: offsets, 0: none or unusable
  u64 next_contiguous_ = 0;
};

}  // namespace pagoda::qcow2
