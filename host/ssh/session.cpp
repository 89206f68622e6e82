#include "ssh/session.hpp"

#include "base/text.hpp"
#include "ssh/channel.hpp"
#include "ssh/feed.hpp"
#include "ssh/login.hpp"
#include "ssh/upload.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace podsmith::ssh {
namespace {

constexpr std::size_t kUploadPiece = 512 * 1024;

// What reaches the server: a command line, and what goes to stdin before the caller's own input.
struct Launch {
    std::string command;
    std::string preamble;
};

bool is_variable_name(const std::string& name) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())))
        return false;
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; });
}

// A fresh login is in the home folder, so "~/x" is "./x"; a leading "-" must not look like an option.
std::string in_folder(const ExecRequest& request) {
    if (request.folder.empty())
        return request.command;
    std::string folder = request.folder == "~" ? "." : request.folder;
    if (folder.starts_with("~/"))
        folder.erase(0, 2);
    if (!folder.starts_with('/'))
        folder = "./" + folder;
    return fmt::format("cd {} || exit 1\n{}", shell_quote(folder), request.command);
}

// The values travel as shell assignments on stdin, up to a line that holds `mark` alone, so no command line
// shows them. A shell's `read` takes stdin byte by byte: what follows the mark is left for the command. The
// wrapper holds no quote or backslash, so any login shell hands it on unharmed.
Result<Launch> make_launch(const ExecRequest& request, const std::string& mark) {
    if ((request.command + request.folder).find('\0') != std::string::npos)
        return fail(Kind::invalid, "run a command by ssh: the command holds a NUL byte");
    if (request.command.empty() && !(request.terminal && request.folder.empty()))
        return fail(Kind::invalid, "run a command by ssh: there is no command",
                    "only the login shell on a terminal goes without");
    const std::string command = in_folder(request);
    if (request.env.empty())
        return Launch{command, {}};
    if (request.terminal)
        return fail(Kind::invalid,
                    "run a command by ssh: variables cannot be handed to a command on a terminal",
                    "put them in a file on the other side and source it");
    std::string preamble;
    for (const auto& [name, value] : request.env) {
        if (!is_variable_name(name))
            return fail(Kind::invalid,
                        fmt::format("run a command by ssh: \"{}\" is not a variable name", name),
                        "use letters, digits and _, and no digit first");
        if (value.find('\0') != std::string::npos)
            return fail(Kind::invalid,
                        fmt::format("run a command by ssh: the value of {} holds a NUL byte", name));
        preamble += fmt::format("export {}={}\n", name, shell_quote(value));
    }
    preamble += mark + "\n";
    const std::string wrapper = fmt::format(
        "podsmith_env=; while IFS= read -r podsmith_line; do [ \"$podsmith_line\" = {} ] && break; "
        "podsmith_env=\"$podsmith_env$podsmith_line\n\"; done; eval \"$podsmith_env\"; "
        "unset podsmith_env podsmith_line; exec \"${{SHELL:-/bin/sh}}\" -c \"$1\"",
        mark);
    return Launch{fmt::format("exec sh -c '{}' sh {}", wrapper, shell_quote(command)), std::move(preamble)};
}

// What a process and the calls that wait on it share: a call may outlive the Process object.
struct Running {
    std::shared_ptr<Channel> channel;
    bool streams_ended = false;
    std::optional<Exit> exit = std::nullopt;
};

Async<std::optional<Chunk>> read_from(std::shared_ptr<Running> running) {
    if (running->streams_ended)
        co_return std::nullopt;
    Async<std::optional<Chunk>> reading = read_chunk(running->channel);
    Result<std::optional<Chunk>> chunk = co_await std::move(reading);
    running->streams_ended = chunk && !*chunk;
    co_return chunk;
}

Async<Exit> wait_for(std::shared_ptr<Running> running) {
    while (!running->streams_ended) {
        Async<std::optional<Chunk>> reading = read_from(running);
        Result<std::optional<Chunk>> chunk = co_await std::move(reading);
        if (!chunk)
            co_return fail(chunk.error());
    }
    if (!running->exit) {
        Async<Exit> ending = read_exit(running->channel);
        Result<Exit> exit = co_await std::move(ending);
        if (!exit)
            co_return fail(exit.error());
        running->exit = *exit;
    }
    co_return *running->exit;
}

Async<void> end_input(std::shared_ptr<Channel> channel) {
    channel->send_eof();
    co_return Result<void>();
}

class RemoteProcess final : public Process {
public:
    explicit RemoteProcess(std::shared_ptr<Channel> channel) : running_(std::make_shared<Running>()) {
        running_->channel = std::move(channel);
    }
    ~RemoteProcess() override { running_->channel->close(); }

    Async<std::optional<Chunk>> read() override { return read_from(running_); }
    Async<void> write(std::string data) override { return write_all(running_->channel, std::move(data)); }
    Async<void> write_eof() override { return end_input(running_->channel); }
    Async<Exit> wait() override { return wait_for(running_); }
    Async<void> resize(int columns, int rows) override {
        return resize_terminal(running_->channel, columns, rows);
    }
    void close() override { running_->channel->close(); }

private:
    std::shared_ptr<Running> running_;
};

Async<void> wait_ended(std::shared_ptr<Transport> transport) {
    while (transport->is_open()) {
        const std::uint64_t seen = transport->ended.generation();
        co_await transport->ended.wait(seen);
    }
    co_return Result<void>();
}

struct LocalFile {
    int descriptor = -1;
    ~LocalFile() {
        if (descriptor >= 0)
            ::close(descriptor);
    }
};

