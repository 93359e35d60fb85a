// SPDX-License-Identifier: MIT
// Every device that the contract tests and the MMIO fuzzer run over, each on a bench of its own.
//
// To add a device: write a function that makes it on a fresh Bench, and add a row to kDevices in device_factories.cpp.
// A device is made the same way each time, so that two fresh ones are equal.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "devices/bus/clock.h"
#include "devices/bus/irq_line.h"
#include "devices/bus/register_map.h"
#include "devices/net/net_backend.h"
#include "devices/serial/char_backend.h"
#include "memory/guest_memory.h"

namespace pagoda::test {

// Remembers the level of each interrupt wire and how often it rose.
class RecordingIrqs final : public IrqSink {
 public:
  static constexpr u32 kInputs = 64;
  void set_irq(u32 input, bool level) override {
    if (!levels_[input].exchange(level) && level) ++rises_[input];
  }
  void renew_irq(u32 input) override { ++renewals_[input]; }
  bool level(u32 input) const { return levels_[input]; }
  u32 renewals(u32 input) const { return renewals_[input]; }
  u32 rises(u32 input) const { return rises_[input]; }
  std::vector<bool> levels() const { return std::vector<bool>(levels_.begin(), levels_.end()); }
  IrqLine line(u32 input) { return {this, input}; }

 private:
  std::array<std::atomic<bool>, kInputs> levels_{};
  std::array<std::atomic<u32>, kInputs> rises_{};
  std::array<std::atomic<u32>, kInputs> renewals_{};
};

// Keeps what the device sends; the test types input, and what the device did not take waits for input_ready().
class RecordingBackend final : public CharBackend {
 public:
  void write(std::span<const u8> bytes) override;
  void set_receiver(Receiver receiver) override { receiver_ = std::move(receiver); }
  void set_event_handler(std::function<void(CharEvent)> handler) override { event_handler_ = std::move(handler); }
  void input_ready() override { ready_ = true; }

  // Test side; one thread at a time.
  void type(std::span<const u8> bytes);
  void type(std::string_view text) { type({reinterpret_cast<const u8*>(text.data()), text.size()}); }
  void deliver();  // what waits, if the device said that it has room
  void drop_waiting() { waiting_.clear(); }
  void raise(CharEvent event) {
    if (event_handler_) event_handler_(event);
  }
  std::size_t waiting() const { return waiting_.size(); }
  std::string sent() const;

 private:
  Receiver receiver_;
  std::function<void(CharEvent)> event_handler_;
  std::vector<u8> waiting_;
  std::atomic<bool> ready_{false};
  mutable std::mutex mutex_;
  std::string sent_;
};

// A network that keeps what the card sends; the test makes up what arrives.
class RecordingNet final : public NetBackend {
 public:
  explicit RecordingNet(bool pulls = false) : pulls_(pulls) {}
  void connect(NetClient* client) override { client_ = client; }
  bool pulls() const override { return pulls_; }
  void send(const NetFrame& frame) override;
  void kick() override { ++kicks_; }

  // Test side; one thread at a time.
  NetClient* client() { return client_; }
  // Taken at once or dropped.
  bool arrive(const NetFrame& frame) { return client_ != nullptr && client_->receive({&frame, 1}) == 1; }
  u32 kicks() const { return kicks_; }
  std::vector<NetFrame> take_sent();

 private:
  const bool pulls_;
  NetClient* client_ = nullptr;
  std::atomic<u32> kicks_{0};
  std::mutex mutex_;
  std::vector<NetFrame> sent_;
};

// What surrounds a device under test. Time stands still unless the test moves it.
struct Bench {
  static constexpr u64 kRamBase = 0x8000'0000;
  static constexpr u64 kRamSize = 1 << 20;

  Bench();
  std::atomic<u64> now_ns{5'000'000'000};
  std::atomic<u64> wall_clock_ns{1'700'000'000'123'456'789};
  VirtualClock clock{[this] { return now_ns.load(); }};
  RecordingIrqs irqs;
  RecordingBackend backend;
  RecordingNet net;
  GuestMemory memory;  // kRamSize bytes of zeros at kRamBase, for DMA
  std::atomic<u32> power_requests{0};
  std::shared_ptr<void> surroundings;  // what else the device is plugged into
  // Does something to the device from its other side (interrupt inputs, a network frame), as the number says. May be
  // empty.
  std::function<void(u64 random)> outside;

  // What a main loop does between accesses: input, the outside, time passing by up to `max_step_ns`.
  void live(u64 random, u64 max_step_ns);
};

struct BenchedDevice {
  std::unique_ptr<Bench> bench;
  std::unique_ptr<Device> device;  // goes before its bench
  MmioHandler* mmio = nullptr;
  RegisterDevice* registers = nullptr;  // null: the device has no register map
  u64 window = 0;                       // bytes
  // Where random accesses mostly go: registers of the map (the first few and the last of an array), and what a factory
  // adds.
  std::vector<u64> offsets;
};

struct DeviceFactory {
  const char* name;
  BenchedDevice (*make)();
};

inline std::ostream& operator<<(std::ostream& out, const DeviceFactory& factory) { return out << factory.name; }

std::span<const DeviceFactory> all_devices();

// Builds a BenchedDevice around a register-map device; `make` gets the bench.
template <class Make>
BenchedDevice bench_device(u64 window, Make make) {
  BenchedDevice result;
  result.bench = std::make_unique<Bench>();
  auto device = make(*result.bench);
  result.mmio = device.get();
  if constexpr (std::is_convertible_v<decltype(device.get()), RegisterDevice*>) {
    result.registers = device.get();
    for (const Register& row : device->rows()) {
      const u32 last = row.elements() - 1;
      for (const u32 index : {0u, 1u, 2u, last}) result.offsets.push_back(row.offset_of(std::min(index, last)));
    }
  }
  result.window = window;
  result.device = std::move(device);
  return result;
}

// One access as a vcpu makes it.
inline u64 mmio_read(MmioHandler& device, u64 offset, u8 size = 4) {
  return device.read(offset, Access{.vcpu = 0, .size = size});
}
inline void mmio_write(MmioHandler& device, u64 offset, u64 value, u8 size = 4) {
  device.write(offset, value, Access{.vcpu = 0, .size = size});
}

}  // namespace pagoda::test
