// Large files: the batch call, the storage service (basic and multipart), verify.
#include "sim/hub_call.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>
#include <fstream>

namespace podsmith::sim {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

Response storage_error(int status, const std::string& code, const std::string& message) {
    return answer(status,
                  fmt::format("<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
                              code, message),
                  "application/xml");
}

Response lfs_json(const json& body, int status = 200) {
    return answer(status, body.dump(), "application/vnd.git-lfs+json");
}

bool is_sha256(const std::string& text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string signature_of(const std::string& what) {
    return sha1_hex("sign " + what);
}

/// The upload actions of one object.
json actions_for(HubCall& call, const std::string& oid, std::uint64_t size) {
    const std::string storage = call.storage();
    json upload;
    if (size > call.hub.options.chunk_size) {
        const std::string id = call.hub.loop.system().random_tag(24);
        call.hub.uploads[id] = {oid, size, {}};
        json header{{"chunk_size", std::to_string(call.hub.options.chunk_size)}};
        const std::uint64_t parts = (size + call.hub.options.chunk_size - 1) / call.hub.options.chunk_size;
        for (std::uint64_t part = 1; part <= parts; ++part)
            header[fmt::format("{:05}", part)] =
                fmt::format("{}/sim-storage/parts/{}?partNumber={}&X-Amz-Signature={}", storage, id, part,
                            signature_of(id + std::to_string(part)));
        upload = {{"href", fmt::format("{}/api/complete_multipart?uploadId={}&signature={}", call.base(), id,
                                       signature_of(id))},
                  {"header", header}};
    } else {
        upload = {{"href",
                   fmt::format("{}/sim-storage/lfs/{}?X-Amz-Signature={}", storage, oid, signature_of(oid))}};
    }
    json actions{{"upload", upload}};
    if (call.hub.options.verify)
        actions["verify"] = {{"href", fmt::format("{}/{}{}.git/info/lfs/verify", call.base(),
                                                  call.type == "dataset" ? "datasets/" : "", call.id())},
                             {"header", json::object()}};
    return actions;
}

Response download_batch(HubCall& call, const json& body) {
    const HubFound found = find_readable(call);
    if (!found.repo)
        return found.refusal;
    json list = json::array();
    for (const json& object : body["objects"]) {
        const std::string oid = object.value("oid", "");
        json one{{"oid", oid}, {"size", object.value("size", std::uint64_t{0})}, {"authenticated", true}};
        if (call.hub.store.has_large(oid))
            one["actions"] = {{"download",
                               {{"href", fmt::format("{}/sim-storage/lfs/{}?X-Amz-Signature={}",
                                                     call.storage(), oid, signature_of(oid))}}}};
        else
            one["error"] = {{"code", 404}, {"message", "Object does not exist"}};
        list.push_back(std::move(one));
    }
    return lfs_json({{"transfer", "basic"}, {"objects", list}});
}

Response batch(HubCall& call) {
    const json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object() || !body.contains("objects") || !body["objects"].is_array())
        return hub_error(400, "", "\"objects\" is required");
    if (body.value("operation", "upload") == "download")
        return download_batch(call, body);
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    bool any_multipart = false;
    json list = json::array();
    for (const json& object : body["objects"]) {
        const std::string oid = object.value("oid", "");
        const std::uint64_t size = object.value("size", std::uint64_t{0});
        json one{{"oid", oid}, {"size", size}};
        if (!is_sha256(oid)) {
            one["error"] = {{"code", 422}, {"message", "oid is no sha256"}};
        } else if (!call.hub.store.has_large(oid)) { // no actions: it is there already
            one["authenticated"] = true;
            one["actions"] = actions_for(call, oid, size);
            any_multipart = any_multipart || size > call.hub.options.chunk_size;
        }
        list.push_back(std::move(one));
    }
    return lfs_json({{"transfer", any_multipart ? "multipart" : "basic"}, {"objects", list}});
}

/// What the storage service asks of every upload; nullopt when it is fine.
std::optional<Response> upload_problem(const Request& request, const std::string& signed_text) {
    if (!request.header("authorization").empty())
        return storage_error(400, "InvalidArgument", "Only one auth mechanism allowed");
    if (request.header("content-length").empty())
        return storage_error(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
    if (request.query_value("X-Amz-Signature").value_or("") != signature_of(signed_text))
        return storage_error(403, "SignatureDoesNotMatch", "The request signature does not match");
    return std::nullopt;
}

Result<void> write_large(const fs::path& path, const std::string& bytes) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    const fs::path part = path.string() + ".part";
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file)
        return fail(Kind::io, "write " + part.string());
    fs::rename(part, path, error);
    if (error)
        return fail(Kind::io, fmt::format("rename {}: {}", part.string(), error.message()));
    return {};
}

