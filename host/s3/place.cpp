#include "s3/place.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace podsmith::s3 {
namespace {

constexpr std::string_view kPlaceholder = "{dc}";
constexpr std::string_view kOfRunpod = "://s3api-";
constexpr std::size_t kLongest = 1024;

std::string encode_path(const std::string& path) {
    std::string out;
    for (const std::string& part : split(path, '/'))
        out += "/" + url_encode(part);
    return out;
}

tl::unexpected<Error> bad_key(const std::string& path, const char* why) {
    return fail(Kind::invalid, fmt::format("'{}' is no path on a network volume: {}", path, why),
                "paths are relative to the volume's root, like data/train.jsonl");
}

} // namespace

Result<std::string> endpoint_for(const std::string& pattern, const std::string& data_center) {
    if (!pattern.starts_with("https://") && !pattern.starts_with("http://"))
        return fail(Kind::invalid,
                    fmt::format("RUNPOD_S3_ENDPOINT is '{}', which is no http or https address", pattern),
                    "leave it out for Runpod's own");
    const std::string center = lower(data_center);
    std::string address = pattern;
    if (const auto at = address.find(kPlaceholder); at != std::string::npos)
        address.replace(at, kPlaceholder.size(), center);
    while (address.ends_with('/'))
        address.pop_back();
    const auto own = address.find(kOfRunpod);
    if (own != std::string::npos &&
        !std::string_view(address).substr(own + kOfRunpod.size()).starts_with(center + "."))
        return fail(Kind::invalid,
                    fmt::format("RUNPOD_S3_ENDPOINT is {}, and the volume is in {}", address, data_center),
                    "leave it out: the endpoint follows from the volume");
    return address;
}

Result<std::string> key_of(const std::string& path) {
    std::string_view rest = path;
    for (const std::string_view mount : {"/workspace", "/runpod-volume"})
        if (rest == mount || (rest.starts_with(mount) && rest[mount.size()] == '/'))
            rest.remove_prefix(mount.size());
    if (rest.starts_with('/'))
        rest.remove_prefix(1);
    if (rest.size() > kLongest)
        return bad_key(path, "longer than 1024 bytes");
    if (std::any_of(rest.begin(), rest.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }))
        return bad_key(path, "a control character");
    const std::string_view folder = rest.ends_with('/') ? rest.substr(0, rest.size() - 1) : rest;
    if (!folder.empty() || rest == "/")
        for (const std::string& part : split(folder, '/')) {
            if (part.empty())
                return bad_key(path, "two slashes in a row");
            if (part == "." || part == "..")
                return bad_key(path, "a part that is . or ..");
        }
    return std::string(rest);
}

std::string url_of(const Bucket& bucket, const std::string& key,
                   std::vector<std::pair<std::string, std::string>> query) {
    std::string url = bucket.endpoint + "/" + url_encode(bucket.name);
    if (!key.empty())
        url += encode_path(key);
    for (auto& [name, value] : query) {
        name = url_encode(name);
        value = url_encode(value);
    }
    std::sort(query.begin(), query.end());
    char mark = '?';
    for (const auto& [name, value] : query) {
        url += fmt::format("{}{}={}", mark, name, value);
        mark = '&';
    }
    return url;
}

} // namespace podsmith::s3
