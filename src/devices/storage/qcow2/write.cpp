// SPDX-License-Identifier: MIT
// Writing data: in place where a cluster is the disk's alone, else to new clusters with what lies around it.
#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "devices/storage/io_span.h"
#include "devices/storage/qcow2/compression.h"
#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda {

using namespace qcow2;

namespace {
constexpr u64 kMostNewBytes = u64{4} << 20;  // in one piece: bounds how long others wait
}

int Qcow2Image::write(u64 offset, IoSpan from) {
  const u64 size = io_size(from);
  CHECK(offset <= this->size() && size <= this->size() - offset);
  if (read_only()) return EROFS;
  std::vector<iovec> rest;
  for (u64 at = 0; at < size;) {
    u64 done = 0;
    rest.clear();
    if (at != 0) io_slice(from, at, size - at, &rest);
    if (const int error = write_step(offset + at, at == 0 ? from : IoSpan(rest), &done)) return error;
    at += done;
  }
  write_back_if_much();
  return 0;
}

int Qcow2Image::write_step(u64 offset, IoSpan from, u64* done) {
  const u64 first = offset >> bits_;
  const u64 most = clusters_to(offset, io_size(from));
  const u64 most_new = std::min(most, std::max<u64>(kMostNewBytes >> bits_, 1));
  Lock lock(mutex_);
  for (;;) {
    if (broken_) return EIO;
    if (const int error = begin_writing()) return error;
    MetaBlock* block = nullptr;
    u64 index = 0;
    if (const int error = entry_block(first, false, &block, &index)) return error;
    // What the first cluster asks for, and for how many it is the same.
    enum class Way : u8 { in_place, kept_place, new_place };
    Way way = Way::new_place;
    u64 host = 0, count = 0;
    if (block == nullptr) {
      count = std::min(most_new, header_.l2_entries() - (first & (header_.l2_entries() - 1)));
    } else {
      for (const u64 limit = std::min(most, cache_.block_size() / 8 - index); count < limit; ++count) {
        const u64 entry = load_be<u64>(&block->bytes[8 * (index + count)]);
        bool ours = false;
        if (const int error = is_ours(entry, &ours)) return error;
        const Way this_way = !ours ? Way::new_place : (entry & kZero) != 0 ? Way::kept_place : Way::in_place;
        if (count == 0) {
          way = this_way;
          host = entry & kOffsetMask;
        } else if (this_way != way || (way != Way::new_place && (entry & kOffsetMask) != host + (count << bits_)) ||
                   (way != Way::in_place && count == most_new)) {
          break;
        }
      }
    }
    // The L2 table may be shared with a snapshot, and then its entries are not ours whatever their flags say.
    if (way != Way::new_place) {
      const u64 before = l1_[first >> header_.l2_bits()];
      if (const int error = make_l2_writable(first >> header_.l2_bits())) return error;
      if (l1_[first >> header_.l2_bits()] != before) continue;
    }
    u64 id = 0;
    if (!enter(lock, first, first + count - 1, way != Way::in_place, &id)) continue;
    const int error = way == Way::in_place
                          ? write_in_place(lock, offset, host, count, from, done)
                          : write_new(lock, offset, count, way == Way::kept_place ? host : 0, from, done);
    leave(id);
    return error;
  }
}

int Qcow2Image::write_in_place(Lock& lock, u64 offset, u64 host, u64 clusters, IoSpan from, u64* done) {
  lock.unlock();
  const u64 in_cluster = offset & mask_;
  *done = std::min(io_size(from), (clusters << bits_) - in_cluster);
  std::vector<iovec> cut;
  io_slice(from, 0, *done, &cut);
  const int error = file_->write(host + in_cluster, cut);
  lock.lock();
  return error;
}

int Qcow2Image::reads_as_zero(u64 cluster, bool* zero) {
  Run run;
  if (const int error = map(cluster, 1, &run)) return error;
  *zero = run.kind == Kind::zero || (run.kind == Kind::unallocated && !has_backing_at(cluster << bits_));
  return 0;
}

