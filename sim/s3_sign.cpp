#include "sim/s3_sign.hpp"

#include "base/system.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace podsmith::sim {
namespace {

constexpr double kSkew = 3600; // Runpod's; Amazon's are 15 minutes
constexpr std::string_view kScheme = "AWS4-HMAC-SHA256";
constexpr std::string_view kUnsigned = "UNSIGNED-PAYLOAD";

std::string digest(const EVP_MD* kind, std::string_view bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out;
    unsigned size = 0;
    EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, kind, nullptr);
    return {reinterpret_cast<const char*>(out.data()), size};
}

std::string hmac(const std::string& key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out;
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size);
    return {reinterpret_cast<const char*>(out.data()), size};
}

/// The parts of "AWS4-HMAC-SHA256 Credential=a/20261130/eu-ro-1/s3/aws4_request, SignedHeaders=b;c,
/// Signature=d".
struct Authorization {
    std::string access, day, region, service, signature;
    std::vector<std::string> headers;
};

std::optional<Authorization> read_authorization(const std::string& text) {
    if (!text.starts_with(kScheme))
        return std::nullopt;
    Authorization out;
    for (const std::string& part : split(text.substr(kScheme.size()), ',')) {
        const std::string item = trim(part);
        const auto equals = item.find('=');
        const std::string name = item.substr(0, equals),
                          value = equals == std::string::npos ? "" : item.substr(equals + 1);
        if (name == "Credential") {
            const auto scope = split(value, '/');
            if (scope.size() != 5 || scope[4] != "aws4_request")
                return std::nullopt;
            out.access = scope[0];
            out.day = scope[1];
            out.region = scope[2];
            out.service = scope[3];
        } else if (name == "SignedHeaders") {
            out.headers = split(value, ';');
        } else if (name == "Signature") {
            out.signature = value;
        }
    }
    return out.access.empty() || out.signature.empty() || out.headers.empty() ? std::nullopt
                                                                              : std::optional(out);
}

std::string collapsed(const std::string& value) {
    std::string out;
    for (const char c : trim(value))
        if (c != ' ' || out.empty() || out.back() != ' ')
            out += c;
    return out;
}

std::string canonical_query(const Request& request) {
    std::vector<std::pair<std::string, std::string>> items;
    for (const auto& [name, value] : request.query)
        items.emplace_back(url_encode(name), url_encode(value));
    std::sort(items.begin(), items.end());
    std::string out;
    for (const auto& [name, value] : items)
        out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
    return out;
}

std::string signature_of(const Request& request, const Authorization& given, const S3Key& key,
                         const std::string& payload) {
    std::string headers;
    for (const std::string& name : given.headers)
        headers += name + ":" + collapsed(request.header(name)) + "\n";
    std::string names;
    for (const std::string& name : given.headers)
        names += (names.empty() ? "" : ";") + name;
    const std::string canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path,
                                              canonical_query(request), headers, names, payload);
    const std::string scope = fmt::format("{}/{}/{}/aws4_request", given.day, given.region, given.service);
    const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kScheme, request.header("x-amz-date"), scope,
                                            hex_text(digest(EVP_sha256(), canonical)));
    std::string signing = hmac("AWS4" + key.secret, given.day);
    for (const std::string& part : {given.region, given.service, std::string("aws4_request")})
        signing = hmac(signing, part);
    return hex_text(hmac(signing, to_sign));
}

/// "20261130T010709Z"
std::optional<double> amz_time(const std::string& text) {
    if (text.size() != 16)
        return std::nullopt;
    return utc_from(fmt::format("{}-{}-{}T{}:{}:{}Z", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2),
                                text.substr(9, 2), text.substr(11, 2), text.substr(13, 2)));
}

} // namespace

std::string hex_text(std::string_view bytes) {
    std::string out;
    for (const char c : bytes)
        out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
}

std::string md5_raw(std::string_view bytes) {
    return digest(EVP_md5(), bytes);
}

std::string md5_hex(std::string_view bytes) {
    return hex_text(md5_raw(bytes));
}

Response s3_error(int status, const std::string& code, const std::string& message) {
    return answer(status,
                  fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}"
                              "</Message></Error>",
                              code, message),
                  "application/xml");
}

std::optional<Response> s3_refusal(const Request& request, const S3Key& key, const std::string& region,
                                   double now) {
    if (request.query.contains("X-Amz-Signature"))
        return s3_error(403, "AccessDenied", "Pre-signed URLs are not supported");
    const auto given = read_authorization(request.header("authorization"));
    if (!given)
        return s3_error(403, "AccessDenied", "Access Denied");
    if (given->access != key.access)
        return s3_error(403, "InvalidAccessKeyId",
                        "The access key ID you provided does not exist in our records");
    if (lower(given->region) != lower(region) || given->service != "s3")
        return s3_error(400, "AuthorizationHeaderMalformed",
                        fmt::format("the region '{}' is wrong; expecting '{}'", given->region, region));
    const auto time = amz_time(request.header("x-amz-date"));
    if (!time || std::abs(*time - now) > kSkew)
        return s3_error(403, "RequestTimeTooSkewed",
                        "The difference between the request time and the server's time is too large");
    const std::string payload = request.header("x-amz-content-sha256");
    if (payload.starts_with("STREAMING-"))
        return s3_error(501, "NotImplemented", "Chunked signatures are not implemented");
    if (signature_of(request, *given, key, payload) != given->signature)
        return s3_error(403, "SignatureDoesNotMatch",
                        "The request signature we calculated does not match the signature you provided");
    if (payload != kUnsigned && payload != hex_text(digest(EVP_sha256(), request.body)))
        return s3_error(400, "XAmzContentSHA256Mismatch",
                        "The provided 'x-amz-content-sha256' header does not match what was computed");
    return std::nullopt;
}

} // namespace podsmith::sim
