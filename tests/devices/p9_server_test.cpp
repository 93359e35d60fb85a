// SPDX-License-Identifier: MIT
// The 9P server: files, folders, names, owners; and that nothing outside the folder is reached, however it is tried.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "devices/p9_client.h"

namespace pagoda::test {
namespace {

constexpr u32 kReadOnly = 0, kWriteOnly = 1, kReadWrite = 2, kCreateExclusive = 0200 | 2, kTruncate = 01000;
constexpr u32 kRemoveFolder = 0x200;

TEST(P9Server, VersionAndAttach) {
  SharedFolder folder;
  P9Client client(folder);
  EXPECT_EQ(client.call(100, [](auto& out) { out.word(4095), out.text("9P2000.L"); }), u32{EMSGSIZE});
  EXPECT_EQ(client.call(100, [](auto& out) { out.word(~0u), out.text("9P2000"); }), 0u);
  EXPECT_EQ(client.reader().word(), p9::Server::kMaxMessage);
  EXPECT_EQ(client.reader().text(), "unknown");
  client.start();
  EXPECT_EQ(client.attach(0), u32{EBADF});
  EXPECT_EQ(client.attach(1), 0u);
  EXPECT_EQ(client.reader().byte(), p9::Qid::kFolder);
  EXPECT_EQ(client.server().fids(), 2u);
  client.start();  // a new session forgets the old one
  EXPECT_EQ(client.server().fids(), 1u);
  EXPECT_EQ(client.clunk(5), u32{EBADF});
  EXPECT_EQ(client.call(102, [](auto&) {}), u32{ENOENT});
  EXPECT_EQ(client.call(99, [](auto&) {}), u32{EOPNOTSUPP});
}

TEST(P9Server, FilesAreMadeWrittenAndRead) {
  SharedFolder folder;
  P9Client client(folder);
  client.start();
  ASSERT_EQ(client.make_folder(0, "d"), 0u);
  ASSERT_EQ(client.walk(0, 1, {"d"}), 0u);
  ASSERT_EQ(client.create(1, "file", kCreateExclusive), 0u);
  EXPECT_EQ(client.write(1, "hello"), 0u);
  EXPECT_EQ(client.write(1, "J", 0), 0u);
  EXPECT_EQ(folder.get("d/file"), "Jello");
  std::string text;
  EXPECT_EQ(client.read(1, &text, 3, 1), 0u);
  EXPECT_EQ(text, "ell");
  EXPECT_EQ(client.read(1, &text, 100, 5), 0u);
  EXPECT_EQ(text, "");
  EXPECT_EQ(client.mode(1), u32{S_IFREG | 0644});
  EXPECT_EQ(client.call(50, [](auto& out) { out.word(1), out.word(0); }), 0u);
  EXPECT_EQ(client.clunk(1), 0u);
  ASSERT_EQ(client.walk(0, 1, {"d"}), 0u);
  EXPECT_EQ(client.create(1, "file", kCreateExclusive), u32{EEXIST});
  ASSERT_EQ(client.walk(0, 2, {"d", "file"}), 0u);
  ASSERT_EQ(client.open(2, kWriteOnly | kTruncate), 0u);
  EXPECT_EQ(client.read(2, &text), u32{EBADF});
  EXPECT_EQ(folder.get("d/file"), "");
}

TEST(P9Server, WalksGoAsFarAsTheyCan) {
  SharedFolder folder;
  std::filesystem::create_directories(folder.shared() / "a/b");
  P9Client client(folder);
  client.start();
  EXPECT_EQ(client.walk(0, 1, {"a", "b", "c"}), 0u);
  EXPECT_EQ(client.reader().half(), 2u);
  EXPECT_EQ(client.mode(1), 0u);  // no such fid
  EXPECT_EQ(client.walk(0, 1, {"x"}), u32{ENOENT});
  EXPECT_EQ(client.walk(0, 1, std::vector<std::string>(17, "..")), u32{EINVAL});
  EXPECT_EQ(client.walk(0, 1, {"a", "b"}), 0u);
  EXPECT_EQ(client.walk(0, 1, {"a"}), u32{EBADF});  // in use
  EXPECT_EQ(client.walk(1, 1, {"..", ".."}), 0u);
  EXPECT_EQ(client.walk(1, 2, {}), 0u);
}

TEST(P9Server, FoldersAreListedWhole) {
  SharedFolder folder;
  std::set<std::string> expected = {".", ".."};
  for (int i = 0; i < 500; ++i) {
    const std::string name = "file-" + std::to_string(i);
    folder.put(name, "");
    expected.insert(name);
  }
  P9Client client(folder);
  client.start();
  ASSERT_EQ(client.walk(0, 1, {}), 0u);
  ASSERT_EQ(client.open(1), 0u);
  std::multiset<std::string> found;
  u64 offset = 0;
  for (;;) {
    ASSERT_EQ(client.call(40, [&](auto& out) { out.word(1), out.wide(offset), out.word(300); }), 0u);
    u32 left = client.reader().word();
    ASSERT_LE(left, 300u);
    if (left == 0) break;
    while (left != 0) {
      client.reader().take(13);
      offset = client.reader().wide();
      client.reader().byte();
      const std::string name = client.reader().text();
      found.insert(name);
      left -= static_cast<u32>(24 + name.size());
    }
  }
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), expected);
  EXPECT_EQ(found.size(), expected.size());
  EXPECT_EQ(client.call(40, [&](auto& out) { out.word(1), out.wide(0), out.word(10); }), u32{EINVAL});
  std::string text;
  EXPECT_EQ(client.read(1, &text), u32{EISDIR});
}

