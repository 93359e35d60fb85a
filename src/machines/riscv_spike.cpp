// SPDX-License-Identifier: MIT
// The RISC-V `spike` machine: harts, a CLINT, RAM and HTIF, as QEMU's machine of that name lays them out.
//
// HTIF lies where the program says: at the symbols tohost and fromhost of its ELF file, which must share a page.
// Programs without these symbols find it at kHtif and in the device tree.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "devices/serial/htif.h"
#include "machines/boards.h"
#include "machines/riscv_board.h"

namespace pagoda {
namespace {

using Window = RiscvBoard::Window;

constexpr Window kResetRom{0x0000'1000, 0xf000};
constexpr Window kHtif{0x0100'0000, HtifWindow::kWindowSize};
constexpr Window kClint{0x0200'0000, 0x1'0000};
constexpr u64 kRamBase = 0x8000'0000;

// Where fromhost and tohost lie in kHtif.
constexpr u64 kFromhost = 0, kTohost = 8;

struct HtifPlace {
  u64 page = kHtif.base;
  u64 tohost = kTohost;
  std::optional<u64> fromhost = kFromhost;
  bool is_in_ram = false;
};

Result<HtifPlace> find_htif(const RiscvBoard& board, u64 ram_bytes) {
  const std::optional<u64> tohost = board.find_symbol("tohost");
  if (!tohost) return HtifPlace{};
  HtifPlace place{.page = *tohost & kPageMask, .tohost = *tohost & ~kPageMask, .fromhost = {}, .is_in_ram = true};
  const std::optional<u64> fromhost = board.find_symbol("fromhost");
  if (fromhost) place.fromhost = *fromhost - place.page;
  const bool is_aligned = place.tohost % 8 == 0 && (!fromhost || (*fromhost % 8 == 0 && *place.fromhost < kPageSize));
  if (!is_aligned || place.page < kRamBase || place.page - kRamBase >= ram_bytes) {
    return fail("-M spike: the program's symbols tohost ({:#x}) and fromhost must be aligned, in RAM and in one page",
                *tohost);
  }
  return place;
}

// RAM, with a hole for the page of HTIF.
Result<> add_ram(GuestMemory& memory, u64 size, const HtifPlace& htif) {
  if (!htif.is_in_ram) return memory.add_ram(GuestPhys(kRamBase), size, "ram");
  const u64 below = htif.page - kRamBase;
  const u64 above = size - below - kPageSize;
  if (below != 0) TRY(memory.add_ram(GuestPhys(kRamBase), below, "ram below htif"));
  if (above != 0) TRY(memory.add_ram(GuestPhys(htif.page + kPageSize), above, "ram above htif"));
  return {};
}

FdtBuilder describe_spike(const RiscvBoard& board, const HtifPlace& htif) {
  FdtBuilder tree;
  board.describe(tree, "ucbbar,spike-bare-dev", "ucbbar,spike-bare,pagoda");
  tree.set_string("/htif", "compatible", "ucb,htif0");
  const u64 tohost = htif.page + htif.tohost;
  const u64 fromhost = htif.page + htif.fromhost.value_or(htif.tohost);
  const auto high = [](u64 value) { return static_cast<u32>(value >> 32); };
  const auto low = [](u64 value) { return static_cast<u32>(value); };
  tree.set_cells("/htif", "reg", {high(fromhost), low(fromhost), 0, 8, high(tohost), low(tohost), 0, 8});
  tree.set_string("/chosen", "stdout-path", "/htif");
  return tree;
}

// The signature: what architecture tests leave behind, written when the program powers off. Lines of `granularity`
// bytes as hexadecimal numbers, the last one filled up with zeros: QEMU's format.
struct Signature {
  struct Closer {
    void operator()(std::FILE* open) const { std::fclose(open); }
  };
  std::unique_ptr<std::FILE, Closer> file;
  u64 start = 0, end = 0;
  u32 granularity = 0;
};

Result<std::shared_ptr<Signature>> open_signature(const RiscvBoard& board, const MachineConfig& config,
                                                  const HtifPlace& htif) {
  const std::string& path = config.signature;
  const std::optional<u64> start = board.find_symbol("begin_signature"), end = board.find_symbol("end_signature");
  if (!start || !end) return fail("-M signature={}: the program has no symbols begin_signature, end_signature", path);
  const bool in_ram = *start >= kRamBase && *start <= *end && *end - kRamBase <= config.ram_bytes;
  if (!in_ram) return fail("-M signature={}: {:#x} to {:#x} is not in RAM", path, *start, *end);
  if (htif.is_in_ram && *start < htif.page + kPageSize && htif.page < *end) {
    return fail("-M signature={}: {:#x} to {:#x} shares a page with tohost", path, *start, *end);
  }
  auto signature = std::make_shared<Signature>();
  signature->file.reset(std::fopen(path.c_str(), "we"));
  if (!signature->file) return fail("-M signature={}: {}", path, std::strerror(errno));
  signature->start = *start;
  signature->end = *end;
  signature->granularity = config.signature_granularity;
  return signature;
}

// False if the file cannot be written.
bool write_signature(Signature& signature, GuestMemory& memory) {
  std::string text;
  for (u64 at = signature.start; at < signature.end; at += signature.granularity) {
    std::vector<std::byte> line(signature.granularity);
    const u64 count = std::min<u64>(signature.granularity, signature.end - at);
    CHECK(memory.read(GuestPhys(at), std::span(line).first(count)));
    for (std::size_t i = line.size(); i-- > 0;) text += fmt::format("{:02x}", std::to_integer<u32>(line[i]));
    text += '\n';
  }
  std::FILE* file = signature.file.get();
  return std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
}

}  // namespace

Result<> build_riscv64_spike(Machine& machine) {
  const MachineConfig& config = machine.config();
  RiscvBoard board(machine, {.reset_rom = kResetRom, .clint = kClint, .ram_base = kRamBase});
  if (!config.devices.empty()) return fail("{}: machine 'spike' has no bus for it", config.devices[0].origin);
  if (config.aia != Aia::none) return fail("-M spike: aia= is for machine 'virt'");
  TRY(board.read_programs());
  TRY_ASSIGN(const HtifPlace htif, find_htif(board, config.ram_bytes));
  TRY(add_ram(machine.memory(), config.ram_bytes, htif));
  TRY(board.make_harts());
  std::shared_ptr<Signature> signature;
  if (!config.signature.empty()) {
    TRY_ASSIGN(signature, open_signature(board, config, htif));
  }
  TRY(board.prepare_boot(describe_spike(board, htif)));

  // The page under HTIF holds what the program has there.
  std::vector<u8> content;
  if (htif.is_in_ram) content = board.boot_images().content(htif.page, kPageSize);
  auto& device = machine.add_device(std::make_unique<HtifWindow>(
      "htif", HtifWindow::Layout{.tohost = htif.tohost, .fromhost = htif.fromhost, .content = std::move(content)},
      machine.power_sink(), machine.serial_backend(0)));
  machine.memory().map_mmio(GuestPhys(htif.page), HtifWindow::kWindowSize, &device, "htif");
  machine.set_boot_images(board.take_boot_images());
  // The tests of riscv-tests end with the number of what failed.
  machine.set_power_off([program = config.kernel, signature, &machine](u32 code) {
    if (signature != nullptr && !write_signature(*signature, machine.memory())) {
      return Machine::Ending{.status = 1, .message = "-M signature=: the file cannot be written"};
    }
    if (code == 0) return Machine::Ending{};
    return Machine::Ending{.status = 1, .message = fmt::format("{}: test {} failed", program, code)};
  });
  return {};
}

}  // namespace pagoda
