// SPDX-License-Identifier: MIT
// Building blocks of a machine and its life.
#include "machines/machine.h"

#include <sys/prctl.h>
#include <csignal>
#include <ctime>
#include <limits>

#include "base/check.h"
#include "base/quit_signals.h"
#include "machines/drive.h"
#include "tcg/cache/injection.h"
#include "tcg/interp/interp.h"

namespace pagoda {
namespace {

// With -icount every run is the same run.
constexpr u64 kSeed = 0x5061676f6461;

constexpr u64 kNoDeadline = std::numeric_limits<u64>::max();

// Seconds that the host's local time is ahead of UTC now.
i64 local_time_offset() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local.tm_gmtoff;
}

Inputs::Mode mode_of(const MachineConfig& config) {
  return config.icount ? Inputs::Mode::deterministic : Inputs::Mode::realtime;
}

}  // namespace

Machine::Machine(const MachineConfig& config)
    : config_(config),
      inputs_(mode_of(config), kSeed),
      runner_(inputs_, config.icount),
      clock_([this] { return runner_.now(); }),
      chardevs_(loop_, [this] { end({}); }),
      awake_until_(kNoDeadline) {
  runner_.set_clock(&clock_);
  inputs_.set_clock_divisor(config_.accel.clock_divisor);
  inputs_.set_wall_clock(config_.rtc.start, config_.rtc.is_local ? local_time_offset() : 0, config_.rtc.is_virtual);
  inputs_.set_dispatch([this](std::function<void()> event) { loop_.post(std::move(event)); });
  loop_.set_before_wait([this] { return before_wait(); });
  if (!config_.icount) {
    // A vcpu that arms a timer wakes the loop only if it would sleep too long.
    clock_.set_wakeup([this] {
      const std::optional<u64> deadline = clock_.next_deadline();
      if (deadline && *deadline < awake_until_.load()) loop_.wake();
    });
  }
}

Machine::~Machine() {
  runner_.stop();
  while (!devices_.empty()) devices_.pop_back();
}

u64 Machine::wall_clock_ns() {
  clock_.now();  // tells Inputs the exact count
  return inputs_.wall_clock_ns();
}

Result<> Machine::open_chardevs() {
  for (const CharSpec& spec : config_.chardevs) TRY(chardevs_.open(spec));
  return {};
}

Result<> Machine::open_drives() {
  for (const DriveConfig& drive : config_.drives) {
    TRY_ASSIGN(drives_[drive.id], open_drive(drive));
  }
  return {};
}

Result<> Machine::open_perf_map() {
  if (config_.perf_map) {
    TRY_ASSIGN(perf_map_, PerfMap::create());
  }
  return {};
}

std::unique_ptr<DiskImage> Machine::take_drive(const std::string& id) {
  std::unique_ptr<DiskImage> file = std::move(drives_[id]);
  CHECK(file != nullptr, "drive '{}'", id);  // the command line's parser has looked
  return file;
}

CharBackend& Machine::guest_backend(const std::string& id) {
  return chardevs_.attach(id, [this](std::function<void()> event) { inputs_.post(std::move(event)); });
}

CharBackend* Machine::serial_backend(u32 index) {
  if (index >= config_.serials.size() || config_.serials[index].empty()) return nullptr;
  return &guest_backend(config_.serials[index]);
}

void Machine::make_vcpus(const Guest& guest, u64 features, const VcpuInspector& inspector) {
  CHECK(vcpus_.empty());
  inspector_ = inspector;
  CodeOptions options;
  if (!config_.accel.fusion) options.fusions = 0;
  options.max_tier = config_.accel.force_tier.value_or(config_.accel.max_tier);
  options.min_tier = config_.accel.force_tier.value_or(0);
  if (!config_.accel.policy.empty()) options.policy = tier::find_policy(config_.accel.policy);
  options.tier1_threshold = config_.accel.tier1_threshold;
  options.tier2_threshold = config_.accel.tier2_threshold.value_or(options.tier2_threshold);
  options.regions = config_.accel.regions;
  options.regions_in_background = config_.accel.regions_in_background && options.min_tier < 2;
  if (!config_.accel.backend.empty()) options.backend = tier::find_backend(config_.accel.backend);
  options.perf_map = perf_map_.get();
  options.code_bytes = config_.accel.code_cache_bytes;
  make_semihosting();
  code_ = std::make_unique<CodeManager>(memory_, rendezvous_, guest, config_.smp.cpus, options);
  for (u32 i = 0; i < config_.smp.cpus; ++i) {
    vcpus_.push_back(
        std::make_unique<Vcpu>(i, guest, features,
                               Vcpu::Environment{.memory = &memory_,
                                                 .clock = &clock_,
                                                 .rendezvous = &rendezvous_,
                                                 .code = code_.get(),
                                                 .points = &points_,
                                                 .semihosting = semihosting_.get(),
                                                 .entropy = [this](std::span<std::byte> out) { inputs_.entropy(out); },
                                                 .blocks = lockstep_,
                                                 .deterministic = config_.icount.has_value()}));
    rendezvous_.add(vcpus_.back().get());
  }
  injection::arm(0, config_.accel.fail_every);  // what is made from here on, the machine stands
  if (lockstep_ != nullptr) {
    lockstep_->attach(*vcpus_[0], memory_, [this] {
      runner_.request_pause();
      loop_.post([this] { end({.status = 1, .message = "lockstep: not what the reference does"}); });
    });
  }
}

