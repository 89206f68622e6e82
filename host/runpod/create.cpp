// Creating a pod, and finding out what became of a create whose answer was lost.
#include "base/log.hpp"
#include "net/retry.hpp"
#include "runpod/client.hpp"
#include "runpod/shapes.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr double kCreateDeadline = 120; ///< seconds, waits for rate limits included
constexpr int kReads = 3;
constexpr double kBetweenReads = 2;

} // namespace

/// One POST; again only after 429, which alone proves that nothing was made. Http's own rule would also
/// repeat it after a 503 with Retry-After, hence one attempt there and the wait here.
Async<net::HttpResponse> Client::post_create(std::string body, std::string what) {
    net::HttpRequest create = request("POST", "/pods");
    create.headers.emplace_back("Content-Type", "application/json");
    create.body = std::move(body);
    create.retry.attempts = 1;
    const double started = http_.loop().now();
    for (;;) {
        net::HttpRequest once = create;
        Result<net::HttpResponse> answer = co_await http_.send(std::move(once));
        if (!answer || answer->status != 429)
            co_return answer;
        const double wait = std::max(1.0, net::rate_limit_wait(*answer));
        if (http_.loop().now() - started + wait > kCreateDeadline)
            co_return answer;
        log::debug("runpod: {}: rate limited, {:.0f} s", what, wait);
        co_await http_.loop().sleep(wait);
    }
}

Async<json> Client::create_pod(json spec) {
    const auto name_field = spec.is_object() ? spec.find("name") : spec.end();
    if (!spec.is_object() || name_field == spec.end() || !name_field->is_string() ||
        name_field->get_ref<const std::string&>().empty())
        co_return fail(Kind::invalid, "create pod: the request needs a name",
                       "give each attempt a unique name: a lost answer can only be found again by it");
    const std::string name = name_field->get<std::string>();
    const std::string what = "create pod " + name;
    // Omitted, the service answers as if there were no capacity.
    if (const auto gpu = spec.find("gpu"); gpu != spec.end() && gpu->is_object() && !gpu->contains("count"))
        (*gpu)["count"] = 1;

    std::string body = spec.dump(-1, ' ', false, json::error_handler_t::replace);
    Result<net::HttpResponse> answer = co_await post_create(std::move(body), what);
    if (!answer) {
        if (net::nothing_was_sent(answer.error()))
            co_return fail(answer.error().in(what));
        Result<json> found = co_await lost_create(name, answer.error().in(what));
        co_return found;
    }
    Error why;
    if (answer->status >= 200 && answer->status < 300) {
        Result<json> pod = pod_from(answer->body, what);
        if (pod)
            co_return pod;
        why = pod.error();
    } else {
        why = error_from(*answer, what);
    }
    if (!is_ambiguous(*answer))
        co_return fail(why);
    Result<json> found = co_await lost_create(name, why);
    co_return found;
}

/// Absence is believed only after repeated reads: a fresh pod may not be listed at once.
Async<json> Client::lost_create(std::string name, Error why) {
    log::debug("runpod: create pod {}: the answer was lost, looking for the pod", name);
    for (int read = 0; read < kReads; ++read) {
        if (read > 0)
            co_await http_.loop().sleep(kBetweenReads);
        Result<json> pod = co_await find_by_name(name);
        if (!pod) {
            Error unknown = why;
            unknown.retryable = false;
            unknown.message +=
                fmt::format("; the answer to the create was lost, and whether the pod exists could not be "
                            "found out: {}",
                            pod.error().message);
            unknown.hint =
                fmt::format("a pod named {} may be running and billed: run `podsmith reap` when Runpod "
                            "answers again, before trying anew",
                            name);
            co_return fail(std::move(unknown));
        }
        if (!pod->is_null())
            co_return pod;
    }
    Error absent = why;
    absent.retryable = true;
    absent.message += fmt::format(
        "; the answer to the create was lost, and no pod named {} showed up in {} reads", name, kReads);
    absent.hint = "nothing was made as far as Runpod tells; try again";
    co_return fail(std::move(absent));
}

} // namespace podsmith::runpod
