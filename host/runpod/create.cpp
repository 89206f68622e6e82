// Creating things, and finding out what became of a create whose answer was lost.
#include "base/log.hpp"
#include "net/retry.hpp"
#include "runpod/client.hpp"
#include "runpod/create_fields.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr int kReads = 3;
constexpr double kBetweenReads = 2;

std::string text_of(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string created_at(const json& item) {
    const std::string time = text_of(item, "createdAt");
    // Without a time it counts as the youngest: RFC 3339 in UTC sorts as text, and starts with a digit.
    return time.empty() ? "~" : time;
}

std::string what_of(const Resource& resource, const std::string& name) {
    return fmt::format("create {}{}{}", resource.noun, name.empty() ? "" : " ", name);
}

Call create_call(const Resource& resource, const std::string& name, const json& body) {
    Call call;
    call.method = "POST";
    call.path = resource.path;
    call.what = what_of(resource, name);
    call.body = body;
    return call;
}

Error unknown_outcome(const Resource& resource, const std::string& name, Error why,
                      const std::string& problem) {
    why.retryable = false;
    why.message += fmt::format("; the answer to the create was lost, and whether the {} exists could not be "
                               "found out: {}",
                               resource.noun, problem);
    why.hint = name.empty() ? std::string(resource.lost) : fmt::format("{}: {}", name, resource.lost);
    return why;
}

} // namespace

json pick_by_name(const json& items, const std::string& name, const std::vector<std::string>& before) {
    std::vector<json> found;
    for (const json& item : items)
        if (text_of(item, "name") == name && text_of(item, "status") != "TERMINATED" &&
            std::find(before.begin(), before.end(), text_of(item, "id")) == before.end())
            found.push_back(item);
    if (found.empty())
        return json(nullptr);
    std::stable_sort(found.begin(), found.end(),
                     [](const json& a, const json& b) { return created_at(a) < created_at(b); });
    json oldest = found.front();
    if (found.size() > 1) {
        json others = json::array();
        for (std::size_t i = 1; i < found.size(); ++i)
            others.push_back(found[i].at("id"));
        oldest["_duplicates"] = std::move(others);
    }
    return oldest;
}

Async<json> Client::find_by_name(std::string name) {
    Result<json> pods = co_await list_pods();
    if (!pods)
        co_return fail(pods.error().in(fmt::format("look for a pod named {}", name)));
    co_return pick_by_name(*pods, name);
}

Async<json> Client::create_pod(json spec) {
    const std::string name = text_of(spec, "name");
    if (name.empty())
        co_return fail(Kind::invalid, "create pod: the request needs a name",
                       "give each attempt a unique name: a lost answer can only be found again by it");
    const Resource& pods = pods_resource();
    drop_unset(spec);
    // Omitted, the service answers as if there were no capacity.
    if (const auto gpu = spec.find("gpu"); gpu != spec.end() && gpu->is_object() && !gpu->contains("count"))
        (*gpu)["count"] = 1;

    std::vector<std::string> dropped;
    for (;;) {
        Call asked = create_call(pods, name, spec);
        Result<net::HttpResponse> answer = co_await answer_to(std::move(asked));
        // A 422 made nothing, so the create may be sent anew without what it refused.
        if (answer && answer->status == 422) {
            const std::vector<std::string> refused = later_fields(spec, *answer);
            const Result<void> was_dropped = drop_later_fields(spec, refused, what_of(pods, name));
            if (!was_dropped)
                co_return fail(was_dropped.error());
            dropped.insert(dropped.end(), refused.begin(), refused.end());
            if (!refused.empty())
                continue;
        }
        std::vector<std::string> before;
        Result<json> pod = co_await settle_create(pods, name, std::move(before), std::move(answer));
        if (pod && !dropped.empty())
            (*pod)["_dropped"] = dropped;
        co_return pod;
    }
}

Async<json> Client::create(const Resource& resource, json body) {
    drop_unset(body);
    const std::string name = text_of(body, "name");
    // What carries the name already must not be taken for what this call made.
    std::vector<std::string> before;
    if (!name.empty()) {
        Result<json> known = co_await list(resource);
        if (!known)
            co_return fail(known.error().in(what_of(resource, name)));
        for (const json& item : *known)
            before.push_back(text_of(item, "id"));
    }
    Call asked = create_call(resource, name, body);
    Result<net::HttpResponse> answer = co_await answer_to(std::move(asked));
    Result<json> made = co_await settle_create(resource, name, std::move(before), std::move(answer));
    co_return made;
}

/// What the answer to a create means: the thing, a definite refusal, or a search for the name.
Async<json> Client::settle_create(const Resource& resource, std::string name, std::vector<std::string> before,
                                  Result<net::HttpResponse> answer) {
    const std::string what = what_of(resource, name);
    Error why;
    if (!answer) {
        why = answer.error().in(what);
        if (net::nothing_was_sent(answer.error()))
            co_return fail(why);
    } else if (answer->status >= 200 && answer->status < 300) {
        json made = json::parse(answer->body, nullptr, false);
        const Result<void> checked =
            made.is_discarded() ? fail(malformed(what, "the body is not JSON")) : resource.check(made, what);
        if (checked)
            co_return made;
        why = checked.error();
    } else {
        why = error_from(*answer, what);
        if (!is_ambiguous(*answer))
            co_return fail(why);
    }
    Result<json> found = co_await find_lost(resource, name, std::move(before), why);
    co_return found;
}

/// Absence is believed only after repeated reads: a fresh thing may not be listed at once.
Async<json> Client::find_lost(const Resource& resource, std::string name, std::vector<std::string> before,
                              Error why) {
    if (name.empty())
        co_return fail(unknown_outcome(resource, name, why, "it has no name to look for"));
    log::debug("runpod: {}: the answer was lost, looking for the name", what_of(resource, name));
    for (int read = 0; read < kReads; ++read) {
        if (read > 0)
            co_await http_.loop().sleep(kBetweenReads);
        Result<json> items = co_await list(resource);
        if (!items) {
            const Error failed = items.error().in(fmt::format("look for a {} named {}", resource.noun, name));
            co_return fail(unknown_outcome(resource, name, why, failed.message));
        }
        json found = pick_by_name(*items, name, before);
        if (!found.is_null())
            co_return found;
    }
    why.retryable = true;
    why.message +=
        fmt::format("; the answer to the create was lost, and no {} named {} showed up in {} reads",
                    resource.noun, name, kReads);
    why.hint = "nothing was made as far as Runpod tells; try again";
    co_return fail(std::move(why));
}

} // namespace podsmith::runpod
