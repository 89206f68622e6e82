#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith {

std::string trim(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
std::string lower(std::string_view text);
bool starts_with_no_case(std::string_view text, std::string_view prefix);
/// Percent-encodes everything but unreserved characters (RFC 3986), so a value fits one path segment or query
/// value.
std::string url_encode(std::string_view text);
/// Quotes for a POSIX shell: 'it'\''s'. Safe for any byte but NUL.
std::string shell_quote(std::string_view text);
/// The candidate nearest to `word` by edit distance, or "" when none is near enough to be what was meant.
std::string nearest(std::string_view word, std::span<const std::string> candidates);
std::string base64_encode(std::string_view bytes);
/// Decodes standard base64; stops at the first character that is not part of it.
std::string base64_decode(std::string_view text);
/// Text as the content of an XML element, or as an attribute in double quotes.
std::string xml_escape(std::string_view text);

} // namespace podsmith
