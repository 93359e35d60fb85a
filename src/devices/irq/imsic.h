// SPDX-License-Identifier: MIT
// Imsic: the incoming message-signalled interrupt controllers of all harts at one privilege level (RISC-V Advanced
// Interrupt Architecture 1.0, chapter 3), one page of memory for each hart's interrupt file.
//
// A message is a write of an identity to a file's page. A file drives one interrupt pin of its hart.
// Threading: messages from any thread, also under the sender's locks; each file has a lock of its own, under which only
// its pin is driven.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <vector>

#include "devices/bus/interrupt_file.h"
#include "devices/bus/irq_line.h"
#include "devices/bus/register_map.h"

namespace pagoda {

class Imsic final : public RegisterDevice {
 public:
  static constexpr u32 kPageSize = 0x1000;
  static constexpr u32 kIdentities = 255;  // 1 to this
  static constexpr u64 window_size(u32 files) { return u64{files} * kPageSize; }
  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/irq/imsic.def"
#undef REG
  };

  // `pins`: each hart's external interrupt at this level.
  Imsic(std::string name, const std::vector<IrqLine>& pins);
  ~Imsic() override;

  InterruptFile& file(u32 hart);
  // What a write of `identity` to the hart's page does.
  void send(u32 hart, u32 identity);

  void write(u64 offset, u64 value, const Access& access) override;
  void reset() override;
  void visit_state(StateVisitor& visitor) override;

 private:
  class File;
  static std::vector<Register> make_rows(u32 files);
  void set_pending(u32 file, u64 value) { send(file, static_cast<u32>(value)); }
  void set_pending_swapped(u32 file, u64 value) { send(file, __builtin_bswap32(static_cast<u32>(value))); }

  std::vector<std::unique_ptr<File>> files_;
};

}  // namespace pagoda
