// The storage service: uploads (whole and in parts) and downloads of large files. It has another host name
// than the Hub, takes signed addresses and no token. Bodies go to and from disk in pieces.
#include "sim/hub_call.hpp"

#include "base/hash.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint64_t kPiece = 1 << 20;
constexpr std::size_t kMostPuts = 10'000; // in the log that tests read

/// One PUT on its way to disk.
struct Reception {
    std::shared_ptr<PoolFile> file;
    std::uint64_t offset = 0; ///< of its first byte in the file
    std::uint64_t size = 0;   ///< how many bytes there must be
    bool is_hashed = false;
    Sha256 sum = {};
};

struct Received {
    std::uint64_t bytes = 0;
    std::optional<Response> refusal = {};
};

/// Reads the body into the file. Hashing and writing are the pool's: other requests go on.
asio::awaitable<Received> receive(std::shared_ptr<HubState> hub, std::shared_ptr<const Request> request,
                                  std::shared_ptr<Reception> to) {
    Received got;
    const std::shared_ptr<BodySource> body = body_of(*request);
    while (got.bytes < to->size) {
        Result<std::string> piece = co_await body->read(kPiece);
        if (!piece || piece->empty()) {
            got.refusal = storage_error(400, "IncompleteBody",
                                        "You did not provide the number of bytes "
                                        "specified by the Content-Length HTTP header");
            break;
        }
        const std::uint64_t size = piece->size();
        auto bytes = std::make_shared<const std::string>(std::move(*piece));
        const std::uint64_t at = to->offset + got.bytes;
        std::function<Result<void>()> work = [to, bytes, at] {
            if (to->is_hashed)
                to->sum.update(*bytes);
            return to->file->write(at, *bytes);
        };
        net::Async<void> stored = hub->loop.offload<void>(std::move(work));
        const Result<void> written = co_await std::move(stored);
        got.bytes += size;
        if (!written) {
            got.refusal = storage_error(500, "InternalError", written.error().message);
            break;
        }
    }
    co_return got;
}

