// Listings: folders, single paths, sizes.
#include "base/hash.hpp"
#include "base/text.hpp"
#include "sim/hub_call.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr std::size_t kMostExpanded = 100;

/// What lies in a folder: files, and folders (null) by their paths.
struct Entries {
    std::map<std::string, const HubFile*> by_path;
    bool is_folder = false; ///< the path asked for exists as a folder
};

/// The commit that gave the path what it has in `commit`: files by their id, folders by all ids below.
const HubCommit& last_change(const HubRepo& repo, const HubCommit& commit, const std::string& path) {
    const auto below = [&path](const HubTree& files) {
        std::string ids;
        if (const auto file = files.find(path); file != files.end())
            return file->second.oid;
        for (auto at = files.lower_bound(path + "/"); at != files.end() && at->first.starts_with(path + "/");
             ++at)
            ids += at->first + at->second.oid;
        return ids;
    };
    const HubCommit* last = &commit;
    const std::string now = below(commit.files);
    while (!last->parent.empty()) {
        const HubCommit* parent = repo.at(last->parent);
        if (!parent || below(parent->files) != now)
            break;
        last = parent;
    }
    return *last;
}

/// The id git gives to a folder: of its entries, sorted, a folder as if its name ended in '/'.
std::string tree_id(const HubTree& files, const std::string& folder) {
    const std::string prefix = folder.empty() ? "" : folder + "/";
    std::string content;
    const auto add = [&content](const char* mode, const std::string& name, const std::string& oid) {
        content += fmt::format("{} {}", mode, name);
        content += '\0';
        for (std::size_t i = 0; i + 1 < oid.size(); i += 2)
            content += static_cast<char>(std::stoi(oid.substr(i, 2), nullptr, 16));
    };
    for (auto at = files.lower_bound(prefix); at != files.end() && at->first.starts_with(prefix);) {
        const std::string rest = at->first.substr(prefix.size());
        const auto slash = rest.find('/');
        if (slash == std::string::npos) {
            add("100644", rest, at->second.oid);
            ++at;
            continue;
        }
        const std::string name = rest.substr(0, slash), inner = prefix + name;
        add("40000", name, tree_id(files, inner));
        at = files.lower_bound(inner + "0"); // '0' follows '/'
    }
    const std::string head = fmt::format("tree {}", content.size());
    return sha1_hex(head + std::string(1, '\0') + content);
}

json entry_of(const HubRepo& repo, const HubCommit& commit, const std::string& path, const HubFile* file,
              bool expand) {
    json entry{{"type", file ? "file" : "directory"},
               {"oid", file ? file->oid : tree_id(commit.files, path)},
               {"size", file ? file->size : 0},
               {"path", path}};
    if (file && file->is_lfs())
        entry["lfs"] = {{"oid", file->sha256},
                        {"size", file->size},
                        {"pointerSize", lfs_pointer(file->sha256, file->size).size()}};
    if (!expand)
        return entry;
    const HubCommit& last = last_change(repo, commit, path);
    entry["lastCommit"] = {{"id", last.id}, {"title", last.title}, {"date", hub_time(last.date)}};
    if (file)
        entry["securityFileStatus"] = {
            {"status", "safe"}, {"avScan", nullptr}, {"pickleImportScan", nullptr}};
    return entry;
}

Entries list_folder(const HubCommit& commit, const std::string& folder, bool recursive) {
    Entries found;
    found.is_folder = folder.empty();
    const std::string prefix = folder.empty() ? "" : folder + "/";
    for (auto at = commit.files.lower_bound(prefix);
         at != commit.files.end() && at->first.starts_with(prefix); ++at) {
        const std::string& path = at->first;
        found.is_folder = true;
        for (auto slash = path.find('/', prefix.size()); slash != std::string::npos;
             slash = path.find('/', slash + 1)) {
            found.by_path.emplace(path.substr(0, slash), nullptr);
            if (!recursive)
                break;
        }
        if (recursive || path.find('/', prefix.size()) == std::string::npos)
            found.by_path[path] = &at->second;
    }
    return found;
}

std::size_t number_or(const std::optional<std::string>& text, std::size_t otherwise) {
    std::size_t value = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{})
        return otherwise;
    return value;
}

