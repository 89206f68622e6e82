#include "hf/safetensors.hpp"

#include "hf/paths.hpp"
#include "net/workers.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr std::uint64_t kFirstRead = 100'001; ///< covers most headers in one request
constexpr std::uint64_t kLongestHeader = 25'000'000;
constexpr std::size_t kLongestIndex = 32u << 20;
constexpr std::size_t kReaders = 4;
constexpr int kAttempts = 4;

/// The first `count` bytes of a file, fewer when it is shorter. A server that ignores the range is hung up
/// on.
Async<std::string> beginning(std::shared_ptr<Client> client, std::string id, std::string revision,
                             std::string path, std::uint64_t count) {
    const Subject subject = client->about(fmt::format("read the header of {} of {}", path, id), "model", id);
    for (int number = 1;; ++number) {
        auto bytes = std::make_shared<std::string>();
        net::HttpRequest asked =
            client->request("GET", fmt::format("{}/resolve/{}/{}", web_path("model", id),
                                               revision_segment(revision), encoded_path(path)));
        asked.headers.emplace_back("Range", fmt::format("bytes=0-{}", count - 1));
        asked.on_data = [bytes, count](std::string_view piece) {
            bytes->append(piece.substr(0, count - bytes->size()));
            return bytes->size() < count;
        };
        Result<net::HttpResponse> answer = co_await client->http().send(std::move(asked));
        if (bytes->size() == count || (answer && answer->status / 100 == 2))
            co_return std::move(*bytes);
        if (answer)
            co_return fail(error_from(*answer, subject));
        if (!answer.error().retryable || number >= kAttempts)
            co_return fail(answer.error().in(subject.what));
    }
}

std::uint64_t header_length(const std::string& bytes) {
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;)
        length = length << 8 | static_cast<unsigned char>(bytes[i]);
    return length;
}

Async<json> file_header(std::shared_ptr<Client> client, std::string id, std::string revision,
                        std::string path) {
    const Subject subject = client->about(fmt::format("read the header of {} of {}", path, id), "model", id);
    Result<std::string> bytes = co_await beginning(client, id, revision, path, kFirstRead);
    if (!bytes)
        co_return fail(std::move(bytes.error()));
    const std::uint64_t length = bytes->size() < 8 ? kLongestHeader + 1 : header_length(*bytes);
    if (length > kLongestHeader)
        co_return fail(malformed(subject, "it is no safetensors file"));
    if (bytes->size() < length + 8) {
        bytes = co_await beginning(client, id, revision, path, length + 8);
        if (!bytes)
            co_return fail(std::move(bytes.error()));
    }
    if (bytes->size() < length + 8)
        co_return fail(malformed(subject, "it ends in the middle of its header"));
    co_return read_safetensors_header(bytes->substr(8, length), subject);
}

/// The shards that an index names.
Result<std::set<std::string>> shards_in(const std::string& text, const Subject& subject) {
    const json index = json::parse(text, nullptr, false);
    const json map = index.is_object() ? index.value("weight_map", json()) : json();
    std::set<std::string> names;
    if (map.is_object())
        for (const auto& [tensor, file] : map.items())
            if (file.is_string())
                names.insert(file.get<std::string>());
    if (names.empty())
        return fail(malformed(subject, "its index names no file"));
    return names;
}

void add(json& sum, const json& one) {
    for (const auto& [dtype, count] : one["parameters"].items())
        sum["parameters"][dtype] =
            sum["parameters"].value(dtype, std::uint64_t{0}) + count.get<std::uint64_t>();
    for (const char* key : {"total", "bytes", "tensors"})
        sum[key] = sum.value(key, std::uint64_t{0}) + one[key].get<std::uint64_t>();
    sum["files"] = sum.value("files", std::uint64_t{0}) + 1;
}

struct Shards {
    std::shared_ptr<Client> client;
    std::string id, revision;
    std::set<std::string> left;
    json sum = {{"parameters", json::object()}};
};

Async<void> read_shards(std::shared_ptr<Shards> shards) {
    while (!shards->left.empty()) {
        const std::string path = *shards->left.begin();
        shards->left.erase(path);
        Result<json> header = co_await file_header(shards->client, shards->id, shards->revision, path);
        if (!header)
            co_return fail(std::move(header.error()));
        add(shards->sum, *header);
    }
    co_return Result<void>();
}

bool is_missing_file(const Error& error) {
    return error.kind == Kind::not_found && error.status == 404;
}

} // namespace

Result<json> read_safetensors_header(const std::string& header, const Subject& subject) {
    const json all = json::parse(header, nullptr, false);
    if (!all.is_object())
        return fail(malformed(subject, "its header is no JSON object"));
    json sum = {{"parameters", json::object()}, {"total", 0u}, {"bytes", 0u}, {"tensors", 0u}};
    for (const auto& [name, tensor] : all.items()) {
        if (name == "__metadata__")
            continue;
        const json dtype = tensor.is_object() ? tensor.value("dtype", json()) : json();
        const json shape = tensor.is_object() ? tensor.value("shape", json()) : json();
        const json span = tensor.is_object() ? tensor.value("data_offsets", json()) : json();
        if (!dtype.is_string() || !shape.is_array() || !span.is_array() || span.size() != 2 ||
            !span[0].is_number_unsigned() || !span[1].is_number_unsigned() || span[0] > span[1])
            return fail(malformed(subject, fmt::format("its tensor {} has no type, shape or place", name)));
        std::uint64_t elements = 1;
        for (const json& extent : shape)
            elements *= extent.is_number_unsigned() ? extent.get<std::uint64_t>() : 0;
        const std::string type = dtype.get<std::string>();
        sum["parameters"][type] = sum["parameters"].value(type, std::uint64_t{0}) + elements;
        sum["total"] = sum["total"].get<std::uint64_t>() + elements;
        sum["bytes"] =
            sum["bytes"].get<std::uint64_t>() + span[1].get<std::uint64_t>() - span[0].get<std::uint64_t>();
        sum["tensors"] = sum["tensors"].get<std::uint64_t>() + 1;
    }
    return sum;
}

Async<json> safetensors(std::shared_ptr<Client> client, std::string id, std::string revision) {
    const Subject subject = client->about(fmt::format("read the headers of {}", id), "model", id);
    auto shards = std::make_shared<Shards>();
    shards->client = client;
    shards->id = id;
    shards->revision = revision;
    Result<json> single = co_await file_header(client, id, revision, "model.safetensors");
    if (single) {
        add(shards->sum, *single);
        co_return std::move(shards->sum);
    }
    if (!is_missing_file(single.error()))
        co_return fail(std::move(single.error()));
    Result<std::string> index =
        co_await client->read_text("model", id, revision, "model.safetensors.index.json", kLongestIndex);
    if (!index && is_missing_file(index.error()))
        co_return json::object();
    if (!index)
        co_return fail(std::move(index.error()));
    Result<std::set<std::string>> names = shards_in(*index, subject);
    if (!names)
        co_return fail(std::move(names.error()));
    shards->left = std::move(*names);
    std::vector<Async<void>> readers;
    for (std::size_t i = 0; i < kReaders; ++i)
        readers.push_back(read_shards(shards));
    Async<void> reading = net::run_all(client->http().loop(), std::move(readers));
    Result<void> read = co_await std::move(reading);
    if (!read)
        co_return fail(std::move(read.error()));
    co_return std::move(shards->sum);
}

} // namespace podsmith::hf
