// SPDX-License-Identifier: MIT
// The table of devices under test.
#include "devices/device_factories.h"

#include "base/check.h"
#include "devices/firmware/sifive_test.h"

namespace pagoda::test {

void RecordingBackend::write(std::span<const u8> bytes) {
  const std::lock_guard lock(mutex_);
  sent_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string RecordingBackend::sent() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

void RecordingBackend::type(std::span<const u8> bytes) {
  waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
  ready_ = true;
  deliver();
}

void RecordingBackend::deliver() {
  while (receiver_ && !waiting_.empty() && ready_.exchange(false)) {
    const std::size_t taken = receiver_(waiting_);
    CHECK(taken <= waiting_.size());
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
  }
}

Bench::Bench() { CHECK(memory.add_ram(GuestPhys{kRamBase}, kRamSize, "ram").has_value()); }

namespace {

BenchedDevice make_sifive_test() {
  return bench_device(SifiveTest::kWindowSize, [](Bench& bench) {
    return std::make_unique<SifiveTest>("test", [&bench](const PowerRequest&) { ++bench.power_requests; });
  });
}

constexpr DeviceFactory kDevices[] = {
    {"sifive_test", make_sifive_test},
};

}  // namespace

std::span<const DeviceFactory> all_devices() { return kDevices; }

}  // namespace pagoda::test
