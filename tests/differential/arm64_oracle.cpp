// SPDX-License-Identifier: MIT
// Shared memory, batches, an emulator started anew.
#include "differential/arm64_oracle.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pagoda::arm64 {
namespace {

constexpr const char* kModel = "max,sve=off,sme=off,pauth=off";
constexpr u32 kTries = 3;
constexpr std::size_t kSharedSize = 2 * sizeof(SharedHalf);

}  // namespace

ArmOracle::~ArmOracle() {
  if (shared_ != nullptr) ::munmap(shared_, kSharedSize);
  if (file_ >= 0) ::close(file_);
}

Result<> ArmOracle::spawn() { return oracle_.start(emulator_, kModel, PAGODA_ARM64_HARNESS, file_); }

Result<> ArmOracle::start(const std::string& emulator) {
  emulator_ = emulator;
  file_ = ::memfd_create("cases", MFD_CLOEXEC);
  if (file_ < 0 || ::ftruncate(file_, kSharedSize) != 0) return fail("shared memory: {}", std::strerror(errno));
  void* at = ::mmap(nullptr, kSharedSize, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (at == MAP_FAILED) return fail("shared memory: {}", std::strerror(errno));
  shared_ = static_cast<SharedHalf*>(at);
  return spawn();
}

// An error shows when the outcomes are asked for.
void ArmOracle::begin(Word which, Word count) {
  batch_ = {which, count};
  (void)oracle_.tell(batch_);
}

Result<> ArmOracle::finish() {
  for (u32 attempt = 0;; ++attempt) {
    ArmBatch done;
    const Result<> heard = oracle_.hear(done);
    if (heard && done.half == batch_.half && done.count == batch_.count) return {};
    if (attempt == kTries) return fail("the emulator ended {} times in the same batch", attempt + 1);
    ++restarts_;
    TRY(spawn());
    (void)oracle_.tell(batch_);
  }
}

}  // namespace pagoda::arm64
