// SPDX-License-Identifier: MIT
// Saving and restoring a device's state list as named records.
#include "devices/bus/state.h"

#include <cstring>
#include <map>

#include "devices/bus/device.h"

namespace pagoda {
namespace {

// Record: u32 name length, name, u32 data length, data. First comes u32 state_version.
void put_u32(std::vector<u8>* out, u32 value) {
  for (u32 shift = 0; shift < 32; shift += 8) out->push_back(static_cast<u8>(value >> shift));
}

class Saver final : public StateVisitor {
 public:
  std::vector<u8> out;
  void scalar(std::string_view name, void* data, u32 size) override {
    record(name, static_cast<const u8*>(data), size);
  }
  void bytes(std::string_view name, std::vector<u8>* data) override {
    record(name, data->data(), static_cast<u32>(data->size()));
  }

 private:
  void record(std::string_view name, const u8* data, u32 size) {
    put_u32(&out, static_cast<u32>(name.size()));
    out.insert(out.end(), name.begin(), name.end());
    put_u32(&out, size);
    if (size != 0) out.insert(out.end(), data, data + size);
  }
};

class Restorer final : public StateVisitor {
 public:
  std::map<std::string, std::vector<u8>, std::less<>> records;
  std::string problem;
  void scalar(std::string_view name, void* data, u32 size) override {
    const auto it = records.find(name);
    if (it == records.end()) return complain(name, "is missing");
    if (it->second.size() != size) return complain(name, "has another size");
    std::memcpy(data, it->second.data(), size);
  }
  void bytes(std::string_view name, std::vector<u8>* data) override {
    const auto it = records.find(name);
    if (it == records.end()) return complain(name, "is missing");
    *data = it->second;
  }

 private:
  void complain(std::string_view name, std::string_view what) {
    if (problem.empty()) problem = fmt::format("field '{}' {}", name, what);
  }
};

class Reader {
 public:
  explicit Reader(const std::vector<u8>& data) : data_(data) {}
  bool u32_value(u32* value) {
    if (data_.size() - at_ < 4) return false;
    *value = 0;
    for (u32 i = 0; i < 4; ++i) *value |= u32{data_[at_++]} << (8 * i);
    return true;
  }
  bool take(u32 size, std::vector<u8>* out) {
    if (data_.size() - at_ < size) return false;
    out->assign(data_.begin() + static_cast<std::ptrdiff_t>(at_),
                data_.begin() + static_cast<std::ptrdiff_t>(at_ + size));
    at_ += size;
    return true;
  }
  bool at_end() const { return at_ == data_.size(); }

 private:
  const std::vector<u8>& data_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<u8> save_state(Device& device) {
  Saver saver;
  put_u32(&saver.out, device.state_version());
  device.visit_state(saver);
  return std::move(saver.out);
}

Result<> restore_state(Device& device, const std::vector<u8>& saved) {
  Reader reader(saved);
  u32 version = 0;
  if (!reader.u32_value(&version)) return fail("{}: saved state is truncated", device.name());
  if (version != device.state_version())
    return fail("{}: saved state has version {}, not {}", device.name(), version, device.state_version());
  Restorer restorer;
  while (!reader.at_end()) {
    u32 size = 0;
    std::vector<u8> name;
    std::vector<u8> value;
    if (!reader.u32_value(&size) || !reader.take(size, &name) || !reader.u32_value(&size) || !reader.take(size, &value))
      return fail("{}: saved state is truncated", device.name());
    restorer.records[std::string(name.begin(), name.end())] = std::move(value);
  }
  device.visit_state(restorer);
  if (!restorer.problem.empty()) return fail("{}: saved state: {}", device.name(), restorer.problem);
  device.state_restored();
  return {};
}

}  // namespace pagoda
