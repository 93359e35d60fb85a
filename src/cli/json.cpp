// SPDX-License-Identifier: MIT
// Events of the JSON parser become key=value items.
#include "cli/json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace pagoda::cli {
namespace {

using nlohmann::json;

class Flattener : public nlohmann::json_sax<json> {
 public:
  std::vector<KeyValue> items;
  std::string problem;

  bool null() override { return fail_with("null is no value that an option can have"); }
  bool boolean(bool value) override { return add(value ? "on" : "off"); }
  bool number_integer(json::number_integer_t value) override { return add(std::to_string(value)); }
  bool number_unsigned(json::number_unsigned_t value) override { return add(std::to_string(value)); }
  bool number_float(json::number_float_t, const std::string& text) override { return add(text); }
  bool string(std::string& value) override {
    // A zero would end the name of a file early.
    return value.find('\0') == std::string::npos ? add(value) : fail_with("a zero in a string");
  }
  bool binary(json::binary_t&) override { return fail_with("not JSON"); }

  bool start_object(std::size_t) override { return open(false); }
  bool key(std::string& name) override {
    Level& level = levels_.back();
    if (name.empty() || name.find('\0') != std::string::npos) return fail_with("an unusable key");
    if (std::ranges::find(level.names, name) != level.names.end()) {
      return fail_with(fmt::format("key '{}' is given twice", name));
    }
    level.names.push_back(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    const std::string_view text = error.what();  // "[kind] what"
    return fail_with(std::string(text.substr(text.find("] ") + 2)));
  }

 private:
  static constexpr std::size_t kDeepest = 16;
  struct Level {
    std::string prefix;
    bool is_array;
    u32 count = 0;
    std::vector<std::string> names;
  };

  bool fail_with(std::string what) {
    problem = std::move(what);
    return false;
  }
  // Key of what comes now.
  std::string path() {
    if (levels_.empty()) return {};
    Level& level = levels_.back();
    return level.prefix + (level.is_array ? std::to_string(level.count++) : level.names.back());
  }
  bool open(bool is_array) {
    if (levels_.size() == kDeepest) return fail_with("nested too deep");
    const std::string own = path();
    levels_.push_back({.prefix = own.empty() ? own : own + ".", .is_array = is_array, .names = {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }
  bool add(std::string value) {
    items.push_back({.key = path(), .value = std::move(value)});
    return true;
  }

  std::vector<Level> levels_;
};

}  // namespace

Result<std::vector<KeyValue>> parse_json_object(std::string_view text) {
  Flattener flattener;
  if (!json::sax_parse(text, &flattener)) return fail("JSON: {}", flattener.problem);
  return std::move(flattener.items);
}

Result<std::vector<KeyValue>> parse_items(std::string_view text, std::string_view implied_key) {
  return text.starts_with('{') ? parse_json_object(text) : parse_key_values(text, implied_key);
}

}  // namespace pagoda::cli
