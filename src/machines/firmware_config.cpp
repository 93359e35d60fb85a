// SPDX-License-Identifier: MIT
// The items of fw_cfg, after QEMU's docs/specs/fw_cfg and what its machines put there.
#include "machines/firmware_config.h"

#include <charconv>
#include <map>
#include <span>

#include "machines/boot/file.h"

namespace pagoda {
namespace {

std::string little_endian(u64 value, u32 size) {
  std::string bytes;
  for (u32 i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

}  // namespace

Result<std::vector<std::string>> sort_boot_devices(const std::vector<BootDevice>& devices) {
  std::map<u32, std::string> paths;
  for (const BootDevice& device : devices) {
    const std::string* text = device.config->find("bootindex");
    if (text == nullptr) continue;
    u32 index = 0;  // the parser has checked that it is a number
    std::from_chars(text->data(), text->data() + text->size(), index);
    if (!paths.emplace(index, device.path).second) {
      return fail("{}: bootindex {} is used twice", device.config->origin, index);
    }
  }
  std::vector<std::string> sorted;
  for (auto& [index, path] : paths) sorted.push_back(std::move(path));
  return sorted;
}

Result<FwCfg::Content> firmware_config(const MachineConfig& config, const std::vector<std::string>& boot_order,
                                       bool with_kernel) {
  FwCfg::Content content;
  const auto uuid = std::as_bytes(std::span(config.uuid));
  content.items[FwCfg::kUuid] = FwCfg::Bytes(uuid.begin(), uuid.end());
  content.add_number(FwCfg::kRamSize, config.ram_bytes, 8);
  content.add_number(FwCfg::kNoGraphic, 1, 2);
  content.add_number(FwCfg::kCpus, config.smp.cpus, 2);
  content.add_number(FwCfg::kMaxCpus, config.smp.cpus, 2);
  content.add_number(FwCfg::kBootMenu, config.boot.menu ? 1 : 0, 2);
  if (config.boot.splash_time_ms) content.add_file("etc/boot-menu-wait", little_endian(*config.boot.splash_time_ms, 2));
  if (config.boot.reboot_timeout_ms) {
    content.add_file("etc/boot-fail-wait", little_endian(static_cast<u32>(*config.boot.reboot_timeout_ms), 4));
  }
  std::string order;
  for (const std::string& path : boot_order) order += path + "\n";
  if (config.boot.strict) order += "HALT\n";
  if (!order.empty()) content.add_file("bootorder", order + '\0');

  for (const FwCfgItemConfig& item : config.fw_cfg) {
    if (content.files.contains(item.name)) return fail("{}: the machine has an item of that name", item.origin);
    if (item.file.empty()) {
      content.add_file(item.name, item.text);
    } else {
      TRY_ASSIGN(content.files[item.name], read_file(item.origin + ":", item.file, config.ram_bytes));
    }
  }
  if (!with_kernel) return content;
  const auto add_image = [&](std::string_view option, const std::string& path, u16 size_key, u16 data_key) -> Result<> {
    if (path.empty()) return {};
    TRY_ASSIGN(auto bytes, read_file(option, path, config.ram_bytes));
    content.add_number(size_key, bytes.size(), 4);
    content.items[data_key] = std::move(bytes);
    return {};
  };
  TRY(add_image("-kernel", config.kernel, FwCfg::kKernelSize, FwCfg::kKernelData));
  TRY(add_image("-initrd", config.initrd, FwCfg::kInitrdSize, FwCfg::kInitrdData));
  if (!config.append.empty()) {
    content.add_number(FwCfg::kCmdlineSize, config.append.size() + 1, 4);
    content.add_text(FwCfg::kCmdlineData, config.append);
  }
  return content;
}

}  // namespace pagoda
