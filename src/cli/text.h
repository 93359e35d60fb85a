// SPDX-License-Identifier: MIT
// The small grammar inside options: key=value lists, switches, numbers, sizes. Errors do not name the option: the
// parser puts it in front.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda::cli {

struct KeyValue {
  std::string key;
  std::string value;
  bool has_value = true;  // false: a bare word
};

// "key=value,key=value": a doubled comma in a value is one comma. A first item without "=" is the value of
// `implied_key` where there is one; any other item without "=" is a bare word. Empty items are errors.
Result<std::vector<KeyValue>> parse_key_values(std::string_view text, std::string_view implied_key);

// "on" or "off", or QEMU's other words for them: yes true y, no false n.
Result<bool> parse_switch(const KeyValue& item);

// Decimal or 0x hexadecimal, from `least` to `most`, all characters used. `what` names the number in the message.
Result<u64> parse_number(std::string_view text, std::string_view what, u64 least, u64 most);

// A number of bytes: decimal with an optional fraction, or 0x; suffixes b k M G T P E (either case, powers of 1024).
// Without a suffix the number counts `unit` bytes.
Result<u64> parse_size(std::string_view text, u64 unit);

bool is_help(std::string_view value);  // "help" or "?"

// Letters, digits, "-", "." and "_", beginning with a letter.
Result<> check_id(std::string_view id);

}  // namespace pagoda::cli
