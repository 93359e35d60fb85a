// SPDX-License-Identifier: MIT
// LockstepStream: records of 64-bit words from one process to another, which was forked from it, through shared memory.
//
// A ring of buffers; a byte on a pair of sockets hands a buffer over, so that whoever waits sleeps and hears when the
// other one is gone. Threading: one writer thread in one process, one reader thread in the other.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

class LockstepStream {
 public:
  static constexpr u64 kMostWords = 16384;  // of a record

  static Result<std::unique_ptr<LockstepStream>> create();
  ~LockstepStream();
  LockstepStream(const LockstepStream&) = delete;
  LockstepStream& operator=(const LockstepStream&) = delete;

  // After the fork: which end this process is.
  void become_writer();
  void become_reader();

  // False: the reader is gone.
  bool put(std::span<const u64> record);
  bool flush();
  // The next record, valid until the next call; empty: the writer is gone.
  std::span<const u64> take();

 private:
  LockstepStream() = default;
  u64* buffer() const { return words_ + current_ * kBufferWords; }
  bool wait_for_buffer();

  static constexpr u64 kBuffers = 8, kBufferWords = u64{1} << 17;
  u64* words_ = nullptr;
  std::array<int, 2> sockets_{-1, -1};  // the writer's and the reader's; after the fork one of them
  int socket_ = -1;                     // this end's
  u64 current_ = kBuffers - 1;
  u64 at_ = 0;  // words of the current buffer done; 0: none is held
};

}  // namespace pagoda
