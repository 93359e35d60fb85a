// SPDX-License-Identifier: MIT
// UserNetSpec: a user-mode network, as "-netdev user" said it.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace pagoda {

// Addresses are IPv4, in host byte order; 0 stands for the default.
struct HostForward {
  bool udp = false;
  u32 host_address = 0;   // 0: all of the host's
  u16 host_port = 0;      // 0: one that is free
  u32 guest_address = 0;  // 0: the first that DHCP gives out
  u16 guest_port = 0;
  std::string text;  // as typed, for messages
};

struct UserNetSpec {
  std::string id;
  bool ipv4 = true;
  bool ipv6 = true;
  u32 network = 0x0a00'0200;  // 10.0.2.0
  u32 mask = 0xffff'ff00;
  u32 host = 0;        // the network's router: .2
  u32 dns = 0;         // .3
  u32 dhcp_start = 0;  // .15
  bool restricted = false;
  std::string hostname;  // what DHCP calls the guest
  std::string domain;    // DHCP
  std::vector<std::string> dns_search;
  std::string tftp;  // a folder that the built-in TFTP server gives out
  std::string tftp_server_name;
  std::string bootfile;  // DHCP
  std::vector<HostForward> forwards;
  std::string origin;  // the option as typed, for messages
};

}  // namespace pagoda
