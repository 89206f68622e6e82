// Making repositories, and telling beforehand whether that and writing to them will work.
#include "base/text.hpp"
#include "hf/client.hpp"
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

} // namespace podsmith::hf
