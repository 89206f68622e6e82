// Uploads in parts. They wait in a hidden folder of the volume, one folder an upload.
#include "sim/s3_api.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fstream>
#include <sys/stat.h>

namespace podsmith::sim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = ".s3compat_uploads";
constexpr int kMostParts = 10000;

Response no_upload() {
    return s3_error(404, "NoSuchUpload", "The specified upload does not exist");
}

fs::path upload_folder(const fs::path& root, const std::string& id) {
    const bool is_plain =
        !id.empty() && id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos;
    return is_plain ? root / kFolder / id : fs::path();
}

std::string content_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

bool is_upload(const fs::path& folder, const std::string& key) {
    std::error_code code;
    return !folder.empty() && fs::is_regular_file(folder / "key", code) && content_of(folder / "key") == key;
}

int part_number(const std::string& text) {
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

fs::path part_file(const fs::path& folder, int number) {
    return folder / fmt::format("{:05}", number);
}

/// The text between the first <name> and </name> from `at` on, which moves behind it; nothing at the end.
std::optional<std::string> next_element(const std::string& xml, const std::string& name, std::size_t& at) {
    const auto begin = xml.find("<" + name + ">", at);
    const auto end = xml.find("</" + name + ">", at);
    if (begin == std::string::npos || end == std::string::npos)
        return std::nullopt;
    at = end + name.size() + 3;
    return xml.substr(begin + name.size() + 2, end - begin - name.size() - 2);
}

std::string plain_tag(std::string text) {
    for (const std::string quote : {"&quot;", "&#34;", "\""})
        for (auto at = text.find(quote); at != std::string::npos; at = text.find(quote))
            text.erase(at, quote.size());
    return trim(text);
}

} // namespace

Response S3Api::begin_upload(const Target& target) {
    const std::string id = api_->loop().system().random_tag(24);
    std::error_code code;
    fs::create_directories(target.root / kFolder / id, code);
    std::ofstream(target.root / kFolder / id / "key", std::ios::binary) << target.key;
    return xml_answer(
        fmt::format("<InitiateMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><UploadId>{}</UploadId>"
                    "</InitiateMultipartUploadResult>",
                    target.volume, xml_escape(target.key), id));
}

Response S3Api::put_part(const Request& request, const Target& target) {
    const fs::path folder = upload_folder(target.root, request.query_value("uploadId").value_or(""));
    if (!is_upload(folder, target.key))
        return no_upload();
    const int number = part_number(request.query_value("partNumber").value_or(""));
    if (number < 1 || number > kMostParts)
        return s3_error(400, "InvalidArgument",
                        "Part number must be an integer between 1 and 10000, inclusive");
    if (request.body.size() > options_.max_body)
        return s3_error(413, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
    std::ofstream out(part_file(folder, number), std::ios::binary);
    out.write(request.body.data(), static_cast<std::streamsize>(request.body.size()));
    out.close();
    if (!out)
        return s3_error(507, "InsufficientStorage", "no space is left on the volume");
    Response response = answer(200, "", "application/xml");
    return response.set("ETag", "\"" + md5_hex(request.body) + "\"");
}

Response S3Api::list_parts(const Request& request, const Target& target) const {
    const std::string id = request.query_value("uploadId").value_or("");
    const fs::path folder = upload_folder(target.root, id);
    if (!is_upload(folder, target.key))
        return no_upload();
    const int after = part_number(request.query_value("part-number-marker").value_or("0"));
    std::vector<int> numbers;
    for (int number = after + 1; number <= kMostParts; ++number)
        if (fs::exists(part_file(folder, number)))
            numbers.push_back(number);
    const bool is_truncated = numbers.size() > options_.page_keys;
    numbers.resize(std::min(numbers.size(), options_.page_keys));
    std::string body =
        fmt::format("<ListPartsResult><Bucket>{}</Bucket><Key>{}</Key><UploadId>{}</UploadId>"
                    "<IsTruncated>{}</IsTruncated>",
                    target.volume, xml_escape(target.key), id, is_truncated ? "true" : "false");
    if (is_truncated)
        body += fmt::format("<NextPartNumberMarker>{}</NextPartNumberMarker>", numbers.back());
    for (const int number : numbers) {
        const std::string bytes = content_of(part_file(folder, number));
        body +=
            fmt::format("<Part><PartNumber>{}</PartNumber><ETag>&quot;{}&quot;</ETag><Size>{}</Size></Part>",
                        number, md5_hex(bytes), bytes.size());
    }
    return xml_answer(body + "</ListPartsResult>");
}

Response S3Api::complete_upload(const Request& request, const Target& target) {
    const fs::path folder = upload_folder(target.root, request.query_value("uploadId").value_or(""));
    if (!is_upload(folder, target.key))
        return no_upload();
    std::string content, tags;
    int last = 0, count = 0;
    std::size_t at = 0;
    while (const auto part = next_element(request.body, "Part", at)) {
        std::size_t in_part = 0, in_tag = 0;
        const int number = part_number(next_element(*part, "PartNumber", in_part).value_or(""));
        const std::string tag = plain_tag(next_element(*part, "ETag", in_tag).value_or(""));
        if (number <= last)
            return s3_error(400, "InvalidPartOrder", "The list of parts was not in ascending order");
        const std::string bytes = content_of(part_file(folder, number));
        if (!fs::exists(part_file(folder, number)) || md5_hex(bytes) != tag)
            return s3_error(400, "InvalidPart", "One or more of the specified parts could not be found");
        content += bytes;
        tags += md5_raw(bytes);
        last = number;
        ++count;
    }
    if (count == 0)
        return s3_error(400, "MalformedXML", "The XML you provided was not well-formed");
    Response stored = store(target.file, content);
    if (stored.status != 200)
        return stored;
    if (!options_.plain_tags)
        tags_[target.file.string()].tag = fmt::format("{}-{}", md5_hex(tags), count);
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return xml_answer(fmt::format("<CompleteMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key>"
                                  "<ETag>&quot;{}&quot;</ETag></CompleteMultipartUploadResult>",
                                  target.volume, xml_escape(target.key), tag_of(target.file)));
}

Response S3Api::abort_upload(const Request& request, const Target& target) const {
    const fs::path folder = upload_folder(target.root, request.query_value("uploadId").value_or(""));
    if (!is_upload(folder, target.key))
        return no_upload();
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return answer(204, "", "application/xml");
}

Response S3Api::list_uploads(const Request& request, const Target& target) const {
    const std::string prefix = request.query_value("prefix").value_or("");
    std::string body = fmt::format(
        "<ListMultipartUploadsResult><Bucket>{}</Bucket><IsTruncated>false</IsTruncated>", target.volume);
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(target.root / kFolder, code)) {
        const std::string key = content_of(entry.path() / "key");
        if (key.starts_with(prefix))
            body += fmt::format(
                "<Upload><Key>{}</Key><UploadId>{}</UploadId><Initiated>{}</Initiated></Upload>",
                xml_escape(key), entry.path().filename().string(), file_time_text(entry.path() / "key"));
    }
    return xml_answer(body + "</ListMultipartUploadsResult>");
}

} // namespace podsmith::sim
