#include "sim/runpod_registries.hpp"

#include "base/system.hpp"
#include "base/text.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <regex>

namespace podsmith::sim {
namespace {

using nlohmann::json;

template <class List>
auto with_id(List& list, const std::string& id) {
    return std::find_if(list.begin(), list.end(),
                        [&id](const auto& entry) { return entry.value["id"] == id; });
}

template <class List>
std::vector<PageItem> items_of(const List& list) {
    std::vector<PageItem> items;
    for (const auto& entry : list)
        items.push_back({entry.sequence, entry.value});
    return items;
}

} // namespace

Registries::Registries(const System& system, std::function<bool(const std::string&)> is_used,
                       std::function<void(const std::string&)> forget)
    : system_(system), is_used_(std::move(is_used)), forget_(std::move(forget)) {}

void Registries::add_routes(Router& router) {
    router.on("GET", "/v2/registries", [this](const Request& request) {
        return list_answer(request, "registries", items_of(registries_), false);
    });
    router.on("POST", "/v2/registries", [this](const Request& request) { return create(request); });
    router.on("GET", "/v2/registries/{id}", [this](const Request& request) {
        const auto found = with_id(registries_, request.param("id"));
        return found == registries_.end() ? problem(404, kNotFound) : json_answer(200, found->value);
    });
    router.on("DELETE", "/v2/registries/{id}", [this](const Request& request) { return remove(request); });
    add_delegation_routes(router);
}

void Registries::add_delegation_routes(Router& router) {
    router.on("GET", "/v2/registries/delegations", [this](const Request& request) {
        return list_answer(request, "delegations", items_of(delegations_), false);
    });
    router.on("POST", "/v2/registries/delegations",
              [this](const Request& request) { return create_delegation(request); });
    router.on("DELETE", "/v2/registries/delegations/{id}",
              [this](const Request& request) { return remove_delegation(request); });
}

bool Registries::has(const std::string& id) const {
    return with_id(registries_, id) != registries_.end();
}

Response Registries::create(const Request& request) {
    const auto body = checked_body(request, create_registry_schema());
    if (!body)
        return body.error();
    registries_.push_back({next_++, {{"id", system_.random_tag(14)}, {"name", (*body)["name"]}}});
    return json_answer(201, registries_.back().value);
}

Response Registries::remove(const Request& request) {
    const std::string id = request.param("id");
    const auto found = with_id(registries_, id);
    if (found == registries_.end())
        return problem(404, kNotFound);
    if (is_used_(id))
        return problem(400, fmt::format("registry credential {} is used by a pod", id));
    registries_.erase(found);
    forget_(id); // templates lose it silently
    return no_content();
}

Response Registries::create_delegation(const Request& request) {
    const auto body = checked_body(request, create_delegation_schema());
    if (!body)
        return body.error();
    static const std::regex arn(R"(^arn:aws:ecr:([a-z0-9-]+):([0-9]{12}):repository/([^:]+)(:(.+))?$)");
    const std::string resource = (*body)["resource"];
    std::smatch match;
    if (!std::regex_match(resource, match, arn))
        return problem(400, fmt::format("'{}' is not the ARN of an ECR repository", resource));
    const std::string region = match[1], user = match[2];
    delegations_.push_back({next_++,
                            {{"id", system_.random_tag(14)},
                             {"name", body->value("name", json())},
                             {"delegatorUserId", "user_simulated"},
                             {"awsUser", user},
                             {"repository", match[3].str()},
                             {"tag", match[5].matched ? match[5].str() : "latest"},
                             {"awsRegion", region},
                             {"dockerRegistryUri", fmt::format("{}.dkr.ecr.{}.amazonaws.com", user, region)},
                             {"createdAt", utc_text(system_.utc())}}});
    return json_answer(201, delegations_.back().value);
}

Response Registries::remove_delegation(const Request& request) {
    const auto found = with_id(delegations_, request.param("id"));
    if (found == delegations_.end())
        return problem(404, kNotFound);
    delegations_.erase(found);
    return no_content();
}

} // namespace podsmith::sim
