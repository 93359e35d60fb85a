// SPDX-License-Identifier: MIT
// Qcow2Image: a disk in a qcow2 file, of version 2 or 3.
//
// Order of writes, so that the file is consistent whenever the program or the power goes: data and refcounts are on the
// disk before an L2 entry names a cluster; a refcount block before the refcount table names it; an L2 table before the
// L1 table names it; and a cluster that an entry no longer names loses its refcount, and can be used again, only after
// the new entry is on the disk. What may be left over is a cluster counted and not used. Changes of tables wait in
// memory for flush().
// A table or an entry that makes no sense is an I/O error, marks the image as corrupt and ends all writing to it.
// Threading: any thread; one lock for the tables, which is not held while data moves. Requests that allocate clusters,
// or free them, exclude all others from these clusters for as long as they last.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_set>
#include <vector>

#include "devices/storage/disk_image.h"
#include "devices/storage/qcow2/format.h"
#include "devices/storage/qcow2/metadata_cache.h"
#include "devices/storage/qcow2/refcounts.h"

namespace pagoda {

class Qcow2Image final : public DiskImage {
 public:
  struct Options {
    bool unmap = true;  // freed clusters go back to the host
  };
  // `header` is read_header()'s of this file. An image that was left dirty is repaired first, if it may be written.
  // `backing` may be null.
  static Result<std::unique_ptr<Qcow2Image>> open(std::unique_ptr<HostFile> file, const qcow2::Header& header,
                                                  std::unique_ptr<DiskImage> backing, const Options& options);
  // Writes what is still in memory.
  ~Qcow2Image() override;

  using DiskImage::read;
  using DiskImage::write;
  int read(u64 offset, IoSpan to) override;
  int write(u64 offset, IoSpan from) override;
  int flush() override;
  int discard(u64 offset, u64 size) override;
  int write_zeroes(u64 offset, u64 size, bool may_unmap) override;
  int extent(u64 offset, u64 size, Extent* extent) override;

  // One whole cluster (or what the disk has of it), compressed if that makes it smaller.
  int write_compressed(u64 offset, std::span<const std::byte> bytes);
  // Gives every cluster of the disk a place in the file (preallocation).
  int allocate_all();
  const qcow2::Header& header() const { return header_; }
  HostFile& file() { return *file_; }

 private:
  enum class Kind : u8 { unallocated, zero, data, compressed };
  // What a run of clusters maps to.
  struct Run {
    Kind kind = Kind::unallocated;
    u64 clusters = 0;
    u64 host = 0;   // data, and zero with a place kept: offset in the file
    u64 entry = 0;  // the first L2 entry
  };
  struct Freed {
    u64 cluster;
    u64 count;
    bool punch;     // the host gets its space back
    bool is_table;  // an L2 table
  };
  // Guest clusters that a request is working on.
  struct Active {
    u64 first, last;
    bool exclusive;
    u64 id;
  };
  using Lock = std::unique_lock<std::mutex>;

  Qcow2Image(std::unique_ptr<HostFile> file, const qcow2::Header& header, std::unique_ptr<DiskImage> backing,
             const Options& options);
  Result<> load();

  // Mapping (map.cpp); under the lock.
  int corrupt(std::string_view why);
  int entry_block(u64 cluster, bool for_writing, qcow2::MetaBlock** block, u64* index);
  int make_l2_writable(u64 l1_index);
  // The longest run of `most` clusters at most that one request can read at once.
  int map(u64 cluster, u64 most, Run* run);
  // May data be written to where the entry points, without harm to anything else in the file?
  int is_ours(u64 entry, bool* ours);
  int set_entry(u64 cluster, u64 entry, bool punch_old);
  void free_entry(u64 entry, bool punch);
  void free_clusters(u64 first, u64 count, bool punch);
  u64 clusters_to(u64 offset, u64 size) const { return ((offset & mask_) + size + mask_) >> bits_; }

  // Who works where (qcow2_image.cpp); under the lock. False: it had to wait, what was looked up may have changed.
  bool enter(Lock& lock, u64 first, u64 last, bool exclusive, u64* id);
  bool wait_alone(Lock& lock, u64 first, u64 last);
  void leave(u64 id);
  bool is_taken(u64 first, u64 last, bool exclusive) const;

  // I/O. `guarded`: the caller has entered the clusters itself.
  int read_step(u64 offset, IoSpan to, bool guarded, u64* done);
  int read_all(u64 offset, IoSpan to, bool guarded);
  int read_backing(u64 offset, IoSpan to);
  int read_compressed(u64 entry, u64 in_cluster, IoSpan to);
  bool has_backing_at(u64 offset) const { return backing_ != nullptr && offset < backing_->size(); }
  int write_step(u64 offset, IoSpan from, u64* done);
  int write_in_place(Lock& lock, u64 offset, u64 host, u64 clusters, IoSpan from, u64* done);
  int write_new(Lock& lock, u64 offset, u64 clusters, u64 kept_host, IoSpan from, u64* done);
  int write_around(u64 offset, u64 host, bool is_fresh, u64 clusters, IoSpan from);
  int reads_as_zero(u64 cluster, bool* zero);
  int change_clusters(u64 first, u64 count, bool is_discard, bool keep_place);
  int change_piece(u64 first, u64 count, bool is_discard, bool keep_place);
  int write_zero_bytes(u64 offset, u64 size);
  int allocate_bytes(u64 size, u64* host);

  // Order (flush.cpp).
  int begin_writing();  // marks a lazy image dirty; under the lock
  int write_metadata();
  int apply_freed(const std::vector<Freed>& freed);
  void write_back_if_much();
  int patch_header(u64 offset, u64 value);

  const std::unique_ptr<HostFile> file_;
  const std::unique_ptr<DiskImage> backing_;
  const Options options_;
  qcow2::Header header_;
  const u32 bits_;
  const u64 mask_;

  std::mutex flush_mutex_;  // one flush at a time; taken before mutex_
  std::mutex mutex_;
  std::condition_variable progress_;
  u32 waiting_ = 0;
  std::vector<Active> active_;
  u64 next_id_ = 0;
  bool broken_ = false;
  std::unordered_set<u64> metadata_;  // clusters of the file that hold tables
  qcow2::MetadataCache cache_;
  qcow2::Refcounts refcounts_;
  std::vector<u64> l1_;
  std::vector<bool> l2_checked_;  // the table is really this image's alone
  std::set<u64> dirty_l1_;
  std::vector<Freed> freed_;  // named by no entry any more, but perhaps still on the disk
  bool writing_ = false;      // begin_writing() has done its work
  bool is_lazy_ = false;      // refcounts reach the disk when the image is closed; until then its dirty bit is set
  bool closing_ = false;
  u64 free_byte_ = 0;  // where the next compressed cluster goes, 0: into a new cluster

  std::mutex inflated_mutex_;
  struct Inflated {
    u64 entry = 0;
    std::shared_ptr<std::vector<std::byte>> bytes;
  };
  std::array<Inflated, 4> inflated_;  // compressed clusters lately read
  u64 next_inflated_ = 0;
};

namespace qcow2 {
Result<Header> read_header(const HostFile& file);
// The snapshot table; errors name the file.
Result<std::vector<Snapshot>> read_snapshots(const HostFile& file, const Header& header, u64* table_size);
}  // namespace qcow2

}  // namespace pagoda
