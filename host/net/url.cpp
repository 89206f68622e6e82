#include "net/url.hpp"

#include "base/text.hpp"

#include <curl/curl.h>
#include <fmt/core.h>
#include <memory>

namespace podsmith::net {
namespace {

struct UrlDeleter {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlPtr = std::unique_ptr<CURLU, UrlDeleter>;

UrlPtr parsed(const std::string& text) {
    UrlPtr url(curl_url());
    if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
        return nullptr;
    return url;
}

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
    char* value = nullptr;
    if (curl_url_get(url, which, &value, flags) != CURLUE_OK)
        return "";
    const std::unique_ptr<char, decltype(&curl_free)> owned(value, curl_free);
    return value;
}

bool is_web(const std::string& scheme) {
    return scheme == "http" || scheme == "https";
}

} // namespace

std::string origin_of(const std::string& text) {
    const UrlPtr url = parsed(text);
    if (!url)
        return "";
    const std::string scheme = lower(part(url.get(), CURLUPART_SCHEME));
    if (!is_web(scheme))
        return "";
    return fmt::format("{}://{}:{}", scheme, lower(part(url.get(), CURLUPART_HOST)),
                       part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

std::string printable(const std::string& text) {
    const UrlPtr url = parsed(text);
    if (!url)
        return "(not a URL)";
    const std::string port = part(url.get(), CURLUPART_PORT);
    return fmt::format("{}://{}{}{}", part(url.get(), CURLUPART_SCHEME), part(url.get(), CURLUPART_HOST),
                       port.empty() ? "" : ":" + port, part(url.get(), CURLUPART_PATH));
}

Result<std::string> resolve_url(const std::string& base, const std::string& location) {
    UrlPtr url = parsed(base);
    // Setting a relative reference on a parsed URL resolves it.
    if (!url || curl_url_set(url.get(), CURLUPART_URL, location.c_str(), CURLU_URLENCODE) != CURLUE_OK)
        return fail(Kind::protocol,
                    fmt::format("{}: redirected to something that is not a URL", printable(base)));
    if (!is_web(lower(part(url.get(), CURLUPART_SCHEME))))
        return fail(Kind::protocol,
                    fmt::format("{}: redirected to a {}: address; only http and https are followed",
                                printable(base), part(url.get(), CURLUPART_SCHEME)));
    curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
    return part(url.get(), CURLUPART_URL);
}

std::string path_and_query(const std::string& text) {
    const UrlPtr url = parsed(text);
    if (!url)
        return "";
    const std::string query = part(url.get(), CURLUPART_QUERY);
    return part(url.get(), CURLUPART_PATH) + (query.empty() ? "" : "?" + query);
}

} // namespace podsmith::net
