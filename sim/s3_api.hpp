#pragma once
#include "sim/runpod_api.hpp"
#include "sim/s3_sign.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace podsmith::sim {

struct S3Options {
    S3Key key;
    std::size_t page_keys = 1000;         ///< most keys on one page
    std::uint64_t max_body = 500'000'000; ///< of a PUT or a part
    int repeat_token = 0;  ///< so many listings by level repeat their token, as while checksums are reckoned
    bool advances = false; ///< recursive listings page as Amazon's do
    bool plain_tags = false; ///< a file that came in parts has its MD5 as ETag, not that of its parts
};

/// Sets one option from "NAME=VALUE" (`podsmith sim --s3`): page_keys, max_body, repeat_token, recursive
/// (repeats or ok), multipart_tag (parts or md5). Kind invalid names the options there are.
Result<void> set_s3_option(S3Options& options, const std::string& setting);

/// Runpod's S3-compatible API over the folders of the network volumes, one endpoint a data center:
/// "http://host:port/eu-ro-1/<volume>/<key>". What a pod writes is seen here, and the other way round. It
/// has what Runpod's documentation lists, and its quirks: keys are paths, folders show as keys with a slash
/// at their end, a recursive listing repeats its page token for ever, a batch delete answers 307.
class S3Api {
public:
    /// A front of REST v2, which knows the volumes.
    S3Api(std::shared_ptr<RunpodApi> api, S3Options options);
    static asio::awaitable<Response> dispatch(std::shared_ptr<S3Api> self, std::shared_ptr<Request> request);
    /// "PutObject" and so on, for counting; "" for what there is not.
    static std::string operation_of(const Request& request);
    const S3Key& key() const { return options_.key; }

private:
    using Path = std::filesystem::path;
    /// What a request is about.
    struct Target {
        std::string volume; ///< its id
        Path root;
        std::string key; ///< decoded, "" for the bucket itself
        Path file;       ///< of the key, always below the root
    };
    struct Known {
        std::uint64_t size = 0;
        std::int64_t time = 0;
        std::string tag;
    };

    /// `volumes` as v2 lists them.
    Response handle(const Request& request, const nlohmann::json& volumes);
    Path folder_of(const std::string& volume) const;
    Result<Target> target_of(const Request& request, const std::string& volume) const;
    Response run(const std::string& operation, const Request& request, const Target& target);

    // s3_objects.cpp
    Response put_object(const Request& request, const Target& target);
    Response copy_object(const Request& request, const Target& target);
    Response get_object(const Request& request, const Target& target);
    Response delete_object(const Target& target);
    /// The MD5 of a file, reckoned once for each state of it.
    std::string tag_of(const Path& file);
    /// Writes beside and renames; its tag is then known.
    Response store(const Path& file, const std::string& content);

    // s3_list.cpp
    Response list_buckets(const std::string& region, const nlohmann::json& volumes) const;
    Response list_objects(const Request& request, const Target& target, bool is_second);

    // s3_multipart.cpp
    Response begin_upload(const Target& target);
    Response put_part(const Request& request, const Target& target);
    Response list_parts(const Request& request, const Target& target) const;
    Response complete_upload(const Request& request, const Target& target);
    Response abort_upload(const Request& request, const Target& target) const;
    Response list_uploads(const Request& request, const Target& target) const;

    std::shared_ptr<RunpodApi> api_;
    S3Options options_;
    std::map<std::string, Known> tags_; ///< by path
};

/// An answer 200 with this XML.
Response xml_answer(const std::string& body);
/// "2026-11-30T01:07:09.000Z" of a file's time.
std::string file_time_text(const std::filesystem::path& file);

} // namespace podsmith::sim
