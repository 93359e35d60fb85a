// SPDX-License-Identifier: MIT
// The table of devices under test.
#include "devices/device_factories.h"

#include <memory>
#include <utility>

#include "base/check.h"
#include "devices/firmware/fw_cfg.h"
#include "devices/firmware/sifive_test.h"
#include "devices/irq/plic.h"
#include "devices/memory_disk.h"
#include "devices/rtc/goldfish_rtc.h"
#include "devices/serial/htif.h"
#include "devices/serial/uart16550.h"
#include "devices/storage/pflash.h"
#include "devices/timer/aclint.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/p9.h"
#include "devices/virtio/rng.h"
#include "devices/virtio/virtio_mmio.h"

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

void Bench::live(u64 random, u64 max_step_ns) {
  const u8 typed[] = {static_cast<u8>(random), static_cast<u8>(random >> 8)};
  if (backend.waiting() < 64) backend.type(typed);
  if (outside) outside(random);
  const u64 step = (random >> 16) % max_step_ns;
  now_ns += step;
  wall_clock_ns += step;
  clock.run_due();
}

namespace {

BenchedDevice make_sifive_test() {
  return bench_device(SifiveTest::kWindowSize, [](Bench& bench) {
    return std::make_unique<SifiveTest>("test", [&bench](const PowerRequest&) { ++bench.power_requests; });
  });
}

BenchedDevice make_plic() {
  constexpr u32 kContexts = 4;
  return bench_device(Plic::window_size(kContexts), [](Bench& bench) {
    std::vector<IrqLine> contexts;
    for (u32 context = 0; context < kContexts; ++context) contexts.push_back(bench.irqs.line(context));
    auto plic = std::make_unique<Plic>("plic", 96, contexts);
    bench.outside = [plic = plic.get()](u64 random) {
      plic->set_irq((random & 8) != 0 ? 1 + random % 3 : 1 + random % 95, (random >> 32) % 2 != 0);
    };
    return plic;
  });
}

BenchedDevice make_aclint() {
  return bench_device(Aclint::kWindowSize, [](Bench& bench) {
    std::vector<Aclint::HartLines> harts;
    for (u32 hart = 0; hart < 4; ++hart) harts.push_back({bench.irqs.line(2 * hart), bench.irqs.line(2 * hart + 1)});
    return std::make_unique<Aclint>("clint", bench.clock, Aclint::kVirtTimebaseHz, harts);
  });
}

BenchedDevice make_uart16550() {
  return bench_device(Uart16550::kWindowSize, [](Bench& bench) {
    return std::make_unique<Uart16550>("serial0", bench.clock, Uart16550::kVirtClockHz, bench.irqs.line(0),
                                       &bench.backend);
  });
}

BenchedDevice make_goldfish_rtc() {
  return bench_device(GoldfishRtc::kWindowSize, [](Bench& bench) {
    return std::make_unique<GoldfishRtc>(
        "rtc", bench.clock, [&bench] { return bench.wall_clock_ns.load(); }, bench.irqs.line(0));
  });
}

BenchedDevice make_htif() {
  BenchedDevice htif = bench_device(HtifWindow::kWindowSize, [](Bench& bench) {
    HtifWindow::Layout layout{.tohost = 0x40, .fromhost = 0x80, .content = std::vector<u8>(64, 0x5a)};
    return std::make_unique<HtifWindow>(
        "htif", std::move(layout), [&bench](const PowerRequest&) { ++bench.power_requests; }, &bench.backend);
  });
  htif.offsets = {0x40, 0x44, 0x80};
  return htif;
}

BenchedDevice in_virtio_slot(std::unique_ptr<VirtioDevice> (*make)(Bench&)) {
  return bench_device(VirtioMmio::kWindowSize, [make](Bench& bench) {
    return std::make_unique<VirtioMmio>("virtio0", make(bench), bench.irqs.line(1));
  });
}

BenchedDevice make_virtio_empty() {
  return in_virtio_slot([](Bench&) -> std::unique_ptr<VirtioDevice> { return nullptr; });
}

BenchedDevice make_virtio_blk() {
  return in_virtio_slot([](Bench& bench) -> std::unique_ptr<VirtioDevice> {
    VirtioBlk::Options options;
    options.queues = 2;
    return std::make_unique<VirtioBlk>(bench.memory, "disk0", make_disk(std::string(64 * 512, 'd')),
                                       std::make_unique<WorkerExecutor>(), options);
  });
}

// Of a folder that nobody should fill: the bench hands out no message that names a file.
BenchedDevice make_virtio_9p() {
  return in_virtio_slot([](Bench& bench) -> std::unique_ptr<VirtioDevice> {
    auto folder = p9::HostFolder::open("/", p9::Security::none, true);
    CHECK(folder.has_value());
    return std::make_unique<VirtioP9>(bench.memory, "share0", "share", std::move(*folder), nullptr);
  });
}

BenchedDevice make_virtio_rng() {
  return in_virtio_slot([](Bench& bench) -> std::unique_ptr<VirtioDevice> {
    return std::make_unique<VirtioRng>(bench.memory, "rng0", [](std::span<std::byte> out) {
      for (std::byte& byte : out) byte = std::byte{4};
    });
  });
}

BenchedDevice make_virtio_console() {
  return in_virtio_slot([](Bench& bench) -> std::unique_ptr<VirtioDevice> {
    return std::make_unique<VirtioConsole>(bench.memory, "console0",
                                           std::vector<VirtioConsole::Port>{{0, true, "", &bench.backend}}, 4);
  });
}

BenchedDevice make_fw_cfg() {
  return bench_device(FwCfg::kWindowSize, [](Bench& bench) {
    FwCfg::Content content;
    content.add_number(FwCfg::kRamSize, Bench::kRamSize, 8);
    content.add_file("opt/name", "a file's content");
    return std::make_unique<FwCfg>("fw_cfg", bench.memory, std::move(content));
  });
}

// Read-only: the content is memory of the machine, so it is not part of what reset and restore bring back.
BenchedDevice make_pflash() {
  constexpr u64 kSize = 2 * Pflash::kSectorSize;
  BenchedDevice flash = bench_device(kSize, [](Bench& bench) {
    auto device = std::make_unique<Pflash>("flash", bench.memory, Pflash::Window{0x2000'0000, kSize},
                                           make_disk(std::string(kSize, 'f'), true), [] {});
    CHECK(device->map().has_value());
    return device;
  });
  for (u64 offset = 0; offset < 0x100; offset += 4) flash.offsets.push_back(offset);
  flash.offsets.push_back(Pflash::kSectorSize);
  return flash;
}

constexpr DeviceFactory kDevices[] = {
    {"sifive_test", make_sifive_test},
    {"plic", make_plic},
    {"aclint", make_aclint},
    {"uart16550", make_uart16550},
    {"fw_cfg", make_fw_cfg},
    {"goldfish_rtc", make_goldfish_rtc},
    {"htif", make_htif},
    {"pflash", make_pflash},
    {"virtio_9p", make_virtio_9p},
    {"virtio_blk", make_virtio_blk},
    {"virtio_console", make_virtio_console},
    {"virtio_empty", make_virtio_empty},
    {"virtio_rng", make_virtio_rng},
};

}  // namespace

std::span<const DeviceFactory> all_devices() { return kDevices; }

}  // namespace pagoda::test
