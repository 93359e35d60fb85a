// SPDX-License-Identifier: MIT
// Sockets by name: Unix paths and TCP hosts, to listen at or to connect to.
#pragma once

#include <string>

#include "base/result.h"
#include "devices/serial/char_spec.h"

namespace pagoda {

// What a spec's address is called in messages: a path, or "host:port".
std::string socket_name(const CharSpec& spec);
// A listening socket, not blocking. TCP without a host listens on the loopback addresses only.
Result<int> socket_listen(const CharSpec& spec);
// A connected socket, not blocking; the call blocks until it is.
Result<int> socket_connect(const CharSpec& spec);
// The next client of a listening socket, not blocking; -1: none yet.
int socket_accept(int listener);

}  // namespace pagoda
