// SPDX-License-Identifier: MIT
// UART 16550A.
#include "devices/serial/uart16550.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace pagoda {
namespace {

// IER: which sources may interrupt.
constexpr u8 kIerReceived = 0x01;
constexpr u8 kIerTransmitterEmpty = 0x02;
constexpr u8 kIerLineStatus = 0x04;
constexpr u8 kIerModemStatus = 0x08;
constexpr u8 kCauseTimeout = 0x10;  // beside those bits; enabled with kIerReceived
// IIR: the source of the interrupt, by priority.
constexpr u8 kIirLineStatus = 0x06;
constexpr u8 kIirTimeout = 0x0c;
constexpr u8 kIirReceived = 0x04;
constexpr u8 kIirTransmitterEmpty = 0x02;
constexpr u8 kIirModemStatus = 0x00;
constexpr u8 kIirNone = 0x01;
constexpr u8 kIirFifos = 0xc0;
constexpr u8 kIirSourceMask = 0x0f;
// FCR
constexpr u8 kFcrEnable = 0x01;
constexpr u8 kFcrClearReceiver = 0x02;
constexpr u8 kFcrKept = 0xc9;  // enable, DMA mode, trigger level
constexpr u8 kTriggerLevels[] = {1, 4, 8, 14};
// LCR
constexpr u8 kLcrWordLength = 0x03;
constexpr u8 kLcrTwoStops = 0x04;
constexpr u8 kLcrParity = 0x08;
constexpr u8 kLcrDivisorLatch = 0x80;
// MCR
constexpr u8 kMcrDtr = 0x01;
constexpr u8 kMcrRts = 0x02;
constexpr u8 kMcrOut1 = 0x04;
constexpr u8 kMcrOut2 = 0x08;
constexpr u8 kMcrLoopback = 0x10;
// LSR
constexpr u8 kLsrDataReady = 0x01;
constexpr u8 kLsrOverrun = 0x02;
constexpr u8 kLsrBreak = 0x10;
constexpr u8 kLsrTransmitterIdle = 0x60;
constexpr u8 kLsrFifoError = 0x80;
// MSR
constexpr u8 kMsrCts = 0x10;
constexpr u8 kMsrDsr = 0x20;
constexpr u8 kMsrRing = 0x40;
constexpr u8 kMsrCarrier = 0x80;
constexpr u8 kMsrTrailingRing = 0x04;

constexpr u64 kTimeoutCharacters = 4;

}  // namespace

std::vector<Register> Uart16550::make_rows() {
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/serial/uart16550.def"
#undef REG
  };
}

Uart16550::Uart16550(std::string name, VirtualClock& clock, u64 clock_hz, IrqLine irq, CharBackend* backend)
    : RegisterDevice(std::move(name), make_rows()),
      clock_(clock),
      clock_hz_(clock_hz),
      irq_(irq),
      backend_(backend),
      modem_seen_(modem_inputs()),
      timer_(clock, [this] { timeout_reached(); }) {
  CHECK(clock_hz > 0);
  if (backend_ == nullptr) return;
  backend_->set_receiver([this](std::span<const u8> bytes) { return receive(bytes); });
  backend_->set_event_handler([this](CharEvent event) {
    if (event == CharEvent::break_received) receive_break();
  });
}

Uart16550::~Uart16550() {
  if (backend_ == nullptr) return;
  backend_->set_receiver({});
  backend_->set_event_handler({});
}

bool Uart16550::fifo_enabled() const { return (fcr_ & kFcrEnable) != 0; }
bool Uart16550::loopback() const { return (reg(Reg::mcr) & kMcrLoopback) != 0; }
u8 Uart16550::bank() const { return (reg(Reg::lcr) & kLcrDivisorLatch) != 0 ? 1 : 0; }

u64 Uart16550::read(u64 offset, const Access& access) {
  u64 value = 0;
  bool room_made = false;
  {
    const std::lock_guard lock(mutex_);
    value = read_locked(offset, access);
    room_made = take_room_made();
  }
  if (room_made) backend_->input_ready();
  return value;
}

void Uart16550::write(u64 offset, u64 value, const Access& access) {
  std::optional<u8> outgoing;
  bool room_made = false;
  {
    const std::lock_guard lock(mutex_);
    write_locked(offset, value, access);
    outgoing = std::exchange(outgoing_, std::nullopt);
    room_made = take_room_made();
  }
  if (outgoing && backend_ != nullptr) backend_->write({&*outgoing, 1});
  if (room_made) backend_->input_ready();
}

// --- receiver ---

// Characters that the receiver can take from outside now. In loopback its input is cut off from the pin.
u32 Uart16550::room() const {
  if (loopback()) return 0;
  const u32 depth = fifo_enabled() ? kFifoDepth : 1;
  return depth - std::min(depth, static_cast<u32>(received_.size()));
}