Result<std::string> read_piece(const LocalFile& file, const std::string& path) {
    std::string piece(kUploadPiece, '\0');
    ssize_t count = 0;
    do
        count = ::read(file.descriptor, piece.data(), piece.size());
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return fail(Kind::io, fmt::format("read {}: {}", path, std::strerror(errno)));
    piece.resize(static_cast<std::size_t>(count));
    return piece;
}

Async<std::unique_ptr<Process>> start_on(std::shared_ptr<Transport> transport, ExecRequest request) {
    if (!transport->is_open())
        co_return transport->error("start a command on " + transport->name());
    Result<Launch> launch = make_launch(request, "podsmith-" + transport->loop().system().random_tag(16));
    if (!launch)
        co_return fail(launch.error());
    Async<std::shared_ptr<Channel>> open =
        open_channel(transport, std::move(launch->command), std::move(request.terminal), request.window);
    Async<std::shared_ptr<Channel>> opening = open_detached(transport, std::move(open));
    Result<std::shared_ptr<Channel>> channel = co_await std::move(opening);
    if (!channel)
        co_return fail(channel.error());
    (*channel)->send(std::move(launch->preamble));
    (*channel)->send(std::move(request.input));
    if (!request.keep_stdin_open)
        (*channel)->send_eof();
    co_return std::make_unique<RemoteProcess>(std::move(*channel));
}

Async<ExecResult> exec_on(std::shared_ptr<Transport> transport, ExecRequest request, std::size_t max_output) {
    Async<std::unique_ptr<Process>> starting = start_on(transport, std::move(request));
    Result<std::unique_ptr<Process>> process = co_await std::move(starting);
    if (!process)
        co_return fail(process.error());
    Async<ExecResult> reading = read_all(**process, max_output);
    Result<ExecResult> result = co_await std::move(reading);
    if (!result && result.error().kind == Kind::invalid)
        co_return fail(result.error().in("run a command on " + transport->name()));
    co_return result;
}

Async<void> upload_local(net::Loop& loop, std::shared_ptr<Session> session, std::string name,
                         std::string local, std::string path, unsigned mode) {
    auto file = std::make_shared<LocalFile>();
    file->descriptor = ::open(loop.system().expand(local).c_str(), O_RDONLY | O_CLOEXEC);
    struct stat facts {};
    if (file->descriptor < 0 || ::fstat(file->descriptor, &facts) != 0)
        co_return fail(errno == ENOENT ? Kind::not_found : Kind::io,
                       fmt::format("upload {}: {}", local, std::strerror(errno)), "check the path");
    if (!S_ISREG(facts.st_mode))
        co_return fail(Kind::invalid, fmt::format("upload {}: it is not a file", local),
                       "give the path of a file");
    std::function<Result<std::string>()> next = [file, local] { return read_piece(*file, local); };
    const auto size = static_cast<std::uint64_t>(facts.st_size);
    Async<void> work = upload_pieces(loop, session, name, path, mode, size, std::move(next));
    Result<void> done = co_await std::move(work);
    co_return done;
}

// No member is a coroutine: each hands what it needs to one, which may run on when the Session object has
// gone.
class RemoteSession final : public Session, public std::enable_shared_from_this<RemoteSession> {
public:
    RemoteSession(net::Loop& loop, ConnectRequest request, LoggedIn entered)
        : loop_(loop),
          request_(std::move(request)),
          transport_(std::move(entered.transport)),
          host_key_(std::move(entered.host_key)) {}

    Async<std::unique_ptr<Process>> start(ExecRequest request) override {
        return start_on(transport_, std::move(request));
    }
    Async<ExecResult> exec(ExecRequest request, std::size_t max_output) override {
        return exec_on(transport_, std::move(request), max_output);
    }
    Async<void> upload(std::string content, std::string path, unsigned mode) override {
        const auto size = content.size();
        auto whole = std::make_shared<std::string>(std::move(content));
        std::function<Result<std::string>()> next = [whole]() -> Result<std::string> {
            return std::exchange(*whole, std::string());
        };
        return upload_pieces(transport_->loop(), shared_from_this(), transport_->name(), std::move(path),
                             mode, size, std::move(next));
    }
    Async<void> upload_file(std::string local, std::string path, unsigned mode) override {
        return upload_local(transport_->loop(), shared_from_this(), transport_->name(), std::move(local),
                            std::move(path), mode);
    }

    Async<std::shared_ptr<Session>> connect_again() override {
        ConnectRequest request = request_;
        if (request.host_key.file.empty())
            request.host_key.fingerprints = {host_key_.fingerprint};
        return Session::connect(loop_, std::move(request));
    }
    void prepare(std::size_t commands) override { open_ahead(transport_, commands); }
    double round_trip() const override { return transport_->round_trip(); }
    const std::string& name() const override { return transport_->name(); }
    const HostKey& host_key() const override { return host_key_; }
    bool is_open() const override { return transport_->is_open(); }
    Async<void> wait_closed() override { return wait_ended(transport_); }
    std::shared_ptr<Transport> transport() const override { return transport_; }
    void close() override { transport_->close(); }

private:
    net::Loop& loop_;
    ConnectRequest request_;
    std::shared_ptr<Transport> transport_;
    HostKey host_key_;
};

} // namespace

Async<std::shared_ptr<Session>> Session::connect(net::Loop& loop, ConnectRequest request) {
    Async<LoggedIn> entering = log_in(loop, request);
    Result<LoggedIn> entered = co_await std::move(entering);
    if (!entered)
        co_return fail(entered.error());
    co_return std::make_shared<RemoteSession>(loop, std::move(request), std::move(*entered));
}

} // namespace podsmith::ssh