asio::awaitable<Response> put_whole(std::shared_ptr<HubState> hub, std::shared_ptr<const Request> request) {
    const std::string oid = request->param("sha");
    if (std::optional<Response> problem = upload_problem(*request, oid))
        co_return std::move(*problem);
    // Hashing and writing a large body would hold up every other request.
    const fs::path path = hub->store.large_path(oid);
    std::function<Result<bool>()> work = [request, oid, path]() -> Result<bool> {
        if (sha256_hex(request->body) != oid)
            return false;
        if (Result<void> done = write_large(path, request->body); !done)
            return fail(done.error());
        return true;
    };
    net::Async<bool> stored = hub->loop.offload<bool>(std::move(work));
    Result<bool> is_right = co_await std::move(stored);
    if (!is_right)
        co_return storage_error(500, "InternalError", is_right.error().message);
    if (!*is_right)
        co_return storage_error(400, "BadDigest", "The sha256 you specified did not match what we received");
    Response response = answer(200, "", "application/xml");
    response.set("ETag", "\"" + oid.substr(0, 32) + "\"");
    co_return response;
}

fs::path part_path(const HubState& hub, const std::string& upload, int part) {
    return hub.store.dir / "parts" / fmt::format("{}-{:05}", upload, part);
}

int number_of(const std::string& text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

asio::awaitable<Response> put_part(std::shared_ptr<HubState> hub, std::shared_ptr<const Request> request) {
    const std::string id = request->param("upload");
    const std::string number = request->query_value("partNumber").value_or("");
    if (std::optional<Response> problem = upload_problem(*request, id + number))
        co_return std::move(*problem);
    if (!hub->uploads.contains(id))
        co_return storage_error(404, "NoSuchUpload", "The specified multipart upload does not exist.");
    const fs::path path = part_path(*hub, id, number_of(number));
    std::function<Result<void>()> work = [request, path] { return write_large(path, request->body); };
    net::Async<void> stored = hub->loop.offload<void>(std::move(work));
    Result<void> done = co_await std::move(stored);
    if (!done)
        co_return storage_error(500, "InternalError", done.error().message);
    const std::string etag = "\"" + sha1_hex(request->body).substr(0, 32) + "\"";
    if (const auto upload = hub->uploads.find(id); upload != hub->uploads.end())
        upload->second.etags[number_of(number)] = etag;
    Response response = answer(200, "", "application/xml");
    response.set("ETag", etag);
    co_return response;
}

/// What is wrong with the list of parts, or "".
std::string parts_problem(const HubState& hub, const HubState::Upload& upload, const json& body) {
    if (!body.is_object() || body.value("oid", "") != upload.sha256 || !body.contains("parts"))
        return "oid and parts are required";
    const std::uint64_t wanted = (upload.size + hub.options.chunk_size - 1) / hub.options.chunk_size;
    int previous = 0;
    for (const json& part : body["parts"]) {
        const int number = part.value("partNumber", 0);
        const auto known = upload.etags.find(number);
        if (number != previous + 1)
            return "the list of parts was not in ascending order, or one is missing";
        if (known == upload.etags.end() || known->second != part.value("etag", ""))
            return fmt::format("part {} was not uploaded, or its etag differs (quotes belong to it)", number);
        previous = number;
    }
    return static_cast<std::uint64_t>(previous) == wanted ? "" : "not all parts are in the list";
}

Result<bool> join_parts(const fs::path& target, const std::vector<fs::path>& parts,
                        const std::string& sha256) {
    std::string all;
    for (const fs::path& part : parts) {
        Result<std::string> bytes = read_file(part);
        if (!bytes)
            return fail(bytes.error());
        all += *bytes;
    }
    if (sha256_hex(all) != sha256)
        return false;
    if (Result<void> done = write_large(target, all); !done)
        return fail(done.error());
    std::error_code error;
    for (const fs::path& part : parts)
        fs::remove(part, error);
    return true;
}

asio::awaitable<Response> complete(std::shared_ptr<HubState> hub, std::shared_ptr<const Request> request) {
    const std::string id = request->query_value("uploadId").value_or("");
    if (!request->header("authorization").empty())
        co_return hub_error(400, "", "Only one auth mechanism allowed: the address is signed");
    const auto upload = hub->uploads.find(id);
    if (upload == hub->uploads.end() || request->query_value("signature").value_or("") != signature_of(id))
        co_return hub_error(403, "", "The upload is unknown or its signature is wrong");
    const json body = json::parse(request->body, nullptr, false);
    const std::string problem = parts_problem(*hub, upload->second, body);
    if (!problem.empty())
        co_return hub_error(400, "", problem);
    std::vector<fs::path> parts;
    for (const auto& [number, etag] : upload->second.etags)
        parts.push_back(part_path(*hub, id, number));
    const std::string oid = upload->second.sha256;
    const fs::path target = hub->store.large_path(oid);
    std::function<Result<bool>()> work = [parts, oid, target] { return join_parts(target, parts, oid); };
    net::Async<bool> joined = hub->loop.offload<bool>(std::move(work));
    Result<bool> is_right = co_await std::move(joined);
    if (!is_right)
        co_return hub_error(500, "", is_right.error().message);
    if (!*is_right)
        co_return hub_error(400, "", "the parts together do not have the announced sha256");
    hub->uploads.erase(id);
    co_return hub_json({{"success", true}});
}

Response verify(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const json body = json::parse(call.request.body, nullptr, false);
    const std::string oid = body.is_object() ? body.value("oid", "") : "";
    if (!call.hub.store.has_large(oid))
        return hub_error(404, "", "Object does not exist");
    if (call.hub.store.large_size(oid) != body.value("size", std::uint64_t{0}))
        return hub_error(400, "", "Object has another size");
    return lfs_json(json::object());
}

} // namespace

void add_hub_lfs_routes(Router& router, std::shared_ptr<HubState> hub) {
    for (const char* prefix : {"", "/datasets"}) {
        const std::string git = std::string(prefix) + "/{ns}/{repo}.git/info/lfs";
        hub_route(router, hub, "POST", git + "/objects/batch", batch);
        hub_route(router, hub, "POST", git + "/verify", verify);
        hub_route(router, hub, "POST", git + "/locks/verify",
                  [](HubCall&) { return hub_error(404, "", "Locking is not supported"); });
    }
    // The storage service: another host name, no token, signed addresses.
    router.on_async("PUT", "/sim-storage/lfs/{sha}", [hub](std::shared_ptr<const Request> request) {
        return put_whole(hub, std::move(request));
    });
    router.on_async("PUT", "/sim-storage/parts/{upload}", [hub](std::shared_ptr<const Request> request) {
        return put_part(hub, std::move(request));
    });
    router.on_async("POST", "/api/complete_multipart", [hub](std::shared_ptr<const Request> request) {
        return complete(hub, std::move(request));
    });
}

} // namespace podsmith::sim
