// SPDX-License-Identifier: MIT
// Fuzz target: bytes become the contents of guest RAM, ring entries, notifications and register writes for a
// block, entropy, console, network or 9P device; afterwards the device must come back to work after a reset, whatever
// was done to it.
//
// Input: device and features, then steps of an operation byte and its operands (little endian, cut short at the end).
// The queues are set up first, so that the fuzzer starts at a live device; it may undo that through the registers.
#include <stdlib.h>

#include <filesystem>

#include "base/check.h"
#include "devices/device_factories.h"
#include "devices/memory_disk.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/net.h"
#include "devices/virtio/p9.h"
#include "devices/virtio/rng.h"
#include "devices/virtio/virtio_mmio.h"
#include "fuzz/target.h"

namespace {

using namespace pagoda;
using namespace pagoda::test;

constexpr u64 kRam = 0x8000'0000;
constexpr u64 kRamSize = 64 << 10;
constexpr u64 kWindow = kRam + kRamSize;  // a device right behind RAM
constexpr u64 kData = kRam + 0x1000;
constexpr u16 kQueues = 6;
constexpr u16 kQueueSize = 8;
constexpr u64 kDiskSectors = 32;
constexpr u8 kShare = 4;  // kind of the 9P device

// Read-only, as p9_fuzz is about what messages do: here it is how they come.
std::unique_ptr<p9::HostFolder> folder() {
  struct Temporary {
    Temporary() : path(std::filesystem::temp_directory_path() / "pagoda-virtqueue-fuzz-XXXXXX") {
      CHECK(mkdtemp(path.data()) != nullptr);
    }
    ~Temporary() {
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
    }
    std::string path;
  };
  static const Temporary temporary;
  auto opened = p9::HostFolder::open(temporary.path, p9::Security::none, true);
  CHECK(opened.has_value(), "{}", opened.error().message);
  return std::move(*opened);
}

// No DMA may reach a device.
struct Forbidden final : MmioHandler {
  u64 read(u64 offset, const Access&) override { CHECK(false, "DMA read of a device at {:#x}", offset); }
  void write(u64 offset, u64, const Access&) override { CHECK(false, "DMA write to a device at {:#x}", offset); }
  u64 peek(u64, u32) const override { return 0; }
};

class Machine {
 public:
  explicit Machine(u8 kind) : kind_((kind & 8) != 0 ? kShare : kind % 4), net_((kind & 4) != 0) {
    CHECK(memory_.add_ram(GuestPhys(kRam), kRamSize, "ram").has_value());
    memory_.map_mmio(GuestPhys(kWindow), 0x1000, &forbidden_, "device");
    slot_ = std::make_unique<VirtioMmio>("virtio0", make_device(), irqs_.line(0));
  }

  void run(ByteReader& reader) {
    bring_up(reader.number(1));
    while (!reader.empty()) step(reader);
    check_it_recovers();
  }

 private:
  std::unique_ptr<VirtioDevice> make_device() {
    if (kind_ == 0) {
      VirtioBlk::Options options;
      options.queues = 2;
      options.queue_size = kQueueSize;
      options.serial = "fuzz";
      return std::make_unique<VirtioBlk>(memory_, "disk0", make_disk(std::string(kDiskSectors * 512, 'd')),
                                         std::make_unique<TimedExecutor>(clock_, 1000), options);
    }
    if (kind_ == 1) {
      return std::make_unique<VirtioRng>(
          memory_, "rng0", [](std::span<std::byte> out) { std::fill(out.begin(), out.end(), std::byte{0x5a}); });
    }
    if (kind_ == 3) return std::make_unique<VirtioNet>(memory_, "net0", VirtioNet::Mac{0x52, 0x54, 0, 1, 2, 3}, &net_);
    if (kind_ == kShare) return std::make_unique<VirtioP9>(memory_, "share0", "share", folder(), &clock_);
    std::vector<VirtioConsole::Port> ports = {{0, true, "", &console_}, {1, false, "channel", &channel_}};
    return std::make_unique<VirtioConsole>(memory_, "console0", std::move(ports), 3);
  }

