// SPDX-License-Identifier: MIT
// The gdb stub's protocol, on a machine without a guest; and that nothing it is sent does harm.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <random>

#include "control/fake_machine.h"

namespace pagoda {
namespace {

class GdbStubTest : public testing::Test {
 protected:
  void SetUp() override { machine.stub->connected(true); }
  std::string ask(std::string_view packet) { return machine.ask(packet); }
  test::FakeMachine machine;
};

TEST_F(GdbStubTest, ConnectingStopsTheMachine) {
  EXPECT_FALSE(machine.running);
  EXPECT_EQ(machine.sent, "");
  EXPECT_EQ(ask("?"), "T05thread:1;");
}

TEST_F(GdbStubTest, Acknowledges) {
  machine.receive("$?#3f");
  EXPECT_EQ(machine.sent, "+$T05thread:1;#d7");
  machine.sent.clear();
  machine.receive("-");
  EXPECT_EQ(machine.sent, "$T05thread:1;#d7");
  machine.sent.clear();
  machine.receive("$?#00");
  EXPECT_EQ(machine.sent, "-");
  EXPECT_EQ(ask("QStartNoAckMode"), "OK");
  machine.sent.clear();
  machine.receive("+$?#00");
  EXPECT_EQ(machine.sent, "$T05thread:1;#d7");
}

TEST_F(GdbStubTest, Registers) {
  machine.registers[0][1] = 0x0123456789abcdef;
  machine.registers[1][3] = 0x42;
  EXPECT_EQ(ask("g"), "0000000000000000efcdab89674523010000000000000000" + std::string(16, '0'));
  EXPECT_EQ(ask("p1"), "efcdab8967452301");
  EXPECT_EQ(ask("Hg2"), "OK");
  EXPECT_EQ(ask("p3"), "4200000000000000");
  EXPECT_EQ(ask("P5=8877665544332211"), "OK");
  EXPECT_EQ(machine.registers[1][5], 0x1122334455667788u);
  EXPECT_EQ(ask("G" + std::string(16, '1')), "OK");  // the rest stays
  EXPECT_EQ(machine.registers[1][0], 0x1111111111111111u);
  EXPECT_EQ(machine.registers[1][3], 0x42u);
  for (const char* bad : {"p", "p99", "pzz", "P5", "P5=", "P5=1", "P5=112233", "P99=0011223344556677", "G1", "Gxx"}) {
    EXPECT_EQ(ask(bad), "E22") << bad;
  }
}

TEST_F(GdbStubTest, Memory) {
  EXPECT_EQ(ask("M1010,3:010203"), "OK");
  EXPECT_EQ(ask("m100f,5"), "0001020300");
  EXPECT_EQ(ask("X1010,2:}\x03#"), "E22");  // the escape makes two bytes of three
  EXPECT_EQ(ask(std::string_view("X1010,4:#$}*", 12)), "OK");
  EXPECT_EQ(ask("m1010,4"), "23247d2a");
  EXPECT_EQ(ask("X1010,0:"), "OK");
  EXPECT_EQ(ask("m1fff,4"), "00");  // as far as there is memory
  EXPECT_EQ(ask("m0,4"), "E14");
  EXPECT_EQ(ask("M1fff,2:0102"), "E14");
  for (const char* bad : {"m", "m1000", "m1000,", "m1000,ffffff", "m1000,4z", "M1000,2:01", "M1000,1", "X1000"}) {
    EXPECT_EQ(ask(bad), "E22") << bad;
  }
}

TEST_F(GdbStubTest, PointsGoToTheMachineWhenItRuns) {
  EXPECT_EQ(ask("Z0,1234,4"), "OK");
  EXPECT_EQ(ask("Z0,1234,4"), "OK");
  EXPECT_EQ(ask("Z1,1234,2"), "OK");
  EXPECT_EQ(ask("Z2,2000,8"), "OK");
  EXPECT_EQ(ask("z1,1234,2"), "OK");
  EXPECT_TRUE(machine.points.empty());
  EXPECT_EQ(ask("c"), "(nothing)");
  using Kind = DebugPoint::Kind;
  EXPECT_EQ(machine.points,
            (std::vector<DebugPoint>{{Kind::software_break, 0x1234, 0}, {Kind::write_watch, 0x2000, 8}}));
  machine.sent.clear();
  machine.stop_at({.kind = DebugStop::Kind::point, .vcpu = 1, .point = Kind::write_watch, .address = 0x2004});
  EXPECT_EQ(machine.last_packet(), "T05thread:2;watch:2004;");
  EXPECT_EQ(ask("qC"), "QC2");
  for (const char* bad : {"Z", "Z5,0,1", "Z2,0,0", "Z2,0,10000", "Z0", "Z0,", "Z0,1", "z9,1,1"}) {
    EXPECT_EQ(ask(bad), "E22") << bad;
  }
}

TEST_F(GdbStubTest, Resumes) {
  using enum DebugAction;
  const auto actions = [&](std::string_view packet) {
    machine.actions.clear();
    EXPECT_EQ(ask(packet), "(nothing)") << packet;
    EXPECT_TRUE(machine.running) << packet;
    machine.stop_at({.kind = DebugStop::Kind::step, .vcpu = 0});
    EXPECT_EQ(machine.last_packet(), "T05thread:1;") << packet;
    return machine.actions;
  };
  EXPECT_EQ(actions("c"), (std::vector{run, run}));
  EXPECT_EQ(actions("s"), (std::vector{step, run}));
  EXPECT_EQ(actions("C05"), (std::vector{run, run}));
  EXPECT_EQ(actions("vCont;c"), (std::vector{run, run}));
  EXPECT_EQ(actions("vCont;s:1"), (std::vector{step, stay}));
  EXPECT_EQ(actions("vCont;s:2;c:-1"), (std::vector{run, step}));
  EXPECT_EQ(actions("vCont;c:1;s:1;C05:2"), (std::vector{run, run}));
  EXPECT_EQ(ask("Hc2"), "OK");
  EXPECT_EQ(actions("s"), (std::vector{stay, step}));
  EXPECT_EQ(actions("c1234"), (std::vector{run, stay}));  // the stop before named vcpu 0
  EXPECT_EQ(machine.registers[0][3], 0x1234u);
  for (const char* bad :
       {"vCont;", "vCont;x", "vCont;c:3", "vCont;c:", "vCont;C", "vCont;cc", "vCont;s:1:2", "cx", "S"}) {
    EXPECT_EQ(ask(bad), "E22") << bad;
    EXPECT_FALSE(machine.running) << bad;
  }
}

TEST_F(GdbStubTest, CtrlC) {
  ask("c");
  machine.sent.clear();
  machine.receive("\x03");
  EXPECT_FALSE(machine.running);
  EXPECT_EQ(machine.last_packet(), "T02thread:1;");
  machine.sent.clear();
  machine.receive("\x03");
  EXPECT_EQ(machine.sent, "");
}

TEST_F(GdbStubTest, AnotherStopIsToldOnlyToWhoWaits) {
  machine.running = true;  // by the monitor
  machine.stop_at({.kind = DebugStop::Kind::asked});
  EXPECT_EQ(machine.sent, "");
  ask("c");
  machine.stop_at({.kind = DebugStop::Kind::asked});
  EXPECT_EQ(machine.last_packet(), "T02thread:1;");
}

TEST_F(GdbStubTest, Threads) {
  EXPECT_EQ(ask("qfThreadInfo"), "m1,2");
  EXPECT_EQ(ask("qsThreadInfo"), "l");
  EXPECT_EQ(ask("T2"), "OK");
  EXPECT_EQ(ask("T3"), "E22");
  EXPECT_EQ(ask("qThreadExtraInfo,2"), gdb::to_hex("CPU#1"));
  EXPECT_EQ(ask("Hg3"), "E22");
  EXPECT_EQ(ask("Hg-1"), "OK");
  EXPECT_EQ(ask("Hx1"), "E22");
}

TEST_F(GdbStubTest, Description) {
  std::string text;
  for (std::string piece = "m"; piece[0] == 'm'; text += piece.substr(1)) {
    piece = ask(fmt::format("qXfer:features:read:target.xml:{:x},50", text.size()));
    ASSERT_FALSE(piece.empty());
  }
  EXPECT_NE(text.find("<reg name=\"r7\" bitsize=\"64\" regnum=\"7\""), std::string::npos);
  EXPECT_TRUE(text.ends_with("</target>\n"));
  EXPECT_EQ(ask("qXfer:features:read:other.xml:0,50"), "E00");
  EXPECT_EQ(ask("qXfer:features:read:target.xml:ffffff,50"), "E22");
}

TEST_F(GdbStubTest, Questions) {
  EXPECT_EQ(ask("vMustReplyEmpty"), "");
  EXPECT_EQ(ask("qCRC:1000,4"), "");  // not qC
  EXPECT_EQ(ask("qAttached"), "1");
  EXPECT_EQ(ask("qAttached:1"), "1");
  EXPECT_NE(ask("qSupported:multiprocess+").find("PacketSize=4000;"), std::string::npos);
  EXPECT_EQ(ask("qqemu.PhyMemMode"), "0");
  EXPECT_EQ(ask("Qqemu.PhyMemMode:1"), "OK");
  EXPECT_EQ(ask("qqemu.PhyMemMode"), "1");
  EXPECT_EQ(ask("Qqemu.PhyMemMode:2"), "E22");
  EXPECT_EQ(ask("qqemu.sstep"), "0x7");
  EXPECT_EQ(ask("Qqemu.sstep=1"), "OK");
  ask("qRcmd," + gdb::to_hex("info registers"));
  EXPECT_NE(machine.sent.find("$O" + gdb::to_hex("CPU#0\nregisters\n")), std::string::npos);
  EXPECT_EQ(machine.last_packet(), "OK");
  EXPECT_EQ(ask("qRcmd,123"), "E22");
}

TEST_F(GdbStubTest, Endings) {
  ask("Z0,1000,4");
  EXPECT_EQ(ask("D"), "OK");
  EXPECT_TRUE(machine.running);
  EXPECT_TRUE(machine.points.empty());
  machine.stub->connected(false);
  machine.stub->connected(true);
  EXPECT_FALSE(machine.running);
  machine.stub->ended(3);
  EXPECT_EQ(machine.last_packet(), "W03");
  EXPECT_EQ(ask("k"), "(nothing)");
  EXPECT_TRUE(machine.quit);
}

TEST_F(GdbStubTest, LongPacketsAreRefused) {
  machine.receive("$m" + std::string(3 * gdb::kPacketBytes, '0') + "#00");
  EXPECT_EQ(machine.sent, "-");
  EXPECT_EQ(ask("qAttached"), "1");
}

// Random changes to packets that mean something: nothing may be read or written out of bounds, and it goes on
// answering.
TEST_F(GdbStubTest, HostileInput) {
  const std::vector<std::string> packets = {"g",
                                            "G00",
                                            "p5",
                                            "P5=00",
                                            "m1000,10",
                                            "M1000,2:0102",
                                            "X1000,2:ab",
                                            "Z0,1000,4",
                                            "z2,1000,8",
                                            "Hg1",
                                            "Hc-1",
                                            "T1",
                                            "c",
                                            "s1234",
                                            "C05;1000",
                                            "vCont;s:1;c",
                                            "vCont?",
                                            "qfThreadInfo",
                                            "qThreadExtraInfo,1",
                                            "qSupported:a;b",
                                            "?",
                                            "D",
                                            "qXfer:features:read:target.xml:0,ffb",
                                            "qRcmd,696e666f",
                                            "QStartNoAckMode",
                                            "Qqemu.PhyMemMode:1",
                                            "Qqemu.sstep=7"};
  std::mt19937_64 random(20260101);
  for (int round = 0; round < 200000; ++round) {
    std::string packet = packets[random() % packets.size()];
    for (u64 changes = random() % 4; changes != 0 && !packet.empty(); --changes) {
      const std::size_t at = random() % packet.size();
      switch (random() % 4) {
        case 0:
          packet[at] = static_cast<char>(random());
          break;
        case 1:
          packet.insert(at, 1, "0123456789abcdef,;:=#$}"[random() % 23]);
          break;
        case 2:
          packet.erase(at, 1 + random() % 3);
          break;
        default:
          packet.insert(at, random() % 8 == 0 ? "ffffffffffffffff" : "7fff");
      }
    }
    machine.receive(random() % 8 == 0 ? "$" + packet + "#00" : gdb::frame(packet));
    if (random() % 16 == 0) machine.receive("\x03");
    if (machine.running && random() % 2 == 0) {
      machine.stop_at({.kind = DebugStop::Kind::step, .vcpu = static_cast<u32>(random() % test::FakeMachine::kVcpus)});
    }
    machine.sent.clear();
  }
  machine.stub->connected(true);
  EXPECT_EQ(ask("qAttached"), "1");
}

}  // namespace
}  // namespace pagoda
