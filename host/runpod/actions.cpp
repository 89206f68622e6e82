// Start, stop, restart and terminate: calls that may be repeated once the pod has been read again.
#include "base/text.hpp"
#include "net/retry.hpp"
#include "runpod/client.hpp"
#include "runpod/shapes.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr int kActionAttempts = 3;
const std::array<std::string, 4> kVerbs{"start", "stop", "restart", "terminate"};

/// Whether the pod is where the verb would bring it. A restart leaves no trace to go by.
bool is_done(const std::string& verb, const std::string& status) {
    if (verb == "stop")
        return status == "EXITED" || status == "TERMINATED";
    if (verb == "start")
        return status == "PROVISIONING" || status == "STARTING" || status == "RUNNING";
    return verb == "terminate" && status == "TERMINATED";
}

json terminated(const std::string& id) {
    json pod = json::object();
    pod["id"] = id;
    pod["status"] = "TERMINATED";
    return pod;
}

/// What one answer to an action settles by itself; nothing when the pod must be read.
struct Settled {
    bool is_settled = false;
    Result<json> result = json();
    Error error = {}; ///< when not settled: what to say if the pod does not tell otherwise
};

Settled settle(const Result<net::HttpResponse>& answer, const std::string& id, const std::string& verb,
               const std::string& what) {
    Settled settled;
    if (!answer) {
        settled.error = answer.error().in(what);
        settled.is_settled = net::nothing_was_sent(answer.error());
        settled.result = fail(settled.error);
        return settled;
    }
    const bool is_success = answer->status >= 200 && answer->status < 300;
    if (verb == "terminate" && (is_success || answer->status == 404)) {
        settled.is_settled = true;
        settled.result = terminated(id);
        return settled;
    }
    if (is_success) {
        settled.result = pod_from(answer->body, what);
        settled.is_settled = settled.result.has_value();
        if (!settled.result)
            settled.error = settled.result.error();
        return settled;
    }
    settled.error = error_from(*answer, what);
    settled.is_settled = answer->status != 409 && !is_ambiguous(*answer);
    settled.result = fail(settled.error);
    return settled;
}

} // namespace

Async<json> Client::action(std::string id, std::string verb) {
    if (id.empty())
        co_return fail(Kind::invalid, fmt::format("{} pod: the id is empty", verb));
    if (std::find(kVerbs.begin(), kVerbs.end(), verb) == kVerbs.end())
        co_return fail(Kind::invalid, fmt::format("pod {}: \"{}\" is no action", id, verb),
                       "actions are start, stop, restart and terminate");
    const std::string what = fmt::format("{} pod {}", verb, id);
    for (int number = 1;; ++number) {
        net::HttpRequest asked = request("POST", fmt::format("/pods/{}/action", url_encode(id)));
        asked.headers.emplace_back("Content-Type", "application/json");
        asked.body = fmt::format(R"({{"action":"{}"}})", verb);
        Result<net::HttpResponse> answer = co_await send(std::move(asked));
        Settled settled = settle(answer, id, verb, what);
        if (settled.is_settled)
            co_return settled.result;
        // 409, or nobody knows: the pod itself tells.
        Result<json> pod = co_await get_pod(id);
        if (!pod && pod.error().kind == Kind::not_found && verb == "terminate")
            co_return terminated(id);
        if (!pod && pod.error().kind == Kind::not_found)
            co_return fail(pod.error().in(what));
        if (pod && is_done(verb, pod->at("status").get<std::string>()))
            co_return pod;
        if (number >= kActionAttempts || settled.error.kind == Kind::conflict)
            co_return fail(settled.error);
        co_await http_.loop().sleep(net::backoff(number + 1, 1));
    }
}

} // namespace podsmith::runpod
