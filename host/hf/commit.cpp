#include "hf/commit.hpp"

#include "hf/commit_body.hpp"
#include "hf/paths.hpp"
#include "net/retry.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr int kAttempts = 8;
constexpr double kLongest = 300; ///< one commit call, seconds: the gateway gives up after about 60

std::string text_in(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Subject subject_of(const Client& client, const CommitOrder& order) {
    return client.about(fmt::format("commit to {} {}", order.type, order.id), order.type, order.id);
}

/// Whether the answer leaves open if the commit was made.
bool is_lost(const Result<net::HttpResponse>& answer) {
    if (!answer) {
        const Kind kind = answer.error().kind;
        const bool is_transport = kind == Kind::network || kind == Kind::timeout || kind == Kind::protocol;
        return is_transport && !net::nothing_was_sent(answer.error());
    }
    return answer->status == 408 || answer->status >= 500 || answer->status / 100 == 2;
}

/// What the Hub says it committed; nullopt when that cannot be read.
std::optional<Committed> committed_in(const net::HttpResponse& answer) {
    const json body = json::parse(answer.body, nullptr, false);
    Committed done;
    done.commit = text_in(body, "commitOid");
    done.url = text_in(body, "commitUrl");
    done.pull_request = text_in(body, "pullRequestUrl");
    return done.commit.empty() ? std::nullopt : std::optional(done);
}

/// Whether all changes of the order are in a revision.
Async<bool> is_in(std::shared_ptr<Client> client, std::shared_ptr<const CommitOrder> order,
                  std::string revision) {
    std::vector<std::string> paths;
    for (const CommitEntry& entry : order->entries)
        paths.push_back(entry.path);
    Result<json> infos =
        co_await client->paths_info(order->type, order->id, std::move(revision), std::move(paths));
    if (!infos)
        co_return fail(std::move(infos.error()));
    std::map<std::string, std::string> oids;
    for (const json& info : *infos) {
        const bool is_large = info.is_object() && info.value("lfs", json()).is_object();
        oids[text_in(info, "path")] = is_large ? text_in(info["lfs"], "oid") : text_in(info, "oid");
    }
    for (const CommitEntry& entry : order->entries) {
        const auto found = oids.find(entry.path);
        const bool is_removal =
            entry.what == CommitEntry::What::remove_file || entry.what == CommitEntry::What::remove_folder;
        if (is_removal ? found != oids.end() : found == oids.end() || found->second != entry.oid)
            co_return false;
    }
    co_return true;
}

/// The pull requests' branches, "refs/pr/3".
Async<std::vector<std::string>> pull_requests(std::shared_ptr<Client> client,
                                              std::shared_ptr<const CommitOrder> order) {
    Result<json> refs = co_await client->refs(order->type, order->id);
    if (!refs)
        co_return fail(std::move(refs.error()));
    std::vector<std::string> names;
    for (const json& one : refs->value("pullRequests", json::array()))
        names.push_back(text_in(one, "ref"));
    co_return names;
}

/// Where this commit may be found if it was made: the branch, or pull requests that were not there before.
Async<std::optional<Committed>> find_landed(std::shared_ptr<Client> client,
                                            std::shared_ptr<const CommitOrder> order,
                                            std::shared_ptr<const std::set<std::string>> requests_before) {
    std::vector<std::string> places{order->revision};
    if (order->create_pr) {
        Result<std::vector<std::string>> now = co_await pull_requests(client, order);
        if (!now)
            co_return fail(std::move(now.error()));
        places = std::move(*now);
        std::erase_if(places, [&](const std::string& name) { return requests_before->contains(name); });
    }
    for (const std::string& place : places) {
        Result<std::string> head = co_await head_of(client, order->type, order->id, place);
        if (!head)
            co_return fail(std::move(head.error()));
        Result<bool> there = co_await is_in(client, order, *head);
        if (!there)
            co_return fail(std::move(there.error()));
        if (!*there)
            continue;
        Committed done;
        done.commit = *head;
        const std::string page = client->page(order->type, order->id);
        done.url = fmt::format("{}/commit/{}", page, *head);
        if (order->create_pr)
            done.pull_request = fmt::format("{}/discussions/{}", page, place.substr(place.rfind('/') + 1));
        co_return std::optional(std::move(done));
    }
    co_return std::optional<Committed>();
}

Async<net::HttpResponse> send(std::shared_ptr<Client> client, std::shared_ptr<const CommitOrder> order,
                              std::string parent) {
    std::function<Result<std::shared_ptr<CommitBody>>()> write = [order, parent] {
        return CommitBody::write(*order, parent);
    };
    Async<std::shared_ptr<CommitBody>> writing =
        client->http().loop().offload<std::shared_ptr<CommitBody>>(std::move(write));
    Result<std::shared_ptr<CommitBody>> body = co_await std::move(writing);
    if (!body)
        co_return fail(std::move(body.error()));
    net::HttpRequest asked = client->request(
        "POST", fmt::format("{}/commit/{}{}", api_path(order->type, order->id),
                            revision_segment(order->revision), order->create_pr ? "?create_pr=1" : ""));
    asked.headers.emplace_back("Content-Type", "application/x-ndjson");
    asked.body_file = (*body)->path();
    asked.timeout = kLongest;
    asked.idle_timeout = kLongest;
    asked.retry.deadline = 2 * kLongest;
    Result<net::HttpResponse> answer = co_await client->http().send(std::move(asked));
    co_return answer;
}

} // namespace

