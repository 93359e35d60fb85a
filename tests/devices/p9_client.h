// SPDX-License-Identifier: MIT
// A 9P client for tests: builds messages by hand, and a folder that goes away with the test.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "devices/p9/server.h"

namespace pagoda::test {

// outside/shared is the folder that is served, outside/secret is what nobody may reach.
struct SharedFolder {
  std::filesystem::path outside;
  SharedFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "pagoda-9p-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    outside = name;
    std::filesystem::create_directory(shared());
    put("../secret", "secret");
    std::filesystem::create_directory(outside / "other");
    put("../other/secret", "secret");
  }
  ~SharedFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(outside, ignored);
  }
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;
  std::filesystem::path shared() const { return outside / "shared"; }
  void put(const std::string& name, const std::string& content) const { std::ofstream(shared() / name) << content; }
  std::string get(const std::string& name) const {
    std::ifstream file(shared() / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

class P9Client {
 public:
  static constexpr u32 kNone = ~u32{0};
  explicit P9Client(const SharedFolder& folder, p9::Security security = p9::Security::none, bool read_only = false,
                    bool by_steps = false) {
    auto opened = p9::HostFolder::open(folder.shared().string(), security, read_only);
    if (!opened) std::abort();
    if (by_steps) (*opened)->walk_by_steps();
    server_ = std::make_unique<p9::Server>(std::move(*opened));
  }
  p9::Server& server() { return *server_; }

  // The errno value of the answer, 0 for none; the rest of the answer is in reader().
  template <class Fill>
  u32 call(u8 type, Fill fill, u32 room = 1 << 20) {
    std::vector<u8> message;
    p9::Writer out(message);
    out.word(0);
    out.byte(type);
    out.half(kTag);
    fill(out);
    for (u32 i = 0; i < 4; ++i) message[i] = static_cast<u8>(message.size() >> (8 * i));
    reply_ = server_->handle(message, room);
    reader_ = p9::Reader(reply_);
    EXPECT_EQ(reader_.word(), reply_.size());
    const u8 answer = reader_.byte();
    EXPECT_EQ(reader_.half(), kTag);
    if (answer == 7) return reader_.word();
    EXPECT_EQ(answer, type + 1);
    return 0;
  }
  p9::Reader& reader() { return reader_; }
  const std::vector<u8>& reply() const { return reply_; }

  void start(u32 fid = 0, u32 uid = kNone) {
    EXPECT_EQ(call(100, [](auto& out) { out.word(65536), out.text("9P2000.L"); }), 0u);
    EXPECT_EQ(attach(fid, uid), 0u);
  }
  u32 attach(u32 fid, u32 uid = kNone) {
    return call(104, [&](auto& out) { out.word(fid), out.word(kNone), out.text(""), out.text(""), out.word(uid); });
  }
  u32 walk(u32 from, u32 to, const std::vector<std::string>& names) {
    return call(110, [&](auto& out) {
      out.word(from);
      out.word(to);
      out.half(static_cast<u16>(names.size()));
      for (const std::string& name : names) out.text(name);
    });
  }
  u32 open(u32 fid, u32 flags = 0) {
    return call(12, [&](auto& out) { out.word(fid), out.word(flags); });
  }
  u32 create(u32 fid, const std::string& name, u32 flags = 2, u32 mode = 0644, u32 gid = kNone) {
    return call(14, [&](auto& out) { out.word(fid), out.text(name), out.word(flags), out.word(mode), out.word(gid); });
  }
  u32 make_folder(u32 fid, const std::string& name) {
    return call(72, [&](auto& out) { out.word(fid), out.text(name), out.word(0755), out.word(kNone); });
  }
  u32 symlink(u32 fid, const std::string& name, const std::string& target) {
    return call(16, [&](auto& out) { out.word(fid), out.text(name), out.text(target), out.word(kNone); });
  }
  u32 rename_at(u32 from, const std::string& old_name, u32 to, const std::string& name) {
    return call(74, [&](auto& out) { out.word(from), out.text(old_name), out.word(to), out.text(name); });
  }
  u32 unlink_at(u32 fid, const std::string& name, u32 flags = 0) {
    return call(76, [&](auto& out) { out.word(fid), out.text(name), out.word(flags); });
  }
  u32 write(u32 fid, const std::string& text, u64 offset = 0) {
    return call(118, [&](auto& out) {
      out.word(fid), out.wide(offset), out.word(static_cast<u32>(text.size()));
      for (const char c : text) out.byte(static_cast<u8>(c));
    });
  }
  u32 read(u32 fid, std::string* text, u32 count = 4096, u64 offset = 0) {
    const u32 error = call(116, [&](auto& out) { out.word(fid), out.wide(offset), out.word(count); });
    if (error != 0) return error;
    const auto bytes = reader_.take(reader_.word());
    text->assign(bytes.begin(), bytes.end());
    return 0;
  }
  u32 clunk(u32 fid) {
    return call(120, [&](auto& out) { out.word(fid); });
  }
  // The file's mode, 0 on errors.
  u32 mode(u32 fid) {
    if (call(24, [&](auto& out) { out.word(fid), out.wide(0x7ff); }) != 0) return 0;
    reader_.take(8 + 13);
    return reader_.word();
  }

 private:
  static constexpr u16 kTag = 7;
  std::unique_ptr<p9::Server> server_;
  std::vector<u8> reply_;
  p9::Reader reader_{{}};
};

}  // namespace pagoda::test
