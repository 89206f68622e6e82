#pragma once
#include "net/http.hpp"

namespace podsmith::s3 {

/// What an answer that is no success means: its status and the code of its XML. The kinds: auth (keys,
/// signature, clock), forbidden, not_found (hint: the data center), conflict, invalid (too large), io (the
/// volume is full), rate_limited, unsupported, protocol (a redirect), remote.
Error to_error(const std::string& what, const net::HttpResponse& response);

/// The XML's <Code>, or "".
std::string code_of(const net::HttpResponse& response);

} // namespace podsmith::s3
