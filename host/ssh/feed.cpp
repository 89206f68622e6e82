#include "ssh/feed.hpp"

#include "base/text.hpp"

#include <fmt/format.h>
#include <optional>

namespace podsmith::ssh {
namespace {

constexpr std::size_t kMostOutput = 64u << 20;

// A piece that is being made on the pool.
struct Ahead {
    explicit Ahead(net::Loop& loop) : gate(loop.executor()) {}
    net::Gate gate;
    std::optional<Result<std::string>> piece;
};

std::shared_ptr<Ahead> fetch(net::Loop& loop, const Source& next) {
    auto ahead = std::make_shared<Ahead>(loop);
    Async<std::string> work = loop.offload<std::string>(next);
    std::function<void(Result<std::string>)> done = [ahead](Result<std::string> piece) {
        ahead->piece = std::move(piece);
        ahead->gate.open();
    };
    net::start<std::string>(loop, std::move(work), std::move(done));
    return ahead;
}

// Until all is sent, or the command ends: then its output says why.
Async<void> send_all(net::Loop& loop, Process& process, Source next, Sent sent) {
    std::shared_ptr<Ahead> ahead = fetch(loop, next);
    for (;;) {
        co_await ahead->gate.wait();
        Result<std::string> piece = std::move(*ahead->piece);
        if (!piece)
            co_return fail(piece.error());
        if (piece->empty())
            break;
        ahead = fetch(loop, next);
        const std::size_t size = piece->size();
        Async<void> writing = process.write(std::move(*piece));
        Result<void> written = co_await std::move(writing);
        if (!written && written.error().kind == Kind::conflict)
            break;
        if (!written)
            co_return fail(written.error());
        if (sent)
            sent(size);
    }
    Async<void> ending = process.write_eof();
    Result<void> ended = co_await std::move(ending);
    co_return Result<void>();
}

} // namespace

Async<ExecResult> feed(net::Loop& loop, std::shared_ptr<Session> session, std::string command, Source next,
                       Sent sent) {
    ExecRequest request;
    request.command = std::move(command);
    request.keep_stdin_open = true;
    Async<std::unique_ptr<Process>> starting = session->start(std::move(request));
    Result<std::unique_ptr<Process>> process = co_await std::move(starting);
    if (!process)
        co_return fail(process.error());
    Async<void> sending = send_all(loop, **process, std::move(next), std::move(sent));
    Result<void> done = co_await std::move(sending);
    if (!done)
        co_return fail(done.error());
    Async<ExecResult> finishing = read_all(**process, kMostOutput);
    Result<ExecResult> result = co_await std::move(finishing);
    co_return result;
}

Async<ExecResult> read_all(Process& process, std::size_t max_output) {
    ExecResult result;
    for (;;) {
        Async<std::optional<Chunk>> reading = process.read();
        Result<std::optional<Chunk>> chunk = co_await std::move(reading);
        if (!chunk)
            co_return fail(chunk.error());
        if (!*chunk)
            break;
        ((*chunk)->stream == Stream::out ? result.out : result.err) += (*chunk)->data;
        if (result.out.size() + result.err.size() > max_output)
            co_return fail(Kind::invalid, fmt::format("it printed more than {} bytes", max_output),
                           "send its output to a file there, or read it as a stream");
    }
    Async<Exit> waiting = process.wait();
    Result<Exit> exit = co_await std::move(waiting);
    if (!exit)
        co_return fail(exit.error());
    result.exit = *exit;
    co_return result;
}

Error remote_failure(const std::string& doing, const Exit& exit, const std::string& said) {
    const std::string text = trim(said.size() > 2000 ? said.substr(0, 2000) : said);
    Error error;
    error.kind = Kind::io;
    error.message = fmt::format("{}: {}", doing,
                                !text.empty()         ? text
                                : exit.signal.empty() ? fmt::format("exit status {}", exit.code)
                                                      : "killed by SIG" + exit.signal);
    error.hint = "check the path and who may write there";
    // A server that goes down takes what its sessions run with it: that is a lost link, which is made again.
    if (text.empty() && !exit.signal.empty()) {
        error.kind = Kind::network;
        error.retryable = true;
        error.hint = "the other side ended it: did its SSH server restart, or its memory run out?";
    }
    if (text.find("o space left") != std::string::npos || text.find("uota") != std::string::npos)
        error.hint =
            "the disk on the other side is full: make room there (df -h), or give the pod a larger disk";
    return error;
}

} // namespace podsmith::ssh
