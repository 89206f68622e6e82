#include "hf/lfs_send.hpp"

#include "base/hash.hpp"
#include "hf/part_notes.hpp"
#include "net/url.hpp"
#include "net/workers.hpp"

#include <algorithm>
#include <deque>
#include <fmt/format.h>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr std::size_t kConnections = 6;
constexpr int kRounds = 4;      ///< address lists asked for one file
constexpr int kPutAttempts = 8; ///< of one part, with one address
constexpr double kPutDeadline = 1800;
constexpr double kPutSilence = 120; ///< the storage hashes a part before it answers
constexpr double kDefaultExpiry = 6 * 3600;

/// One file on its way.
struct Sending {
    LargeFile file;
    UploadAction action;
    std::unique_ptr<PartNotes> notes;
    std::map<std::size_t, std::string> etags;
    std::size_t parts_left = 0;
    bool is_done = false;
    bool has_expired = false; ///< its addresses are refused: new ones are needed
    Error refusal;            ///< what the storage said to the old ones

    std::uint64_t offset(std::size_t part) const { return (part - 1) * action.chunk_size; }
    std::uint64_t length(std::size_t part) const {
        return action.chunk_size == 0 ? file.size : std::min(action.chunk_size, file.size - offset(part));
    }
};
using SendingPtr = std::shared_ptr<Sending>;

struct Job {
    SendingPtr sending;
    std::size_t part = 1; ///< from 1
};

struct Round {
    std::shared_ptr<LargeTarget> target;
    std::deque<Job> jobs;
};

Subject subject_of(const LargeTarget& target, const LargeFile& file) {
    Subject subject =
        target.client->about(fmt::format("upload {} to {}", file.path, target.id), target.type, target.id);
    subject.page.clear(); // what storage refuses says nothing about the repository
    return subject;
}

std::string note_key(const LargeTarget& target, const LargeFile& file) {
    return sha256_hex(
        fmt::format("{}\n{}\n{}\n{}", target.client->endpoint(), target.type, target.id, file.sha256));
}

/// The storage's way to say that an address is no longer (or never was) good.
bool is_stale(int status) {
    return status == 401 || status == 403 || status == 404 || status == 410;
}

/// Sends one part; its ETag, or "" when the address is refused (`sending` then says how).
Async<std::string> put(std::shared_ptr<LargeTarget> target, SendingPtr sending, std::size_t part) {
    const Subject subject = subject_of(*target, sending->file);
    const bool is_multipart = sending->action.chunk_size > 0;
    for (int number = 1;; ++number) {
        net::HttpRequest asked; // no token: the address is signed, and goes to another host
        asked.method = "PUT";
        asked.url = is_multipart ? sending->action.parts[part - 1] : sending->action.href;
        asked.body_file = sending->file.file;
        asked.body_offset = is_multipart ? static_cast<std::int64_t>(sending->offset(part)) : 0;
        asked.body_length = static_cast<std::int64_t>(sending->length(part));
        asked.timeout = 0;
        asked.connect_timeout = 30;
        asked.idle_timeout = kPutSilence;
        asked.retry = {true, kPutAttempts, kPutDeadline};
        Result<net::HttpResponse> answer = co_await target->client->http().send(std::move(asked));
        if (!answer)
            co_return fail(answer.error().in(subject.what));
        const std::string etag = answer->header("etag");
        if (answer->status / 100 == 2 && (!is_multipart || !etag.empty()))
            co_return etag.empty() ? std::string("-") : etag;
        if (answer->status / 100 == 2 && number >= kRounds)
            co_return fail(malformed(subject, fmt::format("part {} is answered without its ETag", part)));
        if (answer->status / 100 == 2)
            continue;
        sending->refusal = error_from(*answer, subject);
        if (!is_stale(answer->status))
            co_return fail(sending->refusal);
        sending->has_expired = true;
        co_return std::string();
    }
}

/// Tells the storage that all parts are there.
Async<void> complete(std::shared_ptr<LargeTarget> target, SendingPtr sending) {
    const Subject subject = subject_of(*target, sending->file);
    json body = json::object();
    body["oid"] = sending->file.sha256;
    body["parts"] = json::array();
    for (const auto& [number, etag] : sending->etags)
        body["parts"].push_back({{"partNumber", number}, {"etag", etag}});
    net::HttpRequest asked; // signed as well: no token
    asked.method = "POST";
    asked.url = sending->action.href;
    asked.headers.emplace_back("Accept", "application/vnd.git-lfs+json");
    asked.headers.emplace_back("Content-Type", "application/vnd.git-lfs+json");
    asked.body = body.dump();
    asked.timeout = 900; // it puts the whole file together
    asked.idle_timeout = 600;
    asked.retry.idempotent = true;
    asked.retry.deadline = kPutDeadline;
    Result<net::HttpResponse> answer = co_await target->client->http().send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(subject.what));
    if (answer->status / 100 == 2)
        co_return Result<void>();
    // A lost answer's retry finds the upload gone: the next batch says whether it is stored.
    sending->refusal = error_from(*answer, subject);
    if (!is_stale(answer->status) && answer->status != 400)
        co_return fail(sending->refusal);
    sending->has_expired = true;
    co_return Result<void>();
}

Async<void> verify(std::shared_ptr<LargeTarget> target, SendingPtr sending) {
    Subject subject = subject_of(*target, sending->file);
    subject.what = fmt::format("confirm {} in {}", sending->file.path, target->id);
    net::HttpRequest asked = target->client->request("POST", "");
    asked.url = sending->action.verify;
    if (net::origin_of(asked.url) != net::origin_of(target->client->endpoint()))
        asked.bearer = Secret(); // the token is the Hub's alone
    asked.headers.emplace_back("Accept", "application/vnd.git-lfs+json");
    asked.headers.emplace_back("Content-Type", "application/vnd.git-lfs+json");
    json body = json::object();
    body["oid"] = sending->file.sha256;
    body["size"] = sending->file.size;
    asked.body = body.dump();
    asked.retry.idempotent = true;
    Result<net::HttpResponse> answer = co_await target->client->ask(std::move(asked), subject);
    if (!answer)
        co_return fail(std::move(answer.error()));
    co_return Result<void>();
}

