// SPDX-License-Identifier: MIT
// Virtqueue: the device's end of a split virtqueue in guest RAM (virtio 1.2, 2.7), with indirect descriptors and event
// index; packed rings are not offered.
//
// The rings are written by a guest that may be hostile or merely broken: every value read is checked, every access goes
// through GuestMemory, each descriptor is read once. A ring that makes no sense is reported as Pop::broken with a
// reason; the owner then puts the device into DEVICE_NEEDS_RESET. Threading: none of its own; calls are serialised by
// the device's lock, but come from vcpu, worker and main-loop threads, while vcpus write the driver's parts at any
// time. Ring indices are read and published with acquire/release ordering.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "devices/bus/state.h"
#include "memory/guest_memory.h"

namespace pagoda {

// Feature bits that concern the rings (6).
inline constexpr u64 kVirtioIndirectDesc = u64{1} << 28;
inline constexpr u64 kVirtioEventIdx = u64{1} << 29;
inline constexpr u64 kVirtioVersion1 = u64{1} << 32;

// A piece of guest RAM.
struct GuestBuffer {
  u64 address = 0;
  u32 size = 0;  // bytes, not 0
};

// One request as the driver made it available: all buffers lie in RAM, the sum of their sizes is below 4 GiB.
struct VirtqChain {
  u16 head = 0;                       // the name of the request in the used ring
  std::vector<GuestBuffer> readable;  // driver -> device
  std::vector<GuestBuffer> writable;  // device -> driver
  u64 readable_size = 0;
  u64 writable_size = 0;
};

// A chain given back: its name and how many bytes of its writable part were written, from the start.
struct VirtqUsed {
  u16 head = 0;
  u32 written = 0;
};

class Virtqueue {
 public:
  static constexpr u16 kMaxSize = 1024;          // largest queue size a device may offer
  static constexpr u32 kMaxChainBuffers = 1024;  // longest chain in a table

  // What the driver says of the queue while it is not ready.
  struct Layout {
    u16 size = 0;         // entries, a power of two up to max_size
    u64 descriptors = 0;  // guest physical addresses; aligned to 16,
    u64 driver = 0;       // 2 (the available ring)
    u64 device = 0;       // and 4 bytes (the used ring)
  };

  Virtqueue(GuestMemory& memory, u16 max_size);

  u16 max_size() const { return max_size_; }
  Layout& layout() { return layout_; }
  const Layout& layout() const { return layout_; }
  bool ready() const { return ready_; }

  // Takes the queue into use with the negotiated features; false with a reason in problem() if the layout is bad.
  [[nodiscard]] bool enable(u64 features);
  void disable();
  // Back to power-on: not ready, layout cleared.
  void reset();

  enum class Pop : u8 { empty, chain, broken };
  // The next available chain. Each one must be given back with push().
  Pop pop(VirtqChain* chain);
  // Reads again the chain of a request in flight (after a restore). False: broken.
  [[nodiscard]] bool reload(u16 head, VirtqChain* chain);
  // Gives a chain back; `written` is how many bytes from the start of its writable part were written.
  // False: the used ring is not in RAM.
  [[nodiscard]] bool push(u16 head, u32 written) {
    const VirtqUsed chain{head, written};
    return push({&chain, 1});
  }
  // Several chains in this order; the driver sees all of them at once.
  [[nodiscard]] bool push(std::span<const VirtqUsed> chains);
  // Undoes the last `chains` pop()s that nothing was pushed after: the next pop() returns the first of them again.
  void rewind(u16 chains);
  // Chains popped and neither pushed nor rewound.
  u16 in_flight() const { return in_flight_; }
  // After one or more push(): does the driver want an interrupt for them? (2.7.7, 2.7.10)
  bool needs_interrupt();

  // Asks the driver not to notify while the device is looking at the queue anyway.
  void suppress_notifications();
  // Asks to be notified of the next buffer, behind `known` that are available and stay so. False: there is one already,
  // look again.
  [[nodiscard]] bool request_notifications(u16 known = 0);

  const std::string& problem() const { return problem_; }
  void visit_state(std::string_view prefix, StateVisitor& visitor);

 private:
  struct Descriptor {
    u64 address;
    u32 size;
    u16 flags;
    u16 next;
  };
  bool broken(std::string why);
  bool check_layout();
  bool read_chain(u16 head, VirtqChain* chain);
  bool add_buffer(const Descriptor& descriptor, VirtqChain* chain);

  GuestMemory& memory_;
  const u16 max_size_;
  Layout layout_;
  bool ready_ = false;
  bool event_idx_ = false;
  bool indirect_ = false;
  u16 next_avail_ = 0;      // available index of the next chain to take
  u16 next_used_ = 0;       // used index of the next chain to give back
  u16 signalled_used_ = 0;  // next_used_ when needs_interrupt was last asked
  bool signalled_valid_ = false;
  u16 in_flight_ = 0;  // popped and not yet pushed
  std::string problem_;
};

// Sequential copy out of the readable buffers of a chain.
class ChainReader {
 public:
  ChainReader(const GuestMemory& memory, std::span<const GuestBuffer> buffers) : memory_(memory), buffers_(buffers) {}
  // Fills `out` whole; false if the chain is shorter or its memory went away.
  [[nodiscard]] bool read(std::span<std::byte> out);

 private:
  const GuestMemory& memory_;
  std::span<const GuestBuffer> buffers_;
  u32 used_ = 0;  // bytes of the first buffer already consumed
};

// Sequential copy into the writable buffers of a chain.
class ChainWriter {
 public:
  ChainWriter(GuestMemory& memory, std::span<const GuestBuffer> buffers) : memory_(memory), buffers_(buffers) {}
  [[nodiscard]] bool write(std::span<const std::byte> bytes);
  // Moves on without writing.
  void skip(u64 size);

 private:
  GuestMemory& memory_;
  std::span<const GuestBuffer> buffers_;
  u32 used_ = 0;
};

}  // namespace pagoda
