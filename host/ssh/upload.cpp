#include "ssh/upload.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

namespace podsmith::ssh {
namespace {

// "~/x" means the same as "x" to a fresh login; a leading "-" must not look like an option.
std::string plain_path(const std::string& path) {
    std::string plain = path.starts_with("~/") ? path.substr(2) : path;
    if (!plain.starts_with('/'))
        plain = "./" + plain;
    return plain;
}

tl::unexpected<Error> refused(const std::string& doing, const Exit& exit, const std::string& said) {
    const std::string reason = !said.empty() ? said
                                             : (exit.signal.empty() ? fmt::format("exit status {}", exit.code)
                                                                    : "killed by SIG" + exit.signal);
    std::string hint = "check the path and who may write there";
    if (said.find("o space left") != std::string::npos || said.find("uota") != std::string::npos)
        hint = "the disk on the other side is full: make room there (df -h), or give the pod a larger disk";
    return fail(Kind::io, fmt::format("{}: {}", doing, reason), std::move(hint));
}

Async<std::string> read_errors(Process& process) {
    std::string said;
    for (;;) {
        Async<std::optional<Chunk>> reading = process.read();
        Result<std::optional<Chunk>> chunk = co_await std::move(reading);
        if (!chunk)
            co_return fail(chunk.error());
        if (!*chunk)
            break;
        if ((*chunk)->stream == Stream::err && said.size() < 2000)
            said += (*chunk)->data;
    }
    co_return trim(said);
}

} // namespace

Result<std::string> upload_command(const std::string& path, unsigned mode, std::uint64_t size,
                                   const std::string& tag) {
    if (path.empty() || path.ends_with('/') || path.find('\0') != std::string::npos)
        return fail(Kind::invalid, fmt::format("upload to \"{}\": that names no file", path),
                    "give the whole path, with the file's name at the end");
    const std::string target = plain_path(path);
    const std::string folder = target.substr(0, target.rfind('/'));
    const std::string partial = target + ".podsmith-" + tag;
    // The size is compared because the end of the input also comes when the connection breaks: half a file
    // must not take the place of a whole one.
    const std::string script = fmt::format(
        "t={target}; p={partial}; if [ -d \"$t\" ]; then echo \"it is a folder\" >&2; exit 1; fi; "
        "{mkdir}umask 077; "
        "cat > \"$p\" && if [ \"$(wc -c < \"$p\")\" -ne {size} ]; then echo \"only a part of it arrived\" "
        ">&2; false; "
        "fi && chmod {mode:04o} \"$p\" && mv -f \"$p\" \"$t\" || {{ s=$?; rm -f \"$p\"; exit $s; }}",
        fmt::arg("target", shell_quote(target)), fmt::arg("partial", shell_quote(partial)),
        fmt::arg("mkdir", folder.empty() ? "" : fmt::format("mkdir -p {} || exit; ", shell_quote(folder))),
        fmt::arg("size", size), fmt::arg("mode", mode & 07777));
    return "exec sh -c " + shell_quote(script);
}

Async<void> upload_pieces(net::Loop& loop, std::shared_ptr<Session> session, std::string name,
                          std::string path, unsigned mode, std::uint64_t size,
                          std::function<Result<std::string>()> next) {
    const std::string doing = fmt::format("upload to {} on {}", path, name);
    Result<std::string> command = upload_command(path, mode, size, loop.system().random_tag(8));
    if (!command)
        co_return fail(command.error());
    ExecRequest request;
    request.command = std::move(*command);
    request.keep_stdin_open = true;
    Async<std::unique_ptr<Process>> starting = session->start(std::move(request));
    Result<std::unique_ptr<Process>> process = co_await std::move(starting);
    if (!process)
        co_return fail(process.error().in(doing));

    for (;;) {
        Async<std::string> fetching = loop.offload<std::string>(next);
        Result<std::string> piece = co_await std::move(fetching);
        if (!piece)
            co_return fail(piece.error().in(doing));
        if (piece->empty())
            break;
        Async<void> writing = (*process)->write(std::move(*piece));
        Result<void> written = co_await std::move(writing);
        if (!written && written.error().kind != Kind::conflict)
            co_return fail(written.error().in(doing));
        if (!written)
            break; // the command has ended: its error output says why
    }
    Async<void> ending = (*process)->write_eof();
    Result<void> ended = co_await std::move(ending);
    Async<std::string> listening = read_errors(**process);
    Result<std::string> said = co_await std::move(listening);
    if (!said)
        co_return fail(said.error().in(doing));
    Async<Exit> waiting = (*process)->wait();
    Result<Exit> exit = co_await std::move(waiting);
    if (!exit)
        co_return fail(exit.error().in(doing));
    if (exit->code != 0)
        co_return refused(doing, *exit, *said);
    co_return Result<void>();
}

} // namespace podsmith::ssh