Response tree(HubCall& call) {
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    const std::string revision = call.request.param("rev");
    const HubCommit* commit = found.repo->at(revision);
    if (!commit)
        return revision_missing(revision);
    const bool recursive = call.request.query_value("recursive").value_or("") == "true";
    const bool expand = call.request.query_value("expand").value_or("") == "true";
    std::string folder = call.request.param("path");
    while (folder.ends_with('/'))
        folder.pop_back();
    const Entries all = list_folder(*commit, folder, recursive);
    if (!all.is_folder)
        return entry_missing(commit->id);

    const std::size_t most = std::min(call.hub.options.page_size, expand ? kMostExpanded : std::size_t{1000});
    const std::size_t size =
        std::max<std::size_t>(1, std::min(number_or(call.request.query_value("limit"), most), most));
    const std::string after = base64_decode(call.request.query_value("cursor").value_or(""));
    json page = json::array();
    std::string last;
    auto at = after.empty() ? all.by_path.begin() : all.by_path.upper_bound(after);
    for (; at != all.by_path.end() && page.size() < size; ++at) {
        page.push_back(entry_of(*found.repo, *commit, at->first, at->second, expand));
        last = at->first;
    }
    Response response = hub_json(page);
    if (at != all.by_path.end())
        response.set("Link", fmt::format("<{}{}?recursive={}&expand={}&limit={}&cursor={}>; rel=\"next\"",
                                         call.base(), call.request.path, recursive, expand, size,
                                         url_encode(base64_encode(last))));
    return response;
}

Response tree_size(HubCall& call) {
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    const HubCommit* commit = found.repo->at(call.request.param("rev"));
    if (!commit)
        return revision_missing(call.request.param("rev"));
    const std::string folder = call.request.param("path");
    std::uint64_t total = 0;
    for (const auto& [path, file] : commit->files)
        if (folder.empty() || path == folder || path.starts_with(folder + "/"))
            total += file.size;
    return hub_json({{"path", folder}, {"size", total}});
}

/// Paths of a form ("paths=a&paths=b&expand=true") or of JSON.
std::vector<std::string> asked_paths(const Request& request, bool& expand) {
    std::vector<std::string> paths;
    const json body = json::parse(request.body, nullptr, false);
    if (body.is_object()) {
        expand = body.value("expand", json()) == true;
        for (const auto& path : body.value("paths", json::array()))
            if (path.is_string())
                paths.push_back(path);
        return paths;
    }
    Request form;
    parse_target(form, "/?" + request.body);
    expand = lower(form.query_value("expand").value_or("")) == "true";
    for (const auto& [name, value] : form.query)
        if (name == "paths")
            paths.push_back(value);
    return paths;
}

Response paths_info(HubCall& call) {
    constexpr std::size_t kMost = 1000;
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    const HubCommit* commit = found.repo->at(call.request.param("rev"));
    if (!commit)
        return revision_missing(call.request.param("rev"));
    bool expand = false;
    const auto paths = asked_paths(call.request, expand);
    if (paths.size() > kMost)
        return hub_error(413, "", "Too many paths");
    json list = json::array();
    for (const std::string& path : paths) {
        if (const auto file = commit->files.find(path); file != commit->files.end())
            list.push_back(entry_of(*found.repo, *commit, path, &file->second, expand));
        else if (const auto next = commit->files.lower_bound(path + "/");
                 next != commit->files.end() && next->first.starts_with(path + "/"))
            list.push_back(entry_of(*found.repo, *commit, path, nullptr, expand));
    }
    return hub_json(list);
}

} // namespace

void add_hub_tree_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_routes(router, hub, "GET", "{api}/tree/{rev}", tree);
    hub_routes(router, hub, "GET", "{api}/tree/{rev}/{path...}", tree);
    hub_routes(router, hub, "GET", "{api}/treesize/{rev}", tree_size);
    hub_routes(router, hub, "GET", "{api}/treesize/{rev}/{path...}", tree_size);
    hub_routes(router, hub, "POST", "{api}/paths-info/{rev}", paths_info);
}

} // namespace podsmith::sim
