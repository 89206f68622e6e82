// What tests may look at and change while the Hub runs: settings, state, addresses that expire.
#include "base/text.hpp"
#include "sim/hub_call.hpp"
#include "sim/problem.hpp"

#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

/// One setting of the Hub: its name, what its value looks like, and how it is read.
struct Setting {
    const char* name;
    const char* value;
    std::function<bool(HubOptions&, const std::string&)> set;
};

template <class Number>
Setting number(const char* name, const char* value, Number HubOptions::*member, Number least) {
    return {name, value, [member, least](HubOptions& options, const std::string& text) {
                Number read{};
                const auto end = text.data() + text.size();
                const auto [at, error] = std::from_chars(text.data(), end, read);
                if (error != std::errc{} || at != end || read < least)
                    return false;
                options.*member = read;
                return true;
            }};
}

Setting flag(const char* name, bool HubOptions::*member) {
    return {name, "0|1", [member](HubOptions& options, const std::string& text) {
                options.*member = text != "0";
                return text == "0" || text == "1";
            }};
}

const std::vector<Setting>& settings() {
    static const std::vector<Setting> all{
        number("page_size", "N", &HubOptions::page_size, std::size_t{1}),
        number("chunk_size", "BYTES", &HubOptions::chunk_size, std::uint64_t{1}),
        flag("verify", &HubOptions::verify),
        flag("check_sha256", &HubOptions::check_sha256),
        flag("part_etag", &HubOptions::part_etag),
        flag("direct", &HubOptions::direct),
        flag("ranges", &HubOptions::ranges),
        number("url_seconds", "SECONDS", &HubOptions::url_seconds, 0),
        number("batch_error", "CODE", &HubOptions::batch_error, 0),
        number("race", "N", &HubOptions::race, 0),
        number("api_quota", "N", &HubOptions::api_quota, 0),
        number("resolver_quota", "N", &HubOptions::resolver_quota, 0),
        {"expired_token", "NAME", [](HubOptions& options, const std::string& text) {
             options.expired_token = text;
             return true;
         }}};
    return all;
}

std::string known_settings() {
    std::string list;
    for (const Setting& each : settings())
        list += fmt::format("{}{}={}", list.empty() ? "" : ", ", each.name, each.value);
    return list;
}

json state_of(const HubState& hub) {
    json repos = json::array();
    for (const auto& [key, repo] : hub.store.repos)
        repos.push_back({{"type", repo.type},
                         {"id", repo.id},
                         {"private", repo.is_private},
                         {"gated", repo.gated},
                         {"branches", repo.branches},
                         {"tags", repo.tags},
                         {"commits", repo.commits.size()}});
    json puts = json::array();
    for (const HubPut& put : hub.puts)
        puts.push_back(
            {{"oid", put.sha256}, {"part", put.part}, {"bytes", put.bytes}, {"stored", put.is_stored}});
    return {{"repos", repos}, {"puts", puts}};
}

} // namespace

Result<void> set_hub_option(HubOptions& options, const std::string& setting) {
    const auto equals = setting.find('=');
    const std::string name = setting.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : setting.substr(equals + 1);
    std::vector<std::string> names;
    for (const Setting& each : settings()) {
        names.emplace_back(each.name);
        if (name != each.name)
            continue;
        HubOptions changed = options;
        if (!each.set(changed, value))
            return fail(Kind::invalid, fmt::format("--hub {}: '{}' is no value for {}", setting, value, name),
                        known_settings());
        options = std::move(changed);
        return {};
    }
    const std::string near = nearest(name, names);
    return fail(Kind::invalid,
                fmt::format("--hub {}: no such setting{}", setting,
                            near.empty() ? "" : fmt::format("; did you mean {}?", near)),
                known_settings());
}

void add_hub_control_routes(Router& control, std::shared_ptr<HubState> hub) {
    control.on("GET", "/_sim/hub", [hub](const Request&) { return json_answer(200, state_of(*hub)); });
    control.on("POST", "/_sim/hub", [hub](const Request& request) {
        const Result<void> set = set_hub_option(hub->options, trim(request.body));
        return set ? json_answer(200, {{"ok", true}}) : problem(422, set.error().text());
    });
    control.on("POST", "/_sim/hub/expire", [hub](const Request&) {
        ++hub->signed_epoch;
        return json_answer(200, {{"ok", true}});
    });
}

} // namespace podsmith::sim
