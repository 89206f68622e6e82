// Lists of volumes and of what is on them, with Runpod's way of paging.
#include "sim/s3_api.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace podsmith::sim {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHidden = ".s3compat";

/// One line of a list: a file, a folder's marker or (with a delimiter) a folder as a prefix.
struct ListLine {
    std::string name;
    fs::path path;
    bool is_prefix = false;
};

bool is_listed(const fs::directory_entry& entry) {
    std::error_code code;
    const fs::file_status status = entry.symlink_status(code);
    return !code && (fs::is_regular_file(status) || fs::is_directory(status)) &&
           !entry.path().filename().string().starts_with(kHidden);
}

/// What lies directly in the folder of the prefix.
std::vector<ListLine> level(const fs::path& root, const std::string& prefix) {
    const auto slash = prefix.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : prefix.substr(0, slash + 1);
    std::vector<ListLine> lines;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(root / folder, code)) {
        const bool is_folder = entry.is_directory(code);
        const std::string name = folder + entry.path().filename().string() + (is_folder ? "/" : "");
        if (is_listed(entry) && name.starts_with(prefix))
            lines.push_back({name, entry.path(), is_folder});
    }
    if (prefix.ends_with('/') && fs::is_directory(root / folder, code))
        lines.push_back({prefix, root / folder, false});
    return lines;
}

std::vector<ListLine> everything(const fs::path& root, const std::string& prefix) {
    std::vector<ListLine> lines;
    std::error_code code;
    for (auto entry = fs::recursive_directory_iterator(root, code);
         entry != fs::recursive_directory_iterator(); entry.increment(code)) {
        if (!is_listed(*entry)) {
            entry.disable_recursion_pending();
            continue;
        }
        const bool is_folder = entry->is_directory(code);
        const std::string name = entry->path().lexically_relative(root).string() + (is_folder ? "/" : "");
        if (name.starts_with(prefix))
            lines.push_back({name, entry->path(), false});
    }
    return lines;
}

std::string encoded(const Request& request, const std::string& text) {
    if (request.query_value("encoding-type") != "url")
        return xml_escape(text);
    std::string out;
    for (const std::string& part : split(text, '/'))
        out += url_encode(part) + "/";
    out.pop_back();
    return out;
}

} // namespace

Response S3Api::list_buckets(const std::string& region, const nlohmann::json& volumes) const {
    std::string body = "<ListAllMyBucketsResult><Owner><ID>sim</ID></Owner><Buckets>";
    for (const nlohmann::json& volume : volumes) {
        const std::string id = volume["id"];
        if (lower(volume["dataCenter"].get<std::string>()) == lower(region))
            body += fmt::format("<Bucket><Name>{}</Name><CreationDate>{}</CreationDate></Bucket>", id,
                                file_time_text(folder_of(id)));
    }
    return xml_answer(body + "</Buckets></ListAllMyBucketsResult>");
}

Response S3Api::list_objects(const Request& request, const Target& target, bool is_second) {
    const std::string prefix = request.query_value("prefix").value_or("");
    const std::string delimiter = request.query_value("delimiter").value_or("");
    if (!delimiter.empty() && delimiter != "/")
        return s3_error(400, "InvalidArgument", "The only delimiter is /");
    if (("/" + prefix).find("/../") != std::string::npos)
        return s3_error(400, "InvalidArgument", "Object key has an invalid path segment");
    std::size_t most = options_.page_keys;
    if (const auto asked = request.query_value("max-keys")) {
        std::size_t number = most;
        std::from_chars(asked->data(), asked->data() + asked->size(), number);
        most = std::min(most, number);
    }
    std::vector<ListLine> lines =
        delimiter.empty() ? everything(target.root, prefix) : level(target.root, prefix);
    std::sort(lines.begin(), lines.end(),
              [](const ListLine& a, const ListLine& b) { return a.name < b.name; });
    const std::string token = request.query_value("continuation-token").value_or("");
    const std::string after = !is_second       ? request.query_value("marker").value_or("")
                              : !token.empty() ? base64_decode(token)
                                               : request.query_value("start-after").value_or("");
    const auto begin =
        std::find_if(lines.begin(), lines.end(), [&](const ListLine& line) { return line.name > after; });
    const auto end = begin + static_cast<std::ptrdiff_t>(
                                 std::min<std::size_t>(most, static_cast<std::size_t>(lines.end() - begin)));
    const bool is_truncated = end != lines.end() && most > 0;

    std::string body =
        fmt::format("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{}</Name>"
                    "<Prefix>{}</Prefix><MaxKeys>{}</MaxKeys><IsTruncated>{}</IsTruncated>",
                    target.volume, encoded(request, prefix), most, is_truncated ? "true" : "false");
    if (!delimiter.empty())
        body += "<Delimiter>/</Delimiter>";
    if (request.query_value("encoding-type") == "url")
        body += "<EncodingType>url</EncodingType>";
    if (is_second)
        body += fmt::format("<KeyCount>{}</KeyCount>", end - begin);
    if (!token.empty())
        body += "<ContinuationToken>" + token + "</ContinuationToken>";
    if (is_truncated) {
        const std::string next = base64_encode(std::prev(end)->name);
        const bool repeats_now = !delimiter.empty() && !token.empty() && options_.repeat_token > 0;
        if (repeats_now)
            --options_.repeat_token;
        const bool repeats = !token.empty() && (repeats_now || (delimiter.empty() && !options_.advances));
        body += is_second ? "<NextContinuationToken>" + (repeats ? token : next) + "</NextContinuationToken>"
                          : "<NextMarker>" + encoded(request, std::prev(end)->name) + "</NextMarker>";
    }
    for (auto line = begin; line != end; ++line) {
        if (line->is_prefix) {
            body += "<CommonPrefixes><Prefix>" + encoded(request, line->name) + "</Prefix></CommonPrefixes>";
            continue;
        }
        const bool is_folder = line->name.ends_with('/');
        std::error_code code;
        body += fmt::format(
            "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag>"
            "<Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            encoded(request, line->name), file_time_text(line->path),
            is_folder ? md5_hex("") : tag_of(line->path), is_folder ? 0 : fs::file_size(line->path, code));
    }
    return xml_answer(body + "</ListBucketResult>");
}

} // namespace podsmith::sim
