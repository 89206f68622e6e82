#include "sync/pull_stream.hpp"

#include "base/text.hpp"
#include "sync/gzip.hpp"
#include "sync/jobs.hpp"

#include <fmt/format.h>
#include <memory>
#include <optional>

namespace podsmith::sync {
namespace {

constexpr std::size_t kBatch = 1u << 20;
constexpr std::size_t kMostErrors = 4000;
// What may be under way at once on a long line. On a short one the usual 2 MiB are faster: libssh2 looks
// through all that waits.
constexpr unsigned kFarWindow = 8u << 20;

// The first line of the output says whether the rest is a gzip stream.
constexpr std::string_view kSend = R"sh(
LC_ALL=C; export LC_ALL
give() {
  if [ "$pack" ] && n=$(sample "$@" 2>/dev/null | wc -c) && m=$(sample "$@" 2>/dev/null | gzip -1c | wc -c) &&
    [ "$((m * 3))" -le "$((n * 2))" ]; then
    echo packed
    send "$@" | gzip -1c
  else
    echo plain
    send "$@"
  fi
}
cd -- "$1" || exit 4
shift
)sh";

constexpr std::string_view kSendFiles = R"sh(
sample() { for f; do head -c 65536 -- "$f"; done; }
send() { xargs -0 sh -c 'cat -- "$@"; sha256sum -- "$@" >&2' sh; }
pack=$1
give "$@"
)sh";

// The file, the offset and the count in MiB, "yes" or "".
constexpr std::string_view kSendRange = R"sh(
sample() { dd if="$1" bs=1048576 skip="$2" count=1; }
send() { dd if="$1" bs=1048576 skip="$2" count="$3" 2>/dev/null; }
pack=$4
give "$@"
send "$@" | sha256sum >&2
stat -c 'is %s %Y' -- "$1" >&2
)sh";

bool is_hash(std::string_view text) {
    return text.size() >= 66 && text.substr(64, 2) == "  " &&
           text.substr(0, 64).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Splits the error output into hashes and the rest.
class Lines {
public:
    std::vector<std::string> hashes;
    std::string rest;

    void add(std::string_view text) {
        partial_ += text;
        for (std::size_t end; (end = partial_.find('\n')) != std::string::npos; partial_.erase(0, end + 1))
            one(std::string_view(partial_).substr(0, end));
    }

private:
    void one(std::string_view line) {
        const std::string_view sum = line.starts_with('\\') ? line.substr(1) : line;
        if (is_hash(sum))
            hashes.emplace_back(sum.substr(0, 64));
        else if (rest.size() < kMostErrors)
            rest += std::string(line) + "\n";
    }
    std::string partial_;
};

// The output of those commands.
class Content {
public:
    Result<void> add(std::string_view bytes, const Unpacker::Take& take) {
        if (!is_known_) {
            head_ += bytes;
            const std::size_t end = head_.find('\n');
            if (end == std::string::npos && head_.size() < 100)
                return {};
            const std::string line = head_.substr(0, end);
            if (line != "packed" && line != "plain")
                return fail(
                    Kind::protocol, "the other side's answer makes no sense: " + line.substr(0, 60),
                    "does its shell print something at login? what it prints must not reach commands");
            is_known_ = true;
            if (line == "packed")
                unpacker_.emplace();
            const std::string rest = head_.substr(end + 1);
            return add(rest, take);
        }
        return unpacker_ ? unpacker_->add(bytes, take) : take(bytes);
    }

private:
    std::string head_;
    bool is_known_ = false;
    std::optional<Unpacker> unpacker_;
};

} // namespace

net::Async<ssh::ExecResult> read_stream(net::Loop& loop, std::shared_ptr<ssh::Session> session,
                                        std::string command, std::string input, StreamHandler handler) {
    ssh::ExecRequest request;
    request.command = std::move(command);
    request.input = std::move(input);
    request.window = is_far(*session) ? kFarWindow : 0;
    net::Async<std::unique_ptr<ssh::Process>> starting = session->start(std::move(request));
    Result<std::unique_ptr<ssh::Process>> process = co_await std::move(starting);
    if (!process)
        co_return fail(process.error());
    Lines lines;
    auto content = std::make_shared<std::string>();
    auto decoder = std::make_shared<Content>();
    bool is_open = true;
    while (is_open) {
        net::Async<std::optional<ssh::Chunk>> reading = (*process)->read();
        Result<std::optional<ssh::Chunk>> chunk = co_await std::move(reading);
        if (!chunk)
            co_return fail(chunk.error());
        is_open = chunk->has_value();
        if (is_open && (*chunk)->stream == ssh::Stream::err)
            lines.add((*chunk)->data);
        else if (is_open)
            *content += (*chunk)->data;
        if (is_open && content->size() < kBatch && lines.hashes.empty())
            continue;
        auto hashes = std::make_shared<std::vector<std::string>>(std::move(lines.hashes));
        lines.hashes.clear();
        auto bytes = std::exchange(content, std::make_shared<std::string>());
        std::function<Result<std::size_t>()> work = [bytes, hashes, handler,
                                                     decoder]() -> Result<std::size_t> {
            std::size_t size = 0;
            const Unpacker::Take take = [&](std::string_view part) {
                size += part.size();
                return handler.take(part);
            };
            if (Result<void> taken = decoder->add(*bytes, take); !taken)
                return fail(taken.error());
            if (Result<void> empty = handler.take({}); !empty) // files without a byte wait for none
                return fail(empty.error());
            if (Result<void> checked = handler.check(*hashes); !checked)
                return fail(checked.error());
            return size;
        };
        net::Async<std::size_t> handling = loop.offload<std::size_t>(std::move(work));
        Result<std::size_t> handled = co_await std::move(handling);
        if (!handled)
            co_return fail(handled.error());
        if (handler.received)
            handler.received(*handled);
    }
    net::Async<ssh::Exit> waiting = (*process)->wait();
    Result<ssh::Exit> exit = co_await std::move(waiting);
    if (!exit)
        co_return fail(exit.error());
    ssh::ExecResult result;
    result.exit = *exit;
    result.err = std::move(lines.rest);
    co_return result;
}

std::string send_files_command(const std::string& target, const std::vector<std::string>& samples) {
    std::string line =
        fmt::format("exec sh -c {} sh {}", shell_quote(std::string(kSend) + std::string(kSendFiles)),
                    shell_quote(target));
    for (const std::string& sample : samples)
        line += " " + shell_quote(sample);
    return line;
}

std::string send_range_command(const std::string& target, const std::string& path, std::uint64_t offset,
                               std::uint64_t count, bool may_pack) {
    return fmt::format("exec sh -c {} sh {} {} {} {} {}",
                       shell_quote(std::string(kSend) + std::string(kSendRange)), shell_quote(target),
                       shell_quote("./" + path), offset, count, may_pack ? "yes" : "''");
}

} // namespace podsmith::sync
