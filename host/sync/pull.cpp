#include "net/workers.hpp"
#include "sync/claim.hpp"
#include "sync/jobs.hpp"
#include "sync/listing.hpp"
#include "sync/local_tree.hpp"
#include "sync/pull_sink.hpp"
#include "sync/pull_stream.hpp"
#include "sync/push_source.hpp"

#include "ssh/feed.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace podsmith::sync {
namespace {

constexpr int kRounds = 3; // what changes while it is read is asked for again, in smaller parts

struct Pull {
    Pull(net::Loop& event_loop, std::shared_ptr<ssh::Session> connection, Options choices,
         std::shared_ptr<Progress> shown)
        : loop(event_loop),
          session(std::move(connection)),
          options(std::move(choices)),
          progress(std::move(shown)),
          doing(fmt::format("pull {} on {} to {}", options.remote, session->name(), options.local)) {}

    net::Loop& loop;
    std::shared_ptr<ssh::Session> session;
    Options options;
    std::shared_ptr<Progress> progress;
    std::string doing;

    std::string target;      // folder on the other side
    std::string remote_name; // the one file in it, or ""
    std::string root;        // local folder
    std::string local_name;  // what that file is called here
    Claim claim;
    std::string stage;
    Manifest manifest;
    Walked walked;
    Plan plan;
    std::shared_ptr<LocalTree> tree;
    std::shared_ptr<std::deque<Job>> jobs = std::make_shared<std::deque<Job>>();
    int round = 0;
    unsigned segments = 0;
    std::vector<std::string> unsettled; // did not arrive as listed in this round
    std::string said;                   // why, in the other side's words
    Summary summary;

