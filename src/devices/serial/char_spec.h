// SPDX-License-Identifier: MIT
// CharSpec: what a character back end is, as -chardev or -serial said it.
#pragma once

#include <string>

namespace pagoda {

enum class CharKind { null, stdio, file, pty, socket, pipe };

struct CharSpec {
  std::string id;  // unique in a machine; -serial makes "serial0", -monitor "monitor0"
  CharKind kind = CharKind::null;
  std::string path;     // file: the file; socket: the Unix socket; pty: optional symbolic link to the slave; pipe: what
                        // ".in" and ".out" are put behind
  std::string host;     // socket: of a TCP socket; empty: this machine
  std::string port;     // socket: number or service of a TCP socket; empty: a Unix socket
  bool append = false;  // file: keep what is there
  bool server = false;  // socket: listen (on) or connect (off)
  bool wait = true;     // socket server: opening waits for the first client
  bool telnet = false;  // socket: the other side speaks Telnet
  bool mux = false;     // shared by several front ends; Ctrl-A commands
  bool signal = true;   // stdio on a terminal: Ctrl-C ends the program rather than reaching the guest
  std::string log_file;  // what is written goes there, too; empty: nowhere
  bool log_append = false;
  std::string origin;  // the option as typed, for messages: "-serial mon:stdio"
};

}  // namespace pagoda