std::size_t Uart16550::receive(std::span<const u8> bytes) {
  const std::lock_guard lock(mutex_);
  const std::size_t taken = std::min<std::size_t>(bytes.size(), room());
  if (taken < bytes.size()) refused_input_ = true;
  if (taken == 0) return 0;
  received_.insert(received_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  restart_timeout();
  update_irq(true);
  return taken;
}

// A break is received as one zero character; LSR tells it from a real one when it is next (bits 4 and 7). One at
// a time: a second while the first is unread, or one without room, is lost.
void Uart16550::receive_break() {
  const std::lock_guard lock(mutex_);
  if (room() == 0 || break_position_ != 0) return;
  received_.push_back(0);
  set_break_position(static_cast<u8>(received_.size()));
  restart_timeout();
  update_irq(true);
}

void Uart16550::set_break_position(u8 position) {
  break_position_ = position;
  if (position == 1) break_ = true;
}

bool Uart16550::take_room_made() { return refused_input_ && room() > 0 && std::exchange(refused_input_, false); }

u64 Uart16550::take_character() {
  const u64 value = next_character();
  const bool served = !received_.empty();
  if (served) received_.erase(received_.begin());
  if (break_position_ != 0) set_break_position(break_position_ - 1);
  timeout_ = false;
  restart_timeout();
  update_irq(served);
  return value;
}

void Uart16550::clear_received() {
  received_.clear();
  break_position_ = 0;
  break_ = false;
  timeout_ = false;
  restart_timeout();
}

// Start bit, data, parity, stop bits, at 16 clocks a bit. A divisor of zero stops a real port; here it counts as one.
u64 Uart16550::character_ns() const {
  const u64 lcr = reg(Reg::lcr);
  const u64 bits =
      1 + 5 + (lcr & kLcrWordLength) + ((lcr & kLcrParity) != 0 ? 1 : 0) + ((lcr & kLcrTwoStops) != 0 ? 2 : 1);
  const u64 divisor = std::max<u64>(1, reg(Reg::dlm) << 8 | reg(Reg::dll));
  return bits * divisor * 16 * 1'000'000'000 / clock_hz_;
}

// Characters below the trigger level interrupt when none came and none was read for four character times (8.4).
void Uart16550::restart_timeout() {
  if (!fifo_enabled() || received_.empty() || timeout_) {
    timeout_deadline_ = 0;
    timer_.cancel();
    return;
  }
  timeout_deadline_ = clock_.now() + kTimeoutCharacters * character_ns();
  timer_.schedule(timeout_deadline_);
}

void Uart16550::timeout_reached() {
  const std::lock_guard lock(mutex_);
  if (timeout_deadline_ == 0 || clock_.now() < timeout_deadline_) return;  // a read came in between
  timeout_deadline_ = 0;
  timeout_ = true;
  update_irq();
}

// --- transmitter ---

void Uart16550::transmit(u64 value) {
  thre_seen_ = false;  // full and empty again
  if (loopback()) {
    loop_back(static_cast<u8>(value));
  } else {
    outgoing_ = static_cast<u8>(value);
  }
  update_irq(true);
}

// An overrun keeps the FIFO and loses the new character; without FIFOs the old one is lost (LSR bit 1).
void Uart16550::loop_back(u8 character) {
  character &= static_cast<u8>((1u << (5 + (reg(Reg::lcr) & kLcrWordLength))) - 1);
  const u32 depth = fifo_enabled() ? kFifoDepth : 1;
  if (received_.size() < depth) {
    received_.push_back(character);
  } else {
    overrun_ = true;
    if (!fifo_enabled()) received_.back() = character;
  }
  restart_timeout();
}

// --- control and status ---

// The transmitter-empty interrupt comes with the enable bit's rise, as the transmitter is empty: while the bit is 0 the
// event waits unacknowledged.
void Uart16550::ier_written(u64 value) {
  if ((value & kIerTransmitterEmpty) == 0) thre_seen_ = false;
  update_irq();
}

// The other bits of FCR are taken only together with the enable bit; turning the FIFOs on or off empties them.
void Uart16550::fcr_written(u64 value) {
  const u8 written = (value & kFcrEnable) != 0 ? static_cast<u8>(value) : u8{0};
  const bool toggles = ((written ^ fcr_) & kFcrEnable) != 0;
  fcr_ = written & kFcrKept;
  if (toggles || (written & kFcrClearReceiver) != 0) clear_received();
  update_irq();
}

// The causes that stand and may interrupt: the bits of IER, and kCauseTimeout.
u8 Uart16550::causes() const {
  const u32 trigger = fifo_enabled() ? kTriggerLevels[fcr_ >> 6] : 1;
  u8 enabled = static_cast<u8>(reg(Reg::ier));
  if ((enabled & kIerReceived) != 0) enabled |= kCauseTimeout;
  const auto standing = [](bool stands, u8 bit) { return stands ? bit : u8{0}; };
  return enabled & (standing(overrun_ || break_, kIerLineStatus) | standing(timeout_, kCauseTimeout) |
                    standing(received_.size() >= trigger, kIerReceived) | standing(!thre_seen_, kIerTransmitterEmpty) |
                    standing(modem_delta_ != 0, kIerModemStatus));
}

u64 Uart16550::interrupt_id() const {
  constexpr struct {
    u8 cause;
    u8 id;
  } kByPriority[] = {{kIerLineStatus, kIirLineStatus},
                     {kCauseTimeout, kIirTimeout},
                     {kIerReceived, kIirReceived},
                     {kIerTransmitterEmpty, kIirTransmitterEmpty},
                     {kIerModemStatus, kIirModemStatus}};
  const u8 standing = causes();
  const auto* first = std::ranges::find_if(kByPriority, [&](const auto& row) { return (standing & row.cause) != 0; });
  const u8 id = first != std::end(kByPriority) ? first->id : kIirNone;
  return fifo_enabled() ? id | kIirFifos : id;
}

u64 Uart16550::read_iir() {
  const u64 id = interrupt_id();
  if ((id & kIirSourceMask) == kIirTransmitterEmpty) {
    thre_seen_ = true;
    update_irq();
  }
  return id;
}

u64 Uart16550::line_status() const {
  const bool fifo_error = fifo_enabled() && (break_ || break_position_ > 1);
  return kLsrTransmitterIdle | (overrun_ ? kLsrOverrun : 0) | (break_ ? kLsrBreak : 0) |
         (fifo_error ? kLsrFifoError : 0) | (received_.empty() ? 0 : kLsrDataReady);
}

u64 Uart16550::read_lsr() {
  const u64 status = line_status();
  overrun_ = false;
  break_ = false;
  update_irq();
  return status;
}

// The modem is always there and ready; in loopback the inputs are the port's own outputs (MCR bit 4).
u8 Uart16550::modem_inputs() const {
  if (!loopback()) return kMsrCts | kMsrDsr | kMsrCarrier;
  const u64 mcr = reg(Reg::mcr);
  return static_cast<u8>(((mcr & kMcrRts) != 0 ? kMsrCts : 0) | ((mcr & kMcrDtr) != 0 ? kMsrDsr : 0) |
                         ((mcr & kMcrOut1) != 0 ? kMsrRing : 0) | ((mcr & kMcrOut2) != 0 ? kMsrCarrier : 0));
}

void Uart16550::mcr_written() {
  const u8 inputs = modem_inputs();
  const u8 changed = inputs ^ modem_seen_;
  modem_delta_ |= (changed >> 4) & static_cast<u8>(~kMsrTrailingRing);
  if ((changed & modem_seen_ & kMsrRing) != 0) modem_delta_ |= kMsrTrailingRing;  // only the end of a ring counts
  modem_seen_ = inputs;
  update_irq();
}

u64 Uart16550::modem_status() const { return modem_seen_ | modem_delta_; }

u64 Uart16550::read_msr() {
  const u64 status = modem_status();
  modem_delta_ = 0;
  update_irq();
  return status;
}

// Only accesses and arrivals that change something come as news: who just looks at LSR starts nothing.
void Uart16550::update_irq(bool event) {
  const u8 before = std::exchange(told_, causes());
  irq_.set(told_ != 0);
  if (before != 0 && told_ != 0 && (event || told_ != before)) irq_.renew();
}

// --- device ---

void Uart16550::reset() {
  {
    const std::lock_guard lock(mutex_);
    reset_registers();
    fcr_ = 0;
    overrun_ = false;
    thre_seen_ = false;
    clear_received();
    modem_delta_ = 0;
    modem_seen_ = modem_inputs();
    refused_input_ = false;
    update_irq();
  }
  if (backend_ != nullptr) backend_->input_ready();
}

void Uart16550::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  visitor.field("received", received_);
  visitor.field("fcr", fcr_);
  visitor.field("overrun", overrun_);
  visitor.field("break_position", break_position_);
  visitor.field("break", break_);
  visitor.field("thre_seen", thre_seen_);
  visitor.field("timeout", timeout_);
  visitor.field("timeout_deadline", timeout_deadline_);
  visitor.field("modem_delta", modem_delta_);
  visitor.field("modem_seen", modem_seen_);
}

void Uart16550::state_restored() {
  {
    const std::lock_guard lock(mutex_);
    if (received_.size() > kFifoDepth) received_.resize(kFifoDepth);
    if (break_position_ > received_.size()) break_position_ = 0;
    refused_input_ = false;
    if (timeout_deadline_ != 0) {
      timer_.schedule(timeout_deadline_);
    } else {
      timer_.cancel();
    }
    told_ = 0;  // drives the wire, is no event
    update_irq();
  }
  if (backend_ != nullptr) backend_->input_ready();
}

}  // namespace pagoda
