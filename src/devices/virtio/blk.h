// SPDX-License-Identifier: MIT
// VirtioBlk: the virtio block device (virtio 1.2, 5.2) over a disk image.
//
// A chain is parsed under the device's lock; its data moves, straight between the image and guest RAM, in the
// executor's execute() without the lock; status bytes and used entries follow under it in complete(), one interrupt for
// a group. While the executor has enough to do the driver is not asked to notify: complete() looks for new requests
// itself. A queue taken out of use waits for execute() of what it handed out and forgets those requests, so that
// nothing is written to a driver that has gone. Threading: see VirtioDevice; the executor decides where I/O is done.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "devices/storage/block_executor.h"
#include "devices/storage/disk_image.h"
#include "devices/virtio/virtio_device.h"

namespace pagoda {

class VirtioBlk final : public VirtioDevice {
 public:
  struct Options {
    u16 queues = 1;               // 1 to 64
    u16 queue_size = 256;         // a power of two from 4 on
    std::string serial;           // up to 20 characters, what GET_ID returns
    u32 block_size = 512;         // logical block size told to the driver: a power of two from 512 to 32768
    u32 physical_block_size = 0;  // what the driver better aligns to: a power of two from block_size on; 0: that
    bool write_cache = true;      // off: each write is on stable storage before it completes
    bool discard = true;          // discarded ranges give their space back
  };

  VirtioBlk(GuestMemory& memory, std::string name, std::unique_ptr<DiskImage> file,
            std::unique_ptr<BlockExecutor> executor, const Options& options);
  ~VirtioBlk() override;

 private:
  struct Request {
    u64 id = 0;
    u16 queue = 0;
    u64 deadline_ns = 0;
    VirtqChain chain;
    u32 type = 0;
    u64 sector = 0;
    bool flush_after = false;
    u8 status = 0;
    u32 written = 0;
  };

  void process_queue(u16 index) override;
  void features_negotiated() override;
  void stop_queue(u16 index) override;
  void reset_model() override;
  void config_written(u64 offset, std::span<const u8> value) override;
  void quiesce() override;
  void visit_model(StateVisitor& visitor) override;

  bool parse(u16 queue, VirtqChain chain, Request* request);
  void submit(Request request);
  void complete(std::span<const u64> ids);
  void set_write_cache(bool on);
  std::vector<u8> save_requests() const;
  void restore_requests(const std::vector<u8>& saved);

  // Without the lock: these touch only the request, the file and guest RAM.
  void execute(Request& request);
  u8 read_data(Request& request);
  u8 write_data(Request& request);
  int move_through_buffer(Request& request, u64 size, bool is_write);
  u8 read_id(Request& request);
  u8 discard_or_zero(Request& request);
  u8 status_of(const Request& request, int error) const;
  bool is_on_disk(u64 sector, u64 size) const;

  const Options options_;
  const std::unique_ptr<DiskImage> file_;
  u8 write_cache_ = 1;
  u64 next_id_ = 0;
  std::vector<bool> quiet_;          // queues whose driver is not asked to notify: complete() looks at them
  std::map<u64, Request> requests_;  // in flight; nodes stay where they are while execute() works on them
  std::unique_ptr<BlockExecutor> executor_;
};

}  // namespace pagoda
