#include "runpod/rate.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace podsmith::runpod {
namespace {

/// One item of a structured header: "minute";q=60;w=60.
struct Item {
    std::string name;
    std::vector<std::string> parameters;
    std::optional<double> number(std::string_view key) const {
        const std::string start = std::string(key) + "=";
        for (const std::string& parameter : parameters) {
            if (!parameter.starts_with(start))
                continue;
            double value = 0;
            const char* end = parameter.data() + parameter.size();
            const auto [stop, error] = std::from_chars(parameter.data() + start.size(), end, value);
            if (error == std::errc() && stop == end && std::isfinite(value))
                return value;
        }
        return std::nullopt;
    }
};

std::vector<Item> items_of(const std::string& header) {
    std::vector<Item> items;
    for (const std::string& text : split(header, ',')) {
        std::vector<std::string> fields = split(text, ';');
        Item item;
        item.name = fields.empty() ? "" : trim(fields.front());
        std::erase(item.name, '"');
        for (std::size_t i = 1; i < fields.size(); ++i)
            item.parameters.push_back(trim(fields[i]));
        if (!item.name.empty())
            items.push_back(std::move(item));
    }
    return items;
}

} // namespace

std::vector<RateWindow> rate_windows(const net::HttpResponse& response, double now) {
    const std::vector<Item> policies = items_of(response.header("ratelimit-policy"));
    std::vector<RateWindow> windows;
    for (const Item& item : items_of(response.header("ratelimit"))) {
        const auto remaining = item.number("r");
        if (!remaining)
            continue;
        RateWindow window;
        window.name = item.name;
        window.remaining = *remaining;
        window.reset_seconds = item.number("t").value_or(0);
        window.at = now;
        const auto policy = std::find_if(policies.begin(), policies.end(),
                                         [&](const Item& one) { return one.name == item.name; });
        if (policy != policies.end())
            window.quota = policy->number("q").value_or(0);
        windows.push_back(std::move(window));
    }
    return windows;
}

} // namespace podsmith::runpod
