#include "hf/cache.hpp"

#include "base/system.hpp"
#include "base/text.hpp"
#include "hf/local_file.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace podsmith::hf {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* kTag =
    "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of files from the Hugging Face Hub.\n";

std::string repo_folder(const std::string& type, const std::string& id) {
    std::string name = type + "s";
    for (const std::string& part : split(id, '/'))
        name += "--" + part;
    return name;
}

tl::unexpected<Error> trouble(const char* verb, const fs::path& path, const std::error_code& error) {
    return fail(Kind::io, fmt::format("{} {}: {}", verb, path.string(), error.message()),
                error == std::errc::no_space_on_device ? "the disk is full" : "");
}

Result<void> make_folder(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error)
        return trouble("make the folder", path, error);
    return {};
}

Result<void> rename_to(const fs::path& from, const fs::path& to) {
    if (Result<void> made = make_folder(to.parent_path()); !made)
        return made;
    std::error_code error;
    fs::rename(from, to, error);
    if (error)
        return trouble("rename the download to", to, error);
    return {};
}

class CacheStore final : public Store {
public:
    CacheStore(fs::path root, const std::string& type, const std::string& id, std::string commit)
        : root_(std::move(root)),
          repo_(root_ / repo_folder(type, id)),
          locks_(root_ / ".locks" / repo_folder(type, id)),
          commit_(std::move(commit)) {}

    fs::path folder() const override { return repo_ / "snapshots" / commit_; }
    fs::path partial(const RemoteFile& file) const override {
        return repo_ / "blobs" / (file.etag + ".podsmith.incomplete");
    }
    fs::path lock(const RemoteFile& file) const override { return locks_ / (file.etag + ".lock"); }

    Result<bool> has(const RemoteFile& file) override {
        std::error_code error;
        const fs::path pointer = folder() / file.path;
        if (fs::file_size(pointer, error) == file.size && !error)
            return true;
        if (fs::file_size(blob(file), error) != file.size || error)
            return false;
        if (Result<void> linked = link(file); !linked)
            return fail(linked.error());
        return true;
    }

    Result<void> take(const RemoteFile& file) override {
        if (Result<void> moved = rename_to(partial(file), blob(file)); !moved)
            return moved;
        return link(file);
    }

    Result<void> finish(const std::string& revision) override {
        std::error_code error;
        if (!fs::exists(root_ / "CACHEDIR.TAG", error))
            static_cast<void>(write_file(root_ / "CACHEDIR.TAG", kTag));
        if (revision == commit_)
            return {};
        const fs::path ref = repo_ / "refs" / revision;
        if (Result<void> made = make_folder(ref.parent_path()); !made)
            return made;
        return write_file(ref, commit_);
    }

private:
    fs::path blob(const RemoteFile& file) const { return repo_ / "blobs" / file.etag; }

    Result<void> link(const RemoteFile& file) const {
        const fs::path pointer = folder() / file.path;
        if (Result<void> made = make_folder(pointer.parent_path()); !made)
            return made;
        const fs::path target = fs::path(blob(file)).lexically_relative(pointer.parent_path());
        std::error_code error;
        fs::create_symlink(target, pointer, error);
        if (error == std::errc::file_exists) { // of another process, or broken: put ours in its place
            const fs::path fresh = pointer.string() + fmt::format(".{}.podsmith", ::getpid());
            fs::create_symlink(target, fresh, error);
            if (!error)
                fs::rename(fresh, pointer, error);
        }
        if (error)
            return trouble("link", pointer, error);
        return {};
    }

    fs::path root_, repo_, locks_;
    std::string commit_;
};

class FolderStore final : public Store {
public:
    FolderStore(fs::path folder, std::string commit)
        : folder_(std::move(folder)), commit_(std::move(commit)) {}

    fs::path folder() const override { return folder_; }
    fs::path partial(const RemoteFile& file) const override {
        return notes() / (file.etag + ".podsmith.incomplete");
    }
    fs::path lock(const RemoteFile& file) const override { return notes() / (file.etag + ".lock"); }

    Result<bool> has(const RemoteFile& file) override {
        const fs::path path = folder_ / file.path;
        std::error_code error;
        if (fs::file_size(path, error) != file.size || error)
            return false;
        // Somebody's own file may have the same size: only its bytes tell.
        Result<std::string> etag =
            file.is_large ? sha256_of(path.string()) : git_id_of(path.string(), file.size);
        return etag && *etag == file.etag;
    }

    Result<void> take(const RemoteFile& file) override {
        if (Result<void> moved = rename_to(partial(file), folder_ / file.path); !moved)
            return moved;
        const fs::path note = notes() / (file.path + ".metadata");
        if (Result<void> made = make_folder(note.parent_path()); !made)
            return made;
        return write_file(note, fmt::format("{}\n{}\n{:.6f}\n", commit_, file.etag, System().utc()));
    }

    Result<void> finish(const std::string&) override { return {}; }

private:
    fs::path notes() const { return folder_ / ".cache" / "huggingface" / "download"; }
    fs::path folder_;
    std::string commit_;
};

fs::path tree_path(const fs::path& root, const std::string& type, const std::string& id,
                   const std::string& commit) {
    return root / repo_folder(type, id) / "trees" / (commit + ".json");
}

} // namespace

std::unique_ptr<Store> cache_store(fs::path root, const std::string& type, const std::string& id,
                                   std::string commit) {
    return std::make_unique<CacheStore>(std::move(root), type, id, std::move(commit));
}

std::unique_ptr<Store> folder_store(fs::path folder, std::string commit) {
    return std::make_unique<FolderStore>(std::move(folder), std::move(commit));
}

std::optional<std::vector<RemoteFile>> cached_tree(const fs::path& root, const std::string& type,
                                                   const std::string& id, const std::string& commit) {
    const Result<std::string> text = read_file(tree_path(root, type, id, commit));
    const json tree = text ? json::parse(*text, nullptr, false) : json();
    if (!tree.is_object() || tree.value("format_version", json()) != 1 ||
        !tree.value("files", json()).is_object())
        return std::nullopt;
    std::vector<RemoteFile> files;
    for (const auto& [path, facts] : tree["files"].items()) {
        RemoteFile file;
        file.path = path;
        file.is_large = facts.is_object() && facts.value("lfs_sha256", json()).is_string();
        const char* key = file.is_large ? "lfs_sha256" : "blob_id";
        if (!facts.is_object() || !facts.value(key, json()).is_string() ||
            !facts.value("size", json()).is_number_unsigned())
            return std::nullopt;
        file.etag = facts[key].get<std::string>();
        file.blob_id = facts.value("blob_id", json()).is_string() ? facts["blob_id"].get<std::string>() : "";
        file.size = facts["size"].get<std::uint64_t>();
        files.push_back(std::move(file));
    }
    return files;
}

void remember_tree(const fs::path& root, const std::string& type, const std::string& id,
                   const std::string& commit, const std::vector<RemoteFile>& files) {
    json tree = json::object();
    tree["format_version"] = 1;
    tree["files"] = json::object();
    for (const RemoteFile& file : files) {
        json facts = json::object();
        facts["size"] = file.size;
        facts["blob_id"] = file.blob_id;
        if (file.is_large) {
            facts["lfs_sha256"] = file.etag;
            facts["lfs_size"] = file.size;
        }
        tree["files"][file.path] = std::move(facts);
    }
    const fs::path path = tree_path(root, type, id, commit);
    if (make_folder(path.parent_path()))
        static_cast<void>(write_file(path, tree.dump(-1, ' ', false, json::error_handler_t::replace)));
}

} // namespace podsmith::hf