void Machine::flush_tlbs() {
  rendezvous_.post_and_wait(nullptr, [](Vcpu& vcpu) { vcpu.mmu().flush_all(); });
}

// Runs due timers (real time) and says how long the loop may sleep. While it does not, awake_until_ asks for a wake-up
// at each new deadline, so that none is missed between run_due() and the wait.
std::optional<u64> Machine::before_wait() {
  if (config_.icount || is_paused_) return std::nullopt;
  awake_until_.store(kNoDeadline);
  std::optional<u64> deadline = clock_.run_due();
  awake_until_.store(deadline.value_or(kNoDeadline));
  const std::optional<u64> latest = clock_.next_deadline();
  if (latest && (!deadline || *latest < *deadline)) {
    deadline = latest;
    awake_until_.store(*latest);
  }
  if (!deadline) return std::nullopt;
  const u64 now = clock_.now();
  return *deadline > now ? inputs_.host_ns_of(*deadline - now) : 0;
}

// Called by devices on a vcpu's thread: nothing of the guest runs after it.
PowerSink Machine::power_sink() {
  return [this](const PowerRequest& request) {
    if (power_requested_.exchange(true)) return;
    runner_.request_pause();
    loop_.post([this, request] { on_power_request(request); });
  };
}

void Machine::on_power_request(const PowerRequest& request) {
  runner_.pause();
  power_requested_.store(false);
  if (request.action == PowerRequest::Action::power_off && config_.pause_on_shutdown) {
    inputs_.pause();
    is_paused_ = has_shut_down_ = true;
    if (debugger_) debugger_->stopped({.kind = DebugStop::Kind::asked});
    return;
  }
  if (request.action == PowerRequest::Action::power_off) {
    if (power_off_) return end(power_off_(request.exit_code));
    if (request.exit_code == 0) return end({});
    const u32 status = request.exit_code & 0xff;
    return end({.status = static_cast<int>(status != 0 ? status : 0xff),
                .message = fmt::format("the guest reported failure code {}", request.exit_code)});
  }
  if (config_.no_reboot) {
    return end({.status = 2, .message = "the guest reset the machine (a panic, or a reboot) under -no-reboot"});
  }
  reset();
  if (!is_paused_) runner_.resume();
}

void Machine::reset() {
  if (images_) images_->load(memory_);
  for (const auto& device : devices_) device->reset();
  for (const auto& vcpu : vcpus_) vcpu->reset();
  has_shut_down_ = false;
}

void Machine::system_reset() {
  if (config_.no_reboot) return end({});
  runner_.pause();
  reset();
  if (!is_paused_) runner_.resume();
}

void Machine::pause(bool tells_debugger) {
  if (is_paused_) return;
  runner_.pause();
  inputs_.pause();
  is_paused_ = true;
  if (tells_debugger && debugger_) debugger_->stopped({.kind = DebugStop::Kind::asked});
}

void Machine::cont() {
  if (!is_paused_ || has_shut_down_) return;  // only a reset makes a guest go on that has powered off
  is_paused_ = false;
  inputs_.resume();
  runner_.resume();
}

void Machine::end(Ending ending) {
  ending_ = std::move(ending);
  loop_.stop();
}

// On the vcpu's thread.
void Machine::stop_at_reached() {
  loop_.post([this] {
    runner_.pause();
    fmt::print("state-hash: {:016x} instructions: {}\n", state_hash(), vcpus_[0]->instructions());
    std::fflush(stdout);
    end({});
  });
}

void Machine::end_lockstep() {
  const Lockstep::Verdict verdict = lockstep_->finish(state_hash(), vcpus_[0]->instructions());
  fmt::print("{}", verdict.text);
  std::fflush(stdout);
  if (!verdict.is_equal && ending_.message.empty())
    ending_ = {.status = 1, .message = "lockstep: not what the reference does"};
}

void Machine::start_monitors(const StartMonitor& start) {
  for (const std::string& id : config_.monitors) {
    CharBackend& backend = chardevs_.attach_to_loop(id);
    const MonitorSession session = start(monitor_hooks(), [&backend](std::string_view text) {
      backend.write({reinterpret_cast<const u8*>(text.data()), text.size()});
    });
    backend.set_receiver([session](std::span<const u8> bytes) {
      session.receive(bytes);
      return bytes.size();
    });
    backend.set_event_handler([session](CharEvent event) {
      if (event == CharEvent::focus) session.focus();
    });
  }
}

Machine::Ending Machine::run(const Controls& controls) {
  // Guest timers are this thread's timeouts: the default slack of 50 us would delay each of them.
  prctl(PR_SET_TIMERSLACK, 1UL);
  const QuitSignals signals(loop_, [this](int signal, int sender) {
    const std::string from = sender != 0 ? fmt::format(" from pid {}", sender) : "";
    end({.status = 128 + signal, .message = fmt::format("terminating on signal {}{}", signal, from)});
  });
  start_monitors(controls.monitor);
  start_debugger(controls.debugger);
  reset();
  is_paused_ = config_.start_stopped;
  if (is_paused_) inputs_.pause();
  chardevs_.start();
  runner_.start(
      rendezvous_.vcpus(), is_paused_, [this] { stop_at_reached(); },
      [this](const DebugStop& stop) { loop_.post([this, stop] { on_debug_stop(stop); }); });
  loop_.run();
  runner_.stop();
  if (lockstep_ != nullptr) end_lockstep();
  if (debugger_) debugger_->ended(ending_.status);
  return std::move(ending_);
}

}  // namespace pagoda
