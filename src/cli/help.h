// SPDX-License-Identifier: MIT
// Everything that is printed on request: -help, -version and the listings of "help" values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pagoda::cli {

// `guest`: the options of one guest; empty: how to name one.
std::string help_text(std::string_view guest);
std::string version_text();
std::string machine_list(std::string_view guest);
std::string cpu_list(std::string_view guest);
std::string accel_list();
std::string device_list();
std::string device_properties(std::string_view driver);
std::string chardev_list();
std::string netdev_list();
std::string object_list();
std::string log_list();

// The names of the supported options, without dashes.
std::vector<std::string_view> option_names();

}  // namespace pagoda::cli
