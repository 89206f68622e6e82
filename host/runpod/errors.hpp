#pragma once
#include "net/http.hpp"

#include <string>
#include <string_view>
#include <vector>

/// What Runpod's answers mean. Pure: tables over status and text, no I/O.
namespace podsmith::runpod {

/// No GPU of that kind is free now; the texts are the only thing that tells this from a broken rule (both are
/// 400).
bool is_capacity(std::string_view detail);
/// A capacity failure of one host that lost a race: the same candidate deserves one more try before the next
/// one.
bool is_host_race(std::string_view detail);
bool is_balance(std::string_view detail);
/// "Something went wrong": a server error, whatever the status says.
bool is_transient(std::string_view detail);

/// True when a create that got this answer may have made a pod all the same: look for its name before
/// anything else.
bool is_ambiguous(const net::HttpResponse& response);

/// The error for an answer that is not a success. `what` names the call ("create pod x"). Kinds:
/// capacity, payment, forbidden (the key lacks a right; another candidate may do), protocol (not an answer of
/// the API, e.g. a proxy's block page), auth, invalid, not_found, conflict, rate_limited, remote, internal.
Error error_from(const net::HttpResponse& response, const std::string& what);

/// What a 422 lists, one text for each broken rule, missing properties first.
std::vector<std::string> violations(const net::HttpResponse& response);

/// The error for a body that breaks the API's promise.
Error malformed(const std::string& what, const std::string& why);

} // namespace podsmith::runpod