TEST(P9Server, RenamesTakeFidsAlong) {
  SharedFolder folder;
  std::filesystem::create_directories(folder.shared() / "a/b");
  folder.put("a/b/f", "text");
  folder.put("ab", "other");
  P9Client client(folder);
  client.start();
  ASSERT_EQ(client.walk(0, 1, {"a", "b", "f"}), 0u);
  ASSERT_EQ(client.walk(0, 2, {"ab"}), 0u);
  ASSERT_EQ(client.rename_at(0, "a", 0, "z"), 0u);
  EXPECT_EQ(client.open(1), 0u);
  EXPECT_EQ(client.open(2), 0u);
  ASSERT_EQ(client.walk(0, 3, {"z", "b"}), 0u);
  EXPECT_EQ(client.call(20, [](auto& out) { out.word(3), out.word(0), out.text("b2"); }), 0u);
  EXPECT_EQ(folder.get("b2/f"), "text");
  EXPECT_EQ(client.walk(3, 4, {"f"}), 0u);
  EXPECT_EQ(client.unlink_at(0, "z"), u32{EISDIR});
  EXPECT_EQ(client.unlink_at(0, "z", kRemoveFolder), 0u);
  EXPECT_EQ(client.call(122, [](auto& out) { out.word(4); }), 0u);
  EXPECT_FALSE(std::filesystem::exists(folder.shared() / "b2/f"));
  EXPECT_EQ(client.clunk(4), u32{EBADF});
  EXPECT_EQ(client.rename_at(0, "..", 0, "x"), u32{EINVAL});
}

