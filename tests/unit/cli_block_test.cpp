// SPDX-License-Identifier: MIT
// Disk options: -drive's keys, -blockdev, -snapshot, and "pagoda disk".
#include "cli/disk_options.h"
#include "cli/json.h"
#include "cli_test_support.h"

namespace pagoda::cli {
namespace {

TEST(CliBlock, DriveKeys) {
  const MachineConfig c = config_of(
      "-drive file=a,format=qcow2,snapshot=on,discard=unmap,cache=none,werror=report,aio=threads "
      "-drive file=b,format=raw,cache=writethrough,read-only=on -drive file=c,cache=unsafe,if=none "
      "-drive file=d,cache=directsync,if=none");
  ASSERT_EQ(c.drives.size(), 4u);
  EXPECT_EQ(c.drives[0].format, "qcow2");
  EXPECT_TRUE(c.drives[0].snapshot && c.drives[0].unmap && c.drives[0].direct && c.drives[0].write_cache);
  EXPECT_EQ(c.drives[1].format, "raw");
  EXPECT_TRUE(c.drives[1].readonly);
  EXPECT_FALSE(c.drives[1].write_cache || c.drives[1].direct || c.drives[1].unmap || c.drives[1].snapshot);
  EXPECT_EQ(c.drives[2].format, "");
  EXPECT_TRUE(c.drives[2].no_flush && c.drives[2].write_cache);
  EXPECT_TRUE(c.drives[3].direct && !c.drives[3].write_cache && !c.drives[3].no_flush);
}

TEST(CliBlock, SpellingsOfQemu) {
  const MachineConfig c = config_of(
      "-drive driver=qcow2,file.driver=file,file.filename=a,index=3,aio=native,file.locking=off "
      "-drive file=b,media=cdrom,readonly=off,file.locking=auto -drive file=c,if=pflash,index=1 "
      "-blockdev raw,node-name=d,file.filename=d,file.locking=off,file.aio=io_uring "
      "-blockdev file,node-name=below,filename=e,locking=off -blockdev raw,node-name=e,file=below");
  ASSERT_EQ(c.drives.size(), 5u);
  EXPECT_EQ(c.drives[0].format, "qcow2");
  EXPECT_EQ(c.drives[0].file, "a");
  EXPECT_FALSE(c.drives[0].locking || c.drives[0].readonly);
  EXPECT_TRUE(c.drives[1].locking && c.drives[1].readonly);
  EXPECT_EQ(c.pflash[1], c.drives[2].id);
  EXPECT_FALSE(c.drives[3].locking || c.drives[4].locking);
}

TEST(CliBlock, NumberedDisks) {
  const MachineConfig c = config_of("-hda a,b -hdb c -cdrom d");
  ASSERT_EQ(c.drives.size(), 3u);
  EXPECT_EQ(c.drives[0].file, "a,b");
  EXPECT_FALSE(c.drives[1].readonly);
  EXPECT_EQ(c.drives[2].file, "d");
  EXPECT_TRUE(c.drives[2].readonly);
  EXPECT_EQ(c.devices.size(), 3u);
}

TEST(CliBlock, SnapshotIsForAllDrives) {
  const MachineConfig c = config_of("-drive file=a -snapshot -drive file=b");
  ASSERT_EQ(c.drives.size(), 2u);
  EXPECT_TRUE(c.drives[0].snapshot && c.drives[1].snapshot);
}

TEST(CliBlock, Blockdev) {
  const MachineConfig c = config_of(
      "-blockdev driver=qcow2,file.driver=file,file.filename=a.qcow2,node-name=one,read-only=on "
      "-blockdev file,node-name=below,filename=b.qcow2,cache.direct=on "
      "-blockdev driver=qcow2,node-name=two,file=below,discard=unmap "
      "-blockdev driver=file,filename=c.raw,node-name=three "
      "-device virtio-blk-device,drive=one -device virtio-blk-device,drive=two,num-queues=4 "
      "-device virtio-blk-device,drive=three");
  ASSERT_EQ(c.drives.size(), 3u);
  EXPECT_EQ(c.drives[0].id, "one");
  EXPECT_EQ(c.drives[0].file, "a.qcow2");
  EXPECT_EQ(c.drives[0].format, "qcow2");
  EXPECT_TRUE(c.drives[0].readonly);
  EXPECT_EQ(c.drives[1].file, "b.qcow2");
  EXPECT_EQ(c.drives[1].format, "qcow2");
  EXPECT_TRUE(c.drives[1].direct);
  EXPECT_FALSE(c.drives[1].unmap) << "the node below does not pass it on";
  EXPECT_EQ(c.drives[2].format, "raw");
  EXPECT_EQ(c.devices.size(), 3u);
}

TEST(CliBlock, BlockdevInJson) {
  const MachineConfig c = config_of(
      R"(-blockdev {"node-name":"below","driver":"file","filename":"a,b.qcow2","auto-read-only":true,"cache":{"direct":true}} )"
      R"(-blockdev {"driver":"qcow2","file":"below","node-name":"one","read-only":true} )"
      R"(-blockdev {"driver":"raw","node-name":"two","file":{"driver":"file","filename":"c"},"discard":"unmap"} )"
      R"(-netdev {"id":"n0","type":"user"} -object {"id":"r0","qom-type":"rng-builtin"} )"
      R"(-device {"num-queues":4,"drive":"one","driver":"virtio-blk-device"})");
  ASSERT_EQ(c.drives.size(), 2u);
  EXPECT_EQ(c.drives[0].id, "one");
  EXPECT_EQ(c.drives[0].file, "a,b.qcow2");
  EXPECT_EQ(c.drives[0].format, "qcow2");
  EXPECT_TRUE(c.drives[0].readonly && c.drives[0].direct);
  EXPECT_EQ(c.drives[1].file, "c");
  EXPECT_TRUE(c.drives[1].unmap && !c.drives[1].readonly);
  ASSERT_EQ(c.devices.size(), 1u);
  EXPECT_EQ(*c.devices[0].find("num-queues"), "4");
  EXPECT_EQ(c.netdevs.at(0).id, "n0");
  EXPECT_EQ(c.rngs.at(0).id, "r0");
}

// "a=1 b.c=x" of an object, or what is wrong with it.
std::string flat(std::string_view json) {
  const auto items = parse_json_object(json);
  if (!items) return items.error().message;
  std::string text;
  for (const KeyValue& item : *items) text += (text.empty() ? "" : " ") + item.key + "=" + item.value;
  return text;
}

TEST(CliJson, Objects) {
  EXPECT_EQ(flat("{}"), "");
  EXPECT_EQ(flat(R"( { "a" : -1.5e3 , "b" : { "c" : true , "d" : { "e" : false } } , "f":"\"" } )"),
            "a=-1.5e3 b.c=on b.d.e=off f=\"");
  EXPECT_EQ(flat(R"({"a":[1,["x"],{"b":"y"}],"c":[]})"), "a.0=1 a.1.0=x a.2.b=y");
  EXPECT_EQ(flat(R"({"a":"\"\\\/\u0041\u00e9\u20ac\ud83d\ude00"})"), "a=\"\\/A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(CliJson, Mistakes) {
  EXPECT_EQ(flat(R"({"a":null})"), "JSON: null is no value that an option can have");
  EXPECT_EQ(flat(R"({"a":1,"a":2})"), "JSON: key 'a' is given twice");
  EXPECT_EQ(flat(R"({"":2})"), "JSON: an unusable key");
  EXPECT_EQ(flat(R"({"a\u0000":2})"), "JSON: an unusable key");
  EXPECT_EQ(flat(R"({"a":"\u0000"})"), "JSON: a zero in a string");
  EXPECT_EQ(flat(R"({"a":)" + std::string(16, '[')), "JSON: nested too deep");
  // The parser's own messages: the place, on one line.
  for (const std::string_view wrong :
       {"{", "{a:1}", R"({"a" 1})", R"({"a":1 "b":2})", R"({"a":1,})", R"({"a":})", R"({"a":"b)", "{\"a\":\"\n\"}",
        R"({"a":"\x"})", R"({"a":"\ud800"})", R"({"a":1}x)", R"({"a":[1)"}) {
    const std::string message = flat(wrong);
    EXPECT_TRUE(message.starts_with("JSON: ") && message.find("parse error at line ") == 6) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(CliBlock, Mistakes) {
  const auto check = [](std::string_view options, std::string_view message) {
    EXPECT_EQ(error_of(options), fmt::format("{}: {}", options, message));
  };
  check("-drive file=a,format=vmdk", "format=vmdk: only 'raw' and 'qcow2' are supported");
  check("-drive file=a,cache=writebak", "cache=writebak: unknown mode; did you mean 'writeback'?");
  check("-drive file=a,discard=yes", "discard=yes: unmap or ignore");
  check("-drive file=a,aio=io_urin", "aio=io_urin: threads, native or io_uring; did you mean 'io_uring'?");
  check("-drive file=a,file.locking=never", "file.locking=never: only 'on' or 'off'");
  check("-drive driver=vdi,file=a", "driver=vdi: only 'raw' and 'qcow2' are supported");
  check("-drive driver=raw,file.driver=nbd,file=a", "file.driver=nbd: only 'file' and 'host_device' are supported");
  EXPECT_EQ(error_of("-drive file=a,index=1 -hdb b"), "-hdb b: index=1 is used twice");
  check("-drive file=a,if=pflash,index=0,unit=0", "index= or unit=, not both");
  check("-drive file=a,if=pflash,index=2", "index must be a number from 0 to 1");
  check("-blockdev driver=raw,file.filename=a", "node-name= is missing");
  check("-blockdev driver=vdi,file.filename=a,node-name=n",
        "driver=vdi: only 'file', 'host_device', 'raw' and 'qcow2' are supported");
  check("-blockdev driver=raw,node-name=n", "file.filename= is missing");
  check("-blockdev driver=raw,node-name=n,file=m", "file=m: there is no node of that name before it");
  check(R"(-blockdev {"driver":"raw","node-name":"n","file":{"filname":"m"}})",
        "unknown key 'file.filname'; did you mean 'filename'?");
  EXPECT_TRUE(error_of(R"(-blockdev {"driver":"raw")").contains("JSON: parse error at line 1, column 16"));
  check("-blockdev driver=raw,node-name=n,filname=m", "unknown key 'filname'; did you mean 'filename'?");
}

TEST(CliBlock, DiskCommands) {
  const auto parse_disk = [](const Words& words) {
    auto command = parse_disk_command(words);
    EXPECT_TRUE(command) << command.error().message;
    return std::get<DiskCommand>(*command);
  };
  const DiskCommand create = parse_disk(
      {"create", "-fqcow2", "-o", "cluster_size=4k,compat=0.10", "-b", "base", "-F", "raw", "file", "1.5G", "-q"});
  EXPECT_EQ(create.action, DiskCommand::Action::create);
  EXPECT_EQ(create.format, "qcow2");
  EXPECT_EQ(create.cluster_bits, 12u);
  EXPECT_EQ(create.version, 2u);
  EXPECT_EQ(create.backing_file, "base");
  EXPECT_EQ(create.backing_format, "raw");
  EXPECT_EQ(create.size, u64{1536} << 20);
  EXPECT_TRUE(create.quiet);
  const DiskCommand check = parse_disk({"check", "-r", "all", "--output=json", "--", "-odd"});
  EXPECT_EQ(check.repair, DiskCommand::Repair::all);
  EXPECT_TRUE(check.json);
  EXPECT_EQ(check.file, "-odd");
  const DiskCommand convert = parse_disk({"convert", "-O", "qcow2", "-c", "a", "b"});
  EXPECT_TRUE(convert.compress);
  EXPECT_EQ(convert.output_format, "qcow2");
  EXPECT_EQ(convert.output, "b");
  const Words help = {"help"};
  EXPECT_TRUE(std::holds_alternative<std::string>(*parse_disk_command(help)));
}

}  // namespace
}  // namespace pagoda::cli