  static u64 queue_base(u64 queue) { return kRam + 0x100 * (queue % kQueues); }
  void write(u64 offset, u64 value) { mmio_write(*slot_, offset, value & 0xffff'ffff); }
  u32 read(u64 offset) { return static_cast<u32>(mmio_read(*slot_, offset)); }
  template <class T>
  void store(u64 address, u64 value) {
    CHECK(memory_.store<T>(GuestPhys(address), static_cast<T>(value)));
  }

  // `choice`: bits 0 and 1 leave out indirect descriptors and event index, bit 2 all of the device's own features.
  void bring_up(u64 choice) {
    write(0x70, 0);
    write(0x70, 3);
    write(0x14, 0);
    u64 features = read(0x10) & ~(choice << 28);
    if ((choice & 4) != 0) features &= 0xff00'0000;
    write(0x24, 0);
    write(0x20, features);
    write(0x24, 1);
    write(0x20, 1);
    write(0x70, 11);
    for (u16 queue = 0; queue < kQueues; ++queue) {
      CHECK(memory_.fill(GuestPhys(queue_base(queue)), 0x100, 0));
      avail_[queue] = 0;
      write(0x30, queue);
      if (read(0x34) == 0) continue;
      write(0x38, kQueueSize);
      write(0x80, queue_base(queue));
      write(0x84, 0);
      write(0x90, queue_base(queue) + 0x80);
      write(0x94, 0);
      write(0xa0, queue_base(queue) + 0xa0);
      write(0xa4, 0);
      write(0x44, 1);
    }
    write(0x70, 15);
    CHECK(read(0x70) == 15, "status {:#x}", read(0x70));
  }

  void descriptor(u64 table, u64 index, u64 address, u64 size, u64 flags, u64 next) {
    const u64 at = table + 16 * index;
    if (at + 16 > kRam + kRamSize) return;
    store<u64>(at, address);
    store<u32>(at + 8, size);
    store<u16>(at + 12, flags);
    store<u16>(at + 14, next);
  }
  void offer(u64 queue, u64 head) {
    queue %= kQueues;
    const u64 ring = queue_base(queue) + 0x80;
    store<u16>(ring + 4 + 2 * (avail_[queue] % kQueueSize), head);
    store<u16>(ring + 2, ++avail_[queue]);
  }

  void step(ByteReader& reader) {
    const u64 operation = reader.number(1);
    const u64 queue = operation >> 4;
    switch (operation & 15) {
      case 0:  // a descriptor of plausible shape
      case 1: {
        const u64 index = reader.number(1);
        const u64 address = kRam + reader.number(2);
        const u64 size = reader.number(2);
        const u64 rest = reader.number(1);
        const u64 table = (operation & 1) == 0 ? queue_base(queue) : kData + 0x100 * (queue % 4);
        descriptor(table, index % kQueueSize, address, size, rest & 7, rest >> 3 & 15);
        break;
      }
      case 2: {  // of any
        const u64 index = reader.number(1);
        const u64 address = reader.number(8);
        const u64 size = reader.number(4);
        const u64 rest = reader.number(4);
        descriptor(queue_base(queue), index % kQueueSize, address, size, rest & 0xffff, rest >> 16);
        break;
      }
      case 3:
        offer(queue, reader.number(1) % (kQueueSize + 1));
        break;
      case 4:
        offer(queue, reader.number(1) % kQueueSize);
        write(0x50, queue);
        break;
      case 5:
        write(0x50, queue);
        break;
      case 6: {  // the header of a request or a control message
        const u64 at = kData + 0x800 + 16 * queue;
        store<u32>(at, reader.number(1));
        // 9P: a type that exists, mostly, and the tag.
        store<u32>(at + 4, kind_ == kShare ? 12 + reader.number(1) / 2 : reader.number(4));
        store<u64>(at + 8, reader.number(1));
        break;
      }
      case 7:
        store<u64>(kRam + (reader.number(2) << 3) % kRamSize, reader.number(8));
        break;
      case 8:
        store<u16>(kRam + (reader.number(2) << 1) % kRamSize, reader.number(2));
        break;
      case 9: {
        const u8 size = static_cast<u8>(1u << (queue & 3));
        const u64 offset = reader.number(2) % VirtioMmio::kWindowSize & ~u64{size - 1u};
        mmio_write(*slot_, offset, reader.number(size), size);
        break;
      }
      case 10: {
        const u8 size = static_cast<u8>(1u << (queue & 3));
        mmio_read(*slot_, reader.number(2) % VirtioMmio::kWindowSize & ~u64{size - 1u}, size);
        break;
      }
      case 11:
        now_ += reader.number(2);
        clock_.run_due();
        break;
      case 12: {
        if (kind_ == 3) {
          arrive(reader.number(2), queue);
          break;
        }
        RecordingBackend& backend = (queue & 1) != 0 ? channel_ : console_;
        const std::vector<u8> typed(reader.number(1), 'k');
        if (backend.waiting() < 1024) backend.type(typed);
        backend.raise((queue & 2) != 0 ? CharEvent::opened : CharEvent::closed);
        break;
      }
      case 13:
        bring_up(queue);
        break;
      case 14: {
        if (saves_left_ == 0) break;
        --saves_left_;
        const std::vector<u8> saved = save_state(*slot_);
        const Result<> restored = restore_state(*slot_, saved);
        CHECK(restored.has_value(), "{}", restored.error().message);
        CHECK(save_state(*slot_) == saved, "another state after restoring");
        break;
      }
      default:
        if (kind_ == 2) static_cast<VirtioConsole*>(slot_->device())->resize(static_cast<u16>(queue), 25);
        console_.deliver();
        channel_.deliver();
        pull();
    }
  }

  // Frames of any length up to 64 KiB, plain or with what offloads there are.
  void arrive(u64 size, u64 offload) {
    NetFrame frame;
    frame.bytes.assign(size, std::byte{0x55});
    if ((offload & 3) != 0) frame.checksum_start = 34;
    if ((offload & 2) != 0) frame.segment_size = 1460;
    frame.is_ipv6 = offload == 2;
    frame.checksum_good = offload == 4;
    net_.arrive(frame);
  }

  // The network's thread.
  void pull() {
    if (kind_ != 3 || !net_.pulls()) return;
    for (int i = 0; i < 4 && !net_.client()->transmit(); ++i) {
    }
  }

  // The next driver finds a device that works.
  void check_it_recovers() {
    bring_up(0);
    const u64 data = kData + 0x100;
    CHECK(memory_.fill(GuestPhys(kData), 0x200, 0xee));
    const u16 queue = kind_ == 2 || kind_ == 3 ? 1 : 0;
    const std::size_t sent_before = console_.sent().size();
    net_.take_sent();
    if (kind_ == 3) CHECK(memory_.fill(GuestPhys(data), 16, 0));  // a header, and a frame of four bytes
    if (kind_ == 0) {
      CHECK(memory_.fill(GuestPhys(kData), 16, 0));
      store<u32>(kData, 8);  // GET_ID
      descriptor(queue_base(0), 0, kData, 16, 1, 1);
      descriptor(queue_base(0), 1, data, 21, 2, 0);
    } else if (kind_ == kShare) {
      store<u32>(kData, 21);  // Tversion
      store<u32>(kData + 4, 100 | 0xffff << 8);
      store<u32>(kData + 7, 8192);
      store<u16>(kData + 11, 8);
      store<u64>(kData + 13, 0x4c2e'3030'3032'5039);  // "9P2000.L"
      descriptor(queue_base(0), 0, kData, 21, 1, 1);
      descriptor(queue_base(0), 1, data, 64, 2, 0);
    } else {
      descriptor(queue_base(queue), 0, data, 16, kind_ == 1 ? 2 : 0, 0);
    }
    offer(queue, 0);
    write(0x50, queue);
    pull();
    now_ += 1'000'000;
    clock_.run_due();
    u16 used = 0;
    u32 first = 0;
    CHECK(memory_.load(GuestPhys(queue_base(queue) + 0xa2), &used) && memory_.load(GuestPhys(data), &first));
    CHECK(used == 1 && (read(0x70) & 0x40) == 0, "used {}, status {:#x}", used, read(0x70));
    if (kind_ == 0) {
      CHECK(first == 0x7a7a7566, "serial {:#x}", first);  // "fuzz"
    } else if (kind_ == 1) {
      CHECK(first == 0x5a5a5a5a, "entropy {:#x}", first);
    } else if (kind_ == kShare) {
      u8 type = 0;
      CHECK(first == 21 && memory_.load(GuestPhys(data + 4), &type) && type == 101, "answer {} of {}", type, first);
    } else if (kind_ == 2) {
      CHECK(console_.sent().size() == sent_before + 16);
    } else {
      const std::vector<NetFrame> sent = net_.take_sent();
      CHECK(sent.size() == 1 && sent[0].bytes.size() == 4);
    }
    CHECK(irqs_.level(0));
  }

  const u8 kind_;
  u64 now_ = 1'000'000;
  VirtualClock clock_{[this] { return now_; }};
  RecordingIrqs irqs_;
  RecordingBackend console_;
  RecordingBackend channel_;
  RecordingNet net_;
  Forbidden forbidden_;
  GuestMemory memory_;
  std::unique_ptr<VirtioMmio> slot_;
  u16 avail_[kQueues] = {};
  u32 saves_left_ = 2;  // they take most of the time
};

}  // namespace

std::vector<std::vector<u8>> test::fuzz_seeds() { return {}; }

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  ByteReader reader(data, size);
  Machine machine(static_cast<u8>(reader.number(1)));
  machine.run(reader);
  return 0;
}
