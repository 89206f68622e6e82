#include "hf/upload.hpp"

#include "hf/commit.hpp"
#include "hf/lfs_send.hpp"
#include "hf/paths.hpp"
#include "hf/preupload.hpp"
#include "net/workers.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace podsmith::hf {

using nlohmann::json;

namespace {

// A commit's size, as the Hub's own client keeps it.
constexpr std::size_t kMostFiles = 1000;
constexpr std::uint64_t kMostRegular = 100'000'000;
constexpr std::uint64_t kMostLarge = 32'000'000'000;
constexpr std::size_t kHashers = 2;
constexpr std::size_t kSenders = 2;
// A group is hashed while the one before it is sent.
constexpr std::size_t kGroupFiles = 64;
constexpr std::uint64_t kGroupBytes = 256u << 20;
constexpr std::size_t kLargestCopy = 16u << 20;

/// One entry of the commit to be, with the local file that it was made from.
struct Item {
    CommitEntry entry;
    FileState state;
    std::string there = {}; ///< the oid that the repository has now
    bool is_unchanged = false;
};

struct Job {
    std::shared_ptr<Client> client;
    std::shared_ptr<const UploadRequest> request;
    std::shared_ptr<Progress> progress;
    std::shared_ptr<LargeTarget> target;
    std::vector<Item> items;
    std::string head;
    Uploaded done;

