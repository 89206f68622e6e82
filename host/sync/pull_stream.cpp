#include "sync/pull_stream.hpp"

#include "base/text.hpp"
#include "sync/jobs.hpp"

#include <fmt/format.h>
#include <memory>

namespace podsmith::sync {
namespace {

constexpr std::size_t kBatch = 1u << 20;
constexpr std::size_t kMostErrors = 4000;
// What may be under way at once on a long line. On a short one the usual 2 MiB are faster: libssh2 looks
// through all that waits.
constexpr unsigned kFarWindow = 8u << 20;

constexpr std::string_view kSendFiles = R"sh(
LC_ALL=C; export LC_ALL
cd -- "$1" && exec xargs -0 sh -c 'cat -- "$@"; sha256sum -- "$@" >&2' sh
)sh";

constexpr std::string_view kSendRange = R"sh(
LC_ALL=C; export LC_ALL
cd -- "$1" || exit 4
dd if="$2" bs=1048576 skip="$3" count="$4" 2>/dev/null
dd if="$2" bs=1048576 skip="$3" count="$4" 2>/dev/null | sha256sum >&2
stat -c 'is %s %Y' -- "$2" >&2
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
        if (handler.received)
            handler.received(bytes->size());
        std::function<Result<void>()> work = [bytes, hashes, handler]() -> Result<void> {
            if (Result<void> taken = handler.take(*bytes); !taken)
                return taken;
            return handler.check(*hashes);
        };
        net::Async<void> handling = loop.offload<void>(std::move(work));
        Result<void> handled = co_await std::move(handling);
        if (!handled)
            co_return fail(handled.error());
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

std::string send_files_command(const std::string& target) {
    return fmt::format("exec sh -c {} sh {}", shell_quote(kSendFiles), shell_quote(target));
}

std::string send_range_command(const std::string& target, const std::string& path, std::uint64_t offset,
                               std::uint64_t count) {
    return fmt::format("exec sh -c {} sh {} {} {} {}", shell_quote(kSendRange), shell_quote(target),
                       shell_quote("./" + path), offset, count);
}

} // namespace podsmith::sync
