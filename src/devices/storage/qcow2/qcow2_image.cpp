// SPDX-License-Identifier: MIT
// Opening qcow2 images, reading from them, and who works on which clusters.
#include "devices/storage/qcow2/qcow2_image.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "devices/storage/io_span.h"
#include "devices/storage/qcow2/check_image.h"
#include "devices/storage/qcow2/compression.h"

namespace pagoda {

using namespace qcow2;

Qcow2Image::Qcow2Image(std::unique_ptr<HostFile> file, const Header& header, std::unique_ptr<DiskImage> backing,
                       const Options& options)
    : DiskImage(file->path(), header.size, file->read_only()),
      file_(std::move(file)),
      backing_(std::move(backing)),
      options_(options),
      header_(header),
      bits_(header.cluster_bits),
      mask_(header.cluster_mask()),
      cache_(*file_, header.cluster_size()),
      refcounts_(*file_, header_, cache_, metadata_),
      is_lazy_(header.version >= 3 && (header.compatible & kCompatibleLazyRefcounts) != 0) {}

Result<std::unique_ptr<Qcow2Image>> Qcow2Image::open(std::unique_ptr<HostFile> file, const Header& header,
                                                     std::unique_ptr<DiskImage> backing, const Options& options) {
  Header current = header;
  if (!file->read_only()) {
    if ((header.incompatible & kIncompatibleCorrupt) != 0)
      return fail("disk image {}: is marked as corrupt and can only be opened read-only (pagoda disk check repairs it)",
                  file->path());
    if ((header.incompatible & kIncompatibleDirty) != 0) {
      TRY_ASSIGN(const CheckResult repaired, check_image(*file, current, Repair::all));
      if (repaired.corruptions != 0 || repaired.errors != 0)
        return fail("disk image {}: was not closed properly and cannot be repaired", file->path());
    }
  }
  std::unique_ptr<Qcow2Image> image(new Qcow2Image(std::move(file), current, std::move(backing), options));
  TRY(image->load());
  return image;
}

Result<> Qcow2Image::load() {
  int error = 0;
  const u64 file_size = file_->size(&error);
  if (error != 0) return fail("disk image {}: {}", path(), std::strerror(error));
  if (header_.l1_offset + u64{header_.l1_size} * 8 > file_size ||
      header_.reftable_offset + (u64{header_.reftable_clusters} << bits_) > file_size + mask_)
    return fail("disk image {}: malformed: its tables lie beyond the file's end", path());
  std::vector<u8> raw(u64{header_.l1_size} * 8);
  error = file_->read(header_.l1_offset, raw.data(), raw.size());
  if (error != 0) return fail("disk image {}: L1 table: {}", path(), std::strerror(error));
  l1_.resize(header_.l1_size);
  for (u64 i = 0; i < l1_.size(); ++i) l1_[i] = load_be<u64>(&raw[8 * i]);
  refcounts_.set_file_size(file_size);
  if (read_only()) return {};

  // What must not be overwritten, whatever the tables say.
  l2_checked_.resize(l1_.size());
  error = refcounts_.load();
  if (error != 0) return fail("disk image {}: refcount table: {}", path(), std::strerror(error));
  const auto protect = [&](u64 offset, u64 size) {
    for (u64 cluster = offset >> bits_; size != 0 && cluster <= (offset + size - 1) >> bits_; ++cluster)
      metadata_.insert(cluster);
  };
  protect(0, header_.cluster_size());
  protect(header_.l1_offset, raw.size());
  u64 snapshot_table = 0;
  TRY_ASSIGN(const std::vector<Snapshot> snapshots, read_snapshots(*file_, header_, &snapshot_table));
  protect(header_.snapshots_offset, snapshot_table);
  for (const Snapshot& snapshot : snapshots) protect(snapshot.l1_offset, u64{snapshot.l1_size} * 8);
  for (const u64 entry : l1_) {
    const u64 table = entry & kOffsetMask;
    if (table != 0 && !metadata_.insert(table >> bits_).second)
      return fail("disk image {}: corrupt: the cluster at {:#x} is used by two tables; it can only be opened read-only",
                  path(), table);
  }
  return {};
}

bool Qcow2Image::is_taken(u64 first, u64 last, bool exclusive) const {
  return std::ranges::any_of(active_, [&](const Active& other) {
    return (exclusive || other.exclusive) && other.first <= last && first <= other.last;
  });
}

bool Qcow2Image::wait_alone(Lock& lock, u64 first, u64 last) {
  if (!is_taken(first, last, true)) return true;
  ++waiting_;
  progress_.wait(lock);
  --waiting_;
  return false;
}

bool Qcow2Image::enter(Lock& lock, u64 first, u64 last, bool exclusive, u64* id) {
  if (is_taken(first, last, exclusive)) {
    ++waiting_;
    progress_.wait(lock);
    --waiting_;
    return false;
  }
  *id = next_id_++;
  active_.push_back({first, last, exclusive, *id});
  return true;
}

void Qcow2Image::leave(u64 id) {
  std::erase_if(active_, [&](const Active& each) { return each.id == id; });
  if (waiting_ != 0) progress_.notify_all();
}

int Qcow2Image::read(u64 offset, IoSpan to) {
  const u64 size = io_size(to);
  CHECK(offset <= this->size() && size <= this->size() - offset);
  return read_all(offset, to, true);
}

int Qcow2Image::read_all(u64 offset, IoSpan to, bool guarded) {
  const u64 size = io_size(to);
  std::vector<iovec> rest;
  for (u64 at = 0; at < size;) {
    u64 done = 0;
    rest.clear();
    if (at != 0) io_slice(to, at, size - at, &rest);
    if (const int error = read_step(offset + at, at == 0 ? to : IoSpan(rest), guarded, &done)) return error;
    at += done;
  }
  return 0;
}

int Qcow2Image::read_step(u64 offset, IoSpan to, bool guarded, u64* done) {
  const u64 size = io_size(to);
  const u64 first = offset >> bits_;
  Lock lock(mutex_);
  Run run;
  u64 id = 0;
  do {
    if (const int error = map(first, clusters_to(offset, size), &run)) return error;
  } while (guarded && !enter(lock, first, first + run.clusters - 1, false, &id));
  lock.unlock();

  const u64 in_cluster = offset & mask_;
  *done = std::min(size, (run.clusters << bits_) - in_cluster);
  std::vector<iovec> cut;
  if (*done != size) {
    io_slice(to, 0, *done, &cut);
    to = cut;
  }
  int error = 0;
  switch (run.kind) {
    case Kind::unallocated:
      error = read_backing(offset, to);
      break;
    case Kind::zero:
      io_fill_zero(to);
      break;
    case Kind::data:
      error = file_->read_padded(run.host + in_cluster, to);
      break;
    case Kind::compressed:
      error = read_compressed(run.entry, in_cluster, to);
      break;
  }
  if (guarded) {
    lock.lock();
    leave(id);
    cache_.trim();
  }
  return error;
}

int Qcow2Image::read_backing(u64 offset, IoSpan to) {
  const u64 size = io_size(to);
  const u64 there = has_backing_at(offset) ? std::min(size, backing_->size() - offset) : 0;
  if (there == size) return backing_->read(offset, to);
  std::vector<iovec> part;
  io_slice(to, there, size - there, &part);
  io_fill_zero(part);
  if (there == 0) return 0;
  part.clear();
  io_slice(to, 0, there, &part);
  return backing_->read(offset, part);
}

int Qcow2Image::read_compressed(u64 entry, u64 in_cluster, IoSpan to) {
  std::shared_ptr<std::vector<std::byte>> bytes;
  {
    const std::lock_guard lock(inflated_mutex_);
    for (const Inflated& each : inflated_) {
      if (each.bytes != nullptr && each.entry == entry) bytes = each.bytes;
    }
  }
  if (bytes == nullptr) {
    const CompressedExtent place = compressed_extent(header_, entry);
    std::vector<u8> raw(place.size);
    if (const int error = file_->read_padded(place.offset, raw.data(), raw.size())) return error;
    bytes = std::make_shared<std::vector<std::byte>>(header_.cluster_size());
    if (!decompress(header_.compression, raw, *bytes)) return EIO;
    const std::lock_guard lock(inflated_mutex_);
    inflated_[next_inflated_++ % inflated_.size()] = {entry, bytes};
  }
  io_copy_to(to, bytes->data() + in_cluster, io_size(to));
  return 0;
}

int Qcow2Image::extent(u64 offset, u64 size, Extent* extent) {
  CHECK(size != 0 && offset <= this->size() && size <= this->size() - offset);
  Run run;
  {
    const Lock lock(mutex_);
    if (const int error = map(offset >> bits_, clusters_to(offset, size), &run)) return error;
    cache_.trim();
  }
  size = std::min(size, (run.clusters << bits_) - (offset & mask_));
  *extent = Extent{size, run.kind == Kind::zero, 0};
  if (run.kind != Kind::unallocated) return 0;
  if (!has_backing_at(offset)) {
    *extent = Extent{size, true, Extent::kNowhere};
    return 0;
  }
  if (const int error = backing_->extent(offset, std::min(size, backing_->size() - offset), extent)) return error;
  if (extent->depth != Extent::kNowhere) ++extent->depth;
  return 0;
}

}  // namespace pagoda
