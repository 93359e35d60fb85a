// SPDX-License-Identifier: MIT
// What a machine tells firmware through fw_cfg: its size, the boot order, -fw_cfg items, -kernel and -initrd.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "devices/firmware/fw_cfg.h"
#include "machines/config.h"

namespace pagoda {

struct BootDevice {
  const DeviceConfig* config;
  std::string path;  // where firmware finds it, as Open Firmware writes paths
};
// The paths of the devices with bootindex=, in that order. Error: an index is used twice.
Result<std::vector<std::string>> sort_boot_devices(const std::vector<BootDevice>& devices);

// `with_kernel`: firmware is to load -kernel, -initrd and -append. Errors name the option whose file cannot be read.
Result<FwCfg::Content> firmware_config(const MachineConfig& config, const std::vector<std::string>& boot_order,
                                       bool with_kernel);

}  // namespace pagoda
