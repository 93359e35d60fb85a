// SPDX-License-Identifier: MIT
// CodeMemory: where compiled code lives. Shared memory mapped twice: writable for the compiler, executable for the
// vcpus.
//
// Both views and the data that code reads (links) lie in one reservation, so that code reaches stubs and data with
// 32-bit displacements and holds no absolute address. No permission ever changes. Code is cut from chunks one piece
// after the other; a chunk is used again when its last piece is released. Any thread.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

class CodeMemory {
 public:
  // Data that code reads and others write, beside each piece of code.
  static constexpr std::size_t kDataBytes = 64;

  // Reserves room for `bytes` of code, a power of two of at least 1 MiB. Fails where executable memory cannot be had.
  static Result<std::unique_ptr<CodeMemory>> create(std::size_t bytes);
  ~CodeMemory();
  CodeMemory(const CodeMemory&) = delete;
  CodeMemory& operator=(const CodeMemory&) = delete;

  struct Piece {
    u8* write = nullptr;          // null: no room
    const u8* execute = nullptr;  // the same bytes where they run
    std::byte* data = nullptr;    // kDataBytes, zeroed
  };
  // `bytes`: at most 64 KiB. Alignment is 16.
  Piece allocate(std::size_t bytes);
  void release(const u8* execute, std::byte* data);
  std::size_t used_bytes() const;  // of all chunks that hold a piece
  std::size_t size() const { return bytes_; }

 private:
  CodeMemory(u8* data, u8* execute, u8* write, std::size_t bytes);
  struct Chunk {
    u32 live = 0;
    u32 next = 0;  // of the empty ones
  };
  void drop(u32 chunk);

  static constexpr std::size_t kChunkBytes = std::size_t{256} << 10;
  std::size_t bytes_;
  std::size_t data_bytes_;
  u8* data_;  // [data_, + data_bytes_), the code's executable view follows
  u8* execute_;
  u8* write_;
  mutable std::mutex mutex_;
  std::vector<Chunk> chunks_;
  std::vector<u32> empty_;
  u32 current_ = ~u32{0};
  std::size_t at_ = 0;  // in the current chunk
  std::size_t used_ = 0;
  std::vector<std::byte*> free_data_;
  std::size_t data_at_ = 0;
};

}  // namespace pagoda
