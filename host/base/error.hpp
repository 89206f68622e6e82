#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace podsmith {

/// What went wrong, for code. The list is closed: a new kind needs a reason that callers act on.
enum class Kind {
    auth,         ///< key or token missing, malformed, revoked
    forbidden,    ///< key or token is fine but lacks the right; gated model
    not_found,    ///< no such pod, model, file, recipe
    conflict,     ///< the state does not allow it now (stop of a stopped pod, file exists)
    capacity,     ///< no such GPU free now; another candidate may work
    payment,      ///< balance or plan
    budget,       ///< our own limit on spend or time
    rate_limited, ///< told to wait
    timeout,      ///< our deadline passed
    cancelled,    ///< Ctrl-C, the end of a scope, a lost race
    network,      ///< no connection, reset, DNS, TLS
    protocol,     ///< the other side broke its contract
    remote,       ///< the other side failed (5xx, a remote command that had to succeed)
    host_key,     ///< the SSH server is not the one we know
    invalid,      ///< the caller's values are wrong
    io,           ///< local files, disk full
    lost,         ///< a pod or job that was there has vanished
    unsupported,  ///< the service does not offer it (any more)
    script,       ///< a Lua error in a script: a bug of its author
    internal,     ///< our own slip
};

/// The kind's name as Lua and JSON see it, e.g. "rate_limited".
std::string_view name_of(Kind kind);
/// The reverse; `internal` for an unknown name.
Kind kind_from(std::string_view name);

/// The one error type of the host. `message` says what was tried and what came back, `hint` what to do next.
struct Error {
    Kind kind = Kind::internal;
    std::string message;
    std::string hint = {};
    bool retryable = false; ///< the same call may succeed later, unchanged
    int status = 0;         ///< HTTP status or remote exit code, 0 when there is none
    std::shared_ptr<const Error> cause = nullptr;

    /// Adds context in front: `e.in("connect to pod x")` reads "connect to pod x: <message>".
    Error in(std::string_view context) const&;
    /// One line, and the hint on a second one when there is one.
    std::string text() const;
};

template <class T>
using Result = tl::expected<T, Error>;

/// Makes the failure side of a Result: `return fail(Kind::invalid, "port 99999 is not a port")`.
tl::unexpected<Error> fail(Kind kind, std::string message, std::string hint = {});
inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

} // namespace podsmith
