#pragma once
#include "base/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podsmith::config {

using EnvPairs = std::vector<std::pair<std::string, std::string>>;

/// Parses a .env file: `KEY=VALUE` lines, optional `export`, comments, blank lines. 'single quotes' keep
/// everything, "double quotes" know \n \r \t \\ \" \$ and may span lines, a bare value ends at " #". Nothing
/// is expanded: `$HOME` stays as it is. A key that comes twice stays twice, in order, and the last one
/// counts. Errors (Kind invalid,
/// ".env:3:1: ...") never show a value: it may be a key or token.
Result<EnvPairs> parse_env(std::string_view text, std::string_view file);

} // namespace podsmith::config
