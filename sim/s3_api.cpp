#include "sim/s3_api.hpp"

#include "base/text.hpp"
#include "sim/v2_call.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace podsmith::sim {
namespace {

template <class Number>
bool read_number(const std::string& text, Number& out) {
    Number value{};
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || at != text.data() + text.size() || value < Number{0})
        return false;
    out = value;
    return true;
}

/// The key behind "/dc/bucket/", decoded; a slash at its end stays.
std::string key_of(const Request& request) {
    const auto bucket = request.path.find('/', 1);
    const auto key = bucket == std::string::npos ? bucket : request.path.find('/', bucket + 1);
    return key == std::string::npos ? "" : percent_decode(request.path.substr(key + 1));
}

} // namespace

Result<void> set_s3_option(S3Options& options, const std::string& setting) {
    constexpr const char* kThere =
        "page_keys=N, max_body=BYTES, repeat_token=N, recursive=repeats|ok, multipart_tag=parts|md5";
    const auto equals = setting.find('=');
    const std::string name = setting.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : setting.substr(equals + 1);
    bool is_good = false;
    if (name == "page_keys")
        is_good = read_number(value, options.page_keys) && options.page_keys > 0;
    else if (name == "max_body")
        is_good = read_number(value, options.max_body);
    else if (name == "repeat_token")
        is_good = read_number(value, options.repeat_token);
    else if (name == "recursive") {
        is_good = value == "repeats" || value == "ok";
        options.advances = value == "ok";
    } else if (name == "multipart_tag") {
        is_good = value == "parts" || value == "md5";
        options.plain_tags = value == "md5";
    } else
        return fail(Kind::invalid, fmt::format("--s3 {}: no such setting", setting), kThere);
    if (!is_good)
        return fail(Kind::invalid, fmt::format("--s3 {}: '{}' is no value for {}", setting, value, name),
                    kThere);
    return {};
}

S3Api::S3Api(std::shared_ptr<RunpodApi> api, S3Options options)
    : api_(std::move(api)), options_(std::move(options)) {}

asio::awaitable<Response> S3Api::dispatch(std::shared_ptr<S3Api> self, std::shared_ptr<Request> request) {
    const V2Answer volumes = co_await call_v2(self->api_, "GET", "/v2/network-volumes");
    Response response = self->handle(*request, volumes.body["networkVolumes"]);
    co_return response;
}

S3Api::Path S3Api::folder_of(const std::string& volume) const {
    return api_->pods().settings().volume_folder(volume);
}

std::string S3Api::operation_of(const Request& request) {
    const std::string& method = request.method;
    const auto asks = [&request](const char* name) { return request.query.contains(name); };
    const std::string key = key_of(request);
    if (request.segments.size() < 2 || request.segments[1].empty())
        return method == "GET" ? "ListBuckets" : "";
    if (key.empty()) {
        if (method == "GET" && asks("uploads"))
            return "ListMultipartUploads";
        for (const char* other :
             {"location", "versioning", "acl", "policy", "tagging", "encryption", "object-lock", "versions"})
            if (asks(other))
                return "";
        if (method == "GET")
            return request.query_value("list-type") == "2" ? "ListObjectsV2" : "ListObjects";
        if (method == "POST" && asks("delete"))
            return "DeleteObjects";
        return method == "HEAD" ? "HeadBucket" : "";
    }
    for (const char* other : {"acl", "tagging", "retention", "legal-hold", "torrent", "restore", "select"})
        if (asks(other))
            return "";
    if (method == "PUT" && asks("partNumber"))
        return request.header("x-amz-copy-source").empty() ? "UploadPart" : "";
    if (method == "PUT")
        return request.header("x-amz-copy-source").empty() ? "PutObject" : "CopyObject";
    if (method == "POST")
        return asks("uploads") ? "CreateMultipartUpload" : asks("uploadId") ? "CompleteMultipartUpload" : "";
    if (method == "DELETE")
        return asks("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
    if (method == "GET" && asks("uploadId"))
        return "ListParts";
    return method == "GET" ? "GetObject" : method == "HEAD" ? "HeadObject" : "";
}

Result<S3Api::Target> S3Api::target_of(const Request& request, const std::string& volume) const {
    Target target{volume, folder_of(volume), key_of(request), {}};
    target.file = target.root;
    for (const std::string& part : split(target.key, '/')) {
        if (part == ".." || part == "." || part.find('\0') != std::string::npos)
            return fail(Kind::invalid, "Object key has an invalid path segment");
        if (!part.empty())
            target.file /= part;
    }
    // A pod may have laid a link that leads out of the volume.
    std::error_code code;
    const Path real = std::filesystem::weakly_canonical(target.file, code);
    const Path root = std::filesystem::weakly_canonical(target.root, code);
    const std::string below = root.string() + "/";
    if (real != root && !real.string().starts_with(below))
        return fail(Kind::invalid, "Object key leads out of the volume");
    return target;
}

Response S3Api::handle(const Request& request, const nlohmann::json& volumes) {
    const std::string region = request.segments.empty() ? "" : request.segments[0];
    if (auto refusal = s3_refusal(request, options_.key, region, api_->loop().system().utc()))
        return std::move(*refusal);
    const std::string operation = operation_of(request);
    if (operation.empty())
        return s3_error(501, "NotImplemented",
                        "A header or query you provided implies functionality that is not implemented");
    if (operation == "ListBuckets")
        return list_buckets(region, volumes);
    const std::string& bucket = request.segments[1];
    const bool is_there = std::any_of(volumes.begin(), volumes.end(), [&](const nlohmann::json& volume) {
        return volume["id"] == bucket && lower(volume["dataCenter"].get<std::string>()) == lower(region);
    });
    if (!is_there)
        return s3_error(404, "NoSuchBucket", "The specified bucket does not exist");
    const auto target = target_of(request, bucket);
    if (!target)
        return s3_error(400, "InvalidArgument", target.error().message);
    return run(operation, request, *target);
}

Response S3Api::run(const std::string& operation, const Request& request, const Target& target) {
    if (operation == "HeadBucket")
        return answer(200, "", "application/xml");
    if (operation == "ListObjects" || operation == "ListObjectsV2")
        return list_objects(request, target, operation == "ListObjectsV2");
    if (operation == "DeleteObjects") {
        Response response = s3_error(307, "TemporaryRedirect",
                                     "Please re-send this request to the specified temporary endpoint");
        return response.set("Location", request.target);
    }
    if (operation == "PutObject")
        return put_object(request, target);
    if (operation == "CopyObject")
        return copy_object(request, target);
    if (operation == "GetObject" || operation == "HeadObject")
        return get_object(request, target);
    if (operation == "DeleteObject")
        return delete_object(target);
    if (operation == "CreateMultipartUpload")
        return begin_upload(target);
    if (operation == "UploadPart")
        return put_part(request, target);
    if (operation == "ListParts")
        return list_parts(request, target);
    if (operation == "CompleteMultipartUpload")
        return complete_upload(request, target);
    return operation == "AbortMultipartUpload" ? abort_upload(request, target)
                                               : list_uploads(request, target);
}

Response xml_answer(const std::string& body) {
    return answer(200, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + body, "application/xml");
}

} // namespace podsmith::sim
