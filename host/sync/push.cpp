#include "sync/claim.hpp"
#include "sync/gzip.hpp"
#include "sync/jobs.hpp"
#include "sync/listing.hpp"
#include "sync/manifest.hpp"
#include "sync/plan.hpp"
#include "sync/push_lists.hpp"
#include "sync/push_scripts.hpp"
#include "sync/push_source.hpp"
#include "sync/transfer.hpp"

#include "base/text.hpp"
#include "net/workers.hpp"
#include "ssh/feed.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <set>

namespace podsmith::sync {
namespace {

constexpr std::size_t kMostFiles = 20'000;

struct LargeFile {
    Entry entry;
    std::string path; // local
    std::string part;
    std::uint64_t there = 0; // bytes up to which an earlier attempt may have brought it over
    std::size_t pieces_left = 0;
};

// One push, shared by its workers.
struct Push {
    Push(net::Loop& event_loop, std::shared_ptr<ssh::Session> connection, Options choices,
         std::shared_ptr<Progress> shown)
        : loop(event_loop),
          session(std::move(connection)),
          options(std::move(choices)),
          progress(std::move(shown)),
          doing(fmt::format("push {} to {} on {}", options.local, options.remote, session->name())) {}

    net::Loop& loop;
    std::shared_ptr<ssh::Session> session;
    Options options;
    std::shared_ptr<Progress> progress;
    std::string doing;

    std::string file; // the local path, when it is no folder
    std::string only; // then: its name there
    Claim claim;
    Stage stage;
    Walked walked;
    Manifest manifest;
    Plan plan;
    std::set<std::string, std::less<>> new_folders;
    std::shared_ptr<std::deque<Job>> jobs = std::make_shared<std::deque<Job>>();
    unsigned segments = 0;
    Summary summary;
    std::vector<std::string> changed;

