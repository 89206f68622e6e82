// Making repositories, and telling beforehand whether that and writing to them will work.
#include "base/text.hpp"
#include "hf/client.hpp"
#include "hf/paths.hpp"
#include "net/retry.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr int kCreateAttempts = 5;

Permission say(Permission::Answer answer, std::string reason) {
    Permission permission;
    permission.answer = answer;
    permission.reason = std::move(reason);
    return permission;
}

/// Creations of one user are serialised by the Hub; this 409 means "a moment later".
bool is_busy(const net::HttpResponse& answer) {
    return answer.status == 409 && lower(answer.body).find("conflicting operation") != std::string::npos;
}

bool may_have_landed(const Result<net::HttpResponse>& answer) {
    if (!answer)
        return answer.error().retryable && !net::nothing_was_sent(answer.error());
    return answer->status == 408 || answer->status >= 500;
}

std::string url_in(const net::HttpResponse& answer, const std::string& otherwise) {
    const json body = json::parse(answer.body, nullptr, false);
    if (body.is_object())
        if (const auto url = body.find("url"); url != body.end() && url->is_string())
            return url->get<std::string>();
    return otherwise;
}

} // namespace

Async<Permission> Client::can_write(std::string type, std::string id) {
    if (token_.empty())
        co_return say(Permission::Answer::no, "no token is set");
    Result<json> who = co_await whoami();
    if (!who && who.error().kind == Kind::auth)
        co_return say(Permission::Answer::no,
                      fmt::format("{} is wrong, expired or revoked",
                                  token_.name().empty() ? "the token" : token_.name()));
    if (!who)
        co_return fail(who.error());
    Permission absent = permission_from(*who, type, id, false);
    const json token = who->value("/auth/accessToken/role"_json_pointer, json());
    if (token == "read")
        co_return absent;
    Result<void> checked = co_await auth_check(type, id, true);
    if (checked)
        co_return say(Permission::Answer::yes,
                      fmt::format("the Hub says that this token may write to {}", id));
    const Error& error = checked.error();
    if (error.status == 404) // not there yet: what the token tells is all there is
        co_return absent;
    if (error.status == 401 || error.status == 403)
        co_return say(Permission::Answer::no, error.message);
    co_return fail(error);
}

Async<json> Client::existing(std::string type, std::string id, bool is_private, std::string url) {
    json made = json::object();
    made["id"] = id;
    made["url"] = url;
    made["existed"] = true;
    Result<json> info = co_await repo_info(type, id, "", false);
    // Not being able to read it does not undo that it exists; the visibility is then unknown.
    if (info && info->value("private", json(is_private)) != json(is_private))
        made["warning"] = fmt::format("{} {} exists already and is {}, not {}", type, id,
                                      is_private ? "public" : "private", is_private ? "private" : "public");
    co_return made;
}

Async<json> Client::create_repo(std::string type, std::string id, bool is_private, bool exist_ok) {
    const Subject subject = about(fmt::format("create {} {}", type, id), type, "");
    const auto slash = id.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == id.size())
        co_return fail(Kind::invalid,
                       fmt::format("create {} \"{}\": the id is not namespace/name", type, id));
    json wanted = json::object();
    wanted["name"] = id.substr(slash + 1);
    wanted["organization"] = id.substr(0, slash);
    wanted["type"] = type;
    wanted["visibility"] = is_private ? "private" : "public"; // always: an organisation's default may differ
    const std::string body = wanted.dump();

    bool may_be_ours = false; // an earlier attempt of this call may have made it
    for (int number = 1;; ++number) {
        net::HttpRequest asked = request("POST", "/api/repos/create");
        asked.headers.emplace_back("Content-Type", "application/json");
        asked.body = body;
        Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
        if (answer && answer->status >= 200 && answer->status < 300) {
            json made = json::object();
            made["id"] = id;
            made["url"] = url_in(*answer, page(type, id));
            made["existed"] = false;
            co_return made;
        }
        if (answer && answer->status == 409 && !is_busy(*answer)) {
            if (!exist_ok && !may_be_ours)
                co_return fail(error_from(*answer, subject));
            const std::string url = url_in(*answer, page(type, id));
            Result<json> there = co_await existing(type, id, is_private, url);
            if (there && may_be_ours && !exist_ok)
                (*there)["existed"] = false;
            co_return there;
        }
        const bool busy = answer && is_busy(*answer);
        const bool landed = may_have_landed(answer);
        if ((!busy && !landed) || number >= kCreateAttempts) {
            if (!answer)
                co_return fail(answer.error().in(subject.what));
            co_return fail(error_from(*answer, subject));
        }
        may_be_ours = may_be_ours || landed;
        co_await http_.loop().sleep(net::backoff(number, 1));
    }
}

