// SPDX-License-Identifier: MIT
// Options in JSON ("-blockdev {...}"), as lists of keys and values.
#pragma once

#include "cli/text.h"

namespace pagoda::cli {

// A JSON object (RFC 8259): {"a": {"b": true}, "c": 5} is a.b=on, c=5. Elements of arrays have their number as key.
// null and keys given twice are errors; so is nesting deeper than 16.
Result<std::vector<KeyValue>> parse_json_object(std::string_view text);

// That if `text` begins with "{", else parse_key_values.
Result<std::vector<KeyValue>> parse_items(std::string_view text, std::string_view implied_key);

}  // namespace pagoda::cli