    net::Loop& loop() const { return client->http().loop(); }
};
using JobPtr = std::shared_ptr<Job>;

Result<void> check(const UploadRequest& request) {
    const std::string what = fmt::format("upload to {}", request.id);
    if (request.changes.empty())
        return fail(Kind::invalid, what + ": there is nothing to upload",
                    "the folder is empty, or the patterns leave nothing of it");
    if (request.message.empty())
        return fail(Kind::invalid, what + ": a commit needs a message");
    std::set<std::string> seen;
    for (const Change& change : request.changes) {
        if (const std::string problem = path_problem(change.path); !problem.empty())
            return fail(Kind::invalid,
                        fmt::format("{}: the path \"{}\" in the repository {}", what, change.path, problem));
        if (!seen.insert(change.path).second)
            return fail(Kind::invalid, fmt::format("{}: two changes of \"{}\"", what, change.path));
    }
    return {};
}

bool is_card(const Item& item) {
    return item.entry.path == "README.md";
}

/// A file in the repository under a second name: large ones are named again, regular ones are sent again.
Async<Item> copied(JobPtr job, Change change) {
    const UploadRequest& request = *job->request;
    const std::string revision = change.from_revision.empty() ? request.revision : change.from_revision;
    std::vector<std::string> wanted{change.from};
    Result<json> infos =
        co_await job->client->paths_info(request.type, request.id, revision, std::move(wanted));
    if (!infos)
        co_return fail(std::move(infos.error()));
    if (infos->empty() || (*infos)[0].value("type", json()) != "file")
        co_return fail(Kind::not_found,
                       fmt::format("copy {} in {}: there is no such file", change.from, request.id),
                       "only files can be copied");
    const json& info = (*infos)[0];
    Item item;
    item.entry.path = change.path;
    item.entry.size = info.value("size", std::uint64_t{0});
    if (const json lfs = info.value("lfs", json()); lfs.is_object()) {
        item.entry.what = CommitEntry::What::large;
        item.entry.oid = lfs.value("oid", "");
        co_return item;
    }
    Result<std::string> text =
        co_await job->client->read_text(request.type, request.id, revision, change.from, kLargestCopy);
    if (!text)
        co_return fail(std::move(text.error()));
    item.entry.content = std::move(*text);
    item.entry.oid = git_id_of_text(item.entry.content);
    co_return item;
}

/// Turns the request's changes into items; what the repository ignores is left out.
Async<void> plan(JobPtr job) {
    Result<std::vector<Addition>> looked = co_await look_at_files(job->client, job->request);
    if (!looked)
        co_return fail(std::move(looked.error()));
    auto additions = std::make_shared<const std::vector<Addition>>(std::move(*looked));
    Result<Preupload> asked = co_await preupload(job->client, job->request, additions);
    if (!asked)
        co_return fail(std::move(asked.error()));
    job->head = asked->head;
    for (std::size_t i = 0; i < additions->size(); ++i) {
        const Change& change = job->request->changes[(*additions)[i].change];
        const UploadMode& mode = asked->modes[i];
        if (mode.is_ignored) {
            job->done.ignored.push_back(change.path);
            continue;
        }
        Item item;
        item.entry.what = mode.is_large ? CommitEntry::What::large : CommitEntry::What::regular;
        item.entry.path = change.path;
        item.entry.file = change.file;
        item.entry.content = change.content;
        item.entry.size = (*additions)[i].state.size;
        item.state = (*additions)[i].state;
        item.there = mode.oid;
        if (mode.is_large && change.file.empty())
            co_return fail(Kind::unsupported,
                           fmt::format("upload {}: the Hub wants it as a large file", change.path),
                           "write it to a file and upload that");
        job->items.push_back(std::move(item));
    }
    for (const Change& change : job->request->changes) {
        if (change.what == Change::What::add)
            continue;
        Item item;
        item.entry.what = change.what == Change::What::remove_folder ? CommitEntry::What::remove_folder
                                                                     : CommitEntry::What::remove_file;
        item.entry.path = change.path;
        if (change.what == Change::What::copy) {
            Result<Item> made = co_await copied(job, change);
            if (!made)
                co_return fail(std::move(made.error()));
            item = std::move(*made);
        }
        job->items.push_back(std::move(item));
    }
    // The card goes last, so that it is not there before what it speaks of.
    std::stable_partition(job->items.begin(), job->items.end(),
                          [](const Item& item) { return !is_card(item); });
    if (!job->request->parent.empty())
        job->head = job->request->parent;
    else if (job->head.empty()) {
        const UploadRequest& request = *job->request;
        Result<std::string> head = co_await head_of(job->client, request.type, request.id, request.revision);
        if (!head)
            co_return fail(std::move(head.error()));
        job->head = *head;
    }
    co_return Result<void>();
}

/// A range of the job's items.
struct Span {
    std::size_t from = 0, to = 0;
};

Async<void> hash_some(JobPtr job, std::shared_ptr<std::size_t> next, std::size_t to) {
    while (*next < to) {
        Item& item = job->items[(*next)++];
        const bool is_addition =
            item.entry.what == CommitEntry::What::large || item.entry.what == CommitEntry::What::regular;
        if (!is_addition || !item.entry.oid.empty())
            continue;
        std::function<Result<std::string>()> hash = [entry = item.entry]() -> Result<std::string> {
            if (entry.what == CommitEntry::What::large)
                return sha256_of(entry.file);
            return entry.file.empty() ? git_id_of_text(entry.content) : git_id_of(entry.file, entry.size);
        };
        Async<std::string> hashing = job->loop().offload<std::string>(std::move(hash));
        Result<std::string> oid = co_await std::move(hashing);
        if (!oid)
            co_return fail(std::move(oid.error()));
        item.entry.oid = std::move(*oid);
        item.is_unchanged = item.entry.oid == item.there;
        if (item.entry.what == CommitEntry::What::large && !item.is_unchanged)
            continue; // counted when it is sent
        job->progress->bytes += item.entry.size;
        ++job->progress->files;
    }
    co_return Result<void>();
}

Error changed(const Item& item) {
    Error error;
    error.kind = Kind::conflict;
    error.retryable = true;
    error.message = fmt::format("{} was written to while it was being uploaded", item.entry.file);
    error.hint = "upload it when it is complete; `podsmith hub watch` waits for that by itself";
    return error;
}

/// Whether a file is another now than when it was hashed.
const Item* written_to(const Job& job, Span span) {
    for (std::size_t i = span.from; i < span.to; ++i) {
        const Item& item = job.items[i];
        if (item.entry.file.empty())
            continue;
        const Result<FileState> now = look_at(item.entry.file);
        if (!now || *now != item.state)
            return &item;
    }
    return nullptr;
}

/// Hashes the items of a span and brings the large ones into the storage.
Async<void> send_span(JobPtr job, Span span) {
    auto next = std::make_shared<std::size_t>(span.from);
    std::vector<Async<void>> hashers;
    for (std::size_t i = 0; i < std::min(kHashers, span.to - span.from); ++i)
        hashers.push_back(hash_some(job, next, span.to));
    Async<void> hashing = net::run_all(job->loop(), std::move(hashers));
    Result<void> hashed = co_await std::move(hashing);
    if (!hashed)
        co_return hashed;
    std::vector<LargeFile> large;
    std::set<std::string> seen; // two names of the same bytes are one object
    for (std::size_t i = span.from; i < span.to; ++i) {
        const Item& item = job->items[i];
        if (item.entry.what != CommitEntry::What::large || item.is_unchanged || item.entry.file.empty())
            continue;
        if (!seen.insert(item.entry.oid).second) {
            job->progress->bytes += item.entry.size;
            ++job->progress->files;
            continue;
        }
        LargeFile file;
        file.path = item.entry.path;
        file.file = item.entry.file;
        file.size = item.entry.size;
        file.sha256 = item.entry.oid;
        large.push_back(std::move(file));
    }
    if (!large.empty())
        job->progress->phase = "sending";
    Result<void> sent = co_await send_large(job->target, std::move(large));
    // A file that changed explains whatever the storage said about it.
    if (const Item* item = written_to(*job, span))
        co_return fail(changed(*item));
    co_return sent;
}

Async<void> send_spans(JobPtr job, std::shared_ptr<std::vector<Span>> spans,
                       std::shared_ptr<std::size_t> next) {
    while (*next < spans->size()) {
        const Span span = (*spans)[(*next)++];
        Result<void> sent = co_await send_span(job, span);
        if (!sent)
            co_return sent;
    }
    co_return Result<void>();
}

/// Cuts a range where files or bytes pass a limit.
template <class Weigh>
std::vector<Span> cut(const Job& job, Span all, std::size_t most_files, std::uint64_t most_bytes,
                      Weigh weigh) {
    std::vector<Span> spans;
    std::uint64_t bytes = 0;
    for (std::size_t i = all.from; i < all.to; ++i) {
        const std::uint64_t weight = weigh(job.items[i]);
        if (spans.empty() || spans.back().to - spans.back().from >= most_files ||
            bytes + weight > most_bytes) {
            spans.push_back({i, i});
            bytes = 0;
        }
        bytes += weight;
        spans.back().to = i + 1;
    }
    return spans;
}

/// The commits that the job is made of.
std::vector<Span> commits_of(const Job& job) {
    const Span all{0, job.items.size()};
    if (job.request->one_commit)
        return {all};
    const auto weigh = [](const Item& item) -> std::uint64_t {
        // Both limits in one measure: a share of the most that a commit may hold.
        const bool is_large = item.entry.what == CommitEntry::What::large;
        return item.entry.size * (kMostLarge / kMostRegular) / (is_large ? kMostLarge / kMostRegular : 1);
    };
    return cut(job, all, kMostFiles, kMostLarge, weigh);
}

std::shared_ptr<CommitOrder> order_for(Job& job, Span span, const std::string& revision, std::string title) {
    auto order = std::make_shared<CommitOrder>();
    order->type = job.request->type;
    order->id = job.request->id;
    order->revision = revision;
    order->title = std::move(title);
    order->description = job.request->description;
    order->parent = job.head;
    order->parent_is_fixed = !job.request->parent.empty();
    order->create_pr = job.request->create_pr && revision == job.request->revision;
    for (std::size_t i = span.from; i < span.to; ++i) {
        Item& item = job.items[i];
        const bool is_addition =
            item.entry.what == CommitEntry::What::large || item.entry.what == CommitEntry::What::regular;
        if (item.is_unchanged) {
            ++job.done.unchanged;
            continue;
        }
        job.done.files += is_addition ? 1 : 0;
        job.done.bytes += is_addition ? item.entry.size : 0;
        order->entries.push_back(std::move(item.entry));
    }
    return order;
}

/// "refs/pr/3" out of the address of a discussion.
std::string request_branch(const std::string& url) {
    return "refs/pr/" + url.substr(url.rfind('/') + 1);
}

} // namespace