Async<json> Client::paths_info(std::string type, std::string id, std::string revision,
                               std::vector<std::string> paths) {
    constexpr std::size_t kMostPaths = 500;
    const Subject subject = about(fmt::format("look up files of {} {}", type, id), type, id);
    json all = json::array();
    for (std::size_t at = 0; at < paths.size(); at += kMostPaths) {
        json wanted = json::object();
        wanted["expand"] = false;
        for (std::size_t i = at; i < std::min(paths.size(), at + kMostPaths); ++i)
            wanted["paths"].push_back(paths[i]);
        net::HttpRequest asked =
            request("POST", fmt::format("{}/paths-info/{}", api_path(type, id), revision_segment(revision)));
        asked.retry.idempotent = true;
        asked.headers.emplace_back("Content-Type", "application/json");
        asked.body = wanted.dump();
        Result<json> entries = co_await ask_json(std::move(asked), subject);
        if (!entries)
            co_return entries;
        if (!entries->is_array())
            co_return fail(malformed(subject, "no list of files"));
        for (json& entry : *entries)
            all.push_back(std::move(entry));
    }
    co_return all;
}

Async<json> Client::refs(std::string type, std::string id) {
    const Subject subject = about(fmt::format("list the branches of {} {}", type, id), type, id);
    net::HttpRequest asked = request("GET", api_path(type, id) + "/refs?include_prs=1");
    Result<json> all = co_await ask_json(std::move(asked), subject);
    if (all && !all->is_object())
        co_return fail(malformed(subject, "no table of references"));
    co_return all;
}

Async<void> Client::delete_repo(std::string type, std::string id) {
    const Subject subject = about(fmt::format("delete {} {}", type, id), type, id);
    const auto slash = id.find('/');
    if (slash == std::string::npos)
        co_return fail(Kind::invalid, fmt::format("{}: the id is not namespace/name", subject.what));
    json wanted = json::object();
    wanted["name"] = id.substr(slash + 1);
    wanted["organization"] = id.substr(0, slash);
    wanted["type"] = type;
    bool may_have_gone = false; // a retry that finds nothing has found its own work
    for (int number = 1;; ++number) {
        net::HttpRequest asked = request("DELETE", "/api/repos/delete");
        asked.retry.idempotent = false;
        asked.headers.emplace_back("Content-Type", "application/json");
        asked.body = wanted.dump();
        Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
        if (answer && (answer->status / 100 == 2 || (may_have_gone && answer->status == 404)))
            co_return Result<void>();
        const bool lost = may_have_landed(answer);
        if (!lost || number >= kCreateAttempts) {
            if (!answer)
                co_return fail(answer.error().in(subject.what));
            co_return fail(error_from(*answer, subject));
        }
        may_have_gone = true;
        co_await http_.loop().sleep(net::backoff(number, 1));
    }
}

Async<void> Client::set_visibility(std::string type, std::string id, bool is_private) {
    const Subject subject = about(fmt::format("change the visibility of {} {}", type, id), type, id);
    net::HttpRequest asked = request("PUT", api_path(type, id) + "/settings");
    asked.headers.emplace_back("Content-Type", "application/json");
    json wanted = json::object();
    wanted["visibility"] = is_private ? "private" : "public";
    asked.body = wanted.dump();
    Result<net::HttpResponse> answer = co_await ask(std::move(asked), subject);
    if (!answer)
        co_return fail(std::move(answer.error()));
    co_return Result<void>();
}

Async<void> Client::create_branch(std::string type, std::string id, std::string branch, std::string start,
                                  bool exist_ok) {
    const Subject subject = about(fmt::format("create branch {} of {} {}", branch, type, id), type, id);
    net::HttpRequest asked =
        request("POST", fmt::format("{}/branch/{}", api_path(type, id), revision_segment(branch)));
    asked.retry.idempotent = exist_ok;
    asked.headers.emplace_back("Content-Type", "application/json");
    json wanted = json::object();
    wanted["startingPoint"] = start.empty() ? "main" : start;
    asked.body = wanted.dump();
    Result<net::HttpResponse> answer = co_await ask(std::move(asked), subject);
    if (!answer && !(exist_ok && answer.error().status == 409))
        co_return fail(std::move(answer.error()));
    co_return Result<void>();
}

} // namespace podsmith::hf
