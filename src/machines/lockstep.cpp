// SPDX-License-Identifier: MIT
// What is compared, the two sides, and how they are started.
#include "machines/lockstep.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <optional>
#include <vector>

#include "base/check.h"
#include "cpu/vcpu.h"
#include "machines/lockstep_stream.h"
#include "memory/guest_memory.h"
#include "tcg/host/fp.h"
#include "tcg/interp/interp.h"

namespace pagoda {
namespace {

// Words of a record: size, kind | changes << 8 | stores << 32, instruction count; then for a block pairs (index, value)
// of changed words of the state and pairs (physical address, value) of doublewords stored to; for the end the hash.
enum class Kind : u64 { block, end };
constexpr u64 kHeader = 3;
constexpr u64 kMostStores = 4096;  // of a block; what is more is left to the hash

// A vcpu's state as words: some of the frame, then what is the guest's behind it.
class StateWords {
 public:
  static constexpr const char* kFrameNames[] = {"pc",          "mode key",  "memory mode",       "fp flags",
                                                "fp rounding", "exception", "exception's cause", "exception's value"};
  static constexpr u64 kFrame = std::size(kFrameNames);

  explicit StateWords(const Guest& guest) : guest_(guest), words_(kFrame + (guest.state_size - sizeof(VcpuFrame)) / 8) {
    CHECK((guest.state_size - sizeof(VcpuFrame)) % 8 == 0);
  }
  const std::vector<u64>& read(const VcpuFrame& frame) {
    words_[0] = frame.pc;
    words_[1] = frame.mode;
    words_[2] = frame.memory_mode;
    words_[3] = fp::flags_of(frame.fp_control);  // the host's sixth flag, a denormal operand, is nobody's
    words_[4] = fp::with_flags(frame.fp_control, 0);
    words_[5] = frame.fault;
    words_[6] = frame.fault != 0 ? frame.fault_cause : 0;
    words_[7] = frame.fault != 0 ? frame.fault_value : 0;
    auto* state = reinterpret_cast<u8*>(words_.data() + kFrame);
    std::memcpy(state, reinterpret_cast<const u8*>(&frame) + sizeof(VcpuFrame), guest_.state_size - sizeof(VcpuFrame));
    for (const StateRange& range : guest_.host_state)
      std::memset(state + (range.offset - sizeof(VcpuFrame)), 0, range.size);
    return words_;
  }
  std::string name(u64 index) const {
    if (index < kFrame) return kFrameNames[index];
    const u64 offset = sizeof(VcpuFrame) + (index - kFrame) * 8;
    for (u32 i = 0; i < guest_.slots.count; ++i) {
      if (guest_.slots.slots[i].offset / 8 == offset / 8) return guest_.slots.slots[i].name;
    }
    return fmt::format("state at {:#x}", offset);
  }

 private:
  const Guest& guest_;
  std::vector<u64> words_;
};

class Recorder final : public Lockstep, public WriteObserver {
 public:
  explicit Recorder(std::unique_ptr<LockstepStream> stream) : stream_(std::move(stream)) {}

  void attach(Vcpu& vcpu, GuestMemory& memory, std::function<void()>) override {
    memory_ = &memory;
    state_.emplace(vcpu.guest());
    last_.assign(state_->read(vcpu.frame()).size(), 0);
    vcpu.mmu().withhold_write_tags();
    memory.set_write_observer(this);
  }

  // Other threads' writes (loaders, disks) are not a block's.
  void written(GuestPhys address, u64 size) override {
    if (!is_started_ || pthread_equal(thread_, pthread_self()) == 0) return;
    for (u64 at = address.value & ~u64{7}; at < address.value + size; at += 8) {
      if (stores_.size() == kMostStores) return;
      if (stores_.empty() || stores_.back() != at) stores_.push_back(at);
    }
  }

  void after_block(Vcpu& vcpu, const Unit&, u32 instructions) override {
    if (!is_started_) {
      is_started_ = true;
      thread_ = pthread_self();
    }
    // A look at a stale page of the TLB and back: who takes one depends on what the TLB holds.
    if (instructions == 0 && vcpu.frame().fault == 0) return;
    record_.assign(kHeader, 0);
    const std::vector<u64>& now = state_->read(vcpu.frame());
    constexpr u64 kPiece = 16;
    for (u64 first = 0; first < now.size(); first += kPiece) {
      const u64 end = std::min<u64>(first + kPiece, now.size());
      if (std::equal(now.begin() + static_cast<i64>(first), now.begin() + static_cast<i64>(end),
                     last_.begin() + static_cast<i64>(first)))
        continue;
      for (u64 i = first; i < end; ++i) {
        if (now[i] == last_[i]) continue;
        last_[i] = now[i];
        record_.insert(record_.end(), {i, now[i]});
      }
    }
    const u64 changes = (record_.size() - kHeader) / 2;
    for (const u64 address : stores_) {
      u64 value = 0;
      if (memory_->load(GuestPhys(address), &value)) record_.insert(record_.end(), {address, value});
    }
    stores_.clear();
    const u64 stores = (record_.size() - kHeader) / 2 - changes;
    put(Kind::block, changes << 8 | stores << 32, vcpu.instructions());
  }

