// SPDX-License-Identifier: MIT
// Every option arrives in the MachineConfig.
#include "cli_test_support.h"

namespace pagoda::cli {
namespace {

TEST(CliParse, DefaultsWithoutOptions) {
  const MachineConfig c = config_of("");
  EXPECT_EQ(c.guest, "riscv64");
  EXPECT_EQ(c.machine, "virt");
  EXPECT_EQ(c.cpu.model, "rv64");
  EXPECT_EQ(c.smp.cpus, 1u);
  EXPECT_EQ(c.ram_bytes, u64{128} << 20);
  EXPECT_EQ(c.firmware, FirmwareKind::builtin);
  EXPECT_FALSE(c.icount);
  EXPECT_TRUE(c.accel.fusion);
  ASSERT_EQ(c.chardevs.size(), 1u);
  EXPECT_EQ(c.chardevs[0].kind, CharKind::stdio);
  EXPECT_TRUE(c.chardevs[0].mux);
  EXPECT_EQ(c.serials, Words{"serial0"});
  EXPECT_EQ(c.monitors, Words{"serial0"});
}

TEST(CliParse, GuestComesFromTheFirstWordOrTheProgramsName) {
  const Words by_link = {"/opt/bin/pagoda-system-riscv64", "--machine", "spike", "-m", "1G"};
  const auto parsed = parse(by_link);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->config.guest, "riscv64");
  EXPECT_EQ(parsed->config.machine, "spike");
  EXPECT_EQ(parsed->config.ram_bytes, u64{1} << 30);
}

TEST(CliParse, OneOrTwoDashes) {
  EXPECT_EQ(config_of("-smp 2").smp.cpus, 2u);
  EXPECT_EQ(config_of("--smp 2").smp.cpus, 2u);
  EXPECT_TRUE(config_of("--no-reboot").no_reboot);
  EXPECT_TRUE(config_of("-no-reboot").no_reboot);
}

TEST(CliParse, Machine) {
  EXPECT_EQ(config_of("-M virt").machine, "virt");
  EXPECT_EQ(config_of("-machine type=spike").machine, "spike");
  EXPECT_EQ(config_of("-machine spike,accel=kvm:tcg").machine, "spike");
  EXPECT_EQ(config_of("-M virt,usb=off,acpi=off").machine, "virt");
  EXPECT_EQ(config_of("-M accel=tiered").machine, "virt");
  EXPECT_EQ(config_of("-M spike -M virt").machine, "virt");
}

TEST(CliParse, Cpu) {
  const MachineConfig c = config_of("-cpu rv64,zba=off,Svadu=on,zba=on");
  EXPECT_EQ(c.cpu.model, "rv64");
  ASSERT_EQ(c.cpu.features.size(), 3u);
  EXPECT_EQ(c.cpu.features[0].name, "zba");
  EXPECT_FALSE(c.cpu.features[0].enabled);
  EXPECT_EQ(c.cpu.features[1].name, "svadu");
  EXPECT_TRUE(c.cpu.features[2].enabled);
  EXPECT_EQ(c.cpu.origin, "-cpu rv64,zba=off,Svadu=on,zba=on");
  EXPECT_EQ(config_of("-cpu max").cpu.model, "max");
}

void expect_smp(std::string_view options, u32 cpus, u32 sockets, u32 cores, u32 threads) {
  const SmpConfig smp = config_of(options).smp;
  EXPECT_EQ(smp.cpus, cpus) << options;
  EXPECT_EQ(smp.sockets, sockets) << options;
  EXPECT_EQ(smp.cores, cores) << options;
  EXPECT_EQ(smp.threads, threads) << options;
}

TEST(CliParse, Smp) {
  expect_smp("-smp 4", 4, 1, 4, 1);
  expect_smp("-smp 64", 64, 1, 64, 1);
  expect_smp("-smp cpus=8,sockets=2", 8, 2, 4, 1);
  expect_smp("-smp 8,sockets=2,threads=2", 8, 2, 2, 2);
  expect_smp("-smp sockets=2,cores=3", 6, 2, 3, 1);
  expect_smp("-smp 4,cores=2", 4, 2, 2, 1);
  expect_smp("-smp 4,cores=2,sockets=1", 4, 1, 2, 2);
  expect_smp("-smp 4,maxcpus=4,dies=1,clusters=1", 4, 1, 4, 1);
  expect_smp("-smp maxcpus=3", 3, 1, 3, 1);
}

TEST(CliParse, Memory) {
  const auto ram = [](std::string_view value) { return config_of(fmt::format("-m {}", value)).ram_bytes; };
  EXPECT_EQ(ram("256"), u64{256} << 20);
  EXPECT_EQ(ram("0x100"), u64{256} << 20);
  EXPECT_EQ(ram("512M"), u64{512} << 20);
  EXPECT_EQ(ram("2g"), u64{2} << 30);
  EXPECT_EQ(ram("1.5G"), u64{1536} << 20);
  EXPECT_EQ(ram("1T"), u64{1} << 40);
  EXPECT_EQ(ram("65536k"), u64{64} << 20);
  EXPECT_EQ(ram("4096b"), 4096u);
  EXPECT_EQ(ram("5000b"), 8192u);  // whole pages
  EXPECT_EQ(ram("size=64M"), u64{64} << 20);
}

TEST(CliParse, BootFiles) {
  const MachineConfig c = config_of(Words{"-kernel", "a b,c", "-initrd", "i", "-append", "console=ttyS0 root=/dev/vda",
                                          "-dtb", "d", "-bios", "fw.bin"});
  EXPECT_EQ(c.kernel, "a b,c");
  EXPECT_EQ(c.initrd, "i");
  EXPECT_EQ(c.append, "console=ttyS0 root=/dev/vda");
  EXPECT_EQ(c.dtb, "d");
  EXPECT_EQ(c.firmware, FirmwareKind::file);
  EXPECT_EQ(c.bios, "fw.bin");
  EXPECT_EQ(config_of("-bios none").firmware, FirmwareKind::none);
  EXPECT_EQ(config_of("-bios x -bios default").firmware, FirmwareKind::builtin);
}

TEST(CliParse, Reboot) {
  EXPECT_FALSE(config_of("").no_reboot);
  EXPECT_TRUE(config_of("-no-reboot").no_reboot);
  EXPECT_TRUE(config_of("-action reboot=shutdown").no_reboot);
  EXPECT_FALSE(config_of("-no-reboot -action reboot=reset").no_reboot);
}

TEST(CliParse, Firmware) {
  const MachineConfig c = config_of(
      "-drive if=pflash,format=raw,unit=1,file=vars -drive if=pflash,format=raw,readonly=on,file=code "
      "-boot menu=on,splash-time=200,reboot-timeout=-1,strict=on,order=cd -fw_cfg name=opt/a,string=x "
      "-fw_cfg opt/b,file=f");
  ASSERT_EQ(c.drives.size(), 2u);
  EXPECT_TRUE(c.devices.empty());
  EXPECT_EQ(c.pflash[1], c.drives[0].id);
  EXPECT_EQ(c.pflash[0], c.drives[1].id);
  EXPECT_TRUE(c.boot.menu);
  EXPECT_TRUE(c.boot.strict);
  EXPECT_EQ(c.boot.splash_time_ms, 200u);
  EXPECT_EQ(c.boot.reboot_timeout_ms, -1);
  ASSERT_EQ(c.fw_cfg.size(), 2u);
  EXPECT_EQ(c.fw_cfg[0].name, "opt/a");
  EXPECT_EQ(c.fw_cfg[0].text, "x");
  EXPECT_EQ(c.fw_cfg[1].file, "f");
  const MachineConfig by_machine = config_of("-M virt,pflash0=p0 -drive if=none,id=p0,format=raw,file=code");
  EXPECT_EQ(by_machine.pflash[0], "p0");
  EXPECT_EQ(by_machine.pflash[1], "");
}

TEST(CliParse, Folders) {
  const MachineConfig c = config_of(
      "-fsdev local,id=a,path=/x,security_model=mapped-xattr,readonly=on -device virtio-9p-device,fsdev=a,mount_tag=t "
      "-virtfs local,path=/y,mount_tag=u,security_model=none");
  ASSERT_EQ(c.fsdevs.size(), 2u);
  EXPECT_EQ(c.fsdevs[0].path, "/x");
  EXPECT_EQ(c.fsdevs[0].security_model, "mapped-xattr");
  EXPECT_TRUE(c.fsdevs[0].readonly);
  EXPECT_FALSE(c.fsdevs[1].readonly);
  ASSERT_EQ(c.devices.size(), 2u);
  EXPECT_EQ(*c.devices[1].find("fsdev"), c.fsdevs[1].id);
  EXPECT_EQ(*c.devices[1].find("mount_tag"), "u");
}

TEST(CliParse, DriveForADeviceOfItsOwn) {
  const MachineConfig c = config_of(
      "-drive if=none,format=raw,file=a,,b.img,readonly=on,id=hd0 -device virtio-blk-device,drive=hd0,serial=S1,id=d0");
  ASSERT_EQ(c.drives.size(), 1u);
  EXPECT_EQ(c.drives[0].file, "a,b.img");
  EXPECT_EQ(c.drives[0].id, "hd0");
  EXPECT_TRUE(c.drives[0].readonly);
  ASSERT_EQ(c.devices.size(), 1u);
  EXPECT_EQ(c.devices[0].driver, "virtio-blk-device");
  EXPECT_EQ(c.devices[0].id, "d0");
  EXPECT_EQ(c.devices[0].origin, "-device virtio-blk-device,drive=hd0,serial=S1,id=d0");
  ASSERT_EQ(c.devices[0].properties.size(), 2u);
  EXPECT_EQ(c.devices[0].properties[0].key, "drive");
  EXPECT_EQ(*c.devices[0].find("serial"), "S1");
  EXPECT_EQ(c.devices[0].find("bus"), nullptr);
}

TEST(CliParse, DriveImpliesItsDevice) {
  const MachineConfig c = config_of("-drive file=a -drive file=b,if=virtio -device virtio-rng-device");
  ASSERT_EQ(c.drives.size(), 2u);
  EXPECT_EQ(c.drives[0].id, "virtio0");
  EXPECT_FALSE(c.drives[0].readonly);
  ASSERT_EQ(c.devices.size(), 3u);
  EXPECT_EQ(c.devices[0].driver, "virtio-blk-device");
  EXPECT_EQ(*c.devices[0].find("drive"), "virtio0");
  EXPECT_EQ(*c.devices[1].find("drive"), "virtio1");
  EXPECT_EQ(c.devices[1].origin, "-drive file=b,if=virtio");
  EXPECT_EQ(c.devices[2].driver, "virtio-rng-device");
}

TEST(CliParse, Entropy) {
  const MachineConfig c = config_of(
      "-object rng-random,id=r0,filename=/dev/random -object rng-random,id=r1 -object rng-builtin,id=r2 "
      "-device virtio-rng-device,rng=r0,bus=virtio-mmio-bus.3");
  ASSERT_EQ(c.rngs.size(), 3u);
  EXPECT_EQ(c.rngs[0].filename, "/dev/random");
  EXPECT_EQ(c.rngs[1].filename, "/dev/urandom");
  EXPECT_EQ(c.rngs[2].filename, "");
  EXPECT_EQ(*c.devices[0].find("bus"), "virtio-mmio-bus.3");
}

TEST(CliParse, VirtioConsoles) {
  const MachineConfig c = config_of(
      "-chardev null,id=a -chardev null,id=b -device virtio-serial-device,id=vs -device virtconsole,chardev=a "
      "-device virtserialport,chardev=b,name=org.x.0,nr=0x3,bus=vs.0");
  ASSERT_EQ(c.devices.size(), 3u);
  EXPECT_EQ(*c.devices[2].find("name"), "org.x.0");
  EXPECT_EQ(*c.devices[2].find("nr"), "0x3");
}

TEST(CliParse, Icount) {
  EXPECT_EQ(config_of("-icount 3").icount->shift, 3u);
  EXPECT_TRUE(config_of("-icount shift=3").icount->sleep);
  EXPECT_FALSE(config_of("-icount shift=0,sleep=off,align=off").icount->sleep);
  EXPECT_FALSE(config_of("-icount 3").icount->stop_at);
  EXPECT_EQ(config_of("-icount 3,stop-at=1000000").icount->stop_at, 1'000'000u);
  EXPECT_FALSE(config_of("-icount 3").icount->stop_at.has_value());
  EXPECT_EQ(config_of("-icount shift=0,stop-at=2500000000").icount->stop_at, 2'500'000'000u);
}

TEST(CliParse, Accel) {
  EXPECT_FALSE(config_of("-accel tcg,fusion=off").accel.fusion);
  EXPECT_EQ(config_of("-accel tiered,max-tier=0").accel.max_tier, 0u);
  EXPECT_EQ(config_of("-accel tiered,policy=decay").accel.policy, "decay");
  EXPECT_EQ(config_of("-accel tiered,tier2-threshold=70").accel.tier2_threshold, 70u);
  EXPECT_EQ(config_of("-accel tiered,force-tier=0").accel.force_tier, 0u);
  EXPECT_FALSE(config_of("-accel tiered,thread=multi").accel.force_tier);
  EXPECT_TRUE(config_of("-accel tcg,thread=single -icount 0").icount);
}

TEST(CliParse, NamesAndLogs) {
  const MachineConfig c = config_of("-name guest=box,debug-threads=on -d int,unimp -D log.txt");
  EXPECT_EQ(c.name, "box");
  EXPECT_EQ(c.log_items, "int,unimp");
  EXPECT_EQ(c.log_file, "log.txt");
  EXPECT_EQ(config_of("-name box").name, "box");
  EXPECT_EQ(config_of("-d all").log_items, "all");
}

TEST(CliParse, ShortDriverNames) {
  const MachineConfig c = config_of(
      "-drive if=none,file=a,id=d -device virtio-blk,drive=d,id=x -device virtio-net -device virtio-serial "
      "-device virtio-rng");
  ASSERT_EQ(c.devices.size(), 4u);
  EXPECT_EQ(c.devices[0].driver, "virtio-blk-pci");
  EXPECT_EQ(c.devices[1].driver, "virtio-net-pci");
  EXPECT_EQ(c.devices[2].driver, "virtio-serial-pci");
  EXPECT_EQ(c.devices[3].driver, "virtio-rng-pci");
}

TEST(CliParse, SpellingsOfQemu) {
  EXPECT_TRUE(config_of("-cpu rv64,h=off,v=false").cpu.features.empty());
  EXPECT_EQ(config_of("-accel tcg,tb-size=100").accel.code_cache_bytes, u64{64} << 20);
  EXPECT_EQ(config_of("-accel tcg,tb-size=0").accel.code_cache_bytes, AccelConfig{}.code_cache_bytes);
  EXPECT_EQ(config_of("-netdev user,id=n,hostfwd=tcp::0-:22").netdevs[0].forwards[0].host_port, 0);
  const MachineConfig devices = config_of(
      "-object iothread,id=i -drive if=none,file=a,id=d "
      "-device virtio-blk-pci-non-transitional,drive=d,iothread=i,disable-legacy=on,disable-modern=false,bootindex=0,"
      "physical_block_size=4096 -device virtio-net-pci,romfile=,disable-legacy=auto");
  EXPECT_EQ(devices.devices.at(0).driver, "virtio-blk-pci");
  EXPECT_TRUE(devices.rngs.empty());
  const MachineConfig uuid = config_of("-no-user-config -uuid 01234567-89ab-CDEF-0123-456789abcdef");
  EXPECT_EQ(uuid.uuid[0], 0x01);
  EXPECT_EQ(uuid.uuid[7], 0xef);
  EXPECT_EQ(uuid.uuid[15], 0xef);
}

TEST(CliParse, NetworksInTheOlderSpelling) {
  for (const char* text : {"-net nic,model=virtio,macaddr=52:54:00:00:00:01 -net user,hostfwd=tcp::0-:22",
                           "-net user,hostfwd=tcp::0-:22 -net nic,macaddr=52:54:00:00:00:01"}) {
    const MachineConfig c = config_of(text);
    ASSERT_EQ(c.netdevs.size(), 1u);
    ASSERT_EQ(c.devices.size(), 1u);
    ASSERT_NE(c.devices[0].find("netdev"), nullptr);
    EXPECT_EQ(*c.devices[0].find("netdev"), c.netdevs[0].id);
    EXPECT_EQ(*c.devices[0].find("mac"), "52:54:00:00:00:01");
  }
  const MachineConfig named = config_of("-netdev user,id=n -net nic,netdev=n,model=virtio-net-pci");
  EXPECT_EQ(*named.devices.at(0).find("netdev"), "n");
  EXPECT_EQ(named.devices[0].driver, "virtio-net-pci");
}

TEST(CliParse, HarmlessOptionsOfQemu) {
  const MachineConfig c = config_of("-net none -nic none -vga none -parallel none -smp 2");
  EXPECT_EQ(c.smp.cpus, 2u);
}

TEST(CliParse, Describe) {
  const Words words = {"pagoda", "describe", "riscv64", "13000000"};
  const auto parsed = parse(words);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->command, ParsedCommandLine::Command::describe);
  EXPECT_EQ(parsed->arguments, (Words{"riscv64", "13000000"}));
}

TEST(CliParse, Networks) {
  const MachineConfig c = config_of(
      "-netdev "
      "user,id=n,net=192.168.7.9/24,host=192.168.7.1,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-192.168.7.20:5353,"
      "restrict=y,hostname=h,ipv6=no -device virtio-net-device,netdev=n,mac=52:54:00:00:00:01 -nic user");
  ASSERT_EQ(c.netdevs.size(), 2u);
  const UserNetSpec& n = c.netdevs[0];
  EXPECT_EQ(n.network, 0xc0a80700u);
  EXPECT_EQ(n.mask, 0xffffff00u);
  EXPECT_EQ(n.host, 0xc0a80701u);
  EXPECT_TRUE(n.restricted && n.ipv4 && !n.ipv6);
  EXPECT_EQ(n.hostname, "h");
  ASSERT_EQ(n.forwards.size(), 2u);
  EXPECT_FALSE(n.forwards[0].udp);
  EXPECT_EQ(n.forwards[0].host_address, 0x7f000001u);
  EXPECT_EQ(n.forwards[0].host_port, 2222);
  EXPECT_EQ(n.forwards[0].guest_address, 0u);
  EXPECT_EQ(n.forwards[0].guest_port, 22);
  EXPECT_TRUE(n.forwards[1].udp);
  EXPECT_EQ(n.forwards[1].guest_address, 0xc0a80714u);
  EXPECT_EQ(c.netdevs[1].id, "nic0");
  ASSERT_EQ(c.devices.size(), 2u);
  ASSERT_NE(c.devices[1].find("netdev"), nullptr);
  EXPECT_EQ(*c.devices[1].find("netdev"), "nic0");
  EXPECT_EQ(config_of("-netdev user,id=n,net=10.1.2.3").netdevs[0].mask, 0xff000000u);
}

}  // namespace
}  // namespace pagoda::cli
