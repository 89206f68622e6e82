#include "hf/download.hpp"

#include "hf/commit.hpp"
#include "hf/fetch.hpp"
#include "hf/paths.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace podsmith::hf {

using nlohmann::json;

namespace {

using RequestPtr = std::shared_ptr<const DownloadRequest>;

bool is_commit(const std::string& revision) {
    return revision.size() == 40 && revision.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The files among a tree's entries. A name that would lead out of the folder is the server's breach.
Result<std::vector<RemoteFile>> files_in(const json& entries, const Subject& subject) {
    std::vector<RemoteFile> files;
    for (const json& entry : entries) {
        if (!entry.is_object() || entry.value("type", json()) != "file")
            continue;
        RemoteFile file;
        const json path = entry.value("path", json()), size = entry.value("size", json());
        const json lfs = entry.value("lfs", json()), oid = entry.value("oid", json());
        if (!path.is_string() || !size.is_number_unsigned() || !oid.is_string())
            return fail(malformed(subject, "a file without path, size or oid"));
        file.path = path.get<std::string>();
        file.size = size.get<std::uint64_t>();
        file.blob_id = oid.get<std::string>();
        file.is_large = lfs.is_object();
        const json etag = file.is_large ? lfs.value("oid", json()) : oid;
        file.etag = etag.is_string() ? etag.get<std::string>() : "";
        if (const std::string problem = path_problem(file.path); !problem.empty())
            return fail(malformed(subject, fmt::format("the path \"{}\" {}", file.path, problem)));
        if (file.etag.size() != (file.is_large ? 64 : 40) ||
            file.etag.find_first_not_of("0123456789abcdef") != std::string::npos)
            return fail(malformed(subject, fmt::format("{} has no hash", file.path)));
        files.push_back(std::move(file));
    }
    return files;
}

tl::unexpected<Error> missing(const DownloadRequest& request, const std::string& path) {
    Error error;
    error.kind = Kind::not_found;
    error.status = 404;
    error.message =
        fmt::format("download {} of {}: there is no such file in {}", path, request.id, request.revision);
    error.hint = fmt::format("`podsmith hub ls {}` lists what there is", request.id);
    return fail(std::move(error));
}

/// All files that the request asks for, at a commit.
Async<std::vector<RemoteFile>> wanted_files(std::shared_ptr<Client> client, RequestPtr request,
                                            std::string commit) {
    const Subject subject =
        client->about(fmt::format("list the files of {}", request->id), request->type, request->id);
    std::optional<std::vector<RemoteFile>> all;
    if (request->folder.empty())
        all = cached_tree(request->cache, request->type, request->id, commit);
    if (!all && request->paths.empty()) {
        Result<json> tree = co_await client->list_tree(request->type, request->id, commit, "");
        if (!tree)
            co_return fail(std::move(tree.error()));
        Result<std::vector<RemoteFile>> files = files_in(*tree, subject);
        if (!files)
            co_return files;
        if (request->folder.empty())
            remember_tree(request->cache, request->type, request->id, commit, *files);
        all = std::move(*files);
    }
    if (!all) {
        Result<json> infos = co_await client->paths_info(request->type, request->id, commit, request->paths);
        if (!infos)
            co_return fail(std::move(infos.error()));
        Result<std::vector<RemoteFile>> files = files_in(*infos, subject);
        if (!files)
            co_return files;
        all = std::move(*files);
    }
    if (!request->paths.empty()) {
        const std::set<std::string> named(request->paths.begin(), request->paths.end());
        std::erase_if(*all, [&](const RemoteFile& file) { return !named.contains(file.path); });
        std::set<std::string> found;
        for (const RemoteFile& file : *all)
            found.insert(file.path);
        for (const std::string& path : request->paths)
            if (!found.contains(path))
                co_return missing(*request, path);
    }
    std::erase_if(*all, [&](const RemoteFile& file) { return !request->patterns.takes(file.path); });
    co_return std::move(*all);
}

/// Splits off what is there already. Also says so when the disk cannot take the rest.
Result<std::vector<RemoteFile>> not_here(Store& store, const std::vector<RemoteFile>& files,
                                         Downloaded& done) {
    std::vector<RemoteFile> missing;
    std::uint64_t bytes = 0;
    for (const RemoteFile& file : files) {
        done.files.push_back(file.path);
        done.bytes += file.size;
        Result<bool> there = store.has(file);
        if (!there)
            return fail(there.error());
        done.unchanged += *there ? 1 : 0;
        if (*there)
            continue;
        missing.push_back(file);
        bytes += file.size;
    }
    std::error_code error;
    std::filesystem::path place = store.folder();
    while (!place.empty() && !std::filesystem::exists(place, error) && place != place.parent_path())
        place = place.parent_path();
    const auto space = std::filesystem::space(place.empty() ? "." : place, error);
    if (!error && space.available < bytes)
        return fail(Kind::io,
                    fmt::format("{} bytes are to come and the disk of {} has {} free", bytes, place.string(),
                                space.available),
                    "make room, or set HF_HUB_CACHE to another disk");
    return missing;
}

/// Brings each content once; files that have the bytes of another one are taken from it.
Async<void> bring(std::shared_ptr<Source> source, std::vector<RemoteFile> files) {
    std::set<std::string> seen;
    std::vector<RemoteFile> first, again;
    for (RemoteFile& file : files)
        (seen.insert(file.etag).second ? first : again).push_back(std::move(file));
    Result<void> fetched = co_await fetch_all(source, std::move(first));
    if (!fetched || again.empty())
        co_return fetched;
    Result<void> rest = co_await fetch_all(source, std::move(again));
    co_return rest;
}

} // namespace

Async<Downloaded> download(std::shared_ptr<Client> client, DownloadRequest given,
                           std::shared_ptr<Progress> progress) {
    auto request = std::make_shared<const DownloadRequest>(std::move(given));
    auto done = std::make_shared<Downloaded>();
    done->commit = request->revision;
    if (!is_commit(request->revision)) {
        Result<std::string> head = co_await head_of(client, request->type, request->id, request->revision);
        if (!head)
            co_return fail(std::move(head.error()));
        done->commit = *head;
    }
    Result<std::vector<RemoteFile>> files = co_await wanted_files(client, request, done->commit);
    if (!files)
        co_return fail(std::move(files.error()));
    if (files->empty())
        co_return fail(Kind::not_found, fmt::format("download from {}: no file matches", request->id),
                       fmt::format("`podsmith hub ls {}` lists what there is", request->id));
    auto source = std::make_shared<Source>();
    source->client = client;
    source->type = request->type;
    source->id = request->id;
    source->commit = done->commit;
    source->progress = progress;
    source->store = request->folder.empty()
                        ? cache_store(request->cache, request->type, request->id, done->commit)
                        : folder_store(request->folder, done->commit);
    done->folder = source->store->folder();
    std::function<Result<std::vector<RemoteFile>>()> look = [source, done, all = std::move(*files)] {
        return not_here(*source->store, all, *done);
    };
    Async<std::vector<RemoteFile>> looking =
        client->http().loop().offload<std::vector<RemoteFile>>(std::move(look));
    Result<std::vector<RemoteFile>> to_come = co_await std::move(looking);
    if (!to_come)
        co_return fail(to_come.error().in(fmt::format("download {}", request->id)));
    progress->files_total = done->files.size();
    progress->files = done->unchanged;
    progress->bytes_total = done->bytes;
    progress->bytes = done->bytes;
    for (const RemoteFile& file : *to_come)
        progress->bytes -= file.size;
    progress->phase = "receiving";
    progress->is_planned = true;
    Result<void> brought = co_await bring(source, std::move(*to_come));
    if (!brought)
        co_return fail(std::move(brought.error()));
    std::function<Result<void>()> finish = [source, request] {
        return source->store->finish(request->revision);
    };
    Async<void> finishing = client->http().loop().offload<void>(std::move(finish));
    Result<void> finished = co_await std::move(finishing);
    if (!finished)
        co_return fail(std::move(finished.error()));
    done->bytes_received = source->bytes_received;
    co_return std::move(*done);
}

} // namespace podsmith::hf