  Verdict finish(u64 state_hash, u64 instructions) override {
    record_.assign(kHeader, 0);
    record_.push_back(state_hash);
    put(Kind::end, 0, instructions);
    stream_->flush();
    return {};
  }

 private:
  void put(Kind kind, u64 counts, u64 instructions) {
    record_[0] = record_.size();
    record_[1] = static_cast<u64>(kind) | counts;
    record_[2] = instructions;
    if (!stream_->put(record_)) _exit(0);  // nobody compares any more
  }

  std::unique_ptr<LockstepStream> stream_;
  GuestMemory* memory_ = nullptr;
  std::optional<StateWords> state_;
  std::vector<u64> last_, record_, stores_;
  bool is_started_ = false;
  pthread_t thread_{};
};

class Checker final : public Lockstep {
 public:
  Checker(std::unique_ptr<LockstepStream> stream, pid_t reference)
      : stream_(std::move(stream)), reference_(reference) {}
  ~Checker() override { await_reference(); }

  void attach(Vcpu& vcpu, GuestMemory& memory, std::function<void()> on_difference) override {
    memory_ = &memory;
    on_difference_ = std::move(on_difference);
    state_.emplace(vcpu.guest());
    expected_.assign(state_->read(vcpu.frame()).size(), 0);
  }

  void after_block(Vcpu& vcpu, const Unit& unit, u32 instructions) override {
    if (is_over_ || (instructions == 0 && vcpu.frame().fault == 0)) return;
    const u64 count = vcpu.instructions();
    if (!go_to(count)) return;
    if (kind() == Kind::end || record_[2] != count) {
      skipped_[kOtherEnd] += instructions;
      return;
    }
    apply();
    compare(vcpu, unit, instructions);
    record_ = {};
    ++blocks_;
    if (unit.host.entry.load(std::memory_order_relaxed) != nullptr) {
      compared_ += instructions;
    } else {
      skipped_[unit.cut_short ? kCutShort : unit.linkable ? kNoCode : kNotLinkable] += instructions;
    }
  }

  Verdict finish(u64 state_hash, u64 instructions) override {
    if (!is_over_ && record_.empty()) record_ = stream_->take();
    const bool ends_alike = !record_.empty() && kind() == Kind::end && record_[2] == instructions;
    if (!is_over_ && ends_alike && record_[kHeader] != state_hash) {
      difference_ = fmt::format(
          "at the end, after {} instructions, the hashes of memory, vcpus and devices differ: {:016x}, "
          "reference {:016x}\n",
          instructions, state_hash, record_[kHeader]);
    }
    std::string text = difference_;
    const u64 skipped = skipped_[0] + skipped_[1] + skipped_[2] + skipped_[3];
    text += fmt::format(
        "lockstep: {} instructions in {} blocks with {} stores compared, {} skipped ({:.4f} %), {}\n", compared_,
        blocks_, stores_, skipped,
        skipped == 0 ? 0.0 : 100.0 * static_cast<double>(skipped) / static_cast<double>(skipped + compared_),
        difference_.empty() ? "no difference" : "DIFFERENT");
    for (u32 i = 0; i < skipped_.size(); ++i)
      text += fmt::format("lockstep: skipped: {:<10} {}\n", skipped_[i], kReasons[i]);
    text += fmt::format("lockstep: {}\n", !difference_.empty() ? "the end was not compared"
                                          : ends_alike         ? "memory, vcpus and devices are equal at the end"
                                                       : "ended before the reference did: the end was not compared");
    return {difference_.empty(), text};
  }

 private:
  enum Reason { kCutShort, kNotLinkable, kNoCode, kOtherEnd };
  static constexpr const char* kReasons[] = {
      "on tier 0: cut short by a timer, a budget or a protection boundary",
      "on tier 0: across two pages without a check, or at a breakpoint",
      "on tier 0: no host code (yet), or an op that has none",
      "the reference's block ended elsewhere",
  };

  Kind kind() const { return static_cast<Kind>(record_[1] & 0xff); }

  // Makes record_ the first one that is not before `count`. False: there is none.
  bool go_to(u64 count) {
    for (;;) {
      if (record_.empty()) record_ = stream_->take();
      if (record_.empty()) {
        give_up("the reference's process ended\n");
        return false;
      }
      if (record_[2] >= count) return true;
      if (kind() == Kind::end) {
        give_up(fmt::format("the reference ended after {} instructions, this run goes on\n", record_[2]));
        return false;
      }
      apply();
      record_ = {};
    }
  }

