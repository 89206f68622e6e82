// What a repository says of itself.
#include "sim/hub_call.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr std::uint64_t kHeaderBytes = 1 << 20;

const std::vector<std::string>& expandable(const std::string& type) {
    static const std::vector<std::string> model{"author",
                                                "baseModels",
                                                "cardData",
                                                "childrenModelCount",
                                                "config",
                                                "createdAt",
                                                "disabled",
                                                "downloads",
                                                "downloadsAllTime",
                                                "evalResults",
                                                "gated",
                                                "gguf",
                                                "inference",
                                                "inferenceProviderMapping",
                                                "lastModified",
                                                "library_name",
                                                "likes",
                                                "mask_token",
                                                "model-index",
                                                "pipeline_tag",
                                                "private",
                                                "resourceGroup",
                                                "safetensors",
                                                "sha",
                                                "siblings",
                                                "spaces",
                                                "tags",
                                                "transformersInfo",
                                                "trendingScore",
                                                "usedStorage",
                                                "widgetData",
                                                "xetEnabled"};
    static const std::vector<std::string> dataset{"author",
                                                  "cardData",
                                                  "citation",
                                                  "createdAt",
                                                  "description",
                                                  "disabled",
                                                  "downloads",
                                                  "downloadsAllTime",
                                                  "gated",
                                                  "lastModified",
                                                  "likes",
                                                  "mainSize",
                                                  "paperswithcode_id",
                                                  "private",
                                                  "resourceGroup",
                                                  "sha",
                                                  "siblings",
                                                  "tags",
                                                  "trendingScore",
                                                  "usedStorage"};
    return type == "model" ? model : dataset;
}

json siblings_of(const HubCommit& commit, bool with_blobs) {
    json list = json::array();
    for (const auto& [path, file] : commit.files) {
        json one{{"rfilename", path}};
        if (with_blobs) {
            one["size"] = file.size;
            one["blobId"] = file.oid;
            if (file.is_lfs())
                one["lfs"] = {{"sha256", file.sha256},
                              {"size", file.size},
                              {"pointerSize", lfs_pointer(file.sha256, file.size).size()}};
        }
        list.push_back(std::move(one));
    }
    return list;
}

/// Every large file of every commit once: overwritten ones go on counting.
std::uint64_t used_storage(const HubRepo& repo) {
    std::map<std::string, std::uint64_t> sizes;
    for (const auto& [id, commit] : repo.commits)
        for (const auto& [path, file] : commit.files)
            sizes[file.is_lfs() ? file.sha256 : file.oid] = file.size;
    std::uint64_t total = 0;
    for (const auto& [id, size] : sizes)
        total += size;
    return total;
}

json read_json(const HubCommit& commit, const std::string& path) {
    const auto file = commit.files.find(path);
    if (file == commit.files.end() || !file->second.content)
        return nullptr;
    json value = json::parse(*file->second.content, nullptr, false);
    return value.is_object() ? value : json(nullptr);
}

void add_model_facts(json& info, const HubStore& store, const HubCommit& commit) {
    const json config = read_json(commit, "config.json");
    if (config.is_object()) {
        json digest = json::object();
        for (const char* name : {"architectures", "model_type", "quantization_config"})
            if (config.contains(name))
                digest[name] = config[name];
        info["config"] = digest;
        info["transformersInfo"] = {{"auto_model", "AutoModelForCausalLM"},
                                    {"pipeline_tag", "text-generation"},
                                    {"processor", "AutoTokenizer"}};
        info["pipeline_tag"] = "text-generation";
        info["library_name"] = "transformers";
        info["tags"] = json::array({"transformers", "safetensors", config.value("model_type", "")});
    }
    std::map<std::string, std::uint64_t> counts;
    for (const auto& [path, file] : commit.files) {
        if (!path.ends_with(".safetensors") || !file.is_lfs())
            continue;
        const Result<std::string> head = store.read_large(file.sha256, 0, std::min(file.size, kHeaderBytes));
        for (const auto& [dtype, count] : safetensors_parameters(head ? *head : ""))
            counts[dtype] += count;
    }
    if (counts.empty())
        return;
    std::uint64_t total = 0;
    for (const auto& [dtype, count] : counts)
        total += count;
    info["safetensors"] = {{"parameters", counts}, {"total", total}};
}

json info_of(const HubCall& call, const HubRepo& repo, const HubCommit& commit, bool with_blobs) {
    json info{{"_id", repo.internal_id},
              {"id", repo.id},
              {"author", repo.owner()},
              {"sha", commit.id},
              {"private", repo.is_private},
              {"gated", repo.gated.empty() ? json(false) : json(repo.gated)},
              {"disabled", repo.is_disabled},
              {"createdAt", hub_time(repo.created_at)},
              {"lastModified", hub_time(commit.date)},
              {"tags", json::array()},
              {"downloads", 0},
              {"likes", 0},
              {"usedStorage", used_storage(repo)},
              {"siblings", siblings_of(commit, with_blobs)}};
    if (call.type == "model") {
        info["modelId"] = repo.id;
        info["spaces"] = json::array();
        add_model_facts(info, call.hub.store, commit);
    }
    return info;
}

Response info_at(HubCall& call, const std::string& revision) {
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    const HubCommit* commit = found.repo->at(revision);
    if (!commit)
        return revision_missing(revision);
    const bool with_blobs = call.request.query_value("blobs").value_or("") == "true";
    json info = info_of(call, *found.repo, *commit, with_blobs);
    std::vector<std::string> wanted;
    for (const auto& [name, value] : call.request.query)
        if (name == "expand" || name == "expand[]")
            wanted.push_back(value);
    if (wanted.empty())
        return hub_json(info);
    json narrow{{"_id", info["_id"]}, {"id", info["id"]}};
    for (const std::string& name : wanted) {
        const auto& known = expandable(call.type);
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            std::string list;
            for (const std::string& each : known)
                list += fmt::format("{}{}", list.empty() ? "" : ", ", each);
            return hub_error(400, "", fmt::format("\"expand\" must be one of [{}]", list));
        }
        if (info.contains(name))
            narrow[name] = info[name];
    }
    return hub_json(narrow);
}

Response page(HubCall& call) {
    if (call.request.param("ns") == "api")
        return hub_error(404, "", "Sorry, we can't find the page you are looking for.");
    const HubFound found = find_repo(call);
    return found.repo ? answer(200, found.repo->id + " (simulated Hub)\n", "text/plain; charset=utf-8")
                      : found.refusal;
}

} // namespace

void add_hub_info_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_routes(router, hub, "GET", "{api}", [](HubCall& call) { return info_at(call, "main"); });
    hub_routes(router, hub, "GET", "{api}/revision/{rev}",
               [](HubCall& call) { return info_at(call, call.request.param("rev")); });
    hub_routes(router, hub, "GET", "{web}", page);
    // Old ids have no namespace; none of the seeded ones has.
    for (const char* pattern : {"/api/models/{repo}", "/api/datasets/{repo}"})
        hub_route(router, hub, "GET", pattern, [](HubCall& call) { return find_repo(call).refusal; });
}

} // namespace podsmith::sim
