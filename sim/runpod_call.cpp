#include "sim/runpod_call.hpp"

#include "base/text.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr int kMaxLimit = 1000;

template <class T>
std::optional<T> whole(const std::string& text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

/// The sequence after which the page begins: cursors are base64 of "<list>:<sequence>".
std::optional<std::uint64_t> position_of(const std::string& cursor, const std::string& name) {
    const std::string text = base64_decode(cursor);
    if (!text.starts_with(name + ":") || base64_encode(text) != cursor)
        return std::nullopt;
    return whole<std::uint64_t>(text.substr(name.size() + 1));
}

} // namespace

OrRefusal<json> read_body(const Request& request) {
    json body = json::parse(request.body, nullptr, false);
    if (body.is_discarded())
        return tl::unexpected(problem(400, "request body is not valid JSON"));
    return body;
}

OrRefusal<json> checked_body(const Request& request, const json& schema) {
    auto body = read_body(request);
    if (body)
        if (const auto errors = violations(schema, *body); !errors.empty())
            return tl::unexpected(invalid_request(errors));
    return body;
}

std::vector<std::string> list_of(const Request& request, const char* name) {
    std::vector<std::string> out;
    const auto range = request.query.equal_range(name);
    for (auto entry = range.first; entry != range.second; ++entry)
        for (const std::string& part : split(entry->second, ','))
            out.push_back(part);
    return out;
}

void check_words(std::vector<std::string>& errors, const char* name, const std::vector<std::string>& values,
                 const std::vector<std::string>& allowed) {
    for (const std::string& value : values) {
        if (std::find(allowed.begin(), allowed.end(), value) != allowed.end())
            continue;
        std::string list;
        for (const std::string& word : allowed)
            list += (list.empty() ? "'" : ", '") + word + "'";
        errors.push_back(fmt::format("$.{}: value must be one of {}", name, list));
    }
}

int number_of(std::vector<std::string>& errors, const Request& request, const char* name, int fallback,
              int least) {
    const auto text = request.query_value(name);
    if (!text)
        return fallback;
    const auto value = whole<int>(*text);
    if (!value)
        errors.push_back(fmt::format("$.{}: got string, want integer", name));
    else if (*value < least)
        errors.push_back(fmt::format("$.{}: minimum: got {}, want {}", name, *value, least));
    else
        return *value;
    return fallback;
}

Response no_content() {
    Response response;
    response.status = 204;
    return response;
}

Response list_answer(const Request& request, const std::string& name, std::vector<PageItem> items,
                     bool paginates) {
    std::sort(items.begin(), items.end(),
              [](const PageItem& a, const PageItem& b) { return a.sequence > b.sequence; });
    std::size_t limit = items.size();
    std::uint64_t before = UINT64_MAX;
    if (paginates) {
        std::vector<std::string> errors;
        const int asked = number_of(errors, request, "limit", kMaxLimit, 1);
        if (asked > kMaxLimit)
            errors.push_back(fmt::format("$.limit: maximum: got {}, want {}", asked, kMaxLimit));
        limit = static_cast<std::size_t>(asked);
        if (const auto cursor = request.query_value("cursor")) {
            const auto position = position_of(*cursor, name);
            if (!position)
                errors.push_back("$.cursor: not a cursor of this list");
            before = position.value_or(before);
        }
        if (!errors.empty())
            return invalid_request(errors);
    }
    json list = json::array();
    std::size_t taken = 0;
    std::uint64_t last = 0;
    bool is_more = false;
    for (PageItem& item : items) {
        if (item.sequence >= before)
            continue;
        if ((is_more = taken == limit))
            break;
        ++taken;
        last = item.sequence;
        if (!item.is_hidden)
            list.push_back(std::move(item.value));
    }
    json body{{name, std::move(list)}};
    if (paginates)
        body["pagination"] = {
            {"nextCursor", is_more ? json(base64_encode(fmt::format("{}:{}", name, last))) : json(nullptr)},
            {"hasNextPage", is_more}};
    return json_answer(200, body);
}

} // namespace podsmith::sim
