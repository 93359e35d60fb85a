// SPDX-License-Identifier: MIT
// The ring of buffers and its sockets. Word 0 of a buffer is the number of its words in use, word 0 of a record its
// size.
#include "machines/lockstep_stream.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace pagoda {
namespace {

void close_end(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

bool hand_over(int fd) {
  const u8 byte = 0;
  ssize_t written;
  do written = send(fd, &byte, 1, MSG_NOSIGNAL);
  while (written < 0 && errno == EINTR);
  return written == 1;
}

}  // namespace

Result<std::unique_ptr<LockstepStream>> LockstepStream::create() {
  std::unique_ptr<LockstepStream> stream(new LockstepStream());
  void* memory =
      mmap(nullptr, kBuffers * kBufferWords * sizeof(u64), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail("lockstep=on: no shared memory: {}", std::strerror(errno));
  stream->words_ = static_cast<u64*>(memory);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream->sockets_.data()) != 0) {
    return fail("lockstep=on: no sockets: {}", std::strerror(errno));
  }
  for (u64 i = 0; i < kBuffers; ++i) CHECK(hand_over(stream->sockets_[1]));  // the writer may have them all
  return stream;
}

LockstepStream::~LockstepStream() {
  for (int& fd : sockets_) close_end(fd);
  if (words_ != nullptr) munmap(words_, kBuffers * kBufferWords * sizeof(u64));
}

void LockstepStream::become_writer() {
  socket_ = sockets_[0];
  close_end(sockets_[1]);
}

void LockstepStream::become_reader() {
  socket_ = sockets_[1];
  close_end(sockets_[0]);
}

bool LockstepStream::wait_for_buffer() {
  u8 byte;
  ssize_t got;
  do got = recv(socket_, &byte, 1, 0);
  while (got < 0 && errno == EINTR);
  if (got != 1) return false;
  current_ = (current_ + 1) % kBuffers;
  at_ = 1;
  return true;
}

bool LockstepStream::put(std::span<const u64> record) {
  CHECK(record.size() == record[0] && record.size() <= kMostWords);
  if (at_ + record.size() > kBufferWords && !flush()) return false;
  if (at_ == 0 && !wait_for_buffer()) return false;
  std::ranges::copy(record, buffer() + at_);
  at_ += record.size();
  return true;
}

bool LockstepStream::flush() {
  if (at_ == 0) return true;
  buffer()[0] = at_;
  at_ = 0;
  return hand_over(socket_);
}

std::span<const u64> LockstepStream::take() {
  if (at_ != 0 && at_ == buffer()[0]) {
    at_ = 0;
    hand_over(socket_);  // a writer that is gone shows below
  }
  if (at_ == 0 && !wait_for_buffer()) return {};
  const u64* record = buffer() + at_;
  at_ += record[0];
  return {record, record[0]};
}

}  // namespace pagoda
