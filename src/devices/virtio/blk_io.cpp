// SPDX-License-Identifier: MIT
// The block device's I/O: what a request does to the image and to guest RAM. Runs on an executor's thread, unlocked.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/log.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/blk_protocol.h"

namespace pagoda {

using namespace virtio_blk;

namespace {

// What cannot move directly passes through a buffer of this size.
constexpr u64 kChunk = 256 * 1024;

// ThreadSanitizer takes the kernel's writes to guest RAM for ordinary ones that race with the guest's own.
#ifdef __SANITIZE_THREAD__
constexpr bool kMovesDirectly = false;
#else
constexpr bool kMovesDirectly = true;
#endif

// The host's pieces of the chain's data: `size` bytes after the first `skip`.
bool data_pieces(const GuestMemory& memory, std::span<const GuestBuffer> buffers, u64 skip, u64 size, bool for_writing,
                 std::vector<iovec>* pieces) {
  for (const GuestBuffer& buffer : buffers) {
    if (skip >= buffer.size) {
      skip -= buffer.size;
      continue;
    }
    const u64 step = std::min<u64>(size, buffer.size - skip);
    if (!memory.host_pieces(GuestPhys(buffer.address + skip), step, for_writing, pieces)) return false;
    size -= step;
    skip = 0;
  }
  return size == 0;
}

}  // namespace

bool VirtioBlk::is_on_disk(u64 sector, u64 size) const {
  const u64 capacity = file_->size() / kSectorSize;
  return size % kSectorSize == 0 && sector <= capacity && size / kSectorSize <= capacity - sector;
}

u8 VirtioBlk::status_of(const Request& request, int error) const {
  if (error == 0) return kOk;
  log(Log::device, "{}: request {} at sector {}: {}: {}", name(), request.type, request.sector, file_->path(),
      std::strerror(error));
  return kIoError;
}

void VirtioBlk::execute(Request& request) {
  request.written = 1;  // the status byte
  switch (request.type) {
    case kIn:
      request.status = read_data(request);
      break;
    case kOut:
      request.status = write_data(request);
      break;
    case kFlush:
      request.status = status_of(request, file_->flush());
      break;
    case kGetId:
      request.status = read_id(request);
      break;
    case kDiscard:
    case kWriteZeroes:
      request.status = discard_or_zero(request);
      break;
    default:
      log(Log::guest_error, "{}: request of unknown type {}", name(), request.type);
      request.status = kUnsupported;
  }
  log(Log::device, "{}: request {} at sector {}: status {}", name(), request.type, request.sector, request.status);
}

int VirtioBlk::move_through_buffer(Request& request, u64 size, bool is_write) {
  std::vector<std::byte> buffer(std::min(size, kChunk));
  std::array<std::byte, sizeof(Header)> header;
  ChainReader reader(memory(), request.chain.readable);
  ChainWriter writer(memory(), request.chain.writable);
  if (!reader.read(header)) return EFAULT;
  for (u64 done = 0; done < size;) {
    const std::span part = std::span(buffer).first(std::min(size - done, kChunk));
    const u64 offset = request.sector * kSectorSize + done;
    if (is_write && !reader.read(part)) return EFAULT;
    if (const int error = is_write ? file_->write(offset, part) : file_->read(offset, part)) return error;
    if (!is_write && !writer.write(part)) return EFAULT;
    done += part.size();
  }
  return 0;
}

u8 VirtioBlk::read_data(Request& request) {
  const u64 size = request.chain.writable_size - 1;
  if (!is_on_disk(request.sector, size)) return status_of(request, EINVAL);
  std::vector<iovec> pieces;
  int error = 0;
  if (kMovesDirectly && data_pieces(memory(), request.chain.writable, 0, size, true, &pieces)) {
    error = file_->read(request.sector * kSectorSize, IoSpan(pieces));
    u64 left = size;
    for (const GuestBuffer& buffer : request.chain.writable) {
      const u64 step = std::min<u64>(left, buffer.size);
      memory().written(GuestPhys(buffer.address), step);
      left -= step;
    }
  } else {
    error = move_through_buffer(request, size, false);
  }
  if (error != 0) return status_of(request, error);
  request.written = static_cast<u32>(size + 1);
  return kOk;
}

u8 VirtioBlk::write_data(Request& request) {
  const u64 size = request.chain.readable_size - sizeof(Header);
  if (file_->read_only()) return status_of(request, EROFS);
  if (!is_on_disk(request.sector, size)) return status_of(request, EINVAL);
  std::vector<iovec> pieces;
  const bool is_direct =
      kMovesDirectly && data_pieces(memory(), request.chain.readable, sizeof(Header), size, false, &pieces);
  const int error =
      is_direct ? file_->write(request.sector * kSectorSize, IoSpan(pieces)) : move_through_buffer(request, size, true);
  if (error != 0) return status_of(request, error);
  return status_of(request, request.flush_after ? file_->flush() : 0);
}

u8 VirtioBlk::read_id(Request& request) {
  std::array<std::byte, kIdSize> id{};
  std::memcpy(id.data(), options_.serial.data(), std::min<std::size_t>(options_.serial.size(), id.size()));
  const u64 size = std::min<u64>(request.chain.writable_size - 1, id.size());
  ChainWriter writer(memory(), request.chain.writable);
  if (!writer.write(std::span(id).first(size))) return status_of(request, EFAULT);
  request.written = static_cast<u32>(size + (size + 1 == request.chain.writable_size ? 1 : 0));
  return kOk;
}

u8 VirtioBlk::discard_or_zero(Request& request) {
  const bool is_discard = request.type == kDiscard;
  if (is_discard && !options_.discard) return kUnsupported;
  if (file_->read_only()) return status_of(request, EROFS);
  const u64 size = request.chain.readable_size - sizeof(Header);
  if (size == 0 || size % sizeof(Segment) != 0 || size / sizeof(Segment) > kMaxSegments)
    return status_of(request, EINVAL);
  std::array<std::byte, sizeof(Header)> header;
  std::vector<Segment> segments(size / sizeof(Segment));
  ChainReader reader(memory(), request.chain.readable);
  if (!reader.read(header) || !reader.read(std::as_writable_bytes(std::span(segments))))
    return status_of(request, EFAULT);
  for (const Segment& segment : segments) {
    // 5.2.6.2: unknown flags, and unmap with a discard, are not supported.
    if ((segment.flags & ~(is_discard ? 0 : kSegmentUnmap)) != 0) return kUnsupported;
    if (segment.sectors > (is_discard ? kMaxDiscardSectors : kMaxZeroesSectors) ||
        !is_on_disk(segment.sector, segment.sectors * kSectorSize))
      return status_of(request, EINVAL);
  }
  for (const Segment& segment : segments) {
    const u64 offset = segment.sector * kSectorSize;
    const u64 bytes = segment.sectors * kSectorSize;
    const int error =
        is_discard ? file_->discard(offset, bytes)
                   : file_->write_zeroes(offset, bytes, options_.discard && (segment.flags & kSegmentUnmap) != 0);
    if (error != 0) return status_of(request, error);
  }
  return status_of(request, request.flush_after ? file_->flush() : 0);
}

}  // namespace pagoda
