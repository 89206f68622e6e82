#include "s3/sign.hpp"

#include "base/text.hpp"
#include "s3/hash.hpp"

#include <ctime>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace podsmith::s3 {
namespace {

constexpr std::string_view kScheme = "AWS4-HMAC-SHA256";
constexpr std::string_view kHeaders = "host;x-amz-content-sha256;x-amz-date";

std::string hmac(const std::string& key, std::string_view text) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes, &size);
    return {reinterpret_cast<const char*>(bytes), size};
}

std::string time_text(double utc, const char* format) {
    const auto seconds = static_cast<std::time_t>(utc);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, format, &parts)};
}

/// What the Host header will say, the path, and the query.
struct Address {
    std::string host, path, query;
};

Address address_of(const std::string& url) {
    const bool is_tls = url.starts_with("https://");
    const auto begin = url.find("://") + 3;
    const auto slash = std::min(url.find('/', begin), url.size());
    const auto mark = std::min(url.find('?', slash), url.size());
    Address address{url.substr(begin, slash - begin), url.substr(slash, mark - slash),
                    mark < url.size() ? url.substr(mark + 1) : ""};
    const std::string_view usual = is_tls ? ":443" : ":80"; // libcurl leaves it out
    if (address.host.ends_with(usual))
        address.host.resize(address.host.size() - usual.size());
    return address;
}

} // namespace

void sign(net::HttpRequest& request, const Bucket& bucket, const std::string& payload, double utc) {
    const Address address = address_of(request.url);
    const std::string time = time_text(utc, "%Y%m%dT%H%M%SZ"), day = time.substr(0, 8);
    const std::string canonical =
        fmt::format("{}\n{}\n{}\nhost:{}\nx-amz-content-sha256:{}\nx-amz-date:{}\n\n{}\n{}", request.method,
                    address.path, address.query, address.host, payload, time, kHeaders, payload);
    const std::string scope = fmt::format("{}/{}/s3/aws4_request", day, bucket.region);
    const std::string text = fmt::format("{}\n{}\n{}\n{}", kScheme, time, scope, sha256_hex(canonical));
    std::string key = "AWS4" + bucket.secret_key.reveal();
    for (const std::string& part : {day, bucket.region, std::string("s3"), std::string("aws4_request")}) {
        std::string next = hmac(key, part);
        wipe(key);
        key = std::move(next);
    }
    const std::string signature = hex(hmac(key, text));
    wipe(key);
    request.headers.emplace_back("x-amz-date", time);
    request.headers.emplace_back("x-amz-content-sha256", payload);
    request.headers.emplace_back("Authorization",
                                 fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kScheme,
                                             bucket.access_key, scope, kHeaders, signature));
}

} // namespace podsmith::s3
