// SPDX-License-Identifier: MIT
// FwCfg: QEMU's firmware configuration device ("qemu,fw-cfg-mmio", docs/specs/fw_cfg of QEMU): numbered items and named
// files that the machine hands to firmware and kernel, read byte by byte or by DMA.
//
// The content is fixed when the device is made; the guest cannot write it.
// Threading: one mutex (see RegisterDevice); DMA is done on the thread that writes the register.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "devices/bus/register_map.h"
#include "memory/guest_memory.h"

namespace pagoda {

class FwCfg final : public RegisterDevice {
 public:
  static constexpr u64 kWindowSize = 0x18;
  static constexpr std::size_t kLongestName = 55;

  // Well-known items.
  enum Key : u16 {
    kSignature = 0x00,
    kId = 0x01,
    kUuid = 0x02,
    kRamSize = 0x03,
    kNoGraphic = 0x04,
    kCpus = 0x05,
    kKernelSize = 0x08,
    kInitrdSize = 0x0b,
    kBootMenu = 0x0e,
    kMaxCpus = 0x0f,
    kKernelData = 0x11,
    kInitrdData = 0x12,
    kCmdlineSize = 0x14,
    kCmdlineData = 0x15,
    kFileDirectory = 0x19,
    kFirstFile = 0x20,
  };
  using Bytes = std::vector<std::byte>;
  struct Content {
    std::map<u16, Bytes> items;
    std::map<std::string, Bytes> files;  // names up to kLongestName; the guest sees them in this order

    void add_number(u16 key, u64 value, u32 size);  // little-endian
    void add_text(u16 key, std::string_view text);  // with its terminating zero
    void add_file(const std::string& name, std::string_view text);
  };
  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/firmware/fw_cfg.def"
#undef REG
  };

  // Adds signature, features and the directory of files to the content.
  FwCfg(std::string name, GuestMemory& memory, Content content);
  u64 read(u64 offset, const Access& access) override;
  void write(u64 offset, u64 value, const Access& access) override;
  void reset() override;
  void visit_state(StateVisitor& visitor) override;

  // What an item holds, or null. For tests and listings.
  const Bytes* item(u16 key) const;
  const Bytes* file(const std::string& name) const;

 private:
  static std::vector<Register> make_rows();
  u64 next_bytes() const;
  u64 take_bytes();
  void select(u64 value);
  u64 dma_signature() const;
  void dma_written();
  void run_dma();
  bool transfer(u64 address, u64 size);

  GuestMemory& memory_;
  std::map<u16, Bytes> items_;
  std::map<std::string, u16> file_keys_;
  Access access_;          // the access under way: rows do not tell which part of a register it is for
  u64 access_offset_ = 0;  //
  u64 access_value_ = 0;   //

  u16 key_ = kSignature;
  u64 position_ = 0;     // in the item
  u64 dma_address_ = 0;  // as far as it was written
};

}  // namespace pagoda
