#include "sim/hub_store.hpp"

#include "base/hash.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace podsmith::sim {

std::string git_blob_id(std::string_view content) {
    std::string bytes = fmt::format("blob {}", content.size());
    bytes += '\0';
    bytes += content;
    return sha1_hex(bytes);
}

std::string lfs_pointer(const std::string& sha256, std::uint64_t size) {
    return fmt::format("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", sha256, size);
}

HubFile regular_file(std::string content) {
    HubFile file;
    file.oid = git_blob_id(content);
    file.size = content.size();
    file.content = std::make_shared<const std::string>(std::move(content));
    return file;
}

HubFile large_file(const std::string& sha256, std::uint64_t size) {
    HubFile file;
    file.oid = git_blob_id(lfs_pointer(sha256, size));
    file.size = size;
    file.sha256 = sha256;
    return file;
}

const HubCommit* HubRepo::at(const std::string& revision) const {
    std::string wanted = revision == "HEAD" ? "main" : revision;
    if (const auto branch = branches.find(wanted); branch != branches.end())
        wanted = branch->second;
    else if (const auto tag = tags.find(wanted); tag != tags.end())
        wanted = tag->second;
    if (const auto exact = commits.find(wanted); exact != commits.end())
        return &exact->second;
    if (wanted.size() < 7 || wanted.find_first_not_of("0123456789abcdef") != std::string::npos)
        return nullptr;
    const auto near = commits.lower_bound(wanted);
    return near != commits.end() && near->first.starts_with(wanted) ? &near->second : nullptr;
}

std::vector<const HubCommit*> HubRepo::history(const std::string& revision) const {
    std::vector<const HubCommit*> found;
    for (const HubCommit* commit = at(revision); commit;
         commit = commit->parent.empty() ? nullptr : at(commit->parent))
        found.push_back(commit);
    return found;
}

void HubRepo::forget_unreachable() {
    std::set<std::string> kept;
    for (const auto* refs : {&branches, &tags})
        for (const auto& [name, head] : *refs)
            for (const HubCommit* commit : history(head))
                kept.insert(commit->id);
    std::erase_if(commits, [&kept](const auto& entry) { return !kept.contains(entry.first); });
}

std::uint64_t HubRepo::used_storage() const {
    std::map<std::string_view, std::uint64_t> sizes;
    for (const auto& [sha, commit] : commits)
        for (const auto& [path, file] : commit.files)
            sizes[file.is_lfs() ? file.sha256 : file.oid] = file.size;
    std::uint64_t total = 0;
    for (const auto& [key, size] : sizes)
        total += size;
    return total;
}

HubStore::HubStore(const System& given_system, std::filesystem::path dir)
    : system(given_system), pool(std::move(dir)) {}

HubRepo* HubStore::find(const std::string& type, const std::string& id) {
    const auto found = repos.find(type + " " + id);
    return found == repos.end() ? nullptr : &found->second;
}

HubRepo* HubStore::find_any_case(const std::string& type, const std::string& id) {
    for (auto& [key, repo] : repos)
        if (repo.type == type && lower(repo.id) == lower(id))
            return &repo;
    return nullptr;
}

HubRepo& HubStore::create(const std::string& type, const std::string& id, bool is_private) {
    HubRepo repo;
    repo.type = type;
    repo.id = id;
    repo.internal_id = sha1_hex(type + id).substr(0, 24);
    repo.is_private = is_private;
    repo.created_at = system.utc();
    former.erase(type + " " + id);
    HubRepo& kept = repos[type + " " + id] = std::move(repo);
    HubTree files;
    files[".gitattributes"] = regular_file(default_gitattributes());
    commit(kept, "main", std::move(files), "initial commit", "", kept.owner());
    return kept;
}

bool HubStore::remove(const std::string& type, const std::string& id) {
    return repos.erase(type + " " + id) > 0;
}

HubRepo& HubStore::rename(HubRepo& repo, const std::string& id) {
    auto node = repos.extract(repo.type + " " + repo.id);
    HubRepo& moved = node.mapped();
    for (auto& [old, target] : former)
        if (old.starts_with(moved.type + " ") && target == moved.id)
            target = id;
    former[moved.type + " " + moved.id] = id;
    former.erase(moved.type + " " + id);
    moved.id = id;
    node.key() = moved.type + " " + id;
    return repos.insert(std::move(node)).position->second;
}

std::string HubStore::renamed(const std::string& type, const std::string& id) const {
    const auto found = former.find(type + " " + id);
    return found == former.end() ? "" : found->second;
}

std::string HubStore::commit(HubRepo& repo, const std::string& branch, HubTree files,
                             const std::string& title, const std::string& message,
                             const std::string& author) {
    HubCommit made;
    const auto head = repo.branches.find(branch);
    made.parent = head == repo.branches.end() ? "" : head->second;
    made.title = title;
    made.message = message;
    made.author = author;
    made.date = system.utc();
    made.files = std::move(files);
    // The count keeps two equal commits of one second apart.
    std::string text = fmt::format("{} {} {} {} {}", repo.type, repo.id, made.parent, title, ++commits_made);
    for (const auto& [path, file] : made.files)
        text += path + file.oid;
    made.id = sha1_hex(text);
    const std::string id = made.id;
    repo.commits[id] = std::move(made);
    repo.branches[branch] = id;
    return id;
}

bool HubStore::is_used(const std::string& sha256) const {
    for (const auto& [key, repo] : repos)
        for (const auto& [id, commit] : repo.commits)
            for (const auto& [path, file] : commit.files)
                if (file.sha256 == sha256)
                    return true;
    return false;
}

const std::map<std::string, std::uint64_t>& HubStore::parameters(const std::string& sha256) {
    constexpr std::uint64_t kHeaderBytes = 1 << 20;
    const auto known = counted.find(sha256);
    if (known != counted.end())
        return known->second;
    const Result<std::string> head = pool.read(sha256, 0, std::min(pool.size(sha256), kHeaderBytes));
    return counted[sha256] = safetensors_parameters(head ? *head : "");
}

std::map<std::string, std::uint64_t> safetensors_parameters(std::string_view beginning) {
    std::map<std::string, std::uint64_t> counts;
    if (beginning.size() < 8)
        return counts;
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i)
        length = length << 8 | static_cast<unsigned char>(beginning[static_cast<std::size_t>(i)]);
    if (length > 25'000'000 || beginning.size() - 8 < length)
        return counts;
    const auto header = nlohmann::json::parse(beginning.substr(8, length), nullptr, false);
    if (!header.is_object())
        return counts;
    for (const auto& [name, tensor] : header.items()) {
        if (name == "__metadata__" || !tensor.is_object() || !tensor.contains("shape"))
            continue;
        std::uint64_t elements = 1;
        for (const auto& extent : tensor["shape"])
            elements *= extent.is_number_unsigned() ? extent.get<std::uint64_t>() : 0;
        counts[tensor.value("dtype", "F32")] += elements;
    }
    return counts;
}

} // namespace podsmith::sim
