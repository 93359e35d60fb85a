// SPDX-License-Identifier: MIT
// Where -serial, -monitor, -chardev, -nographic, -display and -nodefaults send characters.
#include "cli_test_support.h"

namespace pagoda::cli {
namespace {

// "serial0=stdio+mux monitor0=null" for the chardevs, then "serials: ..." and "monitors: ...".
std::string consoles(std::string_view options) {
  const MachineConfig c = config_of(options);
  constexpr std::string_view kKinds[] = {"null", "stdio", "file", "pty", "socket", "pipe"};
  std::string text;
  for (const CharSpec& spec : c.chardevs) {
    text += fmt::format("{}={}{}{} ", spec.id, kKinds[static_cast<std::size_t>(spec.kind)], spec.mux ? "+mux" : "",
                        spec.kind == CharKind::stdio && spec.signal ? "+signal" : "");
  }
  text += "| serials:";
  for (const std::string& id : c.serials) text += " " + (id.empty() ? std::string("none") : id);
  text += " | monitors:";
  for (const std::string& id : c.monitors) text += " " + id;
  return text;
}

TEST(CliConsole, Defaults) {
  EXPECT_EQ(consoles(""), "serial0=stdio+mux | serials: serial0 | monitors: serial0");
  EXPECT_EQ(consoles("-nographic"), "serial0=stdio+mux | serials: serial0 | monitors: serial0");
  EXPECT_EQ(consoles("-display none"), "serial0=null | serials: serial0 | monitors:");
  EXPECT_EQ(consoles("-display none -nographic"), "serial0=stdio+mux | serials: serial0 | monitors: serial0");
  EXPECT_EQ(consoles("-nodefaults"), "| serials: | monitors:");
  EXPECT_EQ(consoles("-nodefaults -nographic"), "| serials: | monitors:");
}

TEST(CliConsole, OneOfTheTwoGiven) {
  EXPECT_EQ(consoles("-nographic -monitor none"), "serial0=stdio+signal | serials: serial0 | monitors:");
  EXPECT_EQ(consoles("-nographic -serial null"),
            "serial0=null monitor0=stdio+signal | serials: serial0 | monitors: monitor0");
  EXPECT_EQ(consoles("-nographic -serial none"), "monitor0=stdio+signal | serials: none | monitors: monitor0");
  EXPECT_EQ(consoles("-monitor stdio"), "monitor0=stdio+signal serial0=null | serials: serial0 | monitors: monitor0");
  EXPECT_EQ(consoles("-serial stdio"), "serial0=stdio+signal | serials: serial0 | monitors:");
  EXPECT_EQ(consoles("-display none -serial stdio -monitor none"),
            "serial0=stdio+signal | serials: serial0 | monitors:");
}

TEST(CliConsole, WhatTestSuitesSay) {
  EXPECT_EQ(consoles("-nodefaults -nographic -serial mon:stdio"),
            "serial0=stdio+mux | serials: serial0 | monitors: serial0");
}

TEST(CliConsole, SeveralSerialPorts) {
  EXPECT_EQ(consoles("-nodefaults -serial mon:stdio -serial pty -serial none -serial null"),
            "serial0=stdio+mux serial1=pty serial3=null | serials: serial0 serial1 none serial3 | monitors: serial0");
}

TEST(CliConsole, Chardevs) {
  EXPECT_EQ(consoles("-nodefaults -serial chardev:x -monitor chardev:x -chardev stdio,id=x,mux=on,signal=off"),
            "x=stdio+mux | serials: x | monitors: x");
  EXPECT_EQ(consoles("-nodefaults -chardev pty,id=p -monitor chardev:p"), "p=pty | serials: | monitors: p");
}

TEST(CliConsole, Files) {
  CharSpec spec = config_of("-serial file:out.txt").chardevs.at(0);
  EXPECT_EQ(spec.kind, CharKind::file);
  EXPECT_EQ(spec.path, "out.txt");
  EXPECT_FALSE(spec.append);
  EXPECT_EQ(spec.origin, "-serial file:out.txt");
  spec = config_of("-chardev file,id=f,path=a,,b,append=on").chardevs.at(0);
  EXPECT_EQ(spec.path, "a,b");
  EXPECT_TRUE(spec.append);
}

TEST(CliConsole, PipesAndTelnet) {
  CharSpec spec = config_of("-serial pipe:/tmp/p").chardevs.at(0);
  EXPECT_EQ(spec.kind, CharKind::pipe);
  EXPECT_EQ(spec.path, "/tmp/p");
  EXPECT_EQ(config_of("-chardev pipe,id=p,path=/tmp/q").chardevs.at(0).path, "/tmp/q");
  spec = config_of("-monitor telnet:localhost:4444,server,nowait").chardevs.at(0);
  EXPECT_EQ(spec.kind, CharKind::socket);
  EXPECT_EQ(spec.host + ":" + spec.port, "localhost:4444");
  EXPECT_TRUE(spec.telnet && spec.server && !spec.wait);
  EXPECT_FALSE(config_of("-serial tcp::4444").chardevs.at(0).telnet);
  EXPECT_TRUE(config_of("-chardev socket,id=t,port=4444,telnet=on,server=on").chardevs.at(0).telnet);
  EXPECT_EQ(error_of("-chardev pipe,id=p"), "-chardev pipe,id=p: path= is missing");
  EXPECT_EQ(error_of("-serial pipe:"), "-serial pipe:: the pipe's name is missing");
}

TEST(CliConsole, Sockets) {
  CharSpec spec = config_of("-serial unix:/tmp/s").chardevs.at(0);
  EXPECT_EQ(spec.kind, CharKind::socket);
  EXPECT_EQ(spec.path, "/tmp/s");
  EXPECT_FALSE(spec.server);
  EXPECT_TRUE(spec.wait);
  spec = config_of("-serial unix:/tmp/s,server,nowait").chardevs.at(0);
  EXPECT_TRUE(spec.server);
  EXPECT_FALSE(spec.wait);
  spec = config_of("-chardev socket,id=s,path=/tmp/s,server=on,wait=off,mux=on").chardevs.at(0);
  EXPECT_TRUE(spec.server);
  EXPECT_FALSE(spec.wait);
  EXPECT_TRUE(spec.mux);
  EXPECT_TRUE(config_of("-serial mon:unix:/tmp/s,server=on,wait=on").chardevs.at(0).mux);
}

}  // namespace
}  // namespace pagoda::cli
