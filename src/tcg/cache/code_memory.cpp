// SPDX-License-Identifier: MIT
// Mapping and chunks of code memory.
#include "tcg/cache/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "tcg/cache/injection.h"
#include "tcg/cache/unit.h"

namespace pagoda {
namespace {

std::unexpected<Error> no_memory(const char* what) {
  return fail("no executable memory: {}: {}", what, std::strerror(errno));
}

}  // namespace

Result<std::unique_ptr<CodeMemory>> CodeMemory::create(std::size_t bytes) {
  CHECK(bytes >= (std::size_t{1} << 20) && (bytes & (bytes - 1)) == 0 && bytes <= (std::size_t{1} << 30));
  const std::size_t data_bytes = bytes / 4;
  void* base = mmap(nullptr, data_bytes + bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return no_memory("mmap");
  auto* data = static_cast<u8*>(base);
  u8* execute = data + data_bytes;
  // Shared memory without a name, as a file's would keep perf from looking into /tmp/perf-PID.map.
  void* write = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const auto failed = [&](const char* what) {
    auto failure = no_memory(what);
    munmap(base, data_bytes + bytes);
    if (write != MAP_FAILED) munmap(write, bytes);
    return failure;
  };
  if (write == MAP_FAILED) return failed("mmap of the writable view");
  if (mmap(data, data_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
          MAP_FAILED ||
      mremap(write, 0, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, execute) == MAP_FAILED ||
      mprotect(execute, bytes, PROT_READ | PROT_EXEC) != 0) {
    return failed("mapping of the executable view");
  }
  return std::unique_ptr<CodeMemory>(new CodeMemory(data, data + data_bytes, static_cast<u8*>(write), bytes));
}

CodeMemory::CodeMemory(u8* data, u8* execute, u8* write, std::size_t bytes)
    : bytes_(bytes),
      data_bytes_(bytes / 4),
      data_(data),
      execute_(execute),
      write_(write),
      chunks_(bytes / kChunkBytes) {
  for (u32 i = static_cast<u32>(chunks_.size()); i-- > 0;) empty_.push_back(i);
}

CodeMemory::~CodeMemory() {
  munmap(data_, data_bytes_ + bytes_);
  munmap(write_, bytes_);
}

void CodeMemory::drop(u32 chunk) {
  if (--chunks_[chunk].live != 0) return;
  empty_.push_back(chunk);
  used_ -= kChunkBytes;
}

CodeMemory::Piece CodeMemory::allocate(std::size_t bytes) {
  bytes = (bytes + 15) & ~std::size_t{15};
  CHECK(bytes <= kChunkBytes / 4);
  if (injection::step_fails()) return {};
  const std::lock_guard lock(mutex_);
  std::byte* data = nullptr;
  if (!free_data_.empty()) {
    data = free_data_.back();
  } else if (data_at_ + kDataBytes <= data_bytes_) {
    data = reinterpret_cast<std::byte*>(data_ + data_at_);
  } else {
    return {};
  }
  if (current_ == ~u32{0} || at_ + bytes > kChunkBytes) {
    if (current_ != ~u32{0}) drop(current_);
    current_ = ~u32{0};
    if (empty_.empty()) return {};
    current_ = empty_.back();
    empty_.pop_back();
    chunks_[current_].live = 1;  // its own reference while it is the current one
    at_ = 0;
    used_ += kChunkBytes;
  }
  if (!free_data_.empty()) {
    free_data_.pop_back();
  } else {
    data_at_ += kDataBytes;
  }
  std::memset(data, 0, kDataBytes);
  const std::size_t offset = current_ * kChunkBytes + at_;
  at_ += bytes;
  ++chunks_[current_].live;
  return {write_ + offset, execute_ + offset, data};
}

void CodeMemory::release(const u8* execute, std::byte* data) {
  const std::lock_guard lock(mutex_);
  free_data_.push_back(data);
  drop(static_cast<u32>(static_cast<std::size_t>(execute - execute_) / kChunkBytes));
}

void release(const LoopCode& code) {
  if (code.destroy != nullptr) code.destroy(code.data);
  code.memory->release(code.start, code.data);
}

std::size_t CodeMemory::used_bytes() const {
  const std::lock_guard lock(mutex_);
  return used_;
}

}  // namespace pagoda