Async<Uploaded> upload(std::shared_ptr<Client> client, UploadRequest given,
                       std::shared_ptr<Progress> progress) {
    if (Result<void> sound = check(given); !sound)
        co_return fail(sound.error());
    auto job = std::make_shared<Job>();
    job->client = client;
    job->request = std::make_shared<const UploadRequest>(std::move(given));
    job->progress = progress;
    job->target = std::make_shared<LargeTarget>();
    job->target->client = client;
    job->target->type = job->request->type;
    job->target->id = job->request->id;
    job->target->revision = job->request->revision;
    job->target->progress = progress;
    Result<void> planned = co_await plan(job);
    if (!planned)
        co_return fail(std::move(planned.error()));
    for (const Item& item : job->items) {
        const bool is_addition =
            item.entry.what == CommitEntry::What::large || item.entry.what == CommitEntry::What::regular;
        progress->files_total += is_addition && item.entry.oid.empty() ? 1 : 0;
        progress->bytes_total += is_addition && item.entry.oid.empty() ? item.entry.size : 0;
    }
    progress->is_planned = true;
    const std::vector<Span> commits = commits_of(*job);
    std::string revision = job->request->revision;
    for (std::size_t i = 0; i < commits.size(); ++i) {
        progress->phase = "hashing";
        const auto weigh = [](const Item& item) { return item.entry.size; };
        auto groups =
            std::make_shared<std::vector<Span>>(cut(*job, commits[i], kGroupFiles, kGroupBytes, weigh));
        auto next = std::make_shared<std::size_t>(0);
        std::vector<Async<void>> senders;
        for (std::size_t k = 0; k < std::min(kSenders, groups->size()); ++k)
            senders.push_back(send_spans(job, groups, next));
        Async<void> sending = net::run_all(job->loop(), std::move(senders));
        Result<void> sent = co_await std::move(sending);
        if (!sent)
            co_return fail(std::move(sent.error()));
        std::string title = job->request->message;
        if (commits.size() > 1)
            title += fmt::format(" (part {} of {})", i + 1, commits.size());
        std::shared_ptr<const CommitOrder> order = order_for(*job, commits[i], revision, std::move(title));
        if (order->entries.empty())
            continue;
        progress->phase = "committing";
        Result<Committed> made = co_await commit(client, order);
        if (!made)
            co_return fail(std::move(made.error()));
        job->head = made->commit;
        job->done.url = made->url;
        ++job->done.commits;
        if (!made->pull_request.empty()) {
            job->done.pull_request = made->pull_request;
            revision = request_branch(made->pull_request); // what follows goes into the same request
        }
    }
    job->done.commit = job->head;
    job->done.bytes_sent = job->target->bytes_sent;
    job->done.bytes_found = job->target->bytes_found;
    co_return job->done;
}

} // namespace podsmith::hf
