// SPDX-License-Identifier: MIT
// The table of devices under test.
#include "devices/device_factories.h"

#include <memory>
#include <utility>

#include "base/check.h"
#include "devices/firmware/fw_cfg.h"
#include "devices/firmware/sifive_test.h"
#include "devices/irq/aplic.h"
#include "devices/irq/imsic.h"
#include "devices/irq/plic.h"
#include "devices/memory_disk.h"
#include "devices/pci/pci_host.h"
#include "devices/rtc/goldfish_rtc.h"
#include "devices/serial/htif.h"
#include "devices/serial/uart16550.h"
#include "devices/storage/pflash.h"
#include "devices/timer/aclint.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/p9.h"
#include "devices/virtio/rng.h"
#include "devices/virtio/virtio_mmio.h"
#include "devices/virtio/virtio_pci.h"

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

void RecordingNet::send(const NetFrame& frame) {
  const std::lock_guard lock(mutex_);
  if (sent_.size() < 1000) sent_.push_back(frame);
}

std::vector<NetFrame> RecordingNet::take_sent() {
  const std::lock_guard lock(mutex_);
  return std::exchange(sent_, {});
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
    plic->event_input(2);
    bench.outside = [plic = plic.get()](u64 random) {
      plic->set_irq((random & 8) != 0 ? 1 + random % 3 : 1 + random % 95, (random >> 32) % 2 != 0);
      if ((random & 16) != 0) plic->renew_irq(2);
    };
    return plic;
  });
}

BenchedDevice make_aplic(bool with_messages) {
  return bench_device(Aplic::kWindowSize, [with_messages](Bench& bench) {
    Aplic::Wiring wiring{.sources = 70, .pins = {bench.irqs.line(0), bench.irqs.line(1)}};
    if (with_messages) wiring.message = [](u32, u32) {};
    auto aplic = std::make_unique<Aplic>("aplic", wiring);
    bench.outside = [aplic = aplic.get()](u64 random) {
      aplic->set_irq((random & 8) != 0 ? 1 + random % 3 : 1 + random % 69, (random >> 32) % 2 != 0);
    };
    return aplic;
  });
}
BenchedDevice make_aplic_direct() { return make_aplic(false); }
BenchedDevice make_aplic_messages() { return make_aplic(true); }

BenchedDevice make_imsic() {
  return bench_device(Imsic::window_size(3), [](Bench& bench) {
    auto imsic = std::make_unique<Imsic>(
        "imsic", std::vector<IrqLine>{bench.irqs.line(0), bench.irqs.line(1), bench.irqs.line(2)});
    bench.outside = [imsic = imsic.get()](u64 random) {
      InterruptFile& file = imsic->file(random % 3);
      constexpr u32 kRegisters[] = {0x70, 0x72, 0x80, 0x86, 0xc0, 0xc6};
      file.write_register(kRegisters[(random >> 8) % std::size(kRegisters)], random >> 16);
      if ((random >> 60) == 0) file.claim(file.top());
    };
    return imsic;
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

BenchedDevice make_virtio_net() {
  return in_virtio_slot([](Bench& bench) -> std::unique_ptr<VirtioDevice> {
    bench.outside = [&bench](u64 random) {
      NetFrame frame;
      frame.bytes.resize(random % 2000, std::byte{0x55});
      bench.net.arrive(frame);
    };
    return std::make_unique<VirtioNet>(bench.memory, "net0", VirtioNet::Mac{0x52, 0x54, 0, 1, 2, 3}, &bench.net);
  });
}

std::vector<u64> offsets_of(const RegisterDevice& device, u64 base = 0) {
  std::vector<u64> offsets;
  for (const Register& row : device.rows()) {
    const u32 last = row.elements() - 1;
    for (const u32 index : {0u, 1u, 2u, last}) offsets.push_back(base + row.offset_of(std::min(index, last)));
  }
  return offsets;
}

// A block device on a PCI bus, seen by one of its parts.
template <class Part>
BenchedDevice pci_part(u64 window, Part part) {
  BenchedDevice result;
  result.bench = std::make_unique<Bench>();
  Bench& bench = *result.bench;
  const auto host = std::make_shared<PciHost>(
      "pci", std::array{bench.irqs.line(0), bench.irqs.line(1), bench.irqs.line(2), bench.irqs.line(3)},
      [](u64, u32) {});
  bench.surroundings = host;
  VirtioBlk::Options options;
  options.queues = 2;
  auto device = std::make_unique<VirtioPci>(
      "disk0", *host, 1,
      std::make_unique<VirtioBlk>(bench.memory, "disk0", make_disk(std::string(64 * 512, 'd')),
                                  std::make_unique<TimedExecutor>(bench.clock, 1000), options));
  part(*device, result);
  result.window = window;
  result.device = std::move(device);
  return result;
}

BenchedDevice make_pci_config() {
  return pci_part(PciFunction::kConfigSize, [](VirtioPci& pci, BenchedDevice& result) {
    result.mmio = result.registers = &pci;
    result.offsets = offsets_of(pci);
  });
}

BenchedDevice make_pci_msix() {
  return pci_part(Msix::kWindowSize, [](VirtioPci& pci, BenchedDevice& result) {
    result.mmio = result.registers = &pci.msix();
    result.offsets = offsets_of(pci.msix());
    pci.write(0x98, Msix::kEnable, Access{});
  });
}

BenchedDevice make_pci_common() {
  return pci_part(VirtioPciCommon::kWindowSize, [](VirtioPci& pci, BenchedDevice& result) {
    result.mmio = result.registers = &pci.common();
    result.offsets = offsets_of(pci.common());
  });
}

BenchedDevice make_pci_structures() {
  return pci_part(VirtioPci::kStructuresSize, [](VirtioPci& pci, BenchedDevice& result) {
    result.mmio = &pci.structures();
    result.offsets = offsets_of(pci.common(), VirtioPci::kCommon);
    for (const u64 offset :
         {VirtioPci::kIsr, VirtioPci::kDevice, VirtioPci::kDevice + 32, VirtioPci::kNotify, VirtioPci::kNotify + 4})
      result.offsets.push_back(offset);
  });
}

constexpr DeviceFactory kDevices[] = {
    {"sifive_test", make_sifive_test},
    {"pci_common", make_pci_common},
    {"pci_config", make_pci_config},
    {"pci_msix", make_pci_msix},
    {"pci_structures", make_pci_structures},
    {"plic", make_plic},
    {"aclint", make_aclint},
    {"aplic_direct", make_aplic_direct},
    {"aplic_messages", make_aplic_messages},
    {"uart16550", make_uart16550},
    {"fw_cfg", make_fw_cfg},
    {"goldfish_rtc", make_goldfish_rtc},
    {"htif", make_htif},
    {"imsic", make_imsic},
    {"pflash", make_pflash},
    {"virtio_9p", make_virtio_9p},
    {"virtio_blk", make_virtio_blk},
    {"virtio_console", make_virtio_console},
    {"virtio_empty", make_virtio_empty},
    {"virtio_net", make_virtio_net},
    {"virtio_rng", make_virtio_rng},
};

}  // namespace

std::span<const DeviceFactory> all_devices() { return kDevices; }

}  // namespace pagoda::test
