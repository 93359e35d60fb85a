// SPDX-License-Identifier: MIT
// Spelling help for error messages: the known name that is nearest to a wrong one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pagoda {

// The candidate with the smallest edit distance (a swap of neighbours counts as one), or an empty view when none is
// near enough to be a plausible slip: more than a third of the letters would have to change. Upper and lower case are
// equal.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> candidates);

// "; did you mean 'x'?" or, with nothing near, an empty string. `prefix` goes before the name ("-" for options).
std::string suggestion(std::string_view name, std::span<const std::string_view> candidates,
                       std::string_view prefix = "");

}  // namespace pagoda
