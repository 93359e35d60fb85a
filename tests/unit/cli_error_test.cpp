// SPDX-License-Identifier: MIT
// Bad input: the exact line for each mistake. The program prints "pagoda: " in front of it and exits with status 1.
#include "cli_test_support.h"

namespace pagoda::cli {
namespace {

struct Case {
  std::string_view options;
  std::string_view message;
};

void check(std::initializer_list<Case> cases) {
  for (const Case& c : cases) EXPECT_EQ(error_of(c.options), c.message) << "options: " << c.options;
}

TEST(CliError, Options) {
  check({
      {"-mchine virt", "-mchine: unknown option; did you mean '-machine'?"},
      {"--kernal Image", "--kernal: unknown option; did you mean '-kernel'?"},
      {"-qqqqqqqq", "-qqqqqqqq: unknown option"},
      {"--machine=virt", "--machine=virt: the value is a word of its own: -machine virt"},
      {"-m", "-m: an argument is missing"},
      {"-smp 2 --kernel", "--kernel: an argument is missing"},
      {"disk.img", "disk.img: an option is expected (a disk image is given as -drive file=disk.img)"},
      {"-", "-: an option is expected (a disk image is given as -drive file=-)"},
      {"-usb", "-usb: this option of QEMU's is not supported"},
      {"-net tap", "-net tap: 'tap': only 'none', 'user' and 'nic' are supported"},
      {"-net nic,vlan=1", "-net nic,vlan=1: unknown key 'vlan'"},
      {"-net nic -net nic", "-net nic: one -net user with one -net nic; -nic and -netdev make more networks"},
      {"-net user -net user,restrict=y",
       "-net user,restrict=y: one -net user with one -net nic; -nic and -netdev make more networks"},
      {"-mon chardev=c", "-mon chardev=c: there is no chardev with id 'c'"},
      {"-uuid 01234567-89ab-cdef-0123-456789abcdeg",
       "-uuid 01234567-89ab-cdef-0123-456789abcdeg: not of the form 00000000-0000-0000-0000-000000000000"},
      {"-vga", "-vga: only 'none' is supported"},
      {"-display gtk", "-display gtk: only 'none' is supported"},
  });
  EXPECT_EQ(error_of(Words{""}), "an empty argument where an option is expected");
}

TEST(CliError, Networks) {
  check({
      {"-netdev user", "-netdev user: id= is missing"},
      {"-netdev tap,id=n", "-netdev tap,id=n: 'tap': only 'user' is supported"},
      {"-netdev user,id=n -netdev user,id=n", "-netdev user,id=n: id 'n' is used twice"},
      {"-netdev user,id=n,hots=1.2.3.4", "-netdev user,id=n,hots=1.2.3.4: unknown key 'hots'; did you mean 'host'?"},
      {"-netdev user,id=n,mac=52:54:00:12:34:56", "-netdev user,id=n,mac=52:54:00:12:34:56: unknown key 'mac'"},
      {"-netdev user,id=n,host=1.2.3", "-netdev user,id=n,host=1.2.3: '1.2.3' is not an IPv4 address"},
      {"-netdev user,id=n,host=1.2.3.4", "-netdev user,id=n,host=1.2.3.4: host= is not an address of the network"},
      {"-netdev user,id=n,net=10.0.0.0/31",
       "-netdev user,id=n,net=10.0.0.0/31: the number of bits of the mask must be a number from 8 to 30"},
      {"-netdev user,id=n,net=10.0.0.0/255.0.255.0",
       "-netdev user,id=n,net=10.0.0.0/255.0.255.0: '255.0.255.0' is not a mask"},
      {"-netdev user,id=n,restrict=1", "-netdev user,id=n,restrict=1: restrict=1: only 'on' or 'off'"},
      {"-netdev user,id=n,hostfwd=tcp:22",
       "-netdev user,id=n,hostfwd=tcp:22: hostfwd=tcp:22: not of the form "
       "tcp|udp:[address]:port-[address]:port"},
      {"-netdev user,id=n,hostfwd=sctp::1-:1",
       "-netdev user,id=n,hostfwd=sctp::1-:1: hostfwd=sctp::1-:1: the protocol is tcp or udp"},
      {"-netdev user,id=n,hostfwd=tcp::0-:0",
       "-netdev user,id=n,hostfwd=tcp::0-:0: hostfwd=tcp::0-:0: a port must be a number from 1 to 65535"},
      {"-netdev user,id=n,hostfwd=tcp::1-1.2.3.4:1",
       "-netdev user,id=n,hostfwd=tcp::1-1.2.3.4:1: "
       "hostfwd=tcp::1-1.2.3.4:1: the guest's address is not one of the network"},
      {"-nic user,model=e1000",
       "-nic user,model=e1000: model=e1000: there is no such network card (-device help lists them)"},
      {"-nic user,mac=52:54:00:12:34",
       "-nic user,mac=52:54:00:12:34: '52:54:00:12:34' is not an address like 52:54:00:12:34:56"},
      {"-device virtio-net-device,netdev=n", "-device virtio-net-device,netdev=n: there is no netdev with id 'n'"},
      {"-netdev user,id=n -device virtio-net-device,netdev=n -device virtio-net-device,netdev=n",
       "-device virtio-net-device,netdev=n: netdev 'n' is already in use"},
      {"-device virtio-net-device,mac=01:00:00:00:00:00",
       "-device virtio-net-device,mac=01:00:00:00:00:00: '01:00:00:00:00:00' is the address of a group, not of a card"},
  });
}

TEST(CliError, Machine) {
  check({
      {"-M vrit", "-M vrit: unknown machine 'vrit'; did you mean 'virt'?"},
      {"-M q35", "-M q35: unknown machine 'q35'"},
      {"-machine virt,aclint=on", "-machine virt,aclint=on: aclint: only 'off' is supported"},
      {"-machine virt,frob=on", "-machine virt,frob=on: unknown key 'frob'"},
      {"-M virt,acpi=on", "-M virt,acpi=on: acpi: only 'off' is supported"},
      {"-M virt,accel=kvm",
       "-M virt,accel=kvm: 'kvm' is not available: guests are always translated (accelerator 'tiered')"},
      {"-M virt,accel=foo:tcg", "-M virt,accel=foo:tcg: unknown accelerator 'foo'"},
      {"-M virt,", "-M virt,: an empty item"},
  });
}

TEST(CliError, Cpu) {
  check({
      {"-cpu rv46", "-cpu rv46: unknown CPU model 'rv46'; did you mean 'rv64'? (-cpu help lists them)"},
      {"-cpu cortex-a53", "-cpu cortex-a53: unknown CPU model 'cortex-a53' (-cpu help lists them)"},
      {"-cpu rv64,zbq=on",
       "-cpu rv64,zbq=on: unknown or unimplemented CPU feature 'zbq'; did you mean 'zba'? (-cpu help lists them)"},
      {"-cpu rv64,h=on", "-cpu rv64,h=on: unknown or unimplemented CPU feature 'h' (-cpu help lists them)"},
      {"-cpu rv64,zba=maybe", "-cpu rv64,zba=maybe: zba=maybe: only 'on' or 'off'"},
      {"-cpu rv64,zba", "-cpu rv64,zba: 'zba' needs a value: zba=on or zba=off"},
      {"-cpu zba=on", "-cpu zba=on: a CPU model comes first (-cpu help lists them)"},
  });
}

TEST(CliError, Smp) {
  check({
      {"-smp 0", "-smp 0: cpus must be a number from 1 to 1024"},
      {"-smp 65", "-smp 65: machine 'virt' has at most 64 vcpus"},
      {"-smp x", "-smp x: cpus must be a number from 1 to 1024"},
      {"-smp -1", "-smp -1: cpus must be a number from 1 to 1024"},
      {"-smp 4,cores=3", "-smp 4,cores=3: sockets * cores * threads (1 * 3 * 1) is not the number of cpus (4)"},
      {"-smp 2,maxcpus=4", "-smp 2,maxcpus=4: maxcpus must equal cpus: vcpus cannot be added later"},
      {"-smp 4,dies=2", "-smp 4,dies=2: dies must be 1"},
      {"-smp 4,core=2", "-smp 4,core=2: unknown key 'core'; did you mean 'cores'?"},
      {"-icount 0 -smp 2", "-icount 0: only one vcpu is supported with it (-smp 1)"},
  });
}

TEST(CliError, Memory) {
  check({
      {"-m 0", "-m 0: a guest needs RAM"},
      {"-m 0G", "-m 0G: a guest needs RAM"},
      {"-m 12x", "-m 12x: not a size: a number with an optional suffix k, M, G or T"},
      {"-m 1.G", "-m 1.G: not a size: a number with an optional suffix k, M, G or T"},
      {"-m -1", "-m -1: not a size: a number with an optional suffix k, M, G or T"},
      {"-m 0x", "-m 0x: not a size: a number with an optional suffix k, M, G or T"},
      {"-m much", "-m much: not a size: a number with an optional suffix k, M, G or T"},
      {"-m 2T", "-m 2T: too big: the most is 1024G"},
      {"-m 99999999999999999999", "-m 99999999999999999999: too big"},
      {"-m 17179869184G", "-m 17179869184G: too big"},
      {"-m 1G,slots=2", "-m 1G,slots=2: slots: memory cannot be added later"},
      {"-m siz=1G", "-m siz=1G: unknown key 'siz'; did you mean 'size'?"},
  });
  EXPECT_EQ(error_of(Words{"-m", ""}), "-m : the size is missing");
}

TEST(CliError, Boot) {
  check({
      {"-initrd i", "-initrd i: it needs -kernel"},
      {"-append quiet", "-append quiet: it needs -kernel"},
      {"-action panic=no", "-action panic=no: panic=no: it can be pause, shutdown, exit-failure, none"},
      {"-action reboot=no", "-action reboot=no: reboot=no: it can be reset, shutdown"},
      {"-name a,process=b", "-name a,process=b: unknown key 'process'"},
      {"-d frob", "-d frob: unknown log category 'frob' (-d help lists them)"},
      {"-d unimpl", "-d unimpl: unknown log category 'unimpl'; did you mean 'unimp'? (-d help lists them)"},
  });
  EXPECT_EQ(error_of(Words{"-kernel", ""}), "-kernel : a file name is missing");
  EXPECT_EQ(error_of(Words{"-bios", ""}), "-bios : a file name is missing");
}

TEST(CliError, Drives) {
  check({
      {"-drive if=none", "-drive if=none: file= is missing"},
      {"-drive file=", "-drive file=: file= is missing"},
      {"-drive file=a,if=ide", "-drive file=a,if=ide: if=ide: only 'none', 'virtio' and 'pflash' are supported"},
      {"-drive file=a,format=vdi", "-drive file=a,format=vdi: format=vdi: only 'raw' and 'qcow2' are supported"},
      {"-drive file=a,readonly=1", "-drive file=a,readonly=1: readonly=1: only 'on' or 'off'"},
      {"-drive file=a,readonly", "-drive file=a,readonly: 'readonly' needs a value: readonly=on or readonly=off"},
      {"-drive fle=a", "-drive fle=a: unknown key 'fle'; did you mean 'file'?"},
      {"-drive file=a,id=1x", "-drive file=a,id=1x: id '1x': an id is a letter, then letters, digits, '-', '.' or '_'"},
      {"-drive file=a,id=x -drive file=b,id=x", "-drive file=b,id=x: id 'x' is used twice"},
      {"-drive file=a,media=floppy", "-drive file=a,media=floppy: media=floppy: disk or cdrom"},
      {"-device virtio-rng-pci,disable-legacy=off",
       "-device virtio-rng-pci,disable-legacy=off: disable-legacy=off: only 'on' is supported"},
      {"-device virtio-rng-pci,disable-modern=on",
       "-device virtio-rng-pci,disable-modern=on: disable-modern=on: only 'off' is supported"},
      {"-device virtio-net-pci,romfile=a",
       "-device virtio-net-pci,romfile=a: romfile=a: only romfile= without a value is supported"},
      {"-drive if=none,file=a,id=d -device virtio-blk,drive=d,iothread=i",
       "-device virtio-blk,drive=d,iothread=i: there is no iothread with id 'i'"},
      {"-object iothread,id=i -object rng-builtin,id=i", "-object rng-builtin,id=i: id 'i' is used twice"},
  });
}

TEST(CliError, Firmware) {
  check({
      {"-drive if=pflash,file=a,unit=2", "-drive if=pflash,file=a,unit=2: unit must be a number from 0 to 1"},
      {"-drive file=a,unit=0", "-drive file=a,unit=0: unit= is for if=pflash"},
      {"-drive if=pflash,file=a,unit=0 -drive if=pflash,file=b,unit=0",
       "-drive if=pflash,file=b,unit=0: flash bank 0 is used twice"},
      {"-drive if=pflash,file=a -drive if=pflash,file=b -drive if=pflash,file=c",
       "-drive if=pflash,file=c: both flash banks are in use"},
      {"-M virt,pflash0=x", "-M virt,pflash0=x: there is no drive with id 'x'"},
      {"-M virt,pflash0=x,pflash1=x", "-M virt,pflash0=x,pflash1=x: drive 'x' is already in use"},
      {"-M virt,pflash0=", "-M virt,pflash0=: pflash0: the id of a drive is missing"},
      {"-M virt,pflash0=x -drive if=none,file=a,id=x -device virtio-blk-device,drive=x",
       "-device virtio-blk-device,drive=x: drive 'x' is already in use"},
      {"-M spike -drive if=pflash,file=a", "-drive if=pflash,file=a: machine 'spike' has no flash"},
      {"-boot order=cz", "-boot order=cz: order=cz: letters from a to p"},
      {"-boot cc", "-boot cc: order=cc: 'c' is given twice"},
      {"-boot menu=1", "-boot menu=1: menu=1: only 'on' or 'off'"},
      {"-boot oder=c", "-boot oder=c: unknown key 'oder'; did you mean 'order'?"},
      {"-fw_cfg opt/x", "-fw_cfg opt/x: either file= or string= is needed"},
      {"-fw_cfg opt/x,string=a,file=b", "-fw_cfg opt/x,string=a,file=b: either file= or string= is needed"},
      {"-fw_cfg string=a", "-fw_cfg string=a: name= is missing"},
      {"-fw_cfg opt/x,string=a -fw_cfg opt/x,string=b", "-fw_cfg opt/x,string=b: the name 'opt/x' is used twice"},
  });
}

TEST(CliError, Folders) {
  check({
      {"-fsdev local,path=/x,security_model=none", "-fsdev local,path=/x,security_model=none: id= is missing"},
      {"-fsdev local,id=a,security_model=none", "-fsdev local,id=a,security_model=none: path= is missing"},
      {"-fsdev local,id=a,path=/x",
       "-fsdev local,id=a,path=/x: security_model= is missing: none, passthrough or mapped-xattr"},
      {"-fsdev local,id=a,path=/x,security_model=all",
       "-fsdev local,id=a,path=/x,security_model=all: security_model=all: 'none', 'passthrough' or 'mapped-xattr'"},
      {"-fsdev synth,id=a", "-fsdev synth,id=a: 'synth': only 'local' is supported"},
      {"-fsdev id=a,path=/x,security_model=none", "-fsdev id=a,path=/x,security_model=none: 'local' comes first"},
      {"-fsdev local,id=a,path=/x,security_model=none,mount_tag=t",
       "-fsdev local,id=a,path=/x,security_model=none,mount_tag=t: unknown key 'mount_tag'"},
      {"-virtfs local,path=/x,security_model=none", "-virtfs local,path=/x,security_model=none: mount_tag= is missing"},
      {"-device virtio-9p-device,fsdev=a,mount_tag=t",
       "-device virtio-9p-device,fsdev=a,mount_tag=t: there is no fsdev with id 'a'"},
      {"-device virtio-9p-device,mount_tag=t", "-device virtio-9p-device,mount_tag=t: fsdev= is missing"},
  });
}

TEST(CliError, Devices) {
  check({
      {"-device virtio-blk-devise",
       "-device virtio-blk-devise: unknown device 'virtio-blk-devise'; did you mean 'virtio-blk-device'? "
       "(-device help lists them)"},
      {"-device e1000", "-device e1000: unknown device 'e1000' (-device help lists them)"},
      {"-device id=x", "-device id=x: a driver's name comes first (-device help lists them)"},
      {"-device virtio-blk-device", "-device virtio-blk-device: drive= is missing"},
      {"-device virtio-blk-device,drive=x", "-device virtio-blk-device,drive=x: there is no drive with id 'x'"},
      {"-device virtio-blk-device,driv=x",
       "-device virtio-blk-device,driv=x: 'virtio-blk-device' has no key 'driv'; did you mean 'drive'?"},
      {"-device virtio-rng-device,rng", "-device virtio-rng-device,rng: 'rng' needs a value"},
      {"-device virtio-rng-device,rng=r", "-device virtio-rng-device,rng=r: there is no rng with id 'r'"},
      {"-device virtio-rng-device,bus=a,bus=b", "-device virtio-rng-device,bus=a,bus=b: 'bus' is given twice"},
      {"-device virtio-rng-device,id=a -device virtio-rng-device,id=a",
       "-device virtio-rng-device,id=a: id 'a' is used twice"},
      {"-drive file=a,id=x -device virtio-blk-device,drive=x",
       "-device virtio-blk-device,drive=x: drive 'x' is already in use"},
      {"-chardev null,id=c -device virtconsole,chardev=c",
       "-device virtconsole,chardev=c: it needs a -device virtio-serial-device or virtio-serial-pci before it"},
      {"-device virtio-serial-device -device virtconsole,chardev=c",
       "-device virtconsole,chardev=c: there is no chardev with id 'c'"},
      {"-device virtio-serial-device -device virtserialport,nr=x",
       "-device virtserialport,nr=x: nr must be a number from 0 to 4294967295"},
      {"-object rng-egd,id=a",
       "-object rng-egd,id=a: unknown object 'rng-egd' (rng-random, rng-builtin and iothread are supported)"},
      {"-object rng-random", "-object rng-random: id= is missing"},
      {"-object rng-builtin,id=a,filename=x",
       "-object rng-builtin,id=a,filename=x: 'rng-builtin' has no key 'filename'"},
  });
}

TEST(CliError, Consoles) {
  check({
      {"-serial foo",
       "-serial foo: unknown back end 'foo' (stdio, mon:stdio, null, none, pty, file:, pipe:, unix:, tcp:, telnet: and "
       "chardev: are supported)"},
      {"-serial stdoi",
       "-serial stdoi: unknown back end 'stdoi'; did you mean 'stdio'? (stdio, mon:stdio, null, none, pty, file:, "
       "pipe:, unix:, tcp:, telnet: and chardev: are supported)"},
      {"-serial file:", "-serial file:: the file's name is missing"},
      {"-serial unix:", "-serial unix:: the address is missing"},
      {"-serial unix:/a,serve=on", "-serial unix:/a,serve=on: unknown key 'serve'; did you mean 'server'?"},
      {"-serial unix:/a,server=maybe", "-serial unix:/a,server=maybe: server=maybe: only 'on' or 'off'"},
      {"-serial chardev:x", "-serial chardev:x: there is no chardev with id 'x'"},
      {"-monitor chardev:x", "-monitor chardev:x: there is no chardev with id 'x'"},
      {"-serial stdio -monitor stdio", "-monitor stdio: stdio is already taken by -serial stdio"},
      {"-chardev null,id=a -serial chardev:a -serial chardev:a",
       "-serial chardev:a: chardev 'a' is already in use (mux=on shares it)"},
      {"-chardev foo,id=a", "-chardev foo,id=a: unknown back end 'foo' (-chardev help lists them)"},
      {"-chardev null", "-chardev null: id= is missing"},
      {"-chardev id=a", "-chardev id=a: the kind of back end comes first (-chardev help lists them)"},
      {"-chardev file,id=a", "-chardev file,id=a: path= is missing"},
      {"-chardev socket,id=a", "-chardev socket,id=a: path= or port= is missing"},
      {"-chardev null,id=a,path=x", "-chardev null,id=a,path=x: unknown key 'path'"},
      {"-chardev null,id=a -chardev null,id=a", "-chardev null,id=a: id 'a' is used twice"},
  });
  const std::string long_path(108, 'p');
  EXPECT_EQ(error_of("-serial unix:" + long_path),
            "-serial unix:" + long_path + ": the socket's path is longer than 107 characters");
}

TEST(CliError, Execution) {
  check({
      {"-accel kvm", "-accel kvm: 'kvm' is not available: guests are always translated (accelerator 'tiered')"},
      {"-accel tirered", "-accel tirered: unknown accelerator 'tirered'; did you mean 'tiered'?"},
      {"-accel tcg,fusoin=on", "-accel tcg,fusoin=on: unknown key 'fusoin'; did you mean 'fusion'?"},
      {"-accel tcg,fusion=1", "-accel tcg,fusion=1: fusion=1: only 'on' or 'off'"},
      {"-accel tcg,max-tier=x", "-accel tcg,max-tier=x: max-tier must be a number from 0 to 2"},
      {"-accel tcg,policy=threshhold",
       "-accel tcg,policy=threshhold: policy=threshhold: there is no such policy; did you mean 'threshold'? (-accel "
       "help lists them)"},
      {"-accel tcg,tier2-threshold=x",
       "-accel tcg,tier2-threshold=x: tier2-threshold must be a number from 0 to 1000000"},
      {"-accel tcg,thread=many", "-accel tcg,thread=many: thread=many: 'multi' or 'single'"},
      {"-accel tcg,thread=single", "-accel tcg,thread=single: thread=single is only supported with -icount"},
      {"-icount auto", "-icount auto: shift=auto is not supported: virtual time follows the count exactly"},
      {"-icount 11", "-icount 11: shift must be a number from 0 to 10"},
      {"-icount sleep=on", "-icount sleep=on: shift is missing"},
      {"-icount 0,rr=record", "-icount 0,rr=record: rr is not supported"},
      {"-icount 0,align=on", "-icount 0,align=on: align is not supported"},
  });
}

TEST(CliError, BeforeTheOptions) {
  const auto message = [](Words words) {
    const auto parsed = parse(words);
    return parsed ? std::string("no error") : parsed.error().message;
  };
  EXPECT_EQ(message({"pagoda"}), "no guest given; 'pagoda help' tells how to start one");
  EXPECT_EQ(message({"pagoda", "riscv46"}),
            "riscv46: neither a guest (riscv64) nor a command; did you mean 'riscv64'?");
  EXPECT_EQ(message({"pagoda", "-m", "1G"}), "-m: the first argument is the guest: pagoda riscv64 -m ...");
  EXPECT_EQ(message({"pagoda-system-mips"}), "pagoda-system-mips: there is no guest 'mips' (guests: riscv64)");
  EXPECT_EQ(message({"pagoda", "help", "mips"}), "help: there is no guest 'mips' (guests: riscv64)");
}

}  // namespace
}  // namespace pagoda::cli