    Error error(const ssh::ExecResult& result) const {
        if (result.exit.code == kCutShort)
            return ssh::remote_failure(doing, result.exit, "the input ended too soon");
        return ssh::remote_failure(doing, result.exit, result.err);
    }
    std::vector<std::string> new_parents(const std::vector<Entry>& entries) const {
        std::set<std::string_view> parents;
        for (const Entry& entry : entries)
            if (new_folders.contains(parent_of(entry.path)))
                parents.insert(parent_of(entry.path));
        return {parents.begin(), parents.end()};
    }
};
using PushPtr = std::shared_ptr<Push>;

ssh::Source once(std::string text) {
    auto whole = std::make_shared<std::string>(std::move(text));
    return [whole]() -> Result<std::string> { return std::exchange(*whole, std::string()); };
}

// Runs a command that must succeed.
Async<std::string> command(PushPtr push, std::shared_ptr<ssh::Session> session, std::string line,
                           std::string input) {
    ssh::Source source = once(std::move(input));
    Async<ssh::ExecResult> feeding = ssh::feed(push->loop, session, std::move(line), std::move(source));
    Result<ssh::ExecResult> result = co_await std::move(feeding);
    if (!result)
        co_return fail(result.error().in(push->doing));
    if (result->exit.code != 0)
        co_return fail(push->error(*result));
    co_return std::move(result->out);
}

// ---- what differs

Result<void> split_paths(Push& push) {
    if (push.options.local.empty() || push.options.remote.empty())
        return fail(Kind::invalid, "push: a path is missing",
                    "give the local path and the one on the other side");
    std::error_code code;
    const std::filesystem::path local(push.options.local);
    if (std::filesystem::is_directory(local, code)) {
        push.stage.target = plain_remote(push.options.remote);
        return {};
    }
    if (push.options.remove)
        return fail(Kind::invalid, push.doing + ": only a folder can be pushed with delete");
    const RemoteFile file = split_remote(push.options.remote);
    push.file = push.options.local;
    push.stage.target = file.folder;
    push.only = file.name.empty() ? local.filename().string() : file.name;
    return {};
}

Async<void> list_there(PushPtr push) {
    Async<Manifest> listing =
        list_remote(push->loop, push->session, push->stage.target, push->only, push->stage.name);
    Result<Manifest> manifest = co_await std::move(listing);
    if (!manifest)
        co_return fail(manifest.error().in(push->doing));
    push->manifest = std::move(*manifest);
    if (push->manifest.exists && !push->manifest.is_folder)
        co_return fail(Kind::conflict,
                       fmt::format("{}: {} is no folder there", push->doing, push->stage.target),
                       "name another place, or remove it first");
    co_return Result<void>();
}

Async<void> list_here(PushPtr push) {
    std::function<Result<Walked>()> look = [push] {
        return push->file.empty() ? walk(push->options.local, push->options.ignore)
                                  : walk_one(push->file, push->only);
    };
    Async<Walked> walking = push->loop.offload<Walked>(std::move(look));
    Result<Walked> walked = co_await std::move(walking);
    if (!walked)
        co_return fail(walked.error().in(push->doing));
    push->walked = std::move(*walked);
    co_return Result<void>();
}

Result<void> check_plan(const Push& push) {
    if (!push.plan.blocked.empty())
        return fail(
            Kind::conflict,
            fmt::format("{}: {} is a folder there and none here", push.doing, push.plan.blocked.front()),
            push.only.empty() ? "remove it there, or push with delete"
                              : "end the remote path with a slash to push into that folder");
    if (push.options.remove && push.walked.tree.empty() && !push.options.allow_empty)
        return fail(
            Kind::conflict,
            fmt::format("{}: nothing here is to be pushed, so everything there would be deleted", push.doing),
            "if that is meant, say so with allow_empty (--allow-empty)");
    return {};
}

Async<void> compare(PushPtr push) {
    std::vector<Async<void>> both;
    both.push_back(list_there(push));
    both.push_back(list_here(push));
    Async<void> listing = run_all(push->loop, std::move(both));
    Result<void> listed = co_await std::move(listing);
    if (!listed)
        co_return listed;
    PlanOptions options;
    options.remove = push->options.remove;
    options.from_is_filtered = true;
    options.with_fraction = push->manifest.has_fraction;
    options.large = std::max<std::uint64_t>(push->options.large, 1);
    push->plan = make_plan(push->walked.tree, push->manifest.tree, push->walked.ignore, options);
    push->stage.has_python = push->manifest.has_python;
    push->new_folders.insert(push->plan.new_folders.begin(), push->plan.new_folders.end());
    push->summary.skipped = push->walked.skipped;
    push->summary.unchanged = push->plan.unchanged;
    note_changes(push->summary, push->plan);
    Progress& progress = *push->progress;
    progress.files_total = push->plan.files.size() + push->plan.large.size() + push->plan.links.size();
    progress.bytes_total = push->plan.bytes;
    progress.is_planned = true;
    co_return check_plan(*push);
}

// ---- small files

void note_done(Push& push, const std::vector<Entry>& entries) {
    push.progress->files += entries.size();
    push.summary.files += entries.size();
    for (const Entry& entry : entries)
        push.summary.bytes += entry.size;
}

// "bad 17": which files differ; from python3 the one with which a frame that differs begins.
Error differing(const Push& push, const SegmentSource& source, const std::string& said) {
    std::string names;
    std::size_t count = 0;
    for (const std::string& line : split(said, '\n')) {
        if (!line.starts_with("bad "))
            continue;
        const std::string* name = source.checked(std::strtoul(line.c_str() + 4, nullptr, 10));
        if (name && count++ < 3)
            names += (names.empty() ? "" : ", ") + *name;
    }
    Error error;
    error.kind = Kind::protocol;
    error.message = fmt::format("{}: what arrived is not what was sent: {}{}", push.doing, names,
                                push.manifest.has_python ? ", or what was sent with it"
                                : count > 3              ? fmt::format(" and {} more", count - 3)
                                                         : "");
    error.hint = "it was not put in place; push again, and look at the disk there if it stays so";
    return error;
}

std::shared_ptr<SegmentSource> make_source(Push& push, std::vector<Entry> entries, bool with_content) {
    SegmentSource::Facts facts;
    facts.root = push.options.local;
    facts.file = push.file;
    facts.number = "s" + std::to_string(push.segments++);
    facts.for_python = with_content && push.manifest.has_python;
    facts.with_fraction = push.manifest.has_fraction;
    facts.with_content = with_content;
    facts.new_folders = push.new_parents(entries);
    return std::make_shared<SegmentSource>(std::move(facts), std::move(entries));
}

// Feeds a command on the other side. What its bytes stand for is added to the progress, and to `counted`.
Async<ssh::ExecResult> feed(PushPtr push, std::shared_ptr<ssh::Session> session, std::string line,
                            ssh::Source next, bool is_packed, std::shared_ptr<std::uint64_t> counted) {
    const std::shared_ptr<Packed> packing = is_packed ? std::make_shared<Packed>() : nullptr;
    if (packing)
        next = packed(std::move(next), packing);
    auto in_stream = std::make_shared<std::uint64_t>(0);
    ssh::Sent sent = [push, packing, in_stream, counted](std::size_t bytes) {
        *in_stream += bytes;
        const std::uint64_t now = packing ? packing->unpacked(*in_stream) : *in_stream;
        push->progress->bytes += now - *counted;
        *counted = now;
    };
    Async<ssh::ExecResult> feeding =
        ssh::feed(push->loop, std::move(session), std::move(line), std::move(next), std::move(sent));
    Result<ssh::ExecResult> result = co_await std::move(feeding);
    if (!result)
        co_return fail(result.error().in(push->doing));
    co_return result;
}

// Over a long line, what gets smaller by it is packed; each stream for itself, since a tree may hold both
// kinds.
Async<bool> is_worth_packing(PushPtr push, std::shared_ptr<ssh::Session> session,
                             std::vector<Extent> extents) {
    if (!push->options.compress || !push->manifest.has_gzip || !is_far(*session))
        co_return false;
    std::function<Result<bool>()> sample = [list = std::move(extents)]() -> Result<bool> {
        return shrinks(list);
    };
    Async<bool> sampling = push->loop.offload<bool>(std::move(sample));
    Result<bool> worth = co_await std::move(sampling);
    co_return worth;
}

Async<ssh::ExecResult> run_segment(PushPtr push, std::shared_ptr<ssh::Session> session,
                                   std::shared_ptr<SegmentSource> source, std::string line, bool is_packed) {
    ssh::Source next = [source] { return source->next(); };
    auto counted = std::make_shared<std::uint64_t>(0);
    Async<ssh::ExecResult> feeding =
        feed(push, std::move(session), std::move(line), std::move(next), is_packed, counted);
    Result<ssh::ExecResult> result = co_await std::move(feeding);
    // The stream is a little longer than the files in it.
    push->progress->bytes -= *counted;
    if (!result)
        co_return result;
    for (const Entry& entry : source->entries())
        push->progress->bytes += entry.size;
    co_return result;
}

Async<void> send_segment(PushPtr push, std::vector<Entry> entries, std::shared_ptr<ssh::Session> session) {
    std::shared_ptr<SegmentSource> source = make_source(*push, std::move(entries), true);
    Async<bool> sampling = is_worth_packing(push, session, source->extents());
    Result<bool> is_packed = co_await std::move(sampling);
    if (!is_packed)
        co_return fail(is_packed.error().in(push->doing));
    std::string line = segment_command(push->stage, source->number(), *is_packed);
    Async<ssh::ExecResult> running = run_segment(push, session, source, std::move(line), *is_packed);
    Result<ssh::ExecResult> result = co_await std::move(running);
    if (!result)
        co_return fail(result.error());
    if (result->exit.code == kDiffers)
        co_return fail(differing(*push, *source, result->out));
    if (result->exit.code != 0)
        co_return fail(push->error(*result));
    push->changed.insert(push->changed.end(), source->changed().begin(), source->changed().end());
    note_done(*push, source->entries());
    co_return Result<void>();
}

// What an earlier attempt brought over whole is checked and put in place. When that does not work it is sent.
Async<void> adopt(PushPtr push, std::string attempt, std::vector<Entry> entries) {
    std::shared_ptr<SegmentSource> source = make_source(*push, entries, false);
    std::string line = adopt_command(push->stage, attempt, source->number());
    Async<ssh::ExecResult> running = run_segment(push, push->session, source, std::move(line), false);
    Result<ssh::ExecResult> result = co_await std::move(running);
    if (!result)
        co_return fail(result.error());
    if (result->exit.code == 0) {
        push->changed.insert(push->changed.end(), source->changed().begin(), source->changed().end());
        note_done(*push, entries);
        push->summary.resumed += entries.size();
        co_return Result<void>();
    }
    for (const Entry& entry : entries)
        push->progress->bytes -= entry.size;
    push->plan.files.insert(push->plan.files.end(), entries.begin(), entries.end());
    co_return Result<void>();
}

Async<void> adopt_all(PushPtr push) {
    std::map<std::string, const Entry*> staged; // path in the tree: where an attempt has it
    for (const Entry& entry : push->manifest.staged) {
        const std::size_t begin = entry.path.find("/t/");
        if (entry.type == Type::file && begin != std::string::npos && begin == entry.path.find('/'))
            staged[entry.path.substr(begin + 3)] = &entry;
    }
    std::map<std::string, std::vector<Entry>> found; // by attempt
    std::erase_if(push->plan.files, [&](const Entry& entry) {
        const auto there = staged.find(entry.path);
        if (there == staged.end() || there->second->size != entry.size ||
            !same_time(there->second->mtime, entry.mtime, false)) // its hash decides
            return false;
        const std::string& path = there->second->path;
        found[path.substr(0, path.find('/'))].push_back(entry);
        return true;
    });
    for (auto& [attempt, entries] : found) {
        Async<void> adopting = adopt(push, attempt, std::move(entries));
        Result<void> done = co_await std::move(adopting);
        if (!done)
            co_return done;
    }
    co_return Result<void>();
}

void add_segments(PushPtr push) {
    std::vector<Entry> all = std::move(push->plan.files);
    all.insert(all.end(), push->plan.links.begin(), push->plan.links.end());
    for (std::vector<Entry>& segment : split_segments(std::move(all), *push->session, kMostFiles))
        push->jobs->push_back([push, entries = std::move(segment)](std::shared_ptr<ssh::Session> session) {
            return send_segment(push, entries, std::move(session));
        });
}

// ---- large files

// The hash of the range as it is there; "" when it is not whole.
Async<std::string> hash_there(PushPtr push, std::shared_ptr<ssh::Session> session, Piece piece) {
    ssh::ExecRequest request;
    request.command = check_piece_command(push->stage, piece);
    Async<ssh::ExecResult> running = session->exec(std::move(request));
    Result<ssh::ExecResult> result = co_await std::move(running);
    if (!result)
        co_return fail(result.error().in(push->doing));
    co_return result->out.substr(0, 64);
}

Async<std::string> hash_here(PushPtr push, std::string path, Piece piece) {
    std::function<Result<std::string>()> work = [path, piece]() -> Result<std::string> {
        PieceSource source(path, piece.offset, piece.size);
        for (;;) {
            Result<std::string> text = source.next();
            if (!text)
                return text;
            if (text->empty())
                return source.hex();
        }
    };
    Async<std::string> hashing = push->loop.offload<std::string>(std::move(work));
    Result<std::string> hash = co_await std::move(hashing);
    co_return hash;
}

// False: it must be sent.
Async<bool> is_there(PushPtr push, std::shared_ptr<LargeFile> file, Piece piece,
                     std::shared_ptr<ssh::Session> session) {
    Async<std::string> asking = hash_there(push, session, piece);
    Result<std::string> there = co_await std::move(asking);
    if (!there)
        co_return fail(there.error());
    Async<std::string> hashing = hash_here(push, file->path, piece);
    Result<std::string> here = co_await std::move(hashing);
    if (!here)
        co_return fail(here.error().in(push->doing));
    co_return *here == *there;
}

Async<void> send_range(PushPtr push, std::shared_ptr<LargeFile> file, Piece piece,
                       std::shared_ptr<ssh::Session> session) {
    std::vector<Extent> extents{Extent{file->path, piece.offset, piece.size}};
    Async<bool> sampling = is_worth_packing(push, session, std::move(extents));
    Result<bool> is_packed = co_await std::move(sampling);
    if (!is_packed)
        co_return fail(is_packed.error().in(push->doing));
    auto source = std::make_shared<PieceSource>(file->path, piece.offset, piece.size);
    ssh::Source next = [source] { return source->next(); };
    auto counted = std::make_shared<std::uint64_t>(0);
    std::string line = write_piece_command(push->stage, piece, *is_packed);
    Async<ssh::ExecResult> feeding =
        feed(push, std::move(session), std::move(line), std::move(next), *is_packed, counted);
    Result<ssh::ExecResult> result = co_await std::move(feeding);
    if (!result)
        co_return fail(result.error());
    push->progress->bytes += piece.size - *counted;
    if (result->exit.code != 0)
        co_return fail(push->error(*result));
    if (result->out.substr(0, 64) == source->hex())
        co_return Result<void>();
    Error error;
    error.kind = Kind::protocol;
    error.message = fmt::format("{}: what arrived is not what was sent: {}", push->doing, file->entry.path);
    error.hint = "it was not put in place; push again, and look at the disk there if it stays so";
    co_return fail(std::move(error));
}

bool is_as_it_was(const LargeFile& file) {
    const Result<Walked> now = walk_one(file.path, file.entry.path);
    return now && now->tree.front().size == file.entry.size && now->tree.front().mtime == file.entry.mtime;
}

Async<void> place_part(PushPtr push, std::shared_ptr<LargeFile> file, std::shared_ptr<ssh::Session> session) {
    if (!is_as_it_was(*file)) {
        push->changed.push_back(file->entry.path);
        co_return Result<void>();
    }
    const Entry& entry = file->entry;
    std::string line =
        place_part_command(push->stage, file->part, entry.size, entry.path, entry.mode, entry.mtime);
    Async<std::string> placing = command(push, session, std::move(line), "");
    Result<std::string> placed = co_await std::move(placing);
    if (!placed)
        co_return fail(placed.error());
    const std::vector<Entry> one{entry};
    note_done(*push, one);
    co_return Result<void>();
}

Async<void> send_piece(PushPtr push, std::shared_ptr<LargeFile> file, Piece piece,
                       std::shared_ptr<ssh::Session> session) {
    bool is_done = false;
    if (piece.offset < file->there) {
        Async<bool> looking = is_there(push, file, piece, session);
        Result<bool> there = co_await std::move(looking);
        if (!there)
            co_return fail(there.error());
        is_done = *there;
    }
    if (is_done) {
        push->progress->bytes += piece.size;
    } else {
        Async<void> sending = send_range(push, file, piece, session);
        Result<void> sent = co_await std::move(sending);
        if (!sent)
            co_return sent;
    }
    if (--file->pieces_left > 0)
        co_return Result<void>();
    Async<void> placing = place_part(push, file, session);
    Result<void> placed = co_await std::move(placing);
    co_return placed;
}

void add_pieces(PushPtr push) {
    for (const Entry& entry : push->plan.large) {
        auto file = std::make_shared<LargeFile>();
        file->entry = entry;
        file->path = push->file.empty() ? push->options.local + "/" + entry.path : push->file;
        file->part = part_name(entry);
        for (const Entry& staged : push->manifest.staged)
            if (staged.path == file->part)
                file->there = staged.size;
        for (std::uint64_t offset = 0; offset < entry.size; offset += push->options.piece) {
            const Piece piece{file->part, offset, std::min(push->options.piece, entry.size - offset)};
            ++file->pieces_left;
            push->jobs->push_back([push, file, piece](std::shared_ptr<ssh::Session> session) {
                return send_piece(push, file, piece, std::move(session));
            });
        }
    }
}

// ---- the whole

Async<void> finish(PushPtr push) {
    std::string line = finish_command(push->stage);
    std::string input = finish_input(push->plan, push->manifest.has_fraction);
    Async<std::string> finishing = command(push, push->session, std::move(line), std::move(input));
    Result<std::string> finished = co_await std::move(finishing);
    if (!finished)
        co_return fail(finished.error());
    push->summary.deleted = push->plan.removed.size() + push->plan.removed_folders.size();
    co_return Result<void>();
}

Result<void> check_changed(const Push& push) {
    if (push.changed.empty())
        return {};
    Error error;
    error.kind = Kind::conflict;
    error.message =
        fmt::format("{}: {} changed while it was sent{}; all else is there", push.doing, push.changed.front(),
                    push.changed.size() > 1 ? fmt::format(" (and {} more)", push.changed.size() - 1) : "");
    error.hint = "push again when nobody writes to it, or leave it out with an ignore pattern";
    error.retryable = true;
    return fail(std::move(error));
}

Async<void> carry_out(PushPtr push) {
    if (!push->plan.obstacles.empty()) {
        std::string line = prepare_command(push->stage);
        Async<std::string> preparing =
            command(push, push->session, std::move(line), prepare_input(push->plan));
        Result<std::string> prepared = co_await std::move(preparing);
        if (!prepared)
            co_return fail(prepared.error());
    }
    Async<void> adopting = adopt_all(push);
    Result<void> adopted = co_await std::move(adopting);
    if (!adopted)
        co_return adopted;
    add_pieces(push);
    add_segments(push);
    Async<void> working = do_jobs(push->loop, push->session, push->jobs, push->plan.bytes);
    Result<void> worked = co_await std::move(working);
    if (!worked)
        co_return worked;
    Async<void> finishing = finish(push);
    Result<void> finished = co_await std::move(finishing);
    if (!finished)
        co_return finished;
    co_return check_changed(*push);
}

} // namespace

Async<Summary> push(net::Loop& loop, std::shared_ptr<ssh::Session> session, Options options,
                    std::shared_ptr<Progress> progress) {
    const double begun = loop.system().monotonic();
    auto push = std::make_shared<Push>(loop, std::move(session), std::move(options), std::move(progress));
    std::function<Result<Claim>()> claiming = [push, tag = loop.system().random_tag(24)] {
        return claim(push->options.state, words_of("push", push->options, *push->session), tag);
    };
    Async<Claim> work = loop.offload<Claim>(std::move(claiming));
    Result<Claim> claimed = co_await std::move(work);
    if (!claimed)
        co_return fail(claimed.error().in(push->doing));
    push->claim = std::move(*claimed);
    push->stage.name = std::string(kStagePrefix) + push->claim.id;
    push->stage.attempt = "a" + loop.system().random_tag(10);
    if (Result<void> split = split_paths(*push); !split)
        co_return fail(split.error());
    Async<void> comparing = compare(push);
    Result<void> compared = co_await std::move(comparing);
    if (!compared)
        co_return fail(compared.error());
    if (!push->options.dry_run &&
        !(push->plan.is_empty() && push->manifest.staged.empty() && push->manifest.exists)) {
        Async<void> working = carry_out(push);
        Result<void> done = co_await std::move(working);
        if (!done)
            co_return fail(done.error());
    }
    push->summary.seconds = loop.system().monotonic() - begun;
    co_return std::move(push->summary);
}

} // namespace podsmith::sync