/// What the service asks of every PUT; nullopt when it is fine.
std::optional<Response> put_problem(const HubState& hub, const Request& request, const std::string& what,
                                    std::uint64_t size) {
    if (auto problem = signature_problem(hub, request, what))
        return problem;
    const std::string length = request.header("content-length");
    if (length.empty())
        return storage_error(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
    if (length != std::to_string(size))
        return storage_error(400, "EntityTooLarge",
                             fmt::format("The body has {} bytes where {} were announced", length, size));
    return std::nullopt;
}

void log_put(HubState& hub, const std::string& oid, int part, std::uint64_t bytes, bool is_stored) {
    if (hub.puts.size() < kMostPuts)
        hub.puts.push_back({oid, part, bytes, is_stored});
}

asio::awaitable<Response> put_whole(std::shared_ptr<HubState> hub, std::shared_ptr<const Request> request) {
    const std::string oid = request->param("sha");
    const auto announced = hub->announced.find(oid);
    const std::uint64_t size = announced == hub->announced.end() ? 0 : announced->second;
    if (auto problem = put_problem(*hub, *request, "PUT " + oid, size))
        co_return std::move(*problem);
    const fs::path path = hub->store.pool.incoming(fmt::format("{}-{}", oid, ++hub->incoming));
    auto file = PoolFile::create(path);
    if (!file)
        co_return storage_error(500, "InternalError", file.error().message);
    auto reception = std::make_shared<Reception>();
    reception->file = std::move(*file);
    reception->size = size;
    reception->is_hashed = hub->options.check_sha256;
    Received got = co_await receive(hub, request, reception);
    const bool is_right = !got.refusal && (!reception->is_hashed || reception->sum.hex() == oid);
    log_put(*hub, oid, 0, got.bytes, is_right);
    std::error_code ignored;
    if (!is_right) {
        fs::remove(path, ignored);
        co_return got.refusal
            ? std::move(*got.refusal)
            : storage_error(400, "BadDigest", "The sha256 you specified did not match what we received");
    }
    if (Result<void> kept = hub->store.pool.adopt(path, oid); !kept)
        co_return storage_error(500, "InternalError", kept.error().message);
    Response response = answer(200, "", "application/xml");
    if (hub->options.part_etag)
        response.set("ETag", "\"" + oid.substr(0, 32) + "\"");
    co_return response;
}

int number_of(const std::string& text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

asio::awaitable<Response> put_part(std::shared_ptr<HubState> hub, std::shared_ptr<const Request> request) {
    const std::string id = request->param("upload");
    const int number = number_of(request->query_value("partNumber").value_or(""));
    const auto found = hub->uploads.find(id);
    if (found == hub->uploads.end())
        co_return storage_error(404, "NoSuchUpload", "The specified multipart upload does not exist.");
    const std::shared_ptr<HubUpload> upload = found->second;
    if (auto problem =
            put_problem(*hub, *request, fmt::format("PUT {} {}", id, number), upload->part_size(number)))
        co_return std::move(*problem);
    auto reception = std::make_shared<Reception>();
    reception->file = upload->file;
    reception->offset = static_cast<std::uint64_t>(number - 1) * upload->chunk_size;
    reception->size = upload->part_size(number);
    upload->sum->part_begins(number);
    Received got = co_await receive(hub, request, reception);
    log_put(*hub, upload->sha256, number, got.bytes, !got.refusal);
    if (got.refusal)
        co_return std::move(*got.refusal);
    const std::string etag =
        "\"" + sha1_hex(fmt::format("{} {} {}", id, number, ++hub->incoming)).substr(0, 32) + "\"";
    upload->etags[number] = etag;
    if (hub->options.check_sha256)
        upload->sum->part_is_there(number);
    Response response = answer(200, "", "application/xml");
    if (hub->options.part_etag)
        response.set("ETag", etag);
    co_return response;
}

/// What is wrong with the list of parts, or "".
std::string parts_problem(const HubUpload& upload, const json& body) {
    if (!body.is_object() || body.value("oid", json()) != json(upload.sha256) || !body.contains("parts") ||
        !body["parts"].is_array())
        return "oid and parts are required";
    int previous = 0;
    for (const json& part : body["parts"]) {
        const bool is_part = part.is_object() && part.value("partNumber", json()).is_number_integer() &&
                             part.value("etag", json()).is_string();
        const int number = is_part ? part["partNumber"].get<int>() : 0;
        const auto known = upload.etags.find(number);
        if (number != previous + 1)
            return "the list of parts was not in ascending order, or one is missing";
        if (known == upload.etags.end() || known->second != part["etag"])
            return fmt::format("part {} was not uploaded, or its etag differs (quotes belong to it)", number);
        previous = number;
    }
    return previous == upload.parts() ? "" : "not all parts are in the list";
}

asio::awaitable<Response> complete(std::shared_ptr<HubState> hub, std::shared_ptr<const Request> request) {
    const std::string id = request->query_value("uploadId").value_or("");
    const auto found = hub->uploads.find(id);
    if (auto problem = signature_problem(*hub, *request, "complete " + id)) {
        const int status = problem->status;
        co_return hub_error(status, "",
                            status == 400
                                ? "Only one auth mechanism allowed: the address is signed"
                                : "The address of this upload has expired or its signature is wrong");
    }
    if (found == hub->uploads.end())
        co_return hub_error(404, "", "The specified multipart upload does not exist");
    const std::shared_ptr<HubUpload> upload = found->second;
    if (upload->is_done) // a repeated call, after an answer that was lost
        co_return hub_json({{"success", true}});
    const json body = json::parse(request->body, nullptr, false);
    const std::string problem = parts_problem(*upload, body);
    if (!problem.empty())
        co_return hub_error(400, "", problem);
    if (hub->options.check_sha256) {
        net::Async<std::string> summed = upload->sum->finish();
        const Result<std::string> sum = co_await std::move(summed);
        if (!sum)
            co_return hub_error(500, "", sum.error().message);
        if (*sum != upload->sha256)
            co_return hub_error(400, "", "the parts together do not have the announced sha256");
    }
    if (!upload->is_done) // two calls at once
        if (Result<void> kept = hub->store.pool.adopt(hub->store.pool.incoming(id), upload->sha256); !kept)
            co_return hub_error(500, "", kept.error().message);
    upload->is_done = true;
    co_return hub_json({{"success", true}});
}

asio::awaitable<void> send_pieces(HubPool::Blob blob, ByteSpan span, std::shared_ptr<BodyWriter> writer) {
    while (span.count > 0) {
        Result<std::string> piece = blob.read(span.from, std::min(span.count, kPiece));
        if (!piece || piece->empty())
            co_return;
        span.from += piece->size();
        span.count -= piece->size();
        const bool is_open = co_await writer->write(std::move(*piece));
        if (!is_open)
            co_return;
    }
}

Response download(const std::shared_ptr<HubState>& hub, const Request& request) {
    const std::string sha256 = request.param("sha");
    if (auto problem = signature_problem(*hub, request, "GET " + sha256))
        return std::move(*problem);
    Result<HubPool::Blob> blob = hub->store.pool.open(sha256);
    if (!blob)
        return storage_error(404, "NoSuchKey", "The specified key does not exist.");
    const std::uint64_t size = hub->store.pool.size(sha256);
    const ByteSpan span = span_of(hub->options.ranges ? request.header("range") : "", size);
    Response response;
    response.set("Content-Type", "application/octet-stream");
    response.set("X-Amz-Cf-Id", hub->loop.system().random_tag(24));
    // Not the sha256: clients must not take it for that.
    response.set("ETag", "\"" + sha1_hex(sha256).substr(0, 32) + "\"");
    set_span(response, span, size);
    if (response.status == 416)
        return response;
    response.content_length = span.count;
    if (request.method != "HEAD")
        response.stream = [blob = std::move(*blob), span](std::shared_ptr<BodyWriter> writer) {
            return send_pieces(blob, span, std::move(writer));
        };
    return response;
}

} // namespace

std::uint64_t HubUpload::part_size(int number) const {
    if (number < 1 || number > parts())
        return 0;
    const std::uint64_t from = static_cast<std::uint64_t>(number - 1) * chunk_size;
    return std::min(chunk_size, size - from);
}

void add_hub_storage_routes(Router& router, std::shared_ptr<HubState> hub) {
    router.on_async("PUT", "/sim-storage/lfs/{sha}", [hub](std::shared_ptr<const Request> request) {
        return put_whole(hub, std::move(request));
    });
    router.on_async("PUT", "/sim-storage/parts/{upload}", [hub](std::shared_ptr<const Request> request) {
        return put_part(hub, std::move(request));
    });
    router.on("GET", "/sim-storage/lfs/{sha}",
              [hub](const Request& request) { return download(hub, request); });
    router.on_async("POST", "/api/complete_multipart", [hub](std::shared_ptr<const Request> request) {
        return complete(hub, std::move(request));
    });
}

} // namespace podsmith::sim
