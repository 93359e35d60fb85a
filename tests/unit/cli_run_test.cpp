// SPDX-License-Identifier: MIT
// Options about debugging and the program's own life: -gdb -S -mon -rtc -action -semihosting-config -global
// -readconfig.
#include <unistd.h>
#include <cstdio>
#include <fstream>

#include "cli_test_support.h"

namespace pagoda::cli {
namespace {

const CharSpec* chardev(const MachineConfig& config, std::string_view id) {
  for (const CharSpec& spec : config.chardevs) {
    if (spec.id == id) return &spec;
  }
  return nullptr;
}

TEST(CliRun, Gdb) {
  const MachineConfig config = config_of("-s -S");
  EXPECT_TRUE(config.start_stopped);
  const CharSpec* spec = chardev(config, config.gdb);
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(spec->kind, CharKind::socket);
  EXPECT_EQ(spec->port, "1234");
  EXPECT_TRUE(spec->server);
  EXPECT_FALSE(spec->wait);
  EXPECT_FALSE(config_of("").start_stopped);
  EXPECT_EQ(config_of("").gdb, "");
  EXPECT_EQ(config_of("-s -gdb none").gdb, "");
  EXPECT_EQ(config_of("-chardev null,id=g -gdb chardev:g").gdb, "g");
  const MachineConfig unix_socket = config_of("-gdb unix:/tmp/x,server=on");
  EXPECT_EQ(chardev(unix_socket, unix_socket.gdb)->path, "/tmp/x");
  EXPECT_TRUE(chardev(unix_socket, unix_socket.gdb)->wait);
  EXPECT_EQ(error_of("-gdb tcp:host"), "-gdb tcp:host: a port is missing: an address is host:port or :port");
  EXPECT_EQ(error_of("-gdb tcp::99999"), "-gdb tcp::99999: the port must be a number from 1 to 65535");
  EXPECT_EQ(error_of("-gdb mon:stdio"), "-gdb mon:stdio: a debugger shares its connection with nobody");
  EXPECT_EQ(error_of("-gdb chardev:nobody"), "-gdb chardev:nobody: there is no chardev with id 'nobody'");
}

TEST(CliRun, TcpSockets) {
  const MachineConfig config = config_of(
      "-serial tcp:[::1]:4444,server=on,wait=off,nodelay=on -chardev socket,id=c,host=h,port=5,server=on,wait=off");
  EXPECT_EQ(chardev(config, "serial0")->host, "::1");
  EXPECT_EQ(chardev(config, "serial0")->port, "4444");
  EXPECT_EQ(chardev(config, "c")->host, "h");
  EXPECT_EQ(chardev(config, "c")->port, "5");
  EXPECT_NE(error_of("-chardev socket,id=c,host=h"), "no error");
  EXPECT_NE(error_of("-chardev socket,id=c,path=p,port=1"), "no error");
  EXPECT_NE(error_of("-chardev socket,id=c,port=x"), "no error");
}

TEST(CliRun, Mon) {
  EXPECT_EQ(config_of("-chardev null,id=m -mon chardev=m,mode=readline").monitors, std::vector<std::string>{"m"});
  EXPECT_EQ(config_of("-chardev null,id=m -mon m").monitors, std::vector<std::string>{"m"});
  EXPECT_NE(error_of("-chardev null,id=m -mon m,mode=control").find("only 'readline'"), std::string::npos);
}

TEST(CliRun, Actions) {
  EXPECT_TRUE(config_of("-action reboot=shutdown").no_reboot);
  EXPECT_FALSE(config_of("-no-reboot -action reboot=reset").no_reboot);
  EXPECT_TRUE(config_of("-action shutdown=pause,panic=exit-failure,watchdog=none").pause_on_shutdown);
  EXPECT_TRUE(config_of("-no-shutdown").pause_on_shutdown);
  EXPECT_EQ(error_of("-action shutdown=stop"), "-action shutdown=stop: shutdown=stop: it can be poweroff, pause");
  EXPECT_EQ(error_of("-action rebot=reset"), "-action rebot=reset: unknown event 'rebot'; did you mean 'reboot'?");
}

TEST(CliRun, Rtc) {
  EXPECT_TRUE(config_of("-rtc base=localtime,clock=vm").rtc.is_local);
  EXPECT_TRUE(config_of("-rtc base=localtime,clock=vm").rtc.is_virtual);
  EXPECT_FALSE(config_of("-rtc base=utc,clock=host,driftfix=none").rtc.start.has_value());
  EXPECT_EQ(config_of("-rtc base=1970-01-02").rtc.start, 86400);
  EXPECT_EQ(config_of("-rtc base=2026-11-22T13:14:15").rtc.start, 1795353255);
  for (const char* bad :
       {"2026-02-30", "2026-13-01", "yesterday", "2026-01-01T25:00:00", "2026-01-01 10:00:00", "1969-01-01"}) {
    EXPECT_NE(error_of(Words{"-rtc", std::string("base=") + bad}).find("'utc', 'localtime' or a date"),
              std::string::npos)
        << bad;
  }
}

TEST(CliRun, Semihosting) {
  EXPECT_FALSE(config_of("").semihosting.enabled);
  EXPECT_TRUE(config_of("-semihosting").semihosting.enabled);
  const auto config =
      config_of("-chardev null,id=c -semihosting-config enable=on,target=native,userspace=on,chardev=c,arg=a,arg=b")
          .semihosting;
  EXPECT_TRUE(config.enabled && config.allows_user);
  EXPECT_EQ(config.arguments, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.chardev, "c");
  EXPECT_FALSE(config_of("-semihosting-config enable=off").semihosting.enabled);
  EXPECT_NE(error_of("-semihosting-config target=gdb").find("only 'native'"), std::string::npos);
  EXPECT_NE(error_of("-semihosting-config enable=on,chardev=x"), "no error");
}

TEST(CliRun, Globals) {
  const MachineConfig config = config_of(
      "-global virtserialport.name=all -global virtio-mmio.force-legacy=false -device virtio-serial-device -chardev "
      "null,id=a "
      "-chardev null,id=b -device virtserialport,chardev=a -device virtserialport,chardev=b,name=own");
  EXPECT_EQ(*config.devices[1].find("name"), "all");
  EXPECT_EQ(*config.devices[2].find("name"), "own");
  EXPECT_NE(error_of("-global virtserialprot.name=x").find("did you mean"), std::string::npos);
  EXPECT_NE(error_of("-global virtserialport.nom=x"), "no error");
  EXPECT_NE(error_of("-global nothing"), "no error");
}

TEST(CliRun, LifeOfTheProgram) {
  EXPECT_EQ(config_of("-pidfile p").pidfile, "p");
  EXPECT_TRUE(config_of("-daemonize -display none -monitor none").daemonize);
  EXPECT_NE(error_of("-daemonize -nographic").find("needs the terminal"), std::string::npos);
  EXPECT_EQ(config_of("-M virt,dumpdtb=x.dtb").dump_dtb, "x.dtb");
}

class CliReadConfig : public testing::Test {
 protected:
  std::string path = testing::TempDir() + "pagoda_readconfig_" + std::to_string(getpid()) + ".cfg";
  void TearDown() override { std::remove(path.c_str()); }
  Words options(const std::string& text) {
    std::ofstream(path) << text;
    return {"-readconfig", path};
  }
};

TEST_F(CliReadConfig, GroupsAreOptions) {
  const MachineConfig config = config_of(options(R"(
# A comment
[machine]
  type = "virt"
[memory]
  size = "1G"
[smp-opts]
  cpus = "2"
[drive "d0"]
  if = "none"
  file = "a,b.img"
  driver = "raw"
[nic]
  type = "user"
  model = "virtio-net-pci"
[virtfs]
  fsdriver = "local"
  path = "/"
  mount_tag = "t"
  security_model = "none"
[device "x"]
  drive = "d0"
  driver = "virtio-blk-device"
[chardev "c"]
  backend = "null"
[mon]
  chardev = "c"
  mode = "readline"
[global]
  driver = "virtio-blk-device"
  property = "serial"
  value = "s1"
)"));
  EXPECT_EQ(config.ram_bytes, u64{1} << 30);
  EXPECT_EQ(config.smp.cpus, 2u);
  ASSERT_EQ(config.drives.size(), 1u);
  EXPECT_EQ(config.drives[0].file, "a,b.img");
  EXPECT_EQ(config.drives[0].id, "d0");
  EXPECT_EQ(config.drives[0].format, "raw");
  ASSERT_EQ(config.devices.size(), 3u);
  EXPECT_EQ(config.devices[0].driver, "virtio-net-pci");
  EXPECT_EQ(config.devices[1].driver, "virtio-9p-device");
  EXPECT_EQ(config.devices[2].id, "x");
  EXPECT_EQ(*config.devices[2].find("serial"), "s1");
  EXPECT_EQ(config.monitors, std::vector<std::string>{"c"});
}

TEST_F(CliReadConfig, Mistakes) {
  const auto error = [&](const std::string& text) {
    const std::string whole = error_of(options(text));
    const std::string begin = "-readconfig " + path + ": ";
    EXPECT_TRUE(whole.starts_with(begin)) << whole;
    return whole.substr(begin.size());
  };
  EXPECT_EQ(error("[machin]\n"), "line 1: unknown group 'machin'; did you mean 'machine'?");
  EXPECT_EQ(error("type = \"virt\"\n"), "line 1: a [group] comes first");
  EXPECT_EQ(error("[memory]\nsize = 1G\n"), "line 2: expected key = \"value\"");
  EXPECT_EQ(error("[memory\n"), "line 1: a group's name ends in ]");
  EXPECT_EQ(error("[drive \"\"]\n"), "line 1: a group is [name] or [name \"id\"]");
  EXPECT_EQ(error("[memory]\nsize = \"x\"\n").find("line 2: -m size=x: "), 0u);
  EXPECT_EQ(error_of("-readconfig /nonexistent"), "-readconfig /nonexistent: the file cannot be read");
}

}  // namespace
}  // namespace pagoda::cli
