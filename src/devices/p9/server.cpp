// SPDX-License-Identifier: MIT
// The 9P server: dispatch, fids, attaching and walking, state.
#include "devices/p9/server.h"

#include <fcntl.h>
#include <algorithm>
#include <cerrno>

#include "base/log.h"

namespace pagoda::p9 {
namespace {

constexpr u8 kErrorReply = 7;  // Rlerror
// What one client may hold: memory and descriptors are the host's.
constexpr std::size_t kMaxFids = 1 << 18;
constexpr u64 kMaxPathBytes = 64 << 20;
constexpr u16 kMaxWalk = 16;

}  // namespace

Server::Server(std::unique_ptr<HostFolder> folder) : folder_(std::move(folder)) {}

Server::Handler Server::handler_of(u8 type) {
  switch (type) {
    case 8:
      return &Server::stat_file_system;
    case 12:
      return &Server::open;
    case 14:
      return &Server::create;
    case 16:
      return &Server::symlink;
    case 18:
      return &Server::make_node;
    case 20:
      return &Server::rename;
    case 22:
      return &Server::read_link;
    case 24:
      return &Server::get_attributes;
    case 26:
      return &Server::set_attributes;
    case 30:
    case 32:
      return &Server::no_attributes;
    case 40:
      return &Server::read_folder;
    case 50:
      return &Server::sync;
    case 52:
      return &Server::lock;
    case 54:
      return &Server::get_lock;
    case 70:
      return &Server::link;
    case 72:
      return &Server::make_folder;
    case 74:
      return &Server::rename_at;
    case 76:
      return &Server::unlink_at;
    case 100:
      return &Server::version;
    case 102:
      return &Server::auth;
    case 104:
      return &Server::attach;
    case 108:
      return &Server::flush;
    case 110:
      return &Server::walk;
    case 116:
      return &Server::read;
    case 118:
      return &Server::write;
    case 120:
      return &Server::clunk;
    case 122:
      return &Server::remove;
    default:
      return nullptr;
  }
}

std::vector<u8> Server::handle(std::span<const u8> message, u32 room) {
  Reader in(message);
  const u32 size = in.word();
  const u8 type = in.byte();
  const u16 tag = in.half();
  if (!in.ok() || room < kHeaderSize + 4) return {};
  room_ = std::min(room, max_message_);
  std::vector<u8> reply;
  Writer out(reply);
  const auto begin = [&](u8 reply_type) {
    reply.clear();
    out.word(0);
    out.byte(reply_type);
    out.half(tag);
  };
  begin(static_cast<u8>(type + 1));
  int error = EINVAL;
  if (size == message.size()) {
    const Handler handler = handler_of(type);
    error = handler != nullptr ? (this->*handler)(in, out) : EOPNOTSUPP;
  }
  if (error == 0 && reply.size() > room) error = EMSGSIZE;
  if (error != 0) {
    log(Log::device, "9p: message {} fails with {}", type, error);
    begin(kErrorReply);
    out.word(static_cast<u32>(error));
  }
  for (u32 i = 0; i < 4; ++i) reply[i] = static_cast<u8>(reply.size() >> (8 * i));
  return reply;
}

void Server::reset() {
  fids_.clear();
  path_bytes_ = 0;
  open_files_ = 0;
  max_message_ = kMinMessage;
}

// --- fids ---

Server::Fid* Server::find(u32 fid) {
  const auto found = fids_.find(fid);
  return found != fids_.end() ? &found->second : nullptr;
}

int Server::add(u32 number, Fid fid) {
  if (fids_.contains(number)) return EBADF;
  if (fids_.size() >= kMaxFids || path_bytes_ + fid.path.size() > kMaxPathBytes) return ENFILE;
  path_bytes_ += fid.path.size();
  fids_.emplace(number, std::move(fid));
  return 0;
}

void Server::forget(u32 number) {
  const auto found = fids_.find(number);
  if (found == fids_.end()) return;
  path_bytes_ -= found->second.path.size();
  if (found->second.is_open) --open_files_;
  fids_.erase(found);
}

// Renames; fids at and below `from` follow it.
int Server::move(const std::string& from, const Fid& folder, const std::string& name) {
  const std::string to = join(folder.path, name);
  const auto is_moved = [&](const Fid& fid) { return fid.path == from || fid.path.starts_with(from + "/"); };
  for (const auto& [number, fid] : fids_) {
    if (is_moved(fid) && fid.path.size() - from.size() + to.size() > kLongestPath) return ENAMETOOLONG;
  }
  if (const int error = folder_->rename(from, folder.path, name)) return error;
  for (auto& [number, fid] : fids_) {
    if (!is_moved(fid)) continue;
    path_bytes_ -= fid.path.size();
    fid.path = to + fid.path.substr(from.size());
    path_bytes_ += fid.path.size();
  }
  return 0;
}

Qid Server::qid_of(const struct ::stat& status) const {
  Qid qid;
  qid.type = S_ISDIR(status.st_mode) ? Qid::kFolder : S_ISLNK(status.st_mode) ? Qid::kSymlink : Qid::kFile;
  qid.version = static_cast<u32>(status.st_mtim.tv_nsec) ^ static_cast<u32>(status.st_mtim.tv_sec) ^
                static_cast<u32>(status.st_size << 8);
  // Other file systems may be mounted below the folder: the same inode number there is another file.
  qid.path = status.st_ino ^ ((status.st_dev - folder_->device()) * 0x9e37'79b9'7f4a'7c15);
  return qid;
}

int Server::answer_qid(const std::string& path, Writer& out) {
  struct ::stat status{};
  if (const int error = folder_->stat(path, &status)) return error;
  out.qid(qid_of(status));
  return 0;
}

// --- session ---

int Server::version(Reader& in, Writer& out) {
  const u32 wanted = in.word();
  const std::string name = in.text();
  if (!in.ok()) return EINVAL;
  if (wanted < kMinMessage) return EMSGSIZE;
  reset();
  max_message_ = std::min(wanted, kMaxMessage);
  out.word(max_message_);
  out.text(name == "9P2000.L" ? "9P2000.L" : "unknown");
  return 0;
}

int Server::auth(Reader&, Writer&) { return ENOENT; }  // none is needed

int Server::attach(Reader& in, Writer& out) {
  const u32 number = in.word();
  in.word();  // of an authentication that does not exist
  in.text();  // user and tree by name: there is one tree
  in.text();
  const u32 uid = in.word();
  if (!in.ok()) return EINVAL;
  Fid fid;
  fid.uid = uid;
  if (const int error = add(number, std::move(fid))) return error;
  const int error = answer_qid("", out);
  if (error != 0) forget(number);
  return error;
}

// Requests are answered in order, so whatever is to be flushed has been.
int Server::flush(Reader& in, Writer&) {
  in.half();
  return in.ok() ? 0 : EINVAL;
}

int Server::walk(Reader& in, Writer& out) {
  const u32 from = in.word(), number = in.word();
  const u16 count = in.half();
  const Fid* fid = find(from);
  if (fid == nullptr) return EBADF;
  if (count > kMaxWalk) return EINVAL;
  if (from == number ? fid->is_open : find(number) != nullptr) return EBADF;
  Fid target;
  target.path = fid->path;
  target.uid = fid->uid;
  std::vector<Qid> qids;
  for (u16 i = 0; i < count; ++i) {
    const std::string name = in.text();
    if (!in.ok()) return EINVAL;
    int error = 0;
    struct ::stat status{};
    if (name == "..") {
      target.path.resize(target.path.rfind('/') == std::string::npos ? 0 : target.path.rfind('/'));
    } else if (!is_name(name)) {
      error = name.size() > 255 ? ENAMETOOLONG : ENOENT;
    } else {
      target.path = join(target.path, name);
      if (target.path.size() > kLongestPath) error = ENAMETOOLONG;
    }
    if (error == 0) error = folder_->stat(target.path, &status);
    if (error != 0) {
      if (i == 0) return error;
      break;  // as far as it went, and no new fid
    }
    qids.push_back(qid_of(status));
  }
  if (qids.size() == count) {
    if (from == number) forget(number);
    if (const int error = add(number, std::move(target))) return error;
  }
  out.half(static_cast<u16>(qids.size()));
  for (const Qid& qid : qids) out.qid(qid);
  return 0;
}

int Server::clunk(Reader& in, Writer&) {
  const u32 number = in.word();
  if (find(number) == nullptr) return EBADF;
  forget(number);
  return 0;
}

// --- state ---

std::vector<u8> Server::save_fids() const {
  std::vector<u8> saved;
  Writer out(saved);
  for (const auto& [number, fid] : fids_) {
    out.word(number);
    out.word(fid.uid);
    out.byte(fid.is_open ? 1 : 0);
    out.word(static_cast<u32>(fid.flags));
    out.text(fid.path);
  }
  return saved;
}

void Server::restore_fids(const std::vector<u8>& saved) {
  const u32 max_message = max_message_;
  reset();
  max_message_ = std::clamp(max_message, kMinMessage, kMaxMessage);
  Reader in(saved);
  for (;;) {
    const u32 number = in.word();
    Fid fid;
    fid.uid = in.word();
    const bool is_open = in.byte() != 0;
    const int flags = static_cast<int>(in.word()) & (O_ACCMODE | O_SYNC | O_DSYNC);
    fid.path = in.text();
    if (!in.ok()) return;
    std::string_view rest = fid.path;
    bool is_path = true;
    while (!rest.empty() && is_path) {
      const std::size_t end = std::min(rest.find('/'), rest.size());
      is_path = is_name(rest.substr(0, end)) && end + 1 != rest.size();
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (!is_path || fid.path.size() > kLongestPath || add(number, std::move(fid)) != 0) continue;
    Fid* added = find(number);
    // A file that is gone meanwhile answers every request with an error.
    if (is_open && open_fid(*added, flags) != 0 && !added->is_open) {
      added->is_open = true;
      ++open_files_;
    }
  }
}

void Server::visit_state(StateVisitor& visitor) {
  visitor.field("max_message", max_message_);
  const std::vector<u8> before = save_fids();
  std::vector<u8> fids = before;
  visitor.field("fids", fids);
  if (fids != before) restore_fids(fids);
  max_message_ = std::clamp(max_message_, kMinMessage, kMaxMessage);
}

}  // namespace pagoda::p9
