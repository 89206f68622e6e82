#include "sim/faults.hpp"

#include "base/text.hpp"
#include "sim/problem.hpp"

#include <array>
#include <charconv>
#include <fmt/core.h>
#include <optional>
#include <utility>

namespace podsmith::sim {
namespace {

constexpr std::array<std::pair<std::string_view, FaultKind>, 11> kKinds{
    {{"status", FaultKind::status},
     {"status_after", FaultKind::status_after},
     {"drop_before", FaultKind::drop_before},
     {"drop_during", FaultKind::drop_during},
     {"drop_after", FaultKind::drop_after},
     {"delay", FaultKind::delay},
     {"delay_after", FaultKind::delay_after},
     {"malformed", FaultKind::malformed},
     {"reset", FaultKind::reset},
     {"drip", FaultKind::drip},
     {"truncate", FaultKind::truncate}}};

template <class T>
std::optional<T> number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

tl::unexpected<Error> bad(const std::string& spec, std::string what) {
    return fail(Kind::invalid, fmt::format("fault '{}': {}", spec, what),
                "write METHOD PATH:KIND[:ARG][@N], e.g. 'POST /v2/pods:drop_after@1'");
}

Response injected(int code, int retry_after) {
    Response response = problem(code, "injected fault");
    // The Hub's clients look for these.
    response.body.insert(1, "\"error\":\"injected fault\",");
    response.set("X-Error-Message", "injected fault");
    if (retry_after >= 0)
        response.set("Retry-After", std::to_string(retry_after));
    return response;
}

/// "@N", "@N-M" or "@N-" at the end of the spec.
Result<void> take_range(const std::string& spec, std::string& text, Fault& fault) {
    const auto at = text.rfind('@');
    if (at == std::string::npos || text.find('/', at) != std::string::npos)
        return {};
    const std::string range = text.substr(at + 1);
    text.resize(at);
    const auto dash = range.find('-');
    const auto first = number<int>(range.substr(0, dash));
    const std::string rest = dash == std::string::npos ? range : range.substr(dash + 1);
    const auto last = rest.empty() && dash != std::string::npos ? std::optional<int>(-1) : number<int>(rest);
    if (!first || *first < 1 || !last || (*last >= 0 && *last < *first))
        return bad(spec,
                   "after @ comes the number of the call, from 1: @2 for one, @1-3 for three, @2- for all "
                   "later ones");
    fault.first = *first;
    fault.last = *last;
    return {};
}

/// The argument of the kind: a status with an optional Retry-After, seconds, or bytes.
Result<void> take_argument(const std::string& spec, const std::string& argument, Fault& fault) {
    const bool is_status = fault.kind == FaultKind::status || fault.kind == FaultKind::status_after;
    const bool is_delay = fault.kind == FaultKind::delay || fault.kind == FaultKind::delay_after ||
                          fault.kind == FaultKind::drip;
    if (is_status) {
        const auto parts = split(argument, '/');
        const auto code = number<int>(parts.empty() ? "" : parts[0]);
        const auto wait = parts.size() > 1 ? number<int>(parts[1]) : std::optional<int>(-1);
        if (!code || *code < 200 || *code > 599 || !wait || parts.size() > 2)
            return bad(spec,
                       "status takes a code and perhaps a Retry-After, e.g. status:503 or status:429/2");
        fault.code = *code;
        fault.retry_after = *wait;
        return {};
    }
    if (argument.empty()) {
        if (is_delay)
            return bad(spec, fmt::format("{0} takes seconds, e.g. {0}:2.5",
                                         fault.kind == FaultKind::drip ? "drip" : "delay"));
        return {};
    }
    const auto amount = number<double>(argument);
    if (!amount || *amount < 0 ||
        !(is_delay || fault.kind == FaultKind::truncate || fault.kind == FaultKind::drop_during))
        return bad(spec, fmt::format("argument '{}' is not one of this kind", argument));
    fault.amount = *amount;
    return {};
}

} // namespace

bool path_matches(std::string_view pattern, std::string_view path) {
    while (!pattern.empty()) {
        if (pattern.front() == '*') {
            for (std::size_t skip = 0; skip <= path.size(); ++skip)
                if (path_matches(pattern.substr(1), path.substr(skip)))
                    return true;
            return false;
        }
        if (pattern.front() == '{' && pattern.find('}') != std::string_view::npos) {
            const auto end = std::min(path.find('/'), path.size());
            if (end == 0)
                return false;
            pattern.remove_prefix(pattern.find('}') + 1);
            path.remove_prefix(end);
            continue;
        }
        if (path.empty() || path.front() != pattern.front())
            return false;
        pattern.remove_prefix(1);
        path.remove_prefix(1);
    }
    return path.empty();
}

Result<Fault> parse_fault(const std::string& spec) {
    Fault fault;
    fault.spec = spec;
    std::string text = trim(spec);
    if (auto range = take_range(spec, text, fault); !range)
        return fail(range.error());
    const auto blank = text.find(' ');
    if (blank == std::string::npos)
        return bad(spec, "no path");
    fault.method = text.substr(0, blank);
    text = trim(text.substr(blank + 1));
    // The path may hold a ':' itself, so the kind is the first part after it that names one.
    std::vector<std::string> names;
    for (const auto& [name, kind] : kKinds)
        names.emplace_back(name);
    std::string last_word;
    for (auto colon = text.find(':'); colon != std::string::npos; colon = text.find(':', colon + 1)) {
        const std::string rest = text.substr(colon + 1);
        const std::string word = rest.substr(0, rest.find(':'));
        last_word = last_word.empty() ? word : last_word;
        for (const auto& [name, kind] : kKinds) {
            if (word != name)
                continue;
            fault.path = text.substr(0, colon);
            fault.kind = kind;
            const std::string argument = rest.size() > word.size() ? rest.substr(word.size() + 1) : "";
            if (auto taken = take_argument(spec, argument, fault); !taken)
                return fail(taken.error());
            if (!fault.path.starts_with('/') && !fault.path.starts_with('*'))
                return bad(spec, "the path starts with /");
            return fault;
        }
    }
    const std::string near = nearest(last_word, names);
    return bad(spec, fmt::format("unknown kind '{}'{}", last_word,
                                 near.empty() ? std::string() : fmt::format("; did you mean {}?", near)));
}

Result<void> FaultPlan::add(const std::string& spec) {
    auto fault = parse_fault(spec);
    if (!fault)
        return fail(fault.error());
    faults_.push_back(std::move(*fault));
    return {};
}

std::vector<Fault> FaultPlan::match(const Request& request) {
    std::vector<Fault> out;
    for (Fault& fault : faults_) {
        if ((fault.method != "*" && fault.method != request.method) ||
            !path_matches(fault.path, request.path))
            continue;
        ++fault.seen;
        if (fault.seen >= fault.first && (fault.last < 0 || fault.seen <= fault.last))
            out.push_back(fault);
    }
    return out;
}

nlohmann::json FaultPlan::to_json() const {
    auto list = nlohmann::json::array();
    for (const Fault& fault : faults_)
        list.push_back({{"spec", fault.spec}, {"seen", fault.seen}});
    return list;
}

asio::awaitable<bool> apply_before(net::Loop& loop, std::vector<Fault> faults,
                                   std::shared_ptr<Response> response) {
    for (const Fault& fault : faults) {
        if (fault.kind == FaultKind::delay) {
            co_await loop.sleep(fault.amount);
        } else if (fault.kind == FaultKind::status) {
            *response = injected(fault.code, fault.retry_after);
            co_return true;
        } else if (fault.kind == FaultKind::drop_before || fault.kind == FaultKind::reset) {
            response->drop = true;
            response->reset = fault.kind == FaultKind::reset;
            co_return true;
        }
    }
    co_return false;
}

void apply_after(const std::vector<Fault>& faults, Response& response) {
    for (const Fault& fault : faults) {
        if (fault.kind == FaultKind::status_after) {
            response = injected(fault.code, fault.retry_after);
        } else if (fault.kind == FaultKind::drop_after) {
            response.drop = true;
        } else if (fault.kind == FaultKind::delay_after) {
            response.delay += fault.amount;
        } else if (fault.kind == FaultKind::drip) {
            response.drip = fault.amount;
        } else if (fault.kind == FaultKind::malformed) {
            response.stream = {};
            response.content_length.reset();
            response.body = "{\"id\": \"abc\", ";
        } else if (fault.kind == FaultKind::truncate) {
            const std::size_t half = response.stream ? 64 : response.body.size() / 2;
            response.truncate_at = fault.amount < 0 ? half : static_cast<std::size_t>(fault.amount);
        }
    }
}

} // namespace podsmith::sim