/// After the last part of a file.
Async<void> finish(std::shared_ptr<LargeTarget> target, SendingPtr sending) {
    if (sending->action.chunk_size > 0) {
        Result<void> completed = co_await complete(target, sending);
        if (!completed || sending->has_expired)
            co_return completed;
    }
    if (!sending->action.verify.empty()) {
        Result<void> verified = co_await verify(target, sending);
        if (!verified)
            co_return verified;
    }
    sending->is_done = true;
    if (sending->notes)
        sending->notes->forget();
    ++target->progress->files;
    co_return Result<void>();
}

/// Takes jobs until there is none left.
Async<void> work(std::shared_ptr<Round> round) {
    while (!round->jobs.empty()) {
        Job job = std::move(round->jobs.front());
        round->jobs.pop_front();
        Sending& sending = *job.sending;
        if (sending.has_expired)
            continue;
        Result<std::string> etag = co_await put(round->target, job.sending, job.part);
        if (!etag)
            co_return fail(std::move(etag.error()));
        if (etag->empty())
            continue;
        round->target->bytes_sent += sending.length(job.part);
        round->target->progress->bytes += sending.length(job.part);
        sending.etags[job.part] = *etag;
        if (sending.notes)
            sending.notes->add(job.part, *etag);
        if (--sending.parts_left > 0 || sending.has_expired)
            continue;
        Result<void> finished = co_await finish(round->target, job.sending);
        if (!finished)
            co_return finished;
    }
    co_return Result<void>();
}

/// Takes new addresses for a file, or those that an earlier process noted, and lists what is left to send.
void prepare(Round& round, const SendingPtr& sending, UploadAction action, int number) {
    LargeTarget& target = *round.target;
    const System& system = target.client->http().loop().system();
    for (const auto& [part, etag] : sending->etags) // sent in vain: they go again
        target.progress->bytes -= sending->length(part);
    sending->has_expired = false;
    sending->etags.clear();
    sending->action = std::move(action);
    if (sending->action.is_stored) {
        sending->is_done = true;
        if (sending->notes)
            sending->notes->forget();
        else
            PartNotes::remove(system.state_dir() / "hub-uploads", note_key(target, sending->file));
        target.bytes_found += number == 1 ? sending->file.size : 0;
        target.progress->bytes += number == 1 ? sending->file.size : 0;
        ++target.progress->files;
        return;
    }
    if (sending->action.chunk_size > 0) {
        if (!sending->notes)
            sending->notes = std::make_unique<PartNotes>(system.state_dir() / "hub-uploads",
                                                         note_key(target, sending->file));
        std::optional<PartNotes::Found> found;
        if (number == 1)
            found = sending->notes->read(sending->file.size, system.utc());
        if (found) {
            sending->action = std::move(found->action);
            sending->etags = std::move(found->etags);
        } else {
            const double expires =
                sending->action.expires_in > 0 ? sending->action.expires_in : kDefaultExpiry;
            sending->notes->begin(sending->action, system.utc() + expires);
        }
    }
    const std::size_t parts = std::max<std::size_t>(1, sending->action.parts.size());
    sending->parts_left = 0;
    for (std::size_t part = 1; part <= parts; ++part) {
        if (sending->etags.contains(part)) {
            target.bytes_found += sending->length(part);
            target.progress->bytes += sending->length(part);
            continue;
        }
        ++sending->parts_left;
        Job job;
        job.sending = sending;
        job.part = part;
        round.jobs.push_back(std::move(job));
    }
}

} // namespace

Async<void> send_large(std::shared_ptr<LargeTarget> target, std::vector<LargeFile> files) {
    net::Loop& loop = target->client->http().loop();
    std::vector<SendingPtr> pending;
    for (LargeFile& file : files) {
        pending.push_back(std::make_shared<Sending>());
        pending.back()->file = std::move(file);
    }
    for (int number = 1; !pending.empty(); ++number) {
        if (number > kRounds)
            co_return fail(pending.front()->refusal);
        std::vector<LargeFile> asked;
        for (const SendingPtr& sending : pending)
            asked.push_back(sending->file);
        Result<std::vector<UploadAction>> actions =
            co_await lfs_batch(target->client, target->type, target->id, target->revision, std::move(asked));
        if (!actions)
            co_return fail(std::move(actions.error()));
        auto round = std::make_shared<Round>();
        round->target = target;
        for (std::size_t i = 0; i < pending.size(); ++i)
            prepare(*round, pending[i], std::move((*actions)[i]), number);
        // All parts may be there from before, and only the completion missing.
        for (const SendingPtr& sending : pending) {
            if (sending->is_done || sending->parts_left > 0)
                continue;
            Result<void> finished = co_await finish(target, sending);
            if (!finished)
                co_return finished;
        }
        std::vector<Async<void>> workers;
        for (std::size_t i = 0; i < std::min(kConnections, round->jobs.size()); ++i)
            workers.push_back(work(round));
        Async<void> all = net::run_all(loop, std::move(workers));
        Result<void> sent = co_await std::move(all);
        if (!sent)
            co_return sent;
        std::erase_if(pending, [](const SendingPtr& sending) { return sending->is_done; });
    }
    co_return Result<void>();
}

} // namespace podsmith::hf
