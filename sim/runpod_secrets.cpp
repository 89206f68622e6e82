#include "sim/runpod_secrets.hpp"

#include "base/system.hpp"
#include "base/text.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <regex>

namespace podsmith::sim {

using nlohmann::json;

json Secrets::shown(const Entry& entry) {
    return {{"id", entry.id},
            {"name", entry.name},
            {"description", entry.description},
            {"createdAt", utc_text(entry.created_at)}};
}

void Secrets::add_routes(Router& router) {
    router.on("GET", "/v2/account/secrets", [this](const Request& request) {
        std::vector<PageItem> items;
        for (const Entry& entry : entries_)
            items.push_back({entry.sequence, shown(entry)});
        return list_answer(request, "secrets", std::move(items), false);
    });
    router.on("POST", "/v2/account/secrets", [this](const Request& request) { return create(request); });
    router.on("GET", "/v2/account/secrets/{id}", [this](const Request& request) {
        const Entry* entry = find(request.param("id"));
        return entry ? json_answer(200, shown(*entry)) : problem(404, kNotFound);
    });
    router.on("PATCH", "/v2/account/secrets/{id}",
              [this](const Request& request) { return update(request); });
    router.on("DELETE", "/v2/account/secrets/{id}",
              [this](const Request& request) { return remove(request); });
}

Secrets::Entry* Secrets::find(const std::string& id) {
    const auto found =
        std::find_if(entries_.begin(), entries_.end(), [&id](const Entry& entry) { return entry.id == id; });
    return found == entries_.end() ? nullptr : &*found;
}

Response Secrets::create(const Request& request) {
    const auto body = checked_body(request, create_secret_schema());
    if (!body)
        return body.error();
    const std::string name = (*body)["name"];
    if (std::any_of(entries_.begin(), entries_.end(),
                    [&name](const Entry& entry) { return entry.name == name; }))
        return problem(400, fmt::format("a secret named '{}' exists", name));
    entries_.push_back({next_++, system_.random_tag(14), name, (*body)["value"].get<std::string>(),
                        body->value("description", ""), system_.utc()});
    return json_answer(201, shown(entries_.back()));
}

Response Secrets::update(const Request& request) {
    Entry* entry = find(request.param("id"));
    if (!entry)
        return problem(404, kNotFound);
    const auto body = checked_body(request, update_secret_schema());
    if (!body)
        return body.error();
    entry->value = body->value("value", entry->value);
    entry->description = body->value("description", entry->description);
    return json_answer(200, shown(*entry));
}

Response Secrets::remove(const Request& request) {
    const Entry* entry = find(request.param("id"));
    if (!entry)
        return problem(404, kNotFound);
    entries_.remove_if([entry](const Entry& one) { return &one == entry; });
    return no_content();
}

std::string Secrets::resolved(const std::string& text) const {
    static const std::regex placeholder(R"(\{\{\s*RUNPOD_SECRET_([^\s}]+)\s*\}\})");
    std::string out;
    auto rest = text.cbegin();
    for (std::sregex_iterator match(text.begin(), text.end(), placeholder), end; match != end; ++match) {
        out.append(rest, (*match)[0].first);
        const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                        [&match](const Entry& one) { return one.name == (*match)[1]; });
        out += entry == entries_.end() ? (*match)[0].str() : entry->value;
        rest = (*match)[0].second;
    }
    return out.append(rest, text.cend());
}

} // namespace podsmith::sim