  void apply() {
    const u64 changes = record_[1] >> 8 & 0xffffff;
    for (u64 i = 0; i < changes; ++i) expected_[record_[kHeader + 2 * i]] = record_[kHeader + 2 * i + 1];
  }

  void compare(Vcpu& vcpu, const Unit& unit, u32 instructions) {
    const std::vector<u64>& now = state_->read(vcpu.frame());
    const u64 changes = record_[1] >> 8 & 0xffffff, stores = record_[1] >> 32;
    std::string text;
    if (now != expected_) {
      for (u64 i = 0; i < now.size(); ++i) {
        if (now[i] != expected_[i])
          text += fmt::format("  {}: {:#x}, reference {:#x}\n", state_->name(i), now[i], expected_[i]);
      }
    }
    for (u64 i = 0; i < stores; ++i) {
      const u64 address = record_[kHeader + 2 * (changes + i)], wanted = record_[kHeader + 2 * (changes + i) + 1];
      u64 value = 0;
      if (!memory_->load(GuestPhys(address), &value) || value != wanted)
        text += fmt::format("  memory at {:#x}: {:#x}, reference {:#x}\n", address, value, wanted);
    }
    stores_ += stores;
    if (text.empty()) return;
    std::vector<u8> code(unit.guest_bytes);
    std::string listing;
    if (memory_->read(GuestPhys(unit.phys), std::as_writable_bytes(std::span(code))))
      listing = vcpu.guest().disassemble(code, unit.phys);
    give_up(fmt::format("after {} instructions, {} of them by the block at physical address {:#x}, on {}:\n{}{}{}",
                        vcpu.instructions(), instructions, unit.phys,
                        unit.host.entry.load() != nullptr ? "compiled code" : "tier 0", text, listing,
                        interp::print_code(unit, vcpu.guest().slots)));
  }

  void give_up(std::string text) {
    difference_ = std::move(text);
    is_over_ = true;
    on_difference_();
  }

  void await_reference() {
    stream_.reset();  // it ends when nobody reads any more
    int status;
    while (waitpid(reference_, &status, 0) < 0 && errno == EINTR) continue;
  }

  std::unique_ptr<LockstepStream> stream_;
  const pid_t reference_;
  GuestMemory* memory_ = nullptr;
  std::function<void()> on_difference_;
  std::optional<StateWords> state_;
  std::vector<u64> expected_;
  std::span<const u64> record_;  // taken and not applied
  u64 compared_ = 0, blocks_ = 0, stores_ = 0;
  std::array<u64, std::size(kReasons)> skipped_{};
  std::string difference_;
  bool is_over_ = false;
};

// Where runs would differ, or the two processes would meet in a file.
Result<> check_config(const MachineConfig& config) {
  if (!config.icount) return fail("lockstep=on needs -icount: runs have to repeat exactly");
  if (!config.netdevs.empty()) return fail("lockstep=on: no network, which depends on the host");
  if (!config.fsdevs.empty()) return fail("lockstep=on: no shared folder, both runs would write to it");
  if (!config.gdb.empty()) return fail("lockstep=on: no debugger");
  return {};
}

// Disks are read by both; what they write is each one's own.
MachineConfig with_private_disks(MachineConfig config) {
  for (DriveConfig& drive : config.drives) drive.snapshot = !drive.readonly;
  return config;
}

MachineConfig reference_config(MachineConfig config) {
  config.accel.backend.clear();
  config.accel.fail_every = 0;
  config.perf_map = false;
  config.accel.force_tier = 0;
  config.accel.fusion = false;
  for (CharSpec& chardev : config.chardevs) {
    chardev = {.id = chardev.id, .mux = chardev.mux, .origin = chardev.origin};
  }
  config.monitors.clear();
  config.semihosting.chardev.clear();
  config.start_stopped = false;
  for (std::string* file : {&config.pidfile, &config.stats_json, &config.signature, &config.dump_dtb}) file->clear();
  return config;
}

}  // namespace

Result<LockstepPair> start_lockstep(const MachineConfig& config) {
  TRY(check_config(config));
  TRY_ASSIGN(auto stream, LockstepStream::create());
  std::fflush(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return fail("lockstep=on: no process for the reference: {}", std::strerror(errno));
  LockstepPair pair{.side = nullptr, .config = with_private_disks(config)};
  if (child != 0) {
    stream->become_reader();
    pair.side = std::make_unique<Checker>(std::move(stream), child);
    return pair;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  // A terminal's signals end the run; the reference notices that.
  setpgid(0, 0);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  CHECK(null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0);
  stream->become_writer();
  pair.config = reference_config(std::move(pair.config));
  pair.is_reference = true;
  pair.side = std::make_unique<Recorder>(std::move(stream));
  return pair;
}

}  // namespace pagoda