    const std::string& there(const Entry& entry) const {
        return remote_name.empty() ? entry.path : remote_name;
    }
};
using PullPtr = std::shared_ptr<Pull>;

Async<void> on_pool(PullPtr pull, std::function<Result<void>()> work) {
    Async<void> running = pull->loop.offload<void>(std::move(work));
    Result<void> done = co_await std::move(running);
    if (!done)
        co_return fail(done.error().in(pull->doing));
    co_return Result<void>();
}

// ---- what differs

tl::unexpected<Error> not_there(const Pull& pull) {
    return fail(Kind::not_found, pull.doing + ": there is no such file or folder", "check the path there");
}

// A folder is asked for as such; only when it is a file its folder is.
Async<void> list_there(PullPtr pull) {
    pull->target = plain_remote(pull->options.remote);
    Async<Manifest> listing =
        list_remote(pull->loop, pull->session, pull->target, "", std::string(kStagePrefix));
    Result<Manifest> manifest = co_await std::move(listing);
    if (!manifest)
        co_return fail(manifest.error().in(pull->doing));
    if (!manifest->exists)
        co_return not_there(*pull);
    if (!manifest->is_folder) {
        const RemoteFile file = split_remote(pull->options.remote);
        pull->target = file.folder;
        pull->remote_name = file.name;
        Async<Manifest> again =
            list_remote(pull->loop, pull->session, file.folder, file.name, std::string(kStagePrefix));
        manifest = co_await std::move(again);
        if (!manifest)
            co_return fail(manifest.error().in(pull->doing));
        if (manifest->tree.empty())
            co_return not_there(*pull);
    }
    pull->manifest = std::move(*manifest);
    co_return Result<void>();
}

// Where it goes: known only when the other side has said whether it is a file.
Result<void> choose_place(Pull& pull) {
    const std::filesystem::path local(pull.options.local);
    if (pull.remote_name.empty()) {
        pull.root = local.string();
        return {};
    }
    if (pull.options.remove)
        return fail(Kind::invalid, pull.doing + ": only a folder can be pulled with delete");
    const bool into = local.filename().empty();
    pull.local_name = into ? pull.remote_name : local.filename().string();
    pull.root = local.parent_path().empty() ? "." : local.parent_path().string();
    pull.manifest.tree.front().path = pull.local_name;
    return {};
}

Result<void> list_here(Pull& pull) {
    std::error_code code;
    const std::string path = pull.root + "/" + pull.local_name;
    if (!std::filesystem::exists(std::filesystem::symlink_status(path, code))) {
        pull.walked = Walked();
        pull.walked.ignore = make_ignore(pull.options.ignore);
        return {};
    }
    Result<Walked> walked =
        pull.local_name.empty() ? walk(pull.root, pull.options.ignore) : walk_one(path, pull.local_name);
    if (!walked)
        return fail(walked.error());
    pull.walked = std::move(*walked);
    return {};
}

Result<void> check_plan(const Pull& pull) {
    if (!pull.plan.blocked.empty())
        return fail(
            Kind::conflict,
            fmt::format("{}: {} is a folder here and none there", pull.doing, pull.plan.blocked.front()),
            pull.local_name.empty() ? "remove it here, or pull with delete"
                                    : "end the local path with a slash to pull into that folder");
    if (pull.options.remove && pull.manifest.tree.empty() && !pull.options.allow_empty)
        return fail(Kind::conflict,
                    fmt::format("{}: nothing is there, so everything here would be deleted", pull.doing),
                    "if that is meant, say so with allow_empty (--allow-empty)");
    return {};
}

void begin_round(Pull& pull) {
    PlanOptions options;
    options.remove = pull.options.remove;
    options.with_fraction = pull.manifest.has_fraction;
    options.large = std::max<std::uint64_t>(pull.options.large, 1);
    options.from_is_filtered = !pull.local_name.empty();
    for (Entry& entry : pull.manifest.tree)
        if (entry.type != Type::link)
            entry.mode &= 0777;
    for (Entry& entry : pull.walked.tree)
        if (entry.type != Type::link)
            entry.mode &= 0777;
    pull.plan = make_plan(pull.manifest.tree, pull.walked.tree, pull.walked.ignore, options);
    pull.unsettled.clear();
    if (pull.round > 0)
        return;
    pull.summary.skipped = pull.plan.skipped;
    pull.summary.unchanged = pull.plan.unchanged;
    note_changes(pull.summary, pull.plan);
    pull.progress->files_total = pull.plan.files.size() + pull.plan.large.size() + pull.plan.links.size();
    pull.progress->bytes_total = pull.plan.bytes;
    pull.progress->is_planned = true;
}

Async<void> compare(PullPtr pull) {
    Async<void> listing = list_there(pull);
    Result<void> listed = co_await std::move(listing);
    if (!listed)
        co_return listed;
    if (Result<void> chosen = choose_place(*pull); !chosen)
        co_return chosen;
    std::function<Result<void>()> look = [pull]() -> Result<void> {
        if (Result<void> done = list_here(*pull); !done)
            return done;
        begin_round(*pull);
        return {};
    };
    Async<void> looking = on_pool(pull, std::move(look));
    Result<void> looked = co_await std::move(looking);
    if (!looked)
        co_return looked;
    co_return check_plan(*pull);
}

// ---- small files

void note_done(Pull& pull, const Entry& entry) {
    ++pull.progress->files;
    ++pull.summary.files;
    pull.summary.bytes += entry.size;
}

bool may_pack(const Pull& pull, const ssh::Session& session) {
    return pull.options.compress && pull.manifest.has_gzip && is_far(session);
}

// Some of the names, from all over the list; none where packing cannot help.
std::vector<std::string> samples_of(const Pull& pull, const std::vector<Entry>& entries,
                                    const ssh::Session& session) {
    constexpr std::size_t kSamples = 8;
    constexpr std::uint64_t kWorthIt = 256u << 10;
    std::uint64_t bytes = 0;
    for (const Entry& entry : entries)
        bytes += entry.size;
    std::vector<std::string> names;
    if (bytes < kWorthIt || !may_pack(pull, session))
        return names;
    for (std::size_t i = 0; i < std::min(kSamples, entries.size()); ++i)
        names.push_back("./" + pull.there(entries[i * entries.size() / std::min(kSamples, entries.size())]));
    return names;
}

Async<void> fetch_segment(PullPtr pull, std::vector<Entry> entries, std::shared_ptr<ssh::Session> session) {
    std::string names;
    for (const Entry& entry : entries)
        names += "./" + pull->there(entry) + '\0';
    std::string line = send_files_command(pull->target, samples_of(*pull, entries, *session));
    auto sink =
        std::make_shared<SegmentSink>(pull->tree, "s" + std::to_string(pull->segments++), std::move(entries));
    StreamHandler handler;
    handler.take = [sink](std::string_view bytes) { return sink->take(bytes); };
    handler.check = [sink](const std::vector<std::string>& hashes) { return sink->check(hashes); };
    handler.received = [pull](std::size_t bytes) { pull->progress->bytes += bytes; };
    Async<ssh::ExecResult> reading =
        read_stream(pull->loop, session, std::move(line), std::move(names), std::move(handler));
    Result<ssh::ExecResult> result = co_await std::move(reading);
    const std::vector<Entry>& all = sink->entries();
    for (std::size_t i = 0; i < sink->placed(); ++i)
        note_done(*pull, all[i]);
    if (!result)
        co_return fail(result.error().in(pull->doing));
    for (std::size_t i = sink->placed(); i < all.size(); ++i)
        pull->unsettled.push_back(all[i].path);
    if (!result->err.empty())
        pull->said = result->err;
    co_return Result<void>();
}

// ---- large files

struct LargePull {
    Entry entry;
    std::string part;
    std::size_t pieces_left = 0;
    bool is_wrong = false;
};

Async<void> place_part(PullPtr pull, std::shared_ptr<LargePull> file) {
    std::function<Result<void>()> work = [pull, file] { return pull->tree->place(file->part, file->entry); };
    Async<void> placing = on_pool(pull, std::move(work));
    Result<void> placed = co_await std::move(placing);
    if (!placed)
        co_return placed;
    note_done(*pull, file->entry);
    co_return Result<void>();
}

Async<void> fetch_range(PullPtr pull, std::shared_ptr<LargePull> file, Piece piece,
                        std::shared_ptr<ssh::Session> session) {
    auto sink = std::make_shared<PieceSink>(pull->tree, file->part, piece.offset, piece.size);
    auto hash = std::make_shared<std::string>();
    StreamHandler handler;
    handler.take = [sink](std::string_view bytes) { return sink->take(bytes); };
    handler.check = [hash](const std::vector<std::string>& hashes) -> Result<void> {
        if (!hashes.empty())
            *hash = hashes.front();
        return {};
    };
    handler.received = [pull](std::size_t bytes) { pull->progress->bytes += bytes; };
    const std::uint64_t count = (piece.size + kPieceUnit - 1) / kPieceUnit;
    std::string line = send_range_command(pull->target, pull->there(file->entry), piece.offset / kPieceUnit,
                                          count, may_pack(*pull, *session));
    Async<ssh::ExecResult> reading =
        read_stream(pull->loop, session, std::move(line), "", std::move(handler));
    Result<ssh::ExecResult> result = co_await std::move(reading);
    if (!result)
        co_return fail(result.error().in(pull->doing));
    const std::string wanted = fmt::format("is {} {}\n", file->entry.size, file->entry.mtime / 1'000'000'000);
    std::function<Result<bool>()> close = [sink, hash] { return sink->finish(*hash); };
    Async<bool> closing = pull->loop.offload<bool>(std::move(close));
    Result<bool> whole = co_await std::move(closing);
    if (!whole)
        co_return fail(whole.error().in(pull->doing));
    if (!*whole || result->err != wanted)
        file->is_wrong = true;
    if (result->err != wanted)
        pull->said = result->err;
    co_return Result<void>();
}

Async<void> fetch_piece(PullPtr pull, std::shared_ptr<LargePull> file, Piece piece,
                        std::shared_ptr<ssh::Session> session) {
    auto sink = std::make_shared<PieceSink>(pull->tree, file->part, piece.offset, piece.size);
    std::function<Result<bool>()> look = [sink] { return sink->is_there(); };
    Async<bool> looking = pull->loop.offload<bool>(std::move(look));
    Result<bool> there = co_await std::move(looking);
    if (!there)
        co_return fail(there.error().in(pull->doing));
    if (*there) {
        pull->progress->bytes += piece.size;
    } else if (!file->is_wrong) {
        Async<void> fetching = fetch_range(pull, file, piece, session);
        Result<void> fetched = co_await std::move(fetching);
        if (!fetched)
            co_return fetched;
    }
    if (--file->pieces_left > 0)
        co_return Result<void>();
    if (file->is_wrong) {
        pull->unsettled.push_back(file->entry.path);
        co_return Result<void>();
    }
    Async<void> placing = place_part(pull, file);
    Result<void> placed = co_await std::move(placing);
    co_return placed;
}

void add_jobs(PullPtr pull) {
    for (const Entry& entry : pull->plan.large) {
        auto file = std::make_shared<LargePull>();
        file->entry = entry;
        file->part = part_name(entry);
        for (std::uint64_t offset = 0; offset < entry.size; offset += pull->options.piece) {
            const Piece piece{file->part, offset, std::min(pull->options.piece, entry.size - offset)};
            ++file->pieces_left;
            pull->jobs->push_back([pull, file, piece](std::shared_ptr<ssh::Session> session) {
                return fetch_piece(pull, file, piece, std::move(session));
            });
        }
    }
    const std::size_t most = pull->round == 0 ? 20'000 : pull->round == 1 ? 100 : 1;
    for (std::vector<Entry>& segment : split_segments(std::move(pull->plan.files), *pull->session, most))
        pull->jobs->push_back([pull, entries = std::move(segment)](std::shared_ptr<ssh::Session> session) {
            return fetch_segment(pull, entries, std::move(session));
        });
}

// ---- the whole

Result<void> prepare(Pull& pull) {
    if (!pull.tree) {
        Result<std::shared_ptr<LocalTree>> tree = LocalTree::open(pull.root);
        if (!tree)
            return fail(tree.error());
        pull.tree = std::move(*tree);
    }
    if (Result<void> done = pull.tree->open_stage(pull.stage); !done)
        return done;
    for (const std::string& path : pull.plan.obstacles)
        if (Result<void> done = pull.tree->remove(path); !done)
            return done;
    for (const std::string& path : pull.plan.new_folders)
        if (Result<void> done = pull.tree->make_folder(path); !done)
            return done;
    for (const Entry& entry : pull.plan.links) {
        if (Result<void> done = pull.tree->make_link(entry); !done)
            return done;
        note_done(pull, entry);
    }
    return {};
}

Result<void> finish(Pull& pull) {
    for (const std::string& path : pull.plan.removed)
        if (Result<void> done = pull.tree->remove_file(path); !done)
            return done;
    for (const std::string& path : pull.plan.removed_folders)
        pull.tree->remove_empty_folder(path);
    pull.summary.deleted += pull.plan.removed.size() + pull.plan.removed_folders.size();
    for (const Entry& entry : pull.plan.modes)
        if (Result<void> done = pull.tree->set_mode(entry); !done)
            return done;
    for (auto folder = pull.plan.folders.rbegin(); folder != pull.plan.folders.rend(); ++folder)
        if (Result<void> done = pull.tree->set_folder(*folder); !done)
            return done;
    pull.tree->remove_stage(pull.stage);
    return {};
}

Async<void> carry_out(PullPtr pull) {
    std::function<Result<void>()> first = [pull] { return prepare(*pull); };
    Async<void> preparing = on_pool(pull, std::move(first));
    Result<void> prepared = co_await std::move(preparing);
    if (!prepared)
        co_return prepared;
    const std::uint64_t bytes = pull->plan.bytes;
    add_jobs(pull);
    Async<void> working = do_jobs(pull->loop, pull->session, pull->jobs, bytes);
    Result<void> worked = co_await std::move(working);
    if (!worked)
        co_return worked;
    std::function<Result<void>()> last = [pull] { return finish(*pull); };
    Async<void> finishing = on_pool(pull, std::move(last));
    Result<void> finished = co_await std::move(finishing);
    co_return finished;
}

tl::unexpected<Error> still_changing(const Pull& pull) {
    Error error;
    error.kind = pull.said.empty() ? Kind::conflict : Kind::io;
    error.message = fmt::format(
        "{}: {}{} did not arrive as listed, three times: {}; all else is here", pull.doing,
        pull.unsettled.front(),
        pull.unsettled.size() > 1 ? fmt::format(" (and {} more)", pull.unsettled.size() - 1) : "",
        pull.said.empty() ? "it changes while it is read" : pull.said.substr(0, pull.said.find('\n')));
    error.hint =
        "pull again when nobody writes to it, leave it out with an exclude pattern, or check who may read it";
    return fail(std::move(error));
}

bool is_done(const Pull& pull) {
    return pull.options.dry_run || pull.plan.is_empty();
}

Async<void> run(PullPtr pull) {
    for (pull->round = 0; pull->round < kRounds; ++pull->round) {
        Async<void> comparing = compare(pull);
        Result<void> compared = co_await std::move(comparing);
        if (!compared)
            co_return compared;
        if (is_done(*pull))
            co_return Result<void>();
        Async<void> working = carry_out(pull);
        Result<void> worked = co_await std::move(working);
        if (!worked)
            co_return worked;
        if (pull->unsettled.empty())
            co_return Result<void>();
    }
    co_return still_changing(*pull);
}

} // namespace

Async<Summary> pull(net::Loop& loop, std::shared_ptr<ssh::Session> session, Options options,
                    std::shared_ptr<Progress> progress) {
    const double begun = loop.system().monotonic();
    auto pull = std::make_shared<Pull>(loop, std::move(session), std::move(options), std::move(progress));
    if (pull->options.local.empty() || pull->options.remote.empty())
        co_return fail(Kind::invalid, "pull: a path is missing",
                       "give the path on the other side and the local one");
    std::function<Result<Claim>()> claiming = [pull, tag = loop.system().random_tag(24)] {
        return claim(pull->options.state, words_of("pull", pull->options, *pull->session), tag);
    };
    Async<Claim> work = loop.offload<Claim>(std::move(claiming));
    Result<Claim> claimed = co_await std::move(work);
    if (!claimed)
        co_return fail(claimed.error().in(pull->doing));
    pull->claim = std::move(*claimed);
    pull->stage = std::string(kStagePrefix) + pull->claim.id;
    Async<void> running = run(pull);
    Result<void> done = co_await std::move(running);
    if (!done)
        co_return fail(done.error());
    pull->summary.seconds = loop.system().monotonic() - begun;
    co_return std::move(pull->summary);
}

} // namespace podsmith::sync
