// SPDX-License-Identifier: MIT
// virtio devices from -device, -drive, -netdev, -object and -chardev.
#include "machines/virtio_devices.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <bit>
#include <bitset>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>

#include "base/check.h"
#include "base/log.h"
#include "devices/net/user_net.h"
#include "devices/storage/block_executor.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/p9.h"
#include "devices/virtio/rng.h"
#include "devices/virtio/virtio_pci.h"
#include "machines/drive.h"

namespace pagoda {
namespace {

constexpr std::string_view kBusPrefix = "virtio-mmio-bus.";
constexpr std::string_view kPciBus = "pcie.0";
constexpr std::string_view kPciSuffix = "-pci";

using VirtioPtr = std::unique_ptr<VirtioDevice>;

template <class List>
const auto& by_id(const List& list, std::string_view id) {
  const auto it = std::ranges::find(list, id, [](const auto& entry) -> std::string_view { return entry.id; });
  CHECK(it != list.end(), "id '{}'", id);  // the command line's parser has looked
  return *it;
}

std::string value_of(const DeviceConfig& config, std::string_view key) {
  const std::string* value = config.find(key);
  return value != nullptr ? *value : std::string();
}

// The parser has checked numbers; their upper ends are ours.
u32 number_of(std::string_view text) {
  u32 value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// A host file as a source of random bytes.
class RandomFile {
 public:
  static Result<std::shared_ptr<RandomFile>> open(const RngConfig& config) {
    const int fd = ::open(config.filename.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fail("{}: {}: {}", config.origin, config.filename, std::strerror(errno));
    auto file = std::make_shared<RandomFile>();
    file->fd_ = fd;
    file->path_ = config.filename;
    std::byte probe{};
    if (::read(fd, &probe, 1) < 0 && errno != EAGAIN) {
      return fail("{}: {}: {}", config.origin, config.filename, std::strerror(errno));
    }
    return file;
  }
  RandomFile() = default;
  RandomFile(const RandomFile&) = delete;
  RandomFile& operator=(const RandomFile&) = delete;
  ~RandomFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  // What the file cannot give at once comes from `rest`: a guest must not wait for a slow source.
  void fill(std::span<std::byte> out, Inputs& rest) const {
    while (!out.empty()) {
      const ssize_t got = ::read(fd_, out.data(), out.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        log(Log::device, "{} gives no more bytes, using the host's entropy", path_);
        rest.entropy(out);
        return;
      }
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_ = -1;
  std::string path_;
};

// As many requests of one disk are under way at once on the host.
constexpr u32 kDiskThreads = 4;

Result<> set_blk_options(const DeviceConfig& config, VirtioBlk::Options* options) {
  const auto number = [&](std::string_view key, u32 least, u32 most, bool is_power, auto* value) -> Result<> {
    const std::string* text = config.find(key);
    if (text == nullptr) return {};
    const u32 wanted = number_of(*text);
    if (wanted < least || wanted > most || (is_power && !std::has_single_bit(wanted)))
      return fail("{}: {}={}: {} from {} to {}", config.origin, key, *text, is_power ? "a power of two" : "a number",
                  least, most);
    *value = static_cast<std::remove_pointer_t<decltype(value)>>(wanted);
    return {};
  };
  TRY(number("num-queues", 1, 64, false, &options->queues));
  TRY(number("queue-size", 4, Virtqueue::kMaxSize, true, &options->queue_size));
  TRY(number("logical_block_size", 512, 32768, true, &options->block_size));
  options->physical_block_size = options->block_size;
  TRY(number("physical_block_size", options->block_size, 2 << 20, true, &options->physical_block_size));
  if (const std::string* text = config.find("discard")) options->discard = *text == "on";
  if (const std::string* text = config.find("write-cache")) options->write_cache = *text == "on";
  return {};
}

Result<VirtioPtr> make_blk(Machine& machine, const DeviceConfig& config, std::string name) {
  constexpr std::size_t kLongestSerial = 20;
  const std::string id = value_of(config, "drive");
  const DriveConfig& drive = by_id(machine.config().drives, id);
  VirtioBlk::Options options;
  options.write_cache = drive.write_cache;
  TRY(set_blk_options(config, &options));
  options.serial = value_of(config, "serial");
  if (options.serial.size() > kLongestSerial) {
    return fail("{}: serial has more than {} characters", config.origin, kLongestSerial);
  }
  std::unique_ptr<BlockExecutor> executor;
  if (machine.config().icount) {
    executor = std::make_unique<TimedExecutor>(machine.clock());
  } else {
    executor = std::make_unique<WorkerExecutor>(kDiskThreads);
  }
  return std::make_unique<VirtioBlk>(machine.memory(), std::move(name), machine.take_drive(id), std::move(executor),
                                     options);
}

// A guest holds files open, each a descriptor of ours: the soft limit is for programs that use select().
void raise_descriptor_limit() {
  constexpr rlim_t kEnough = 16384;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
  limit.rlim_cur = std::min(kEnough, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result<VirtioPtr> make_9p(Machine& machine, const DeviceConfig& config, std::string name) {
  const FsdevConfig& fsdev = by_id(machine.config().fsdevs, value_of(config, "fsdev"));
  const std::string tag = value_of(config, "mount_tag");
  if (tag.size() > VirtioP9::kLongestTag) {
    return fail("{}: mount_tag has more than {} characters", config.origin, VirtioP9::kLongestTag);
  }
  const p9::Security security = fsdev.security_model == "mapped-xattr"  ? p9::Security::mapped
                                : fsdev.security_model == "passthrough" ? p9::Security::passthrough
                                                                        : p9::Security::none;
  auto folder = p9::HostFolder::open(fsdev.path, security, fsdev.readonly);
  if (!folder) return fail("{}: {}", fsdev.origin, folder.error().message);
  raise_descriptor_limit();
  VirtualClock* clock = machine.config().icount ? &machine.clock() : nullptr;
  return std::make_unique<VirtioP9>(machine.memory(), std::move(name), tag, std::move(*folder), clock);
}

// With -icount all entropy is Inputs' own sequence, so that runs repeat.
Result<VirtioPtr> make_rng(Machine& machine, const DeviceConfig& config, std::string name) {
  Inputs& inputs = machine.inputs();
  VirtioRng::Entropy entropy = [&inputs](std::span<std::byte> out) { inputs.entropy(out); };
  if (const std::string* id = config.find("rng")) {
    const RngConfig& rng = by_id(machine.config().rngs, *id);
    if (!rng.filename.empty()) {
      TRY_ASSIGN(const auto file, RandomFile::open(rng));
      if (inputs.mode() == Inputs::Mode::realtime) {
        entropy = [file, &inputs](std::span<std::byte> out) { file->fill(out, inputs); };
      }
    }
  }
  return std::make_unique<VirtioRng>(machine.memory(), std::move(name), std::move(entropy));
}

Result<VirtioPtr> make_net(Machine& machine, const DeviceConfig& config, std::string name, u32 index) {
  std::shared_ptr<UserNet> net;
  if (const std::string* id = config.find("netdev")) {
    UserNet::Post post;
    if (machine.config().icount)
      post = [&inputs = machine.inputs()](std::function<void()> event) { inputs.post(std::move(event)); };
    TRY_ASSIGN(net, UserNet::open(by_id(machine.config().netdevs, *id), std::move(post)));
    machine.keep(net);
  }
  return std::make_unique<VirtioNet>(machine.memory(), std::move(name), mac_address(config, index), net.get());
}

bool is_serial_bus(const DeviceConfig& device) { return device.driver.starts_with("virtio-serial-"); }

// The ports of one virtio-serial-device: those whose bus= names it, or, without bus=, those after it and before the
// next.
Result<VirtioPtr> make_serial(Machine& machine, std::size_t index, std::string name) {
  const std::vector<DeviceConfig>& all = machine.config().devices;
  const std::string bus = all[index].id.empty() ? std::string() : all[index].id + ".0";
  std::bitset<VirtioConsole::kMaxPorts> used;
  std::vector<VirtioConsole::Port> ports;
  bool is_nearest = true;
  for (std::size_t i = index + 1; i < all.size(); ++i) {
    const DeviceConfig& device = all[i];
    if (is_serial_bus(device)) is_nearest = false;
    if (device.driver != "virtconsole" && device.driver != "virtserialport") continue;
    const std::string* wanted = device.find("bus");
    if (wanted != nullptr ? *wanted != bus : !is_nearest) continue;
    VirtioConsole::Port port{
        .number = 0, .console = device.driver == "virtconsole", .name = value_of(device, "name"), .backend = nullptr};
    // Port 0 is for a console: guests without multiport support know no other.
    u32 number = port.console ? 0 : 1;
    if (const std::string* nr = device.find("nr")) {
      number = number_of(*nr);
      if (number >= VirtioConsole::kMaxPorts || used[number] || (number == 0 && !port.console)) {
        return fail("{}: nr={} is in use or not possible (0, for a virtconsole, to {})", device.origin, *nr,
                    VirtioConsole::kMaxPorts - 1);
      }
    } else {
      while (number < VirtioConsole::kMaxPorts && used[number]) ++number;
      if (number == VirtioConsole::kMaxPorts) return fail("{}: all ports are in use", device.origin);
    }
    used.set(number);
    port.number = number;
    if (const std::string* chardev = device.find("chardev")) port.backend = &machine.guest_backend(*chardev);
    ports.push_back(std::move(port));
  }
  return std::make_unique<VirtioConsole>(machine.memory(), std::move(name), std::move(ports));
}

bool is_port(const DeviceConfig& device) { return device.driver == "virtconsole" || device.driver == "virtserialport"; }

// Ports that name a bus which is not there would silently be left out.
Result<> check_port_buses(const std::vector<DeviceConfig>& devices) {
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const std::string* bus = is_port(devices[i]) ? devices[i].find("bus") : nullptr;
    if (bus == nullptr) continue;
    const auto known =
        std::any_of(devices.begin(), devices.begin() + static_cast<std::ptrdiff_t>(i),
                    [&](const DeviceConfig& device) { return is_serial_bus(device) && device.id + ".0" == *bus; });
    if (!known)
      return fail("{}: there is no bus '{}' (ID.0 of a virtio-serial-device or virtio-serial-pci before it)",
                  devices[i].origin, *bus);
  }
  return {};
}

Result<std::optional<u32>> wanted_slot(const DeviceConfig& device, u32 slots) {
  const std::string* bus = device.find("bus");
  if (bus == nullptr) return std::optional<u32>{};
  u32 slot = slots;
  if (bus->starts_with(kBusPrefix)) {
    const char* end = bus->data() + bus->size();
    if (const auto parsed = std::from_chars(bus->data() + kBusPrefix.size(), end, slot);
        parsed.ec != std::errc{} || parsed.ptr != end) {
      slot = slots;
    }
  }
  if (slot >= slots) return fail("{}: there is no bus '{}' ({}0 to {})", device.origin, *bus, kBusPrefix, slots - 1);
  return std::optional(slot);
}

// "SLOT" or "SLOT.0", hexadecimal.
Result<u32> wanted_pci_slot(const DeviceConfig& device, std::string_view text) {
  u32 slot = PciHost::kSlots;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, slot, 16);
  const std::string_view rest(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  if (parsed.ec != std::errc{} || slot >= PciHost::kSlots || (!rest.empty() && rest != ".0"))
    return fail("{}: addr={}: a slot is a hexadecimal number up to {:x}; there are no functions but 0", device.origin,
                text, PciHost::kSlots - 1);
  return slot;
}

bool is_pci(const DeviceConfig& device) { return device.driver.ends_with(kPciSuffix); }

// The device at `index` of the configuration, without its transport.
Result<VirtioPtr> make_device(Machine& machine, std::size_t index) {
  const std::vector<DeviceConfig>& devices = machine.config().devices;
  const DeviceConfig& config = devices[index];
  const auto is = [&](std::string_view kind) { return config.driver.starts_with(kind); };
  const std::string name = virtio_device_name(config, index);
  if (is("virtio-blk-")) return make_blk(machine, config, name);
  if (is("virtio-9p-")) return make_9p(machine, config, name);
  if (is("virtio-rng-")) return make_rng(machine, config, name);
  if (is("virtio-serial-")) return make_serial(machine, index, name);
  CHECK(is("virtio-net-"), "driver '{}'", config.driver);
  const auto cards =
      std::count_if(devices.begin(), devices.begin() + static_cast<std::ptrdiff_t>(index), is_network_card);
  return make_net(machine, config, name, static_cast<u32>(cards));
}

}  // namespace

bool is_network_card(const DeviceConfig& device) { return device.driver.starts_with("virtio-net-"); }

std::array<u8, 6> mac_address(const DeviceConfig& card, u32 index) {
  std::array<u8, 6> mac = {0x52, 0x54, 0x00, 0x12, 0x34, static_cast<u8>(0x56 + index)};
  if (const std::string* text = card.find("mac")) {
    for (std::size_t i = 0; i < mac.size(); ++i) {
      const char* digits = text->data() + 3 * i;
      std::from_chars(digits, digits + 2, mac[i], 16);
    }
  }
  return mac;
}

std::string virtio_device_name(const DeviceConfig& device, std::size_t index) {
  return device.id.empty() ? fmt::format("{}.{}", device.driver, index) : device.id;
}

Result<std::vector<std::unique_ptr<VirtioDevice>>> make_virtio_devices(Machine& machine, u32 slots) {
  const std::vector<DeviceConfig>& devices = machine.config().devices;
  TRY(check_port_buses(devices));
  std::vector<VirtioPtr> result(slots);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const DeviceConfig& config = devices[i];
    if (is_port(config) || is_pci(config)) continue;
    TRY_ASSIGN(std::optional<u32> slot, wanted_slot(config, slots));
    for (u32 free = slots; free != 0 && !slot; --free) {
      if (result[free - 1] == nullptr) slot = free - 1;
    }
    if (!slot) return fail("{}: all {} virtio slots of the machine are in use", config.origin, slots);
    if (result[*slot] != nullptr) return fail("{}: bus '{}' is in use", config.origin, value_of(config, "bus"));
    TRY_ASSIGN(result[*slot], make_device(machine, i));
  }
  return result;
}

Result<std::vector<u32>> place_pci_devices(const MachineConfig& config) {
  std::vector<u32> slots(config.devices.size());
  std::bitset<PciHost::kSlots> used;
  used.set(0);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const DeviceConfig& device = config.devices[i];
    if (!is_pci(device)) continue;
    if (const std::string* bus = device.find("bus"); bus != nullptr && *bus != kPciBus)
      return fail("{}: there is no bus '{}' ({})", device.origin, *bus, kPciBus);
    u32 slot = 0;
    if (const std::string* address = device.find("addr")) {
      TRY_ASSIGN(slot, wanted_pci_slot(device, *address));
      if (used[slot]) return fail("{}: addr={} is in use", device.origin, *address);
    } else {
      while (slot < PciHost::kSlots && used[slot]) ++slot;
      if (slot == PciHost::kSlots) return fail("{}: all slots of {} are in use", device.origin, kPciBus);
    }
    used.set(slot);
    slots[i] = slot;
  }
  return slots;
}

Result<> make_pci_devices(Machine& machine, PciHost& host, std::span<const u32> slots) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i] == 0) continue;
    TRY_ASSIGN(VirtioPtr device, make_device(machine, i));
    std::string name = device->name();
    machine.add_device(std::make_unique<VirtioPci>(std::move(name), host, slots[i], std::move(device)));
  }
  return {};
}

}  // namespace pagoda