TEST(P9Server, AttributesChange) {
  SharedFolder folder;
  folder.put("f", "12345");
  P9Client client(folder);
  client.start();
  ASSERT_EQ(client.walk(0, 1, {"f"}), 0u);
  const auto set = [&](u32 valid, u32 mode, u64 size) {
    return client.call(26, [&](auto& out) {
      out.word(1), out.word(valid), out.word(mode), out.word(0), out.word(0), out.wide(size);
      for (const u64 time : {1000u, 1u, 2000u, 2u}) out.wide(time);
    });
  };
  EXPECT_EQ(set(1 | 8 | 0x20 | 0x100, 0400, 2), 0u);
  EXPECT_EQ(folder.get("f"), "12");
  struct ::stat status{};
  ASSERT_EQ(stat((folder.shared() / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0400u);
  EXPECT_EQ(status.st_mtim.tv_sec, 2000);
  EXPECT_EQ(status.st_mtim.tv_nsec, 2);
  EXPECT_EQ(set(8, 0, ~u64{0}), u32{EFBIG});
}

TEST(P9Server, ReadOnlyFoldersStayAsTheyAre) {
  SharedFolder folder;
  folder.put("f", "text");
  P9Client client(folder, p9::Security::none, true);
  client.start();
  ASSERT_EQ(client.walk(0, 1, {"f"}), 0u);
  EXPECT_EQ(client.open(1, kReadWrite), u32{EROFS});
  EXPECT_EQ(client.open(1, kTruncate), u32{EROFS});
  EXPECT_EQ(client.create(0, "g"), u32{EROFS});
  EXPECT_EQ(client.make_folder(0, "g"), u32{EROFS});
  EXPECT_EQ(client.symlink(0, "g", "f"), u32{EROFS});
  EXPECT_EQ(client.rename_at(0, "f", 0, "g"), u32{EROFS});
  EXPECT_EQ(client.unlink_at(0, "f"), u32{EROFS});
  EXPECT_EQ(client.call(26,
                        [](auto& out) {
                          out.word(1), out.word(8), out.word(0), out.word(0), out.word(0);
                          for (int i = 0; i < 5; ++i) out.wide(0);
                        }),
            u32{EROFS});
  EXPECT_EQ(client.call(70, [](auto& out) { out.word(0), out.word(1), out.text("g"); }), u32{EROFS});
  EXPECT_EQ(
      client.call(
          18, [](auto& out) { out.word(0), out.text("g"), out.word(S_IFREG), out.word(0), out.word(0), out.word(0); }),
      u32{EROFS});
  EXPECT_EQ(client.call(122, [](auto& out) { out.word(1); }), u32{EROFS});
  ASSERT_EQ(client.walk(0, 1, {"f"}), 0u);
  EXPECT_EQ(client.open(1, kReadOnly), 0u);
  EXPECT_EQ(folder.get("f"), "text");
}

TEST(P9Server, MappedOwnersAndKindsAreKeptInAttributes) {
  SharedFolder folder;
  if (setxattr(folder.shared().c_str(), "user.test", "", 0, 0) != 0) GTEST_SKIP() << "no extended attributes here";
  P9Client client(folder, p9::Security::mapped);
  client.start(0, 1234);
  ASSERT_EQ(client.walk(0, 1, {}), 0u);
  ASSERT_EQ(client.create(1, "f", kReadWrite, 04755, 77), 0u);
  EXPECT_EQ(client.mode(1), u32{S_IFREG | 04755});
  EXPECT_EQ(client.reader().word(), 1234u);
  EXPECT_EQ(client.reader().word(), 77u);
  struct ::stat status{};
  ASSERT_EQ(stat((folder.shared() / "f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, mode_t{S_IFREG | 0600});
  ASSERT_EQ(client.symlink(0, "l", "f"), 0u);
  ASSERT_EQ(client.walk(0, 2, {"l"}), 0u);
  EXPECT_EQ(client.mode(2), u32{S_IFLNK | 0777});
  EXPECT_EQ(client.call(22, [](auto& out) { out.word(2); }), 0u);
  EXPECT_EQ(client.reader().text(), "f");
  EXPECT_EQ(client.open(2), u32{ELOOP});
  EXPECT_EQ(folder.get("l"), "f");
  EXPECT_EQ(client.call(18,
                        [](auto& out) {
                          out.word(0), out.text("null"), out.word(S_IFCHR | 0666), out.word(1), out.word(3),
                              out.word(0);
                        }),
            0u);
  ASSERT_EQ(client.walk(0, 3, {"null"}), 0u);
  EXPECT_EQ(client.mode(3), u32{S_IFCHR | 0666});
  EXPECT_EQ(client.open(3), u32{ENXIO});
  ASSERT_EQ(stat((folder.shared() / "null").c_str(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
}

TEST(P9Server, SpecialFilesAreNotOpened) {
  SharedFolder folder;
  ASSERT_EQ(mkfifo((folder.shared() / "fifo").c_str(), 0600), 0);
  P9Client client(folder);
  client.start();
  ASSERT_EQ(client.walk(0, 1, {"fifo"}), 0u);
  EXPECT_EQ(client.open(1), u32{ENXIO});
  ASSERT_EQ(client.walk(0, 2, {}), 0u);
  EXPECT_EQ(client.create(2, "fifo"), u32{ENXIO});
  EXPECT_EQ(
      client.call(
          18, [](auto& out) { out.word(0), out.text("n"), out.word(S_IFCHR), out.word(1), out.word(3), out.word(0); }),
      u32{EPERM});
}

// --- nothing leads out ---

class P9Escape : public testing::TestWithParam<bool> {};

TEST_P(P9Escape, ParentsOfTheFolderAreTheFolder) {
  SharedFolder folder;
  std::filesystem::create_directory(folder.shared() / "d");
  P9Client client(folder, p9::Security::none, false, GetParam());
  client.start();
  EXPECT_EQ(client.walk(0, 1, {"..", "secret"}), 0u);
  EXPECT_EQ(client.reader().half(), 1u);  // ".." stayed, and there is no such file
  EXPECT_EQ(client.walk(0, 1, {"d", "..", "..", "..", "d"}), 0u);
  EXPECT_EQ(client.reader().half(), 5u);
  for (const std::string& name : {std::string("../secret"), std::string("d/../../secret"), std::string("/etc/passwd"),
                                  std::string(), std::string("."), std::string("d\0x", 3)}) {
    EXPECT_NE(client.walk(0, 9, {name}), 0u) << name;
  }
  for (const std::string name : {"..", ".", "../x", "a/b", "/x", ""}) {
    EXPECT_EQ(client.make_folder(0, name), u32{EINVAL}) << name;
    EXPECT_EQ(client.symlink(0, name, "x"), u32{EINVAL}) << name;
    EXPECT_EQ(client.unlink_at(0, name), u32{EINVAL}) << name;
    EXPECT_EQ(client.rename_at(0, "d", 0, name), u32{EINVAL}) << name;
    ASSERT_EQ(client.walk(0, 2, {}), 0u);
    EXPECT_EQ(client.create(2, name), u32{EINVAL}) << name;
    EXPECT_EQ(client.clunk(2), 0u);
  }
  EXPECT_FALSE(std::filesystem::exists(folder.outside / "x"));
}

TEST_P(P9Escape, SymbolicLinksAreNotFollowed) {
  SharedFolder folder;
  for (const auto& [name, target] : {std::pair{"up", ".."}, std::pair{"file", "../secret"}, std::pair{"root", "/"},
                                     std::pair{"self", "."}, std::pair{"proc", "/proc/self/root"}}) {
    std::filesystem::create_symlink(target, folder.shared() / name);
    P9Client client(folder, p9::Security::none, false, GetParam());
    client.start();
    ASSERT_EQ(client.walk(0, 1, {name}), 0u) << name;
    EXPECT_EQ(client.mode(1) & S_IFMT, u32{S_IFLNK});
    EXPECT_EQ(client.open(1), u32{ELOOP}) << name;
    EXPECT_EQ(client.open(1, kWriteOnly | kTruncate), u32{ELOOP}) << name;
    EXPECT_NE(client.create(1, "x"), 0u) << name;
    EXPECT_NE(client.make_folder(1, "x"), 0u) << name;
    EXPECT_NE(client.unlink_at(1, "secret"), 0u) << name;
    EXPECT_NE(client.rename_at(1, "secret", 0, "got"), 0u) << name;
    EXPECT_NE(client.rename_at(0, name, 1, "x"), 0u) << name;
    for (const char* inside : {"secret", "etc", "shared", "file"}) {
      EXPECT_EQ(client.walk(0, 2, {name, inside}), 0u);
      EXPECT_EQ(client.reader().half(), 1u) << name << "/" << inside;
    }
    // Truncating and changing the mode do not reach through a link either.
    EXPECT_NE(client.call(26,
                          [](auto& out) {
                            out.word(1), out.word(1 | 8), out.word(0), out.word(0), out.word(0);
                            for (int i = 0; i < 5; ++i) out.wide(0);
                          }),
              0u)
        << name;
    ASSERT_EQ(client.walk(0, 3, {}), 0u);
    EXPECT_NE(client.create(3, name), 0u) << name;
  }
  EXPECT_EQ(folder.get("../secret"), "secret");
  EXPECT_FALSE(std::filesystem::exists(folder.outside / "x"));
}

// While the guest works below a/b, somebody on the host turns a and b into links to the outside and back.
TEST_P(P9Escape, ARenamerOnTheHostOpensNoWay) {
  SharedFolder folder;
  const auto shared = folder.shared();
  std::filesystem::create_directories(shared / "a/other");
  folder.put("a/other/inside", "inside");
  folder.put("a/other/secret", "inside");
  std::filesystem::create_symlink(folder.outside, shared / "link");
  std::atomic<bool> stop{false};
  std::thread renamer([&] {
    // Swaps the folder and the link in one step.
    while (!stop) renameat2(AT_FDCWD, (shared / "a").c_str(), AT_FDCWD, (shared / "link").c_str(), RENAME_EXCHANGE);
  });
  P9Client client(folder, p9::Security::none, false, GetParam());
  client.start();
  int reached = 0, failed = 0;
  for (int i = 0; i < 20'000; ++i) {
    const u32 fid = 10;
    if (client.walk(0, fid, {"a", "other", "secret"}) != 0 || client.reader().half() != 3) {
      ++failed;
      continue;
    }
    std::string text;
    if (client.open(fid, kReadWrite) == 0 && client.read(fid, &text) == 0) {
      ASSERT_EQ(text, "inside");
      ASSERT_EQ(client.write(fid, "inside"), 0u);
      ++reached;
    }
    client.clunk(fid);
    if (client.walk(0, fid, {"a", "other"}) == 0 && client.reader().half() == 2) {
      client.make_folder(fid, "made" + std::to_string(i % 10));
      client.unlink_at(fid, "made" + std::to_string(i % 10), kRemoveFolder);
      client.clunk(fid);
    }
  }
  stop = true;
  renamer.join();
  EXPECT_GT(reached, 0);
  EXPECT_GT(failed, 0);
  EXPECT_EQ(folder.get("../secret"), "secret");
  EXPECT_EQ(folder.get("../other/secret"), "secret");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.outside / "other"), {}), 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, P9Escape, testing::Bool(),
                         [](const auto& each) { return each.param ? "ByStep" : "AtOnce"; });

// --- hostile messages ---

TEST(P9Server, EveryTruncationAndNoiseGetsAnAnswer) {
  SharedFolder folder;
  folder.put("f", "text");
  P9Client client(folder);
  std::mt19937_64 random(1);
  for (int round = 0; round < 30'000; ++round) {
    if (round % 100 == 0) {
      client.start();
      client.walk(0, 1, {"f"});
      client.open(1, kReadWrite);
    }
    std::vector<u8> message(random() % 80);
    for (u8& byte : message) byte = random() % 3 != 0 ? static_cast<u8>(random() % 3) : static_cast<u8>(random());
    if (message.size() >= 7 && random() % 8 != 0) {
      for (u32 i = 0; i < 4; ++i) message[i] = static_cast<u8>(message.size() >> (8 * i));
      message[4] = static_cast<u8>(random() % 126);
    }
    const u32 room = static_cast<u32>(random() % 100);
    const std::vector<u8> reply = client.server().handle(message, room);
    ASSERT_LE(reply.size(), room);
    if (message.size() >= 7 && room >= 11) {
      ASSERT_GE(reply.size(), 7u);
    }
  }
  EXPECT_EQ(folder.get("../secret"), "secret");
}

TEST(P9Server, CountsAreCutToTheRoom) {
  SharedFolder folder;
  folder.put("f", std::string(100'000, 'x'));
  P9Client client(folder);
  client.start();
  ASSERT_EQ(client.walk(0, 1, {"f"}), 0u);
  ASSERT_EQ(client.open(1), 0u);
  std::string text;
  EXPECT_EQ(client.read(1, &text, ~u32{0}), 0u);
  EXPECT_EQ(text.size(), 65536u - 11);
  EXPECT_EQ(client.read(1, &text, 100, ~u64{0}), u32{EINVAL});
  const u32 error = client.call(116, [](auto& out) { out.word(1), out.wide(0), out.word(~u32{0}); }, 50);
  EXPECT_EQ(error, 0u);
  EXPECT_EQ(client.reply().size(), 50u);
  EXPECT_EQ(client.call(118, [](auto& out) { out.word(1), out.wide(0), out.word(~u32{0}); }), u32{EINVAL});
}

TEST(P9Server, StateComesBack) {
  SharedFolder folder;
  folder.put("f", "text");
  P9Client first(folder), second(folder);
  first.start(3, 42);
  ASSERT_EQ(first.walk(3, 4, {"f"}), 0u);
  ASSERT_EQ(first.open(4, kReadWrite), 0u);
  // What save and restore do with the list of fields.
  struct Copy final : StateVisitor {
    std::vector<std::vector<u8>> values;
    bool is_saving = true;
    std::size_t at = 0;
    void scalar(std::string_view, void* data, u32 size) override {
      if (is_saving) {
        values.emplace_back(static_cast<u8*>(data), static_cast<u8*>(data) + size);
      } else {
        std::memcpy(data, values[at++].data(), size);
      }
    }
    void bytes(std::string_view, std::vector<u8>* data) override {
      if (is_saving) {
        values.push_back(*data);
      } else {
        *data = values[at++];
      }
    }
  } copy;
  first.server().visit_state(copy);
  copy.is_saving = false;
  second.server().visit_state(copy);
  std::string text;
  EXPECT_EQ(second.read(4, &text), 0u);
  EXPECT_EQ(text, "text");
  EXPECT_EQ(second.write(4, "T"), 0u);
  EXPECT_EQ(second.walk(3, 5, {}), 0u);
  EXPECT_EQ(folder.get("f"), "Text");
}

}  // namespace
}  // namespace pagoda::test
