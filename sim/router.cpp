#include "sim/router.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <exception>
#include <fmt/core.h>
#include <set>

namespace podsmith::sim {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    const char low = static_cast<char>(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/// A body that came whole, read like one that comes in pieces.
class WholeBody : public BodySource {
public:
    explicit WholeBody(std::string body) : body_(std::move(body)), left_(body_.size()) {}
    std::optional<std::uint64_t> length() const override { return body_.size(); }
    asio::awaitable<Result<std::string>> read(std::size_t most) override {
        if (most > left_ && left_ < body_.size() - at_)
            co_return fail(Kind::network, "the request was cut");
        const std::size_t count = std::min({most, left_, body_.size() - at_});
        std::string piece = body_.substr(at_, count);
        at_ += count;
        left_ -= count;
        co_return piece;
    }
    void cut_after(std::uint64_t bytes) override { left_ = static_cast<std::size_t>(bytes); }

private:
    std::string body_;
    std::size_t at_ = 0;
    std::size_t left_;
};

asio::awaitable<Response> at_once(std::shared_ptr<PlainHandler> handler,
                                  std::shared_ptr<const Request> request) {
    co_return (*handler)(*request);
}

} // namespace

std::optional<std::string> Request::query_value(const std::string& name) const {
    const auto found = query.find(name);
    if (found == query.end())
        return std::nullopt;
    return found->second;
}

std::string Request::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

std::string Request::param(const std::string& name) const {
    const auto found = params.find(name);
    return found == params.end() ? std::string() : found->second;
}

std::shared_ptr<BodySource> body_of(const Request& request) {
    return request.source ? request.source : std::make_shared<WholeBody>(request.body);
}

std::string percent_decode(std::string_view text, bool plus) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
            hex_digit(text[i + 2]) >= 0) {
            out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
            i += 2;
        } else {
            out.push_back(plus && text[i] == '+' ? ' ' : text[i]);
        }
    }
    return out;
}

void parse_target(Request& request, std::string_view target) {
    request.target = std::string(target);
    const auto mark = target.find('?');
    request.path = std::string(target.substr(0, mark));
    request.segments.clear();
    request.query.clear();
    for (const std::string& part : split(request.path, '/'))
        request.segments.push_back(percent_decode(part));
    // The first part is what precedes the leading '/'; a trailing '/' lands on the same resource.
    if (!request.segments.empty())
        request.segments.erase(request.segments.begin());
    if (!request.segments.empty() && request.segments.back().empty())
        request.segments.pop_back();
    if (mark == std::string_view::npos)
        return;
    for (const std::string& pair : split(target.substr(mark + 1), '&')) {
        const auto equals = pair.find('=');
        if (pair.empty())
            continue;
        const std::string value = equals == std::string::npos ? "" : pair.substr(equals + 1);
        request.query.emplace(percent_decode(pair.substr(0, equals), true), percent_decode(value, true));
    }
}

Response answer(int status, std::string body, std::string content_type) {
    Response response;
    response.status = status;
    response.body = std::move(body);
    response.set("Content-Type", std::move(content_type));
    return response;
}

void Router::on(const std::string& method, const std::string& pattern, PlainHandler handler) {
    auto kept = std::make_shared<PlainHandler>(std::move(handler));
    on_async(method, pattern,
             [kept](std::shared_ptr<const Request> request) { return at_once(kept, std::move(request)); });
}

void Router::on_async(const std::string& method, const std::string& pattern, Handler handler) {
    Route route{method, pattern, {}, std::move(handler)};
    auto names = split(pattern, '/');
    names.erase(names.begin());
    for (const std::string& name : names) {
        const auto open = name.find('{');
        const auto close = name.find('}');
        Part part{Part::Type::literal, name, "", ""};
        if (open != std::string::npos && close != std::string::npos && open < close) {
            part = {Part::Type::param, name.substr(open + 1, close - open - 1), name.substr(0, open),
                    name.substr(close + 1)};
            if (part.name.ends_with("...")) {
                part.type = Part::Type::rest;
                part.name.resize(part.name.size() - 3);
            }
        }
        route.parts.push_back(std::move(part));
    }
    const auto rank = [](const Part& part) {
        if (part.type == Part::Type::literal)
            return 0;
        if (part.type == Part::Type::rest)
            return 3;
        return part.prefix.empty() && part.suffix.empty() ? 2 : 1;
    };
    const auto before = [&rank](const Route& a, const Route& b) {
        return std::lexicographical_compare(
            a.parts.begin(), a.parts.end(), b.parts.begin(), b.parts.end(),
            [&rank](const Part& x, const Part& y) { return rank(x) < rank(y); });
    };
    routes_.insert(std::upper_bound(routes_.begin(), routes_.end(), route, before), std::move(route));
}

bool Router::match(const Route& route, const Request& request, std::map<std::string, std::string>& params) {
    params.clear();
    const auto& segments = request.segments;
    for (std::size_t i = 0; i < route.parts.size(); ++i) {
        const Part& part = route.parts[i];
        if (i >= segments.size())
            return false;
        if (part.type == Part::Type::rest) {
            std::string rest = segments[i];
            for (std::size_t next = i + 1; next < segments.size(); ++next)
                rest += "/" + segments[next];
            params[part.name] = std::move(rest);
            return true;
        }
        if (part.type == Part::Type::literal) {
            if (segments[i] != part.name)
                return false;
            continue;
        }
        const std::string& text = segments[i];
        const std::size_t around = part.prefix.size() + part.suffix.size();
        if (text.size() <= around || !text.starts_with(part.prefix) || !text.ends_with(part.suffix))
            return false;
        params[part.name] = text.substr(part.prefix.size(), text.size() - around);
    }
    return segments.size() == route.parts.size();
}

const Router::Route* Router::find(const Request& request, std::map<std::string, std::string>& params) const {
    for (const Route& route : routes_)
        if (route.method == request.method && match(route, request, params))
            return &route;
    if (request.method != "HEAD")
        return nullptr;
    for (const Route& route : routes_)
        if (route.method == "GET" && match(route, request, params))
            return &route;
    return nullptr;
}

asio::awaitable<Response> Router::dispatch(std::shared_ptr<Request> request) const {
    std::map<std::string, std::string> params;
    const Route* route = find(*request, params);
    if (!route) {
        std::set<std::string> allowed;
        for (const Route& other : routes_)
            if (match(other, *request, params))
                allowed.insert(other.method);
        const int status = allowed.empty() ? 404 : 405;
        Response response = missing_ ? missing_(*request, status)
                                     : answer(status, status == 404 ? "not found\n" : "method not allowed\n",
                                              "text/plain; charset=utf-8");
        if (!allowed.empty()) {
            std::string list;
            for (const std::string& method : allowed)
                list += fmt::format("{}{}", list.empty() ? "" : ", ", method);
            response.set("Allow", list);
        }
        co_return response;
    }
    request->params = std::move(params);
    std::string failure;
    try {
        std::shared_ptr<const Request> same = request;
        Response response = co_await route->handler(same);
        co_return response;
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted)
            throw; // the server stops
        failure = error.what();
    } catch (const std::exception& error) {
        failure = error.what();
    }
    log::error("simulator: {} {} failed: {}", request->method, route->pattern, failure);
    co_return answer(500, "internal error in the simulator\n", "text/plain; charset=utf-8");
}

std::string Router::route_of(const Request& request) const {
    std::map<std::string, std::string> params;
    const Route* route = find(request, params);
    return route ? request.method + " " + route->pattern : "";
}

} // namespace podsmith::sim
