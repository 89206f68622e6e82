#include "hf/fetch.hpp"

#include "hf/paths.hpp"
#include "net/retry.hpp"
#include "net/url.hpp"
#include "net/workers.hpp"

#include <algorithm>
#include <deque>
#include <fmt/format.h>

namespace podsmith::hf {
namespace {

constexpr std::size_t kConnections = 8;
constexpr std::uint64_t kSegment = 16u << 20;
constexpr int kAttempts = 8;  ///< in a row, of one segment, without a byte
constexpr int kRestarts = 32; ///< of files whose server ignores ranges; several segments may see it at once
constexpr double kSilence = 60;
constexpr double kLockPause = 0.5;
constexpr int kLockTries = 7200; ///< an hour: the other process may have a large file to bring

/// One file on its way.
struct Fetch {
    explicit Fetch(RemoteFile wanted) : file(std::move(wanted)) {
        if (file.is_large)
            digest = std::make_unique<Sha256>();
        else
            digest = std::make_unique<Sha1>();
        begin_hash();
    }
    void begin_hash() {
        digest->hex(); // begins anew
        if (!file.is_large)
            digest->update(fmt::format("blob {}", file.size) + std::string(1, '\0'));
        hashed = 0;
    }

    RemoteFile file;
    std::unique_ptr<PartialFile> partial;
    std::unique_ptr<Digest> digest;
    std::size_t hashed = 0;  ///< segments that the digest has seen
    bool is_hashing = false; ///< somebody is at it
    bool has_failed_once = false;
    std::string direct;       ///< the storage's signed address, while it is good
    int restarts = 0;         ///< because of that
    std::size_t running = 0;  ///< segments that are on their way
    bool takes_ranges = true; ///< false once the server was seen to send all whatever is asked for
};
using FetchPtr = std::shared_ptr<Fetch>;

struct Job {
    FetchPtr fetch;
    std::size_t segment = 0;
};

struct Queue {
    std::shared_ptr<Source> source;
    std::deque<RemoteFile> files; ///< not begun
    std::deque<Job> jobs;
};
using QueuePtr = std::shared_ptr<Queue>;

Subject subject_of(const Source& source, const RemoteFile& file) {
    return source.client->about(fmt::format("download {} of {}", file.path, source.id), source.type,
                                source.id);
}

/// One answer as it comes in: where its bytes go, and what is wrong with it.
struct Reception {
    std::shared_ptr<Source> source;
    FetchPtr fetch;
    std::uint64_t at = 0; ///< the next byte's place
    std::uint64_t end = 0;
    std::uint64_t received = 0;
    bool is_too_much = false;
    std::optional<Error> problem;

