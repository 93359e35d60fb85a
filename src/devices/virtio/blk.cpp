// SPDX-License-Identifier: MIT
// The block device: requests in and out of the queues, configuration, state.
#include "devices/virtio/blk.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "devices/virtio/blk_protocol.h"

namespace pagoda {

using namespace virtio_blk;

namespace {

u64 features_of(const DiskImage& file, const VirtioBlk::Options& options) {
  u64 features = kFeatureSegMax | kFeatureBlkSize | kFeatureFlush | kFeatureTopology | kFeatureConfigWce;
  if (options.queues > 1) features |= kFeatureMq;
  if (file.read_only()) return features | kFeatureReadOnly;
  features |= kFeatureWriteZeroes;
  if (options.discard) features |= kFeatureDiscard;
  return features;
}

}  // namespace

VirtioBlk::VirtioBlk(GuestMemory& memory, std::string name, std::unique_ptr<DiskImage> file,
                     std::unique_ptr<BlockExecutor> executor, const Options& options)
    : VirtioDevice(memory, std::move(name), VirtioId::block, features_of(*file, options),
                   std::vector<u16>(options.queues, options.queue_size), kConfigSize),
      options_(options),
      file_(std::move(file)),
      quiet_(options.queues),
      executor_(std::move(executor)) {
  executor_->set_complete([this](std::span<const u64> ids) { complete(ids); });
  CHECK(options.queues >= 1 && options.queues <= 64 && options.queue_size >= 4, "{}", this->name());
  CHECK(std::has_single_bit(options.block_size) && options.block_size >= 512 && options.block_size <= 32768);
  const u32 physical = options.physical_block_size != 0 ? options.physical_block_size : options.block_size;
  CHECK(std::has_single_bit(physical) && physical >= options.block_size);
  set_config<u64>(kConfigCapacity, file_->size() / kSectorSize);
  set_config<u32>(kConfigSegMax, options.queue_size - 2u);  // a header and a status byte go with the data
  set_config<u32>(kConfigBlkSize, options.block_size);
  set_config<u8>(kConfigPhysicalBlockExp, static_cast<u8>(std::countr_zero(physical / options.block_size)));
  set_config<u16>(kConfigMinIoSize, 1);
  set_config<u16>(kConfigNumQueues, options.queues);
  if (!file_->read_only()) {
    if (options.discard) {
      set_config<u32>(kConfigMaxDiscardSectors, kMaxDiscardSectors);
      set_config<u32>(kConfigMaxDiscardSegments, kMaxSegments);
      set_config<u32>(kConfigDiscardAlignment, options.block_size / kSectorSize);
    }
    set_config<u32>(kConfigMaxZeroesSectors, kMaxZeroesSectors);
    set_config<u32>(kConfigMaxZeroesSegments, kMaxSegments);
    set_config<u8>(kConfigZeroesMayUnmap, options.discard);
  }
  set_write_cache(options.write_cache);
}

VirtioBlk::~VirtioBlk() { executor_->stop(); }

void VirtioBlk::set_write_cache(bool on) {
  write_cache_ = on ? 1 : 0;
  set_config<u8>(kConfigWriteback, write_cache_);
}

void VirtioBlk::features_negotiated() {
  // A driver that cannot flush must get a disk that need not be flushed (5.2.6.2).
  if (!negotiated(kFeatureFlush)) set_write_cache(false);
}

void VirtioBlk::reset_model() { set_write_cache(options_.write_cache); }

void VirtioBlk::config_written(u64 offset, std::span<const u8> value) {
  if (offset != kConfigWriteback || value.size() != 1 || !negotiated(kFeatureConfigWce))
    return VirtioDevice::config_written(offset, value);
  set_write_cache((value[0] & 1) != 0);
}

void VirtioBlk::process_queue(u16 index) {
  VirtqChain chain;
  bool look_again = false;
  do {
    queue(index)->suppress_notifications();
    while (pop(index, &chain)) {
      Request request;
      if (parse(index, std::move(chain), &request)) submit(std::move(request));
    }
    if (!live()) return;
    quiet_[index] = executor_->width() != 0 && requests_.size() >= executor_->width();
    look_again = !quiet_[index] && !queue(index)->request_notifications();
  } while (look_again);
}

bool VirtioBlk::parse(u16 queue, VirtqChain chain, Request* request) {
  Header header;
  std::array<std::byte, sizeof(Header)> raw;
  ChainReader reader(memory(), chain.readable);
  if (chain.writable_size == 0 || !reader.read(raw)) {
    fail(fmt::format("queue {}: request without header or status", queue));
    return false;
  }
  std::memcpy(&header, raw.data(), sizeof header);
  request->id = next_id_++;
  request->queue = queue;
  request->type = header.type;
  request->sector = header.sector;
  request->flush_after = write_cache_ == 0;
  request->chain = std::move(chain);
  return true;
}

void VirtioBlk::submit(Request request) {
  const u64 id = request.id;
  const u64 deadline = request.deadline_ns;
  Request& stored = requests_.emplace(id, std::move(request)).first->second;
  // The request may be complete, and gone, before submit() returns only after this thread gave up the device's lock.
  stored.deadline_ns = executor_->submit({id, [this, &stored] { execute(stored); }}, deadline);
}

void VirtioBlk::complete(std::span<const u64> ids) {
  const Guard guard(*this);
  u64 touched = 0;  // queues, a bit each
  for (const u64 id : ids) {
    auto node = requests_.extract(id);
    if (node.empty()) continue;  // dropped by stop_queue()
    Request& request = node.mapped();
    if (!live()) continue;
    ChainWriter writer(memory(), request.chain.writable);
    writer.skip(request.chain.writable_size - 1);
    const std::byte status{request.status};
    if (!writer.write({&status, 1})) continue;
    push(request.queue, request.chain.head, request.written);
    touched |= u64{1} << request.queue;
  }
  for (u16 index = 0; index < queue_count(); ++index) {
    if ((touched >> index & 1) != 0) signal(index);
    if (quiet_[index] && live()) process_queue(index);
  }
}

void VirtioBlk::stop_queue(u16 index) {
  executor_->wait_executed();
  quiet_[index] = false;
  std::erase_if(requests_, [&](const auto& entry) { return entry.second.queue == index; });
}

void VirtioBlk::quiesce() { executor_->wait_completed(); }

// Requests that wait for their deadline are carried out again when restored: until then their buffers belong to the
// device, so that doing the same twice cannot be seen.
std::vector<u8> VirtioBlk::save_requests() const {
  std::vector<u8> saved;
  const auto put = [&](auto value) {
    for (std::size_t i = 0; i < sizeof value; ++i) saved.push_back(static_cast<u8>(u64{value} >> (8 * i)));
  };
  for (const auto& [id, request] : requests_) {
    put(request.queue);
    put(request.chain.head);
    put(request.deadline_ns);
  }
  return saved;
}

void VirtioBlk::restore_requests(const std::vector<u8>& saved) {
  constexpr std::size_t kRecord = 12;
  const auto get = [&](std::size_t at, std::size_t size) {
    u64 value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= u64{saved[at + i]} << (8 * i);
    return value;
  };
  requests_.clear();  // completions of what this device had in flight find nothing
  for (std::size_t at = 0; at + kRecord <= saved.size() && live(); at += kRecord) {
    const u16 index = static_cast<u16>(get(at, 2));
    VirtqChain chain;
    Request request;
    Virtqueue* queue = this->queue(index);
    if (queue == nullptr || !queue->reload(static_cast<u16>(get(at + 2, 2)), &chain)) {
      fail(fmt::format("queue {}: a saved request cannot be found again", index));
      return;
    }
    if (!parse(index, std::move(chain), &request)) return;
    request.deadline_ns = get(at + 4, 8);
    submit(std::move(request));
  }
}

void VirtioBlk::visit_model(StateVisitor& visitor) {
  visitor.field("write_cache", write_cache_);
  set_write_cache(write_cache_ != 0);
  const std::vector<u8> before = save_requests();
  std::vector<u8> requests = before;
  visitor.field("requests", requests);
  if (requests != before) restore_requests(requests);
}

}  // namespace pagoda
