// Large files, the Hub's part: the batch call that says where each goes, verify.
#include "sim/hub_call.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

Response lfs_json(const json& body, int status = 200) {
    return answer(status, body.dump(), "application/vnd.git-lfs+json");
}

bool is_sha256(const std::string& text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string download_url(HubCall& call, const std::string& oid) {
    return fmt::format("{}/sim-storage/lfs/{}?{}", call.storage(), oid,
                       signed_query(call.hub, call.storage_host(), "GET " + oid));
}

/// Where the parts of a large object go, and the address that ends the upload.
json multipart_action(HubCall& call, const std::string& oid, std::uint64_t size) {
    HubState& hub = call.hub;
    const std::string id = hub.loop.system().random_tag(24);
    auto file = PoolFile::create(hub.store.pool.incoming(id));
    if (!file)
        return nullptr;
    auto upload = std::make_shared<HubUpload>();
    upload->sha256 = oid;
    upload->size = size;
    upload->chunk_size = hub.options.chunk_size;
    upload->file = std::move(*file);
    upload->sum = std::make_shared<HubSum>(hub.loop, upload->file, size, upload->chunk_size);
    hub.uploads[id] = upload;
    json header{{"chunk_size", std::to_string(upload->chunk_size)}};
    for (int part = 1; part <= upload->parts(); ++part)
        header[fmt::format("{:05}", part)] =
            fmt::format("{}/sim-storage/parts/{}?partNumber={}&{}", call.storage(), id, part,
                        signed_query(hub, call.storage_host(), fmt::format("PUT {} {}", id, part)));
    return {
        {"href", fmt::format("{}/api/complete_multipart?uploadId={}&bucket=sim&prefix=lfs&{}", call.base(),
                             id, signed_query(hub, call.request.header("host"), "complete " + id))},
        {"header", header},
        {"expires_in", hub.options.url_seconds}};
}

/// The actions of one object that is not there yet; null when the disk is full.
json actions_for(HubCall& call, const std::string& oid, std::uint64_t size) {
    json upload;
    if (size > call.hub.options.chunk_size)
        upload = multipart_action(call, oid, size);
    else
        upload = {{"href", fmt::format("{}/sim-storage/lfs/{}?{}", call.storage(), oid,
                                       signed_query(call.hub, call.storage_host(), "PUT " + oid))}};
    if (upload.is_null())
        return nullptr;
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
        const std::string oid = text_in(object, "oid");
        json one{{"oid", oid}, {"size", count_in(object, "size")}, {"authenticated", true}};
        if (call.hub.store.pool.has(oid))
            one["actions"] = {{"download", {{"href", download_url(call, oid)}}}};
        else
            one["error"] = {{"code", 404}, {"message", "Object does not exist"}};
        list.push_back(std::move(one));
    }
    return lfs_json({{"transfer", "basic"}, {"objects", list}});
}

/// One object of an upload batch: what to do, or why not.
json upload_object(HubCall& call, const json& object) {
    const std::string oid = text_in(object, "oid");
    const std::uint64_t size = count_in(object, "size");
    json one{{"oid", oid}, {"size", size}};
    const int refused = call.hub.options.batch_error;
    if (!is_sha256(oid) || refused > 0) {
        one["error"] = {
            {"code", refused > 0 ? refused : 422},
            {"message", refused > 0 ? "The object is refused (batch_error)" : "oid is no sha256"}};
        return one;
    }
    if (call.hub.store.pool.has(oid)) // no actions: it is there already
        return one;
    json actions = actions_for(call, oid, size);
    if (actions.is_null()) {
        one["error"] = {{"code", 507}, {"message", "No space for the object"}};
        return one;
    }
    call.hub.announced[oid] = size;
    one["authenticated"] = true;
    one["actions"] = std::move(actions);
    return one;
}

Response batch(HubCall& call) {
    const json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object() || !body.contains("objects") || !body["objects"].is_array())
        return hub_error(400, "", "\"objects\" is required");
    if (text_in(body, "operation") == "download")
        return download_batch(call, body);
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    bool any_multipart = false;
    json list = json::array();
    for (const json& object : body["objects"]) {
        list.push_back(upload_object(call, object));
        any_multipart = any_multipart || (list.back().contains("actions") &&
                                          list.back()["actions"]["upload"].contains("header"));
    }
    return lfs_json({{"transfer", any_multipart ? "multipart" : "basic"}, {"objects", list}});
}

Response verify(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const json body = json::parse(call.request.body, nullptr, false);
    const std::string oid = text_in(body, "oid");
    if (!call.hub.store.pool.has(oid))
        return hub_error(404, "", "Object does not exist");
    if (call.hub.store.pool.size(oid) != count_in(body, "size"))
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
}

} // namespace podsmith::sim
