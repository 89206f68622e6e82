#pragma once
#include "base/error.hpp"

#include <string>

namespace podsmith::net {

/// "https://huggingface.co:443", lower case, the port always there: equal origins may share a bearer token.
/// "" when `url` is not an http or https address.
std::string origin_of(const std::string& url);
/// Scheme, host, port and path: what may be logged. User info, query and fragment are left out, for they hold
/// keys.
std::string printable(const std::string& url);
/// The absolute address that `location` means when found at `base`. Kind protocol unless it is http or https.
Result<std::string> resolve_url(const std::string& base, const std::string& location);
/// "/path?query" of an address; "" when it is none.
std::string path_and_query(const std::string& url);

} // namespace podsmith::net
