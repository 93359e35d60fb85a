// SPDX-License-Identifier: MIT
// Fuzzes the gdb stub: the input is a debugger's side of a connection. A newline ends a packet, whose frame is made
// here, so that the fuzzer need not find checksums; 0xff is a stop of the machine, 0xfe raw bytes up to the next
// newline.
#include "control/fake_machine.h"
#include "fuzz/target.h"

std::vector<std::vector<pagoda::u8>> pagoda::test::fuzz_seeds() {
  const std::string_view text =
      "qSupported\nvCont?\ng\nm80000000,10\nZ0,80000000,4\nvCont;s:1\nqXfer:features:read:target.xml:0,fff\n";
  return {{text.begin(), text.end()}};
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace pagoda;
  test::FakeMachine machine;
  machine.stub->connected(true);
  std::string_view input(reinterpret_cast<const char*>(data), size);
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    if (line.starts_with('\xff')) {
      const u32 vcpu = line.size() > 1 ? static_cast<u8>(line[1]) % test::FakeMachine::kVcpus : 0;
      machine.stop_at({.kind = DebugStop::Kind::step, .vcpu = vcpu});
    } else if (line.starts_with('\xfe')) {
      machine.receive(line.substr(1));
    } else {
      machine.receive(gdb::frame(line));
    }
    machine.sent.clear();
  }
  return 0;
}
