// SPDX-License-Identifier: MIT
// The network card: frames in and out of the queues.
#include "devices/virtio/net.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "devices/net/checksum.h"

namespace pagoda {
namespace {

// Feature bits, 5.1.3. HOST: what the device takes, GUEST: what the driver takes.
constexpr u64 kFeatureCsum = u64{1} << 0;
constexpr u64 kFeatureGuestCsum = u64{1} << 1;
constexpr u64 kFeatureMac = u64{1} << 5;
constexpr u64 kFeatureGuestTso4 = u64{1} << 7;
constexpr u64 kFeatureGuestTso6 = u64{1} << 8;
constexpr u64 kFeatureHostTso4 = u64{1} << 11;
constexpr u64 kFeatureHostTso6 = u64{1} << 12;
constexpr u64 kFeatureMergeable = u64{1} << 15;
constexpr u64 kFeatureStatus = u64{1} << 16;
constexpr u64 kFeatures = kFeatureCsum | kFeatureGuestCsum | kFeatureMac | kFeatureGuestTso4 | kFeatureGuestTso6 |
                          kFeatureHostTso4 | kFeatureHostTso6 | kFeatureMergeable | kFeatureStatus;

// Configuration space, 5.1.4.
constexpr u64 kConfigMac = 0;
constexpr u64 kConfigStatus = 6;
constexpr u32 kConfigSize = 8;
constexpr u16 kLinkUp = 1;

constexpr u16 kReceive = 0;  // queue numbers, 5.1.2
constexpr u16 kTransmit = 1;

// 5.1.6. num_buffers is there in both directions.
struct Header {
  u8 flags;
  u8 gso_type;
  u16 header_size;
  u16 segment_size;
  u16 checksum_start;
  u16 checksum_offset;
  u16 buffers;
};
static_assert(sizeof(Header) == 12 && std::endian::native == std::endian::little);
constexpr u8 kNeedsChecksum = 1;
constexpr u8 kDataValid = 2;
constexpr u8 kGsoNone = 0;
constexpr u8 kGsoTcp4 = 1;
constexpr u8 kGsoTcp6 = 4;
constexpr u8 kGsoEcn = 0x80;

// Frames that one transmit() takes, so that what arrives is not kept waiting; and interrupts in between.
constexpr u32 kFramesPerSignal = 64;
constexpr u32 kMostFrames = 4 * kFramesPerSignal;

}  // namespace

VirtioNet::VirtioNet(GuestMemory& memory, std::string name, const Mac& mac, NetBackend* backend)
    : VirtioDevice(memory, std::move(name), VirtioId::network, kFeatures, {kQueueSize, kQueueSize}, kConfigSize),
      backend_(backend) {
  for (u64 i = 0; i < mac.size(); ++i) set_config<u8>(kConfigMac + i, mac[i]);
  set_config<u16>(kConfigStatus, backend != nullptr ? kLinkUp : u16{0});
  if (backend_ != nullptr) backend_->connect(this);
}

VirtioNet::~VirtioNet() {
  if (backend_ != nullptr) backend_->connect(nullptr);
}

bool VirtioNet::takes_large_frames(bool is_ipv6) const { return is_ipv6 ? large_ipv6_ : large_ipv4_; }

void VirtioNet::features_negotiated() {
  // Partial checksums come with large frames (5.1.3.1).
  const bool checksum = negotiated(kFeatureGuestCsum);
  large_ipv4_ = checksum && negotiated(kFeatureGuestTso4);
  large_ipv6_ = checksum && negotiated(kFeatureGuestTso6);
}

void VirtioNet::reset_model() {
  large_ipv4_ = false;
  large_ipv6_ = false;
  wants_room_ = false;
}

void VirtioNet::visit_model(StateVisitor& /*visitor*/) { features_negotiated(); }

void VirtioNet::process_queue(u16 index) {
  if (index == kReceive) {
    if (std::exchange(wants_room_, false)) after_unlock([this] { backend_->kick(); });
    return;
  }
  if (backend_ == nullptr || !backend_->pulls()) return send_all();
  queue(kTransmit)->suppress_notifications();
  backend_->kick();
}

// --- to the network ---

// Takes a frame out of a chain; false: the driver broke the rules. Frames nobody can want come out empty.
bool VirtioNet::read_frame(const VirtqChain& chain, NetFrame* frame) {
  Header header;
  frame->bytes.clear();
  ChainReader reader(memory(), chain.readable);
  if (!chain.writable.empty() || !reader.read(std::as_writable_bytes(std::span(&header, 1)))) return false;
  const u64 size = chain.readable_size - sizeof(Header);
  if (size > kMaxNetFrame) {
    log(Log::guest_error, "{}: a frame of {} bytes is too long", name(), size);
    return true;
  }
  const bool is_large = (header.gso_type & ~kGsoEcn) != kGsoNone;
  frame->checksum_start = (header.flags & kNeedsChecksum) != 0 ? header.checksum_start : u16{0};
  frame->checksum_offset = header.checksum_offset;
  frame->segment_size = is_large ? header.segment_size : u16{0};
  frame->header_size = is_large ? header.header_size : u16{0};
  frame->is_ipv6 = (header.gso_type & ~kGsoEcn) == kGsoTcp6;
  const bool is_known = !is_large || (header.gso_type & ~kGsoEcn) == kGsoTcp4 || frame->is_ipv6;
  const u64 checksum_end = u64{header.checksum_start} + header.checksum_offset + 2;
  if (!is_known || (is_large && (header.flags & kNeedsChecksum) == 0) ||
      (frame->checksum_start != 0 && checksum_end > size)) {
    log(Log::guest_error, "{}: a frame with an offload that makes no sense: type {}, checksum at {} + {}", name(),
        header.gso_type, header.checksum_start, header.checksum_offset);
    return true;
  }
  frame->bytes.resize(size);
  return reader.read(frame->bytes);
}

VirtioNet::Fetch VirtioNet::fetch(NetFrame* frame) {
  if (!pop(kTransmit, &chain_)) return Fetch::none;
  if (!read_frame(chain_, frame)) {
    fail("a frame to send without a header, or with room to write");
    return Fetch::none;
  }
  push(kTransmit, chain_.head, 0);
  return frame->bytes.empty() ? Fetch::skipped : Fetch::frame;
}

// On the thread of the vcpu that notifies, under the lock.
void VirtioNet::send_all() {
  bool any = false;
  do {
    queue(kTransmit)->suppress_notifications();
    for (Fetch got = Fetch::none; (got = fetch(&outgoing_)) != Fetch::none; any = true) {
      if (got == Fetch::frame && backend_ != nullptr) backend_->send(outgoing_);
    }
  } while (live() && !queue(kTransmit)->request_notifications());
  if (any) signal(kTransmit);
}

// On the back end's thread. The lock is not held while the network works on a frame: a vcpu may want the device.
bool VirtioNet::transmit() {
  for (u32 frames = 0;; ++frames) {
    Fetch got = Fetch::none;
    {
      const Guard guard(*this);
      const Virtqueue& sender = *queue(kTransmit);
      if (!live() || !sender.ready()) return true;
      if (frames != 0 && frames % kFramesPerSignal == 0) signal(kTransmit);
      if (frames == kMostFrames) return false;
      while ((got = fetch(&outgoing_)) == Fetch::none) {
        if (!live()) return true;
        if (!queue(kTransmit)->request_notifications()) continue;
        if (frames != 0) signal(kTransmit);
        return true;
      }
    }
    if (got == Fetch::frame) backend_->send(outgoing_);
  }
}

// --- to the guest ---

// Pops chains until they hold `size` bytes; their buffers and names are in buffers_ and used_. False: there are not
// enough; none is popped then.
bool VirtioNet::collect(u64 size, bool mergeable) {
  buffers_.clear();
  used_.clear();
  u64 room = 0;
  do {
    if (!pop(kReceive, &chain_)) {
      queue(kReceive)->rewind(static_cast<u16>(used_.size()));
      return false;
    }
    buffers_.insert(buffers_.end(), chain_.writable.begin(), chain_.writable.end());
    used_.push_back({chain_.head, static_cast<u32>(std::min<u64>(chain_.writable_size, size - std::min(room, size)))});
    room += chain_.writable_size;
  } while (room < size && mergeable);
  return true;
}

VirtioNet::Put VirtioNet::put(const NetFrame& frame) {
  // Made for a driver with more features than the one that is there now?
  if ((frame.segment_size != 0 && !takes_large_frames(frame.is_ipv6)) ||
      (frame.checksum_start != 0 && !negotiated(kFeatureGuestCsum)) || frame.bytes.size() > kMaxNetFrame)
    return Put::taken;
  const u64 size = sizeof(Header) + frame.bytes.size();
  Virtqueue& receiver = *queue(kReceive);
  while (!collect(size, negotiated(kFeatureMergeable))) {
    if (!live()) return Put::broken;
    if (used_.size() == receiver.layout().size) {
      log(Log::guest_error, "{}: all buffers together cannot hold a frame of {} bytes", name(), frame.bytes.size());
      return Put::taken;
    }
    if (receiver.request_notifications(static_cast<u16>(used_.size()))) return Put::no_room;
  }
  u64 room = 0;
  for (const GuestBuffer& buffer : buffers_) room += buffer.size;
  if (room < size) {
    log(Log::guest_error, "{}: a receive buffer of {} bytes cannot hold a frame of {}", name(), room,
        frame.bytes.size());
    receiver.rewind(static_cast<u16>(used_.size()));
    return Put::taken;
  }
  Header header{};
  if (frame.checksum_start != 0) {
    header.flags = kNeedsChecksum;
    header.checksum_start = frame.checksum_start;
    header.checksum_offset = frame.checksum_offset;
  } else if (frame.checksum_good && negotiated(kFeatureGuestCsum)) {
    header.flags = kDataValid;
  }
  if (frame.segment_size != 0) {
    header.gso_type = frame.is_ipv6 ? kGsoTcp6 : kGsoTcp4;
    header.segment_size = frame.segment_size;
    header.header_size = frame.header_size;
  }
  header.buffers = static_cast<u16>(used_.size());
  ChainWriter writer(memory(), buffers_);
  if (!writer.write(std::as_bytes(std::span(&header, 1))) || !writer.write(frame.bytes)) {
    fail("a receive buffer went away");
    return Put::broken;
  }
  given_back_.insert(given_back_.end(), used_.begin(), used_.end());
  return Put::taken;
}

std::size_t VirtioNet::receive(std::span<const NetFrame> frames) {
  const Guard guard(*this);
  if (!live() || !queue(kReceive)->ready()) return frames.size();  // nobody listens
  given_back_.clear();
  std::size_t taken = 0;
  for (const NetFrame& frame : frames) {
    const Put result = put(frame);
    if (result == Put::broken) return frames.size();
    wants_room_ = result == Put::no_room;
    if (wants_room_) break;
    ++taken;
  }
  if (given_back_.empty()) return taken;
  push(kReceive, given_back_);
  signal(kReceive);
  return taken;
}

}  // namespace pagoda
