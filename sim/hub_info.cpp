// What a repository says of itself.
#include "sim/hub_call.hpp"
#include "sim/hub_card.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

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

json read_json(const HubCommit& commit, const std::string& path) {
    const auto file = commit.files.find(path);
    if (file == commit.files.end() || !file->second.content)
        return nullptr;
    json value = json::parse(*file->second.content, nullptr, false);
    return value.is_object() ? value : json(nullptr);
}

/// What the card says, and the tags that follow from it.
void add_card_facts(json& info, const HubCommit& commit) {
    const auto readme = commit.files.find("README.md");
    if (readme == commit.files.end() || !readme->second.content)
        return;
    const json data = card_data(*readme->second.content);
    if (!data.is_object())
        return;
    info["cardData"] = data;
    for (const char* name : {"library_name", "pipeline_tag"})
        if (data.contains(name))
            info[name] = data[name];
    const auto add = [&info, &data](const char* name, const std::string& prefix) {
        const json value = data.value(name, json());
        for (const json& one : value.is_array() ? value : json::array({value}))
            if (one.is_string())
                info["tags"].push_back(prefix + one.get<std::string>());
    };
    add("library_name", "");
    add("tags", "");
    add("language", "");
    add("datasets", "dataset:");
    add("base_model", "base_model:");
    add("license", "license:");
}

void add_model_facts(json& info, HubStore& store, const HubCommit& commit) {
    const json config = read_json(commit, "config.json");
    if (config.is_object()) {
        json digest = json::object();
        for (const char* name : {"architectures", "model_type", "quantization_config"})
            if (config.contains(name))
                digest[name] = config[name];
        const json tokenizer = read_json(commit, "tokenizer_config.json");
        for (const char* name : {"bos_token", "eos_token", "pad_token", "chat_template"})
            if (tokenizer.is_object() && tokenizer.contains(name))
                digest["tokenizer_config"][name] = tokenizer[name];
        info["config"] = digest;
        info["transformersInfo"] = {{"auto_model", "AutoModelForCausalLM"},
                                    {"pipeline_tag", "text-generation"},
                                    {"processor", "AutoTokenizer"}};
        info["pipeline_tag"] = "text-generation";
        info["library_name"] = "transformers";
        info["tags"].push_back(text_in(config, "model_type"));
    }
    std::map<std::string, std::uint64_t> counts;
    for (const auto& [path, file] : commit.files)
        if (path.ends_with(".safetensors") && file.is_lfs())
            for (const auto& [dtype, count] : store.parameters(file.sha256))
                counts[dtype] += count;
    if (counts.empty())
        return;
    std::uint64_t total = 0;
    for (const auto& [dtype, count] : counts)
        total += count;
    info["safetensors"] = {{"parameters", counts}, {"total", total}};
    info["tags"].push_back("safetensors");
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
              {"usedStorage", repo.used_storage()},
              {"siblings", siblings_of(commit, with_blobs)}};
    if (call.type == "model") {
        info["modelId"] = repo.id;
        info["spaces"] = json::array();
        add_model_facts(info, call.hub.store, commit);
    }
    add_card_facts(info, commit);
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
    // Old ids have no namespace and lead to one that has.
    for (const char* type : {"models", "datasets"})
        for (const char* rest : {"", "/revision/{rev}", "/tree/{rev}", "/tree/{rev}/{path...}"})
            hub_route(router, hub, "GET", fmt::format("/api/{}/{{repo}}{}", type, rest),
                      [](HubCall& call) { return find_repo(call).refusal; });
    for (const char* web : {"", "/datasets"})
        hub_route(router, hub, "GET", fmt::format("{}/{{repo}}/resolve/{{rev}}/{{path...}}", web),
                  [](HubCall& call) { return find_repo(call).refusal; });
}

} // namespace podsmith::sim