Async<std::string> head_of(std::shared_ptr<Client> client, std::string type, std::string id,
                           std::string revision) {
    Result<json> info = co_await client->repo_info(type, id, revision, false);
    if (!info)
        co_return fail(std::move(info.error()));
    std::string sha = text_in(*info, "sha");
    if (sha.empty())
        co_return fail(
            malformed(client->about(fmt::format("{} info of {}", type, id), type, id), "no \"sha\""));
    co_return sha;
}

Async<Committed> commit(std::shared_ptr<Client> client, std::shared_ptr<const CommitOrder> order) {
    const Subject subject = subject_of(*client, *order);
    auto before = std::make_shared<std::set<std::string>>();
    if (order->create_pr) {
        Result<std::vector<std::string>> names = co_await pull_requests(client, order);
        if (!names)
            co_return fail(std::move(names.error()));
        before->insert(names->begin(), names->end());
    }
    std::string parent = order->parent;
    bool may_be_there = false; // an attempt's answer was lost
    for (int number = 1;; ++number) {
        Result<net::HttpResponse> answer = co_await send(client, order, parent);
        if (answer && answer->status / 100 == 2)
            if (std::optional<Committed> done = committed_in(*answer))
                co_return std::move(*done);
        const bool has_moved = answer && answer->status == 412;
        const bool lost = is_lost(answer);
        const bool refused = !lost && !(has_moved && (may_be_there || !order->parent_is_fixed));
        if (refused || number >= kAttempts) {
            if (!answer)
                co_return fail(answer.error().in(subject.what));
            if (answer->status / 100 == 2)
                co_return fail(malformed(subject, "no \"commitOid\""));
            co_return fail(error_from(*answer, subject));
        }
        may_be_there = may_be_there || lost;
        if (lost)
            co_await client->http().loop().sleep(net::backoff(number, 1));
        if (may_be_there) {
            Result<std::optional<Committed>> landed = co_await find_landed(client, order, before);
            if (!landed)
                co_return fail(std::move(landed.error()));
            if (*landed)
                co_return std::move(**landed);
        }
        if (order->parent_is_fixed) {
            if (has_moved)
                co_return fail(error_from(*answer, subject));
            continue;
        }
        Result<std::string> head = co_await head_of(client, order->type, order->id, order->revision);
        if (!head)
            co_return fail(std::move(head.error()));
        parent = *head;
    }
}

} // namespace podsmith::hf
