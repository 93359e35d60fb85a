// SPDX-License-Identifier: MIT
// What a machine tells about itself: monitor texts and the state hash.
#include <xxhash.h>
#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include <fmt/ranges.h>

#include "base/check.h"
#include "machines/machine.h"
#include "machines/virtio_devices.h"

namespace pagoda {
namespace {

// Feeds names and values, so that a field that moved or changed its size changes the hash.
class HashVisitor final : public StateVisitor {
 public:
  HashVisitor() { CHECK(XXH3_64bits_reset(state_.get()) == XXH_OK); }
  void scalar(std::string_view name, void* data, u32 size) override { field(name, data, size); }
  void bytes(std::string_view name, std::vector<u8>* data) override { field(name, data->data(), data->size()); }
  void add(const void* data, std::size_t size) { CHECK(XXH3_64bits_update(state_.get(), data, size) == XXH_OK); }
  u64 result() const { return XXH3_64bits_digest(state_.get()); }

 private:
  void field(std::string_view name, const void* data, u64 size) {
    add(name.data(), name.size());
    add(&size, sizeof(size));
    if (size != 0) add(data, size);
  }
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_{XXH3_createState()};
};

}  // namespace

u64 Machine::state_hash() {
  HashVisitor hash;
  constexpr u64 kPiece = 64 << 10;
  std::vector<std::byte> buffer(kPiece);
  for (const GuestMemory::Range& range : memory_.ranges()) {
    if (!range.is_ram()) continue;
    hash.add(&range.start, sizeof(range.start));
    for (u64 offset = 0; offset < range.size; offset += kPiece) {
      const std::span piece(buffer.data(), std::min(kPiece, range.size - offset));
      CHECK(memory_.read(GuestPhys(range.start + offset), piece));
      hash.add(piece.data(), piece.size());
    }
  }
  for (const auto& vcpu : vcpus_) inspector_.visit_state(*vcpu, hash);
  for (const auto& device : devices_) {
    hash.add(device->name().data(), device->name().size());
    device->visit_state(hash);
  }
  return hash.result();
}

std::string Machine::registers(u32 vcpu) {
  std::string text;
  rendezvous_.exclusive(nullptr, [&] { text = inspector_.registers(*vcpus_[vcpu]); });
  return text;
}

std::string Machine::device_tree() const {
  std::string text = "bus: main-system-bus\n";
  const std::vector<GuestMemory::Range> ranges = memory_.ranges();
  for (const auto& device : devices_) {
    text += fmt::format("  dev: {}\n", device->name());
    for (const GuestMemory::Range& range : ranges) {
      if (range.mmio == nullptr || dynamic_cast<const Device*>(range.mmio) != device.get()) continue;
      text += fmt::format("    mmio {:016x}/{:016x}\n", range.start, range.size);
    }
  }
  for (const DeviceConfig& device : config_.devices) {
    text += fmt::format("  dev: {}, id \"{}\"\n", device.driver, device.id);
    for (const Property& property : device.properties)
      text += fmt::format("    {} = \"{}\"\n", property.key, property.value);
  }
  return text;
}

std::string Machine::disk_list() const {
  std::string text;
  for (const DriveConfig& drive : config_.drives) {
    text += fmt::format("{}: {} ({})\n", drive.id, drive.file, drive.readonly ? "read-only" : "read-write");
    for (const DeviceConfig& device : config_.devices) {
      const std::string* used = device.find("drive");
      if (used == nullptr || *used != drive.id) continue;
      text += fmt::format("    Attached to:      {}{}{}\n", device.driver, device.id.empty() ? "" : " ", device.id);
    }
  }
  return text.empty() ? "no disks\n" : text;
}

std::string Machine::chardev_list() const {
  constexpr std::string_view kKinds[] = {"null", "stdio", "file", "pty", "socket"};
  std::string text;
  for (const CharSpec& spec : config_.chardevs) {
    const std::string address = spec.port.empty() ? spec.path : fmt::format("{}:{}", spec.host, spec.port);
    text +=
        fmt::format("{}: filename={}{}{}{}{}\n", spec.id, spec.mux ? "mux:" : "", kKinds[static_cast<u32>(spec.kind)],
                    address.empty() ? "" : ":", address, spec.server ? ",server=on" : "");
  }
  return text.empty() ? "no character devices\n" : text;
}

// As QEMU lists them: a card, below it its network; then networks without a card.
std::string Machine::network_list() const {
  std::string text;
  const auto network = [](const UserNetSpec& spec) {
    const u32 n = spec.network;
    return fmt::format("{}: index=0,type=user,net={}.{}.{}.{},restrict={}\n", spec.id, n >> 24, n >> 16 & 0xff,
                       n >> 8 & 0xff, n & 0xff, spec.restricted ? "on" : "off");
  };
  std::vector<const UserNetSpec*> plugged;
  std::map<std::string, u32> of_model;
  u32 cards = 0;
  for (const DeviceConfig& device : config_.devices) {
    if (!is_network_card(device)) continue;
    const u32 number = of_model[device.driver]++;
    const std::string name = device.id.empty() ? fmt::format("{}.{}", device.driver, number) : device.id;
    const std::array<u8, 6> mac = mac_address(device, cards++);
    text += fmt::format("{}: index=0,type=nic,model={},macaddr={:02x}\n", name, device.driver, fmt::join(mac, ":"));
    const std::string* id = device.find("netdev");
    if (id == nullptr) continue;
    const auto spec = std::ranges::find(config_.netdevs, *id, &UserNetSpec::id);
    plugged.push_back(&*spec);
    text += " \\ " + network(*spec);
  }
  for (const UserNetSpec& spec : config_.netdevs) {
    if (std::ranges::find(plugged, &spec) == plugged.end()) text += network(spec);
  }
  return text.empty() ? "no networks\n" : text;
}

std::string Machine::memory_tree() const {
  std::string text;
  for (const GuestMemory::Range& range : memory_.ranges()) {
    text += fmt::format("  {:016x}-{:016x} {}: {}\n", range.start, range.start + range.size - 1,
                        range.readable != nullptr ? "flash"
                        : range.mmio != nullptr   ? "i/o"
                        : range.read_only         ? "rom"
                                                  : "ram",
                        range.name);
  }
  return text;
}

std::string Machine::vcpu_list() {
  std::string text;
  rendezvous_.exclusive(nullptr, [&] {
    for (const auto& vcpu : vcpus_) {
      text += fmt::format("  CPU #{}: pc {:#018x}, {} instructions{}\n", vcpu->index(), vcpu->frame().pc,
                          vcpu->instructions(), is_paused_ ? ", paused" : "");
    }
  });
  return text;
}

MonitorHooks Machine::monitor_hooks() {
  return {
      .registers = [this](u32 vcpu) { return registers(vcpu); },
      .mappings =
          [this](u32 vcpu) {
            std::string text;
            rendezvous_.exclusive(nullptr, [&] { text = vcpus_[vcpu]->guest().debug->mappings(*vcpus_[vcpu]); });
            return text;
          },
      .tlb =
          [this](u32 vcpu) {
            std::string text;
            rendezvous_.exclusive(nullptr, [&] { text = vcpus_[vcpu]->mmu().listing(); });
            return text;
          },
      .memory_tree = [this] { return memory_tree(); },
      .devices = [this] { return device_tree(); },
      .disks = [this] { return disk_list(); },
      .chardevs = [this] { return chardev_list(); },
      .networks = [this] { return network_list(); },
      .name = [this] { return config_.name.empty() ? std::string() : config_.name + "\n"; },
      .vcpus = [this] { return vcpu_list(); },
      .translation = [this] { return translation_statistics(); },
      .is_running = [this] { return is_running(); },
      .stop = [this] { pause(); },
      .cont = [this] { cont(); },
      .system_reset = [this] { system_reset(); },
      .system_powerdown = [] { return std::string("this machine has no power button that a guest could see\n"); },
      .quit = [this] { end({}); },
      .debug = debug_hooks(),
  };
}

}  // namespace pagoda