int Qcow2Image::write_new(Lock& lock, u64 offset, u64 clusters, u64 kept_host, IoSpan from, u64* done) {
  const u64 first = offset >> bits_;
  u64 host = kept_host;
  bool is_fresh = false;
  if (host == 0) {
    const u64 end = refcounts_.file_end();
    u64 cluster = 0;
    if (const int error = refcounts_.allocate(clusters, &cluster, &clusters))
      return error == EIO && !refcounts_.problem().empty() ? corrupt(refcounts_.problem()) : error;
    host = cluster << bits_;
    is_fresh = host >= end;
  }
  const auto give_up = [&](int error) {
    // No entry names the clusters, but a flush may be about to write their refcounts: free them after it.
    if (kept_host == 0) free_clusters(host >> bits_, clusters, false);
    return error;
  };
  bool head_is_zero = false, tail_is_zero = false;
  if (const int error = reads_as_zero(first, &head_is_zero)) return give_up(error);
  if (const int error = reads_as_zero(first + clusters - 1, &tail_is_zero)) return give_up(error);
  *done = std::min(io_size(from), (clusters << bits_) - (offset & mask_));
  std::vector<iovec> cut;
  io_slice(from, 0, *done, &cut);
  lock.unlock();
  const int write_error = write_around(offset, host, is_fresh && head_is_zero && tail_is_zero, clusters, cut);
  lock.lock();
  if (write_error != 0) return give_up(write_error);
  if (broken_) return EIO;
  for (u64 i = 0; i < clusters; ++i) {
    if (const int error = set_entry(first + i, (host + (i << bits_)) | kCopied, false)) return error;
  }
  return 0;
}

int Qcow2Image::write_around(u64 offset, u64 host, bool is_fresh, u64 clusters, IoSpan from) {
  const u64 head = offset & mask_;
  const u64 size = io_size(from);
  const u64 tail = (clusters << bits_) - head - size;
  if (is_fresh || (head == 0 && tail == 0)) return file_->write(host + head, from);
  std::vector<std::byte> around(head + tail);  // zeros, as what lies behind the disk's end
  std::vector<iovec> all;
  if (head != 0) {
    all.push_back({around.data(), head});
    if (const int error = read_all(offset - head, IoSpan(all), false)) return error;
  }
  all.insert(all.end(), from.begin(), from.end());
  if (tail != 0) {
    const u64 on_disk = std::min(tail, this->size() - (offset + size));
    if (on_disk != 0) {
      const iovec piece{around.data() + head, on_disk};
      if (const int error = read_all(offset + size, IoSpan(&piece, 1), false)) return error;
    }
    all.push_back({around.data() + head, tail});
  }
  return file_->write(host, all);
}

int Qcow2Image::allocate_bytes(u64 size, u64* host) {
  const u64 used = free_byte_ & mask_;
  const u64 left = used == 0 ? 0 : header_.cluster_size() - used;
  if (left != 0 && size <= left) {
    const int error = refcounts_.add(free_byte_ >> bits_);
    if (error == 0) {
      *host = free_byte_;
      free_byte_ = (free_byte_ + size) & mask_ ? free_byte_ + size : 0;
      return 0;
    }
    if (error != EMLINK) return error;
  }
  u64 cluster = 0, count = 0;
  if (const int error = refcounts_.allocate(1, &cluster, &count)) return error;
  *host = cluster << bits_;
  // Over the border where the next cluster happens to be the next free one.
  if (left != 0 && size > left && cluster == (free_byte_ >> bits_) + 1 && refcounts_.add(free_byte_ >> bits_) == 0)
    *host = free_byte_;
  free_byte_ = (*host + size) & mask_ ? *host + size : 0;
  return 0;
}

int Qcow2Image::write_compressed(u64 offset, std::span<const std::byte> bytes) {
  CHECK((offset & mask_) == 0 && bytes.size() <= header_.cluster_size() && offset < size());
  std::vector<std::byte> whole(bytes.begin(), bytes.end());
  whole.resize(header_.cluster_size());
  const std::vector<u8> small = compress(header_.compression, whole);
  {
    Lock lock(mutex_);
    while (!wait_alone(lock, offset >> bits_, offset >> bits_)) {
    }
    if (broken_) return EIO;
    if (const int error = begin_writing()) return error;
    Run run;
    if (const int error = map(offset >> bits_, 1, &run)) return error;
    if (!small.empty() && run.kind == Kind::unallocated) {
      u64 host = 0;
      if (const int error = allocate_bytes(small.size(), &host))
        return error == EIO && !refcounts_.problem().empty() ? corrupt(refcounts_.problem()) : error;
      // Compressed data is written by one thread that fills new images: the lock may be held meanwhile.
      if (const int error = file_->write(host, small.data(), small.size())) return error;
      if (const int error = set_entry(offset >> bits_, compressed_entry(header_, host, small.size()), false))
        return error;
      lock.unlock();
      write_back_if_much();
      return 0;
    }
  }
  return write(offset, bytes);
}

}  // namespace pagoda
