// SPDX-License-Identifier: MIT
// Handlers of the options that name files and texts: -kernel -initrd -append -dtb -bios -name -d -D, and -help
// -version.
#include <array>

#include "base/log.h"
#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/help.h"
#include "cli/text.h"

namespace pagoda::cli {
namespace {

Result<> set_file(std::string& file, std::string_view value) {
  if (value.empty()) return fail("a file name is missing");
  file = value;
  return {};
}

}  // namespace

Result<> on_kernel(Builder& b, std::string_view value) { return set_file(b.config.kernel, value); }

Result<> on_initrd(Builder& b, std::string_view value) {
  b.initrd_origin = b.origin;
  return set_file(b.config.initrd, value);
}

Result<> on_append(Builder& b, std::string_view value) {
  b.append_origin = b.origin;
  b.config.append = value;
  return {};
}

Result<> on_dtb(Builder& b, std::string_view value) { return set_file(b.config.dtb, value); }

Result<> on_bios(Builder& b, std::string_view value) {
  b.config.bios.clear();
  if (value == "default") {
    b.config.firmware = FirmwareKind::builtin;
    return {};
  }
  if (value == "none") {
    b.config.firmware = FirmwareKind::none;
    return {};
  }
  b.config.firmware = FirmwareKind::file;
  return set_file(b.config.bios, value);
}

Result<> on_name(Builder& b, std::string_view value) {
  constexpr std::array<std::string_view, 1> kKeys = {"guest"};
  TRY_ASSIGN(const auto items, parse_key_values(value, "guest"));
  for (const KeyValue& item : items) {
    if (item.key == "debug-threads") {  // threads always carry names
      TRY(parse_switch(item));
    } else if (item.key == "guest") {
      b.config.name = item.value;
    } else {
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
    }
  }
  return {};
}

// Eight hexadecimal digits, then three times four and once twelve, with "-" between the groups.
Result<> on_uuid(Builder& b, std::string_view value) {
  constexpr std::string_view kForm = "00000000-0000-0000-0000-000000000000";
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  bool good = value.size() == kForm.size();
  u32 digits = 0;
  for (std::size_t i = 0; good && i < kForm.size(); ++i) {
    const char c = value[i] >= 'A' && value[i] <= 'F' ? static_cast<char>(value[i] - 'A' + 'a') : value[i];
    if (kForm[i] == '-') {
      good = c == '-';
      continue;
    }
    good = digit(c) >= 0;
    u8& byte = b.config.uuid[digits++ / 2];
    byte = static_cast<u8>(byte << 4 | (digit(c) & 0xf));
  }
  if (!good) return fail("not of the form {}", kForm);
  return {};
}

Result<> on_no_user_config(Builder&, std::string_view) { return {}; }

Result<> on_log_items(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = log_list();
    return {};
  }
  TRY(parse_log_mask(value));
  b.config.log_items = value;
  return {};
}

Result<> on_log_file(Builder& b, std::string_view value) { return set_file(b.config.log_file, value); }

Result<> on_help(Builder& b, std::string_view) {
  b.text = help_text(b.config.guest);
  return {};
}

Result<> on_version(Builder& b, std::string_view) {
  b.text = version_text();
  return {};
}

}  // namespace pagoda::cli