    bool take(std::string_view bytes) {
        is_too_much = bytes.size() > end - at;
        if (is_too_much)
            return false;
        if (Result<void> written = fetch->partial->write(at, bytes); !written) {
            problem = written.error();
            return false;
        }
        at += bytes.size();
        received += bytes.size();
        source->bytes_received += bytes.size();
        source->progress->bytes += bytes.size();
        return true;
    }
    /// What came of this answer counts for nothing.
    void drop() {
        at -= received;
        source->progress->bytes -= received;
        received = 0;
    }
};

net::HttpRequest request_for(const Source& source, const Fetch& fetch,
                             const std::shared_ptr<Reception>& reception) {
    net::HttpRequest asked =
        source.client->request("GET", fmt::format("{}/resolve/{}/{}", web_path(source.type, source.id),
                                                  source.commit, encoded_path(fetch.file.path)));
    if (!fetch.direct.empty()) { // signed: it takes no token
        asked.url = fetch.direct;
        asked.bearer = Secret();
    }
    if (reception->at > 0 || reception->end < fetch.file.size)
        asked.headers.emplace_back("Range", fmt::format("bytes={}-{}", reception->at, reception->end - 1));
    asked.on_data = [reception](std::string_view bytes) { return reception->take(bytes); };
    asked.timeout = 0;
    asked.idle_timeout = kSilence;
    asked.retry.deadline = 600;
    return asked;
}

/// Whether an answer that has come to its end is one to be content with.
bool is_complete(const Result<net::HttpResponse>& answer, const Reception& reception) {
    return answer && answer->status / 100 == 2 && reception.at == reception.end;
}

/// Whether to ask again for what is missing.
bool is_worth_another(const Result<net::HttpResponse>& answer, bool was_direct) {
    if (!answer)
        return answer.error().retryable;
    const bool is_stale = answer->status == 401 || answer->status == 403 || answer->status == 404;
    return answer->status / 100 == 2 || (was_direct && is_stale);
}

/// Brings one segment, going on after a broken connection where it broke. A server that sends all of the file
/// when a part was asked for is found out by its sending too much.
Async<void> receive(std::shared_ptr<Source> source, FetchPtr fetch, std::size_t segment) {
    const Subject subject = subject_of(*source, fetch->file);
    auto reception = std::make_shared<Reception>();
    reception->source = source;
    reception->fetch = fetch;
    reception->at = fetch->partial->from(segment);
    reception->end = fetch->partial->to(segment);
    for (int number = 1;; ++number) {
        reception->received = 0;
        const bool asks_part = reception->at > 0 || reception->end < fetch->file.size;
        const bool was_direct = !fetch->direct.empty();
        net::HttpRequest asked = request_for(*source, *fetch, reception);
        Result<net::HttpResponse> answer = co_await source->client->http().send(std::move(asked));
        if (reception->problem)
            co_return fail(std::move(*reception->problem));
        const bool is_part = answer && answer->status == 206;
        if (is_complete(answer, *reception) && (is_part || !asks_part)) {
            if (net::origin_of(answer->url) != net::origin_of(source->client->endpoint()))
                fetch->direct = answer->url;
            fetch->partial->set_done(segment);
            co_return Result<void>();
        }
        if (reception->is_too_much && (!asks_part || ++fetch->restarts > kRestarts))
            co_return fail(malformed(subject, "it sends more bytes than the file has"));
        if (reception->is_too_much || (answer && answer->status == 200 && asks_part)) {
            reception->drop();
            fetch->takes_ranges = false;
            co_return Result<void>();
        }
        if (reception->received > 0)
            number = 1;
        if (!is_worth_another(answer, was_direct) || number >= kAttempts) {
            if (!answer)
                co_return fail(answer.error().in(subject.what));
            if (answer->status / 100 == 2)
                co_return fail(malformed(subject, "it sends fewer bytes than the file has"));
            co_return fail(error_from(*answer, subject));
        }
        fetch->direct.clear();
        co_await source->client->http().loop().sleep(net::backoff(number, 0.5));
    }
}

/// Hashes whatever is whole and in order; one worker at a time does so, while others receive.
Async<void> hash_on(std::shared_ptr<Source> source, FetchPtr fetch) {
    if (fetch->is_hashing)
        co_return Result<void>();
    fetch->is_hashing = true;
    while (fetch->hashed < fetch->partial->segments() && fetch->partial->is_done(fetch->hashed)) {
        std::function<Result<void>()> work = [fetch, segment = fetch->hashed] {
            return fetch->partial->hash(segment, *fetch->digest);
        };
        Async<void> hashing = source->client->http().loop().offload<void>(std::move(work));
        Result<void> hashed = co_await std::move(hashing);
        if (!hashed)
            co_return hashed;
        ++fetch->hashed;
    }
    fetch->is_hashing = false;
    co_return Result<void>();
}

/// Puts the segments that are missing on the queue.
void list_jobs(Queue& queue, const FetchPtr& fetch) {
    for (std::size_t i = 0; i < fetch->partial->segments(); ++i) {
        if (fetch->partial->is_done(i)) {
            const std::uint64_t have = fetch->partial->to(i) - fetch->partial->from(i);
            queue.source->bytes_found += have;
            queue.source->progress->bytes += have;
            continue;
        }
        Job job;
        job.fetch = fetch;
        job.segment = i;
        queue.jobs.push_back(std::move(job));
    }
}

/// Once the last segment has found out that ranges are ignored, the file is asked for as one.
void begin_whole(Queue& queue, const FetchPtr& fetch) {
    std::erase_if(queue.jobs, [&](const Job& job) { return job.fetch == fetch; });
    if (fetch->running > 0 || fetch->is_hashing)
        return;
    for (std::size_t i = 0; i < fetch->partial->segments(); ++i)
        if (fetch->partial->is_done(i))
            queue.source->progress->bytes -= fetch->partial->to(i) - fetch->partial->from(i);
    fetch->partial->use_one_segment();
    fetch->begin_hash();
    fetch->takes_ranges = true;
    list_jobs(queue, fetch);
}

/// The last step: the file gets its name, or begins anew when it is not what the Hub says it is.
Async<void> settle(QueuePtr queue, FetchPtr fetch) {
    std::shared_ptr<Source> source = queue->source;
    if (fetch->hashed < fetch->partial->segments())
        co_return Result<void>();
    const std::string got = fetch->digest->hex();
    if (got != fetch->file.etag) {
        fetch->partial->restart();
        source->progress->bytes -= fetch->file.size;
        if (fetch->has_failed_once)
            co_return fail(
                malformed(subject_of(*source, fetch->file),
                          fmt::format("its {} is {}, not {}", fetch->file.is_large ? "sha256" : "git id", got,
                                      fetch->file.etag)));
        fetch->has_failed_once = true;
        fetch->direct.clear();
        fetch->begin_hash();
        list_jobs(*queue, fetch);
        co_return Result<void>();
    }
    std::function<Result<void>()> work = [source, fetch]() -> Result<void> {
        Result<void> taken = source->store->take(fetch->file);
        if (taken)
            fetch->partial->close();
        return taken;
    };
    Async<void> taking = source->client->http().loop().offload<void>(std::move(work));
    Result<void> taken = co_await std::move(taking);
    ++source->progress->files;
    fetch->partial.reset(); // gives the lock back
    co_return taken;
}

/// Opens the partial file, waiting while another process brings the same bytes. `null` when it has done so.
Async<FetchPtr> open_fetch(std::shared_ptr<Source> source, RemoteFile file) {
    auto fetch = std::make_shared<Fetch>(std::move(file));
    for (int number = 1;; ++number) {
        std::function<Result<bool>()> open = [source, fetch]() -> Result<bool> {
            const RemoteFile& wanted = fetch->file;
            Result<std::unique_ptr<PartialFile>> partial = PartialFile::open(
                source->store->partial(wanted), source->store->lock(wanted), wanted.size, kSegment);
            if (!partial)
                return fail(partial.error());
            Result<bool> there = source->store->has(wanted); // another process may have finished just now
            if (there && !*there)
                fetch->partial = std::move(*partial);
            else
                (*partial)->close();
            return there;
        };
        Async<bool> opening = source->client->http().loop().offload<bool>(std::move(open));
        Result<bool> there = co_await std::move(opening);
        if (there && *there) {
            source->progress->bytes += fetch->file.size;
            ++source->progress->files;
            co_return FetchPtr();
        }
        if (there)
            co_return fetch;
        if (there.error().kind != Kind::conflict || number >= kLockTries)
            co_return fail(std::move(there.error()));
        co_await source->client->http().loop().sleep(kLockPause);
    }
}

/// Takes segments, and files when there are none, until all is done.
Async<void> work(QueuePtr queue) {
    while (!queue->jobs.empty() || !queue->files.empty()) {
        if (queue->jobs.empty()) {
            RemoteFile file = std::move(queue->files.front());
            queue->files.pop_front();
            Result<FetchPtr> fetch = co_await open_fetch(queue->source, std::move(file));
            if (!fetch)
                co_return fail(std::move(fetch.error()));
            if (!*fetch)
                continue;
            list_jobs(*queue, *fetch);
            if (!queue->jobs.empty() && queue->jobs.back().fetch == *fetch)
                continue;
            // All was there from before, and only the check is missing.
            Result<void> hashed = co_await hash_on(queue->source, *fetch);
            if (!hashed)
                co_return hashed;
            Result<void> settled = co_await settle(queue, *fetch);
            if (!settled)
                co_return settled;
            continue;
        }
        Job job = std::move(queue->jobs.front());
        queue->jobs.pop_front();
        ++job.fetch->running;
        Result<void> received = co_await receive(queue->source, job.fetch, job.segment);
        --job.fetch->running;
        if (!received)
            co_return received;
        if (!job.fetch->takes_ranges) {
            begin_whole(*queue, job.fetch);
            continue;
        }
        if (job.fetch->is_hashing)
            continue;
        Result<void> hashed = co_await hash_on(queue->source, job.fetch);
        if (!hashed)
            co_return hashed;
        if (!job.fetch->takes_ranges) {
            begin_whole(*queue, job.fetch);
            continue;
        }
        Result<void> settled = co_await settle(queue, job.fetch);
        if (!settled)
            co_return settled;
    }
    co_return Result<void>();
}

} // namespace

Async<void> fetch_all(std::shared_ptr<Source> source, std::vector<RemoteFile> files) {
    auto queue = std::make_shared<Queue>();
    queue->source = source;
    queue->files.assign(std::make_move_iterator(files.begin()), std::make_move_iterator(files.end()));
    std::vector<Async<void>> workers;
    for (std::size_t i = 0; i < kConnections; ++i)
        workers.push_back(work(queue));
    Async<void> all = net::run_all(source->client->http().loop(), std::move(workers));
    Result<void> done = co_await std::move(all);
    co_return done;
}

} // namespace podsmith::hf
