// SPDX-License-Identifier: MIT
// How a RISC-V machine starts: what goes where in RAM, and the reset ROM that all harts begin in.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "machines/boot/file.h"
#include "machines/riscv_board.h"
#include "riscv64_firmware.h"

namespace pagoda {
namespace {

constexpr u64 kMiB = u64{1} << 20;
// A 64-bit kernel lies on a boundary of the second-smallest page size.
constexpr u64 kKernelAlignment = 2 * kMiB;

constexpr u64 align_up(u64 value, u64 alignment) { return (value + alignment - 1) & ~(alignment - 1); }
constexpr u64 align_down(u64 value, u64 alignment) { return value & ~(alignment - 1); }

// What firmware of the OpenSBI kind finds at a2 (fw_dynamic_info in OpenSBI's documentation of FW_DYNAMIC).
struct FirmwareInfo {
  u64 magic = 0x4942534f;  // "OSBI"
  u64 version = 2;
  u64 next_address = 0;
  u64 next_mode = 1;  // supervisor
  u64 options = 0;
  u64 boot_hart = ~u64{0};  // whoever comes first
};

// The reset ROM: a0 = hart id, a1 = device tree, a2 = firmware info, then to the entry. As instruction words, so that
// it needs no assembler.
struct ResetRom {
  u32 code[6] = {
      0x00000297,  // auipc t0, 0
      0x02828613,  // addi  a2, t0, 40
      0xf1402573,  // csrr  a0, mhartid
      0x0202b583,  // ld    a1, 32(t0)
      0x0182b283,  // ld    t0, 24(t0)
      0x00028067,  // jr    t0
  };
  u64 entry = 0;
  u64 device_tree = 0;
  FirmwareInfo info;
};
static_assert(offsetof(ResetRom, entry) == 24 && offsetof(ResetRom, device_tree) == 32 &&
              offsetof(ResetRom, info) == 40);

}  // namespace

Result<RiscvBoard::Program> RiscvBoard::read_program(std::string_view option, const std::string& path) const {
  const u64 limit = machine_.config().ram_bytes;
  TRY_ASSIGN(auto bytes, read_file(option, path, limit));
  auto image = identify_riscv64_program(std::move(bytes), limit);
  if (!image) return fail("{} {}: {}", option, path, image.error().message);
  return Program{fmt::format("{} {}", option, path), std::move(*image)};
}

Result<> RiscvBoard::read_programs() {
  const MachineConfig& config = machine_.config();
  if (config.firmware == FirmwareKind::file) {
    TRY_ASSIGN(firmware_, read_program("-bios", config.bios));
  } else if (config.kernel.empty() && !layout_.flash) {
    return fail("nothing to boot: give -kernel FILE, or -bios FILE");
  }
  if (!config.kernel.empty() && !layout_.flash) {
    TRY_ASSIGN(kernel_, read_program("-kernel", config.kernel));
  }
  return {};
}

std::optional<u64> RiscvBoard::find_symbol(std::string_view name) const {
  for (const std::optional<Program>* program : {&kernel_, &firmware_}) {
    if (!*program || (*program)->image.kind != ProgramImage::Kind::elf) continue;
    if (const auto value = find_elf_symbol((*program)->image.file, name)) return value;
  }
  return std::nullopt;
}

// Devices with 32-bit addresses and early boot code reach it below this.
u64 RiscvBoard::low_ram_end() const { return std::min(images_->ram_end(), layout_.ram_base + 1024 * kMiB); }

Result<u64> RiscvBoard::place(Program& program, u64 address) {
  ProgramImage& image = program.image;
  if (image.kind == ProgramImage::Kind::elf) {
    images_->keep(std::move(image.file));  // its memory stays where it is: segments point into it
    u64 shift = 0;
    if (image.elf.is_relocatable) {
      u64 lowest = ~u64{0};
      for (const ElfSegment& segment : image.elf.segments) lowest = std::min(lowest, segment.address);
      if (lowest < images_->ram_base()) shift = address - align_down(lowest, kPageSize);
    }
    for (const ElfSegment& segment : image.elf.segments) {
      TRY(images_->add(program.what, segment.address + shift, segment.bytes, segment.memory_size));
    }
    return image.elf.entry + shift;
  }
  const u64 size = image.memory_size;
  const auto bytes = images_->keep(std::move(image.file));
  TRY(images_->add(program.what, address, bytes, size));
  return address;
}

Result<u64> RiscvBoard::place_firmware() {
  if (machine_.config().firmware == FirmwareKind::builtin) {
    TRY(images_->add("the built-in firmware", layout_.ram_base, riscv64_sbi_firmware, kRiscv64SbiFirmwareRegionSize));
    return layout_.ram_base;
  }
  return place(*firmware_, layout_.ram_base);
}

Result<u64> RiscvBoard::place_kernel(u64 after_firmware) {
  u64 address = align_up(after_firmware, kKernelAlignment);
  if (kernel_->image.kind == ProgramImage::Kind::linux_image && after_firmware != layout_.ram_base) {
    address = std::max(address, align_up(layout_.ram_base + kernel_->image.text_offset, kKernelAlignment));
  }
  return place(*kernel_, address);
}

// Well behind the kernel, which maps more than its image in early boot: half of RAM or 512 MiB up, as QEMU does; where
// that does not fit, right behind all that was placed before. The guest learns of it through the device tree.
Result<> RiscvBoard::place_initrd(FdtBuilder& tree) {
  const std::string& path = machine_.config().initrd;
  TRY_ASSIGN(auto file, read_file("-initrd", path, machine_.config().ram_bytes));
  const u64 size = file.size();
  const u64 behind = align_up(images_->end(), 2 * kMiB);
  const u64 far = layout_.ram_base + std::min(machine_.config().ram_bytes / 2, 512 * kMiB);
  const u64 address = far >= behind && far + size + 2 * kMiB <= images_->ram_end() ? far : behind;
  TRY(images_->add(fmt::format("-initrd {}", path), address, images_->keep(std::move(file)), size));
  tree.set_u64("/chosen", "linux,initrd-start", address);
  tree.set_u64("/chosen", "linux,initrd-end", address + size);
  return {};
}

// Near the end of low RAM, or, where something else is, behind everything.
Result<u64> RiscvBoard::place_tree(FdtBuilder& tree) {
  const std::string& path = machine_.config().dtb;
  const std::string what = path.empty() ? "the device tree" : fmt::format("-dtb {}", path);
  auto bytes = tree.finish();
  if (!bytes) return fail("{}: {}", what, bytes.error().message);
  if (const std::string& dump = machine_.config().dump_dtb; !dump.empty())
    TRY(write_file("-machine dumpdtb:", dump, *bytes));
  const u64 size = bytes->size();
  // Room for firmware that adds to it.
  constexpr u64 kSlack = 8 << 10;
  if (size + kSlack > low_ram_end() - layout_.ram_base) {
    return fail("{}: its {} bytes do not fit into RAM (-m)", what, size);
  }
  u64 address = align_down(low_ram_end() - size - kSlack, kKernelAlignment);
  if (!images_->check(what, address, size + kSlack)) address = align_down(low_ram_end() - size - kSlack, kPageSize);
  if (!images_->check(what, address, size + kSlack)) address = align_up(images_->end(), kPageSize);
  TRY(images_->add(what, address, images_->keep(std::move(*bytes)), size + kSlack));
  return address;
}

// The firmware's memory is protected from the supervisor, which must know (Devicetree Specification 3.5).
void RiscvBoard::reserve_firmware(FdtBuilder& tree) const {
  const std::string parent = "/reserved-memory";
  if (!tree.has_node(parent)) {
    tree.set_cells(parent, "#address-cells", {2});
    tree.set_cells(parent, "#size-cells", {2});
    tree.set_flag(parent, "ranges");
  }
  const std::string node = fmt::format("{}/mmode_resv0@{:x}", parent, layout_.ram_base);
  std::vector<u32> reg;
  const auto put = [&](u64 value, u32 cells) {
    if (cells > 1) reg.push_back(static_cast<u32>(value >> 32));
    reg.push_back(static_cast<u32>(value));
  };
  put(layout_.ram_base, tree.cell(parent, "#address-cells", 2));
  put(kRiscv64SbiFirmwareRegionSize, tree.cell(parent, "#size-cells", 1));
  tree.set_cells(node, "reg", reg);
  tree.set_flag(node, "no-map");
}

Result<> RiscvBoard::prepare_boot(FdtBuilder tree) {
  const MachineConfig& config = machine_.config();
  images_ = std::make_unique<BootImages>(layout_.ram_base, config.ram_bytes);
  if (!config.dtb.empty()) {
    TRY_ASSIGN(const auto bytes, read_file("-dtb", config.dtb, config.ram_bytes));
    auto own = FdtBuilder::from_bytes(bytes);
    if (!own) return fail("-dtb {}: {}", config.dtb, own.error().message);
    tree = std::move(*own);
  } else {
    std::array<std::byte, 32> seed{};
    machine_.inputs().entropy(seed);
    tree.set_bytes("/chosen", "rng-seed", seed);
  }
  if (!config.append.empty()) tree.set_string("/chosen", "bootargs", config.append);

  ResetRom rom;
  if (config.firmware != FirmwareKind::none) {
    TRY_ASSIGN(rom.entry, place_firmware());
  }
  if (config.firmware == FirmwareKind::builtin) reserve_firmware(tree);
  if (kernel_) {
    TRY_ASSIGN(rom.info.next_address, place_kernel(images_->end()));
    if (config.firmware == FirmwareKind::none) rom.entry = rom.info.next_address;
  }
  if (layout_.flash) {
    // Behind firmware comes what is in the flash, in place of a kernel.
    (config.firmware == FirmwareKind::none ? rom.entry : rom.info.next_address) = *layout_.flash;
  } else if (!config.initrd.empty()) {
    TRY(place_initrd(tree));
  }
  TRY_ASSIGN(rom.device_tree, place_tree(tree));

  std::array<std::byte, sizeof(rom)> bytes;
  std::memcpy(bytes.data(), &rom, sizeof(rom));
  return machine_.memory().add_rom(GuestPhys(layout_.reset_rom.base), bytes, layout_.reset_rom.size, "reset ROM");
}

}  // namespace pagoda
