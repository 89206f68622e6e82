#include "sync/listing.hpp"

#include "base/hash.hpp"
#include "ssh/feed.hpp"
#include "sync/jobs.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace podsmith::sync {
namespace {

constexpr unsigned kManifestWindow = 16u << 20;
constexpr std::size_t kMostManifest = std::size_t{1} << 30;
constexpr std::uint64_t kLeastSegment = 4u << 20;
constexpr std::uint64_t kMostSegment = 64u << 20;
constexpr std::size_t kLeastFiles = 1000;

} // namespace

std::string plain_remote(const std::string& path) {
    const std::string plain = path.starts_with("~/") ? path.substr(2) : path == "~" ? "." : path;
    return plain.starts_with('/') ? plain : "./" + plain; // commands begin in the home folder
}

RemoteFile split_remote(const std::string& path) {
    const std::string plain = plain_remote(path);
    const std::size_t slash = plain.rfind('/');
    return RemoteFile{slash == 0 ? "/" : plain.substr(0, slash), plain.substr(slash + 1)};
}

Async<Manifest> list_remote(net::Loop& loop, std::shared_ptr<ssh::Session> session, std::string target,
                            std::string only, std::string stage) {
    session->prepare(kChannelsFar); // for what follows the list
    ssh::ExecRequest request;
    request.command = manifest_command(target, only, stage);
    request.window = kManifestWindow;
    Async<ssh::ExecResult> running = session->exec(std::move(request), kMostManifest);
    Result<ssh::ExecResult> result = co_await std::move(running);
    if (!result)
        co_return fail(result.error());
    if (result->exit.code != 0)
        co_return fail(ssh::remote_failure("list " + target, result->exit, result->err));
    auto text = std::make_shared<std::string>(std::move(result->out));
    std::function<Result<Manifest>()> read = [text, only] { return parse_manifest(*text, only); };
    Async<Manifest> parsing = loop.offload<Manifest>(std::move(read));
    Result<Manifest> manifest = co_await std::move(parsing);
    co_return manifest;
}

std::vector<std::vector<Entry>> split_segments(std::vector<Entry> all, const ssh::Session& session,
                                               std::size_t most_files) {
    std::uint64_t bytes = 0;
    for (const Entry& entry : all)
        bytes += entry.size;
    const std::size_t channels = channels_for(session, bytes);
    const std::uint64_t limit = std::clamp<std::uint64_t>(bytes / channels, kLeastSegment, kMostSegment);
    const std::size_t most =
        std::clamp(all.size() / channels + 1, std::min(kLeastFiles, most_files), most_files);
    std::vector<std::vector<Entry>> segments;
    std::uint64_t size = 0;
    for (Entry& entry : all) {
        // The file that reaches the limit still goes in: a last segment of what did not fit costs round
        // trips.
        if (segments.empty() || size >= limit || segments.back().size() >= most) {
            segments.emplace_back();
            size = 0;
        }
        size += entry.size;
        segments.back().push_back(std::move(entry));
    }
    return segments;
}

std::string part_name(const Entry& entry) {
    return "large-" +
           sha256_hex(fmt::format("{}\n{}\n{}", entry.size, entry.mtime, entry.path)).substr(0, 24);
}

std::string words_of(const char* verb, const Options& options, const ssh::Session& session) {
    const std::string local = std::filesystem::absolute(options.local).lexically_normal().string();
    return fmt::format("{}\n{}\n{}\n{}", verb, local, options.remote,
                       options.place.empty() ? session.name() : options.place);
}

void note_changes(Summary& summary, const Plan& plan) {
    const auto note = [&summary](const char* action, const std::string& path, std::uint64_t size) {
        summary.changes.push_back(Change{action, path, size});
    };
    for (const std::string& path : plan.obstacles)
        note("replace", path, 0);
    for (const std::string& path : plan.new_folders)
        note("folder", path, 0);
    for (const std::vector<Entry>* list : {&plan.files, &plan.large})
        for (const Entry& entry : *list)
            note("send", entry.path, entry.size);
    for (const Entry& entry : plan.links)
        note("link", entry.path, 0);
    for (const Entry& entry : plan.modes)
        note("mode", entry.path, 0);
    for (const std::vector<std::string>* list : {&plan.removed, &plan.removed_folders})
        for (const std::string& path : *list)
            note("delete", path, 0);
}

} // namespace podsmith::sync
