// SPDX-License-Identifier: MIT
// Server: a 9P2000.L file server for one client, over a HostFolder (the protocol as Linux's fs/9p and net/9p speak it:
// "9P2000.L" of the diod project on top of the Plan 9 manual, section 5).
//
// Requests are hostile bytes: sizes, fids, counts and names are checked, what is wrong gets Rlerror. A fid names a path
// (see HostFolder), plus a descriptor while it is open; renames by the client move the paths of its fids along. Locks
// always succeed: the client is the only one. Extended attributes are not offered.
// Threading: none of its own; one call at a time.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "devices/bus/state.h"
#include "devices/p9/host_folder.h"
#include "devices/p9/wire.h"

namespace pagoda::p9 {

class Server {
 public:
  // Largest message a client may ask for, and the smallest.
  static constexpr u32 kMaxMessage = 1 << 20, kMinMessage = 4096;

  explicit Server(std::unique_ptr<HostFolder> folder);

  // Answers a whole message. The reply has at most `room` bytes; empty: the message has no header, or no reply fits.
  std::vector<u8> handle(std::span<const u8> message, u32 room);
  // Forgets the client: all fids are closed.
  void reset();
  u32 max_message() const { return max_message_; }
  std::size_t fids() const { return fids_.size(); }

  // Fids as bytes; open files are opened anew by their path when restored.
  void visit_state(StateVisitor& visitor);

 private:
  struct Fid {
    std::string path;
    u32 uid = ~u32{0};  // who attached: owner of new files
    bool is_open = false;
    bool is_folder = false;
    int flags = 0;
    Fd file;  // while open; may be closed if restoring could not open it
  };
  static constexpr std::size_t kLongestPath = 4095;
  using Handler = int (Server::*)(Reader& in, Writer& out);

  static Handler handler_of(u8 type);
  Fid* find(u32 fid);
  int add(u32 number, Fid fid);
  void forget(u32 number);
  int move(const std::string& from, const Fid& folder, const std::string& name);
  Qid qid_of(const struct ::stat& status) const;
  int answer_qid(const std::string& path, Writer& out);
  int open_fid(Fid& fid, int flags);
  std::vector<u8> save_fids() const;
  void restore_fids(const std::vector<u8>& saved);

  // Requests: 0, or the errno value of an Rlerror.
  int version(Reader& in, Writer& out);
  int auth(Reader& in, Writer& out);
  int attach(Reader& in, Writer& out);
  int flush(Reader& in, Writer& out);
  int walk(Reader& in, Writer& out);
  int open(Reader& in, Writer& out);
  int create(Reader& in, Writer& out);
  int read(Reader& in, Writer& out);
  int write(Reader& in, Writer& out);
  int clunk(Reader& in, Writer& out);
  int remove(Reader& in, Writer& out);
  int stat_file_system(Reader& in, Writer& out);
  int symlink(Reader& in, Writer& out);
  int make_node(Reader& in, Writer& out);
  int rename(Reader& in, Writer& out);
  int rename_at(Reader& in, Writer& out);
  int read_link(Reader& in, Writer& out);
  int get_attributes(Reader& in, Writer& out);
  int set_attributes(Reader& in, Writer& out);
  int no_attributes(Reader& in, Writer& out);
  int read_folder(Reader& in, Writer& out);
  int sync(Reader& in, Writer& out);
  int lock(Reader& in, Writer& out);
  int get_lock(Reader& in, Writer& out);
  int link(Reader& in, Writer& out);
  int make_folder(Reader& in, Writer& out);
  int unlink_at(Reader& in, Writer& out);

  const std::unique_ptr<HostFolder> folder_;
  std::map<u32, Fid> fids_;
  u64 path_bytes_ = 0;  // of all fids
  u32 open_files_ = 0;
  u32 max_message_ = kMinMessage;
  u32 room_ = 0;  // for the reply being made
};

}  // namespace pagoda::p9
