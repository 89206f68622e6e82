#pragma once
#include "base/error.hpp"
#include "sim/router.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::sim {

/// What a fault does to a call it matches.
enum class FaultKind {
    status,       ///< answer `code` before any effect
    status_after, ///< take effect, then answer `code`
    drop_before,  ///< close the connection before any effect
    drop_during,  ///< close it after `amount` bytes of a streamed request body (default half); else as
                  ///< drop_before
    drop_after,   ///< take effect, then close the connection
    delay,        ///< wait `amount` seconds, then handle
    delay_after,  ///< take effect, wait `amount` seconds, then answer
    malformed,    ///< take effect, answer the status with a body that is no JSON
    reset,        ///< reset the connection (RST) before any effect
    drip,         ///< take effect, send the whole answer a few bytes at a time over `amount` seconds
    truncate,     ///< take effect, announce the whole body, send `amount` bytes of it (default half), close
};

/// One entry of the plan: `METHOD PATH-PATTERN:KIND[:ARG][@N]`.
struct Fault {
    std::string spec; ///< as given
    std::string method;
    std::string path; ///< "*" stands for any characters, "{x}" for one path segment
    FaultKind kind = FaultKind::status;
    int code = 500;
    int retry_after = -1; ///< seconds; -1: no Retry-After
    double amount = -1;
    int first = 1; ///< first matching call it applies to, counted from 1
    int last = -1; ///< last one; -1: all that follow
    int seen = 0;  ///< matching calls so far
};

/// Reads one spec. Kind invalid names the part that is wrong, and the nearest kind for a misspelt one.
Result<Fault> parse_fault(const std::string& spec);

/// The faults in force. Counting is per fault: "@1" is the first matching call after the fault was added.
class FaultPlan {
public:
    Result<void> add(const std::string& spec);
    void clear() { faults_.clear(); }
    /// The faults that apply to this call, in the order given; counts it.
    std::vector<Fault> match(const Request& request);
    nlohmann::json to_json() const;

private:
    std::vector<Fault> faults_;
};

/// Wildcard match of a path: "*" any characters, "{x}" one segment.
bool path_matches(std::string_view pattern, std::string_view path);

/// Applies the faults that act before the handler. True: `response` is the answer, the handler is not to run.
asio::awaitable<bool> apply_before(net::Loop& loop, std::vector<Fault> faults,
                                   std::shared_ptr<Response> response);
/// Applies those that act after it.
void apply_after(const std::vector<Fault>& faults, Response& response);

} // namespace podsmith::sim
