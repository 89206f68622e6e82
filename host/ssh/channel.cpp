#include "ssh/channel.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace podsmith::ssh {
namespace {

constexpr unsigned kWindow = LIBSSH2_CHANNEL_WINDOW_DEFAULT; // 2 MiB: what may be under way at once
constexpr unsigned kPacket = LIBSSH2_CHANNEL_PACKET_DEFAULT;
constexpr std::size_t kReadBuffer = 128 * 1024;
constexpr int kRetries = 20;
constexpr double kRetryPause = 0.1;
constexpr double kNear = 0.002; // seconds of a round trip
constexpr unsigned long kNearBacklog = 1024 * 1024;

Error closed_error(const Transport& transport, std::string_view doing) {
    if (transport.failure())
        return transport.failure()->in(fmt::format("{} on {}", doing, transport.name()));
    Error error;
    error.kind = Kind::conflict;
    error.message =
        fmt::format("{} on {}: the command's channel was closed on this side", doing, transport.name());
    return error;
}

using Open = std::function<LIBSSH2_CHANNEL*()>;

// Repeats one way to open a channel until it has ended: with `raw` null the server has refused.
Async<OpenChannel> open_once(std::shared_ptr<Transport> transport, Open open) {
    while (!transport->try_begin_open()) {
        if (!transport->is_open())
            co_return transport->error("open a channel on " + transport->name());
        co_await transport->opened.wait(transport->opened.generation());
    }
    LIBSSH2_SESSION* session = transport->session();
    auto opened = std::make_shared<OpenChannel>();
    std::function<long()> step = [session, opened, &open]() -> long {
        opened->raw = open();
        return opened->raw ? 0 : libssh2_session_last_errno(session);
    };
    std::string doing = "open a channel on " + transport->name();
    const double begun = transport->loop().system().monotonic();
    Async<long> work = drive(transport, std::move(doing), std::move(step));
    Result<long> code = co_await std::move(work);
    opened->number = transport->opened_number();
    transport->note_round_trip(transport->loop().system().monotonic() - begun);
    transport->end_open();
    if (!code)
        co_return fail(code.error());
    if (opened->raw)
        transport->add_channel(opened->raw);
    co_return *opened;
}

tl::unexpected<Error> no_channel(Transport& transport) {
    return fail(Kind::conflict,
                fmt::format("open a channel on {}: {}", transport.name(), transport.last_message()),
                "sshd's MaxSessions limits the commands on one connection: close some, or connect once more");
}

// Waits until a channel has gone, as far as we have one; then, a few times, a moment for the server to
// notice. False: no hope.
Async<bool> wait_for_room(std::shared_ptr<Transport> transport, int attempt) {
    if (transport->channels() > 0) {
        if (transport->first_lack_of_room())
            log::warn("{} allows no more than {} commands at once on a connection; waiting for one to end",
                      transport->name(), transport->channels());
        const std::uint64_t seen = transport->freed.generation();
        co_await transport->freed.wait(seen);
        co_return true;
    }
    if (attempt > kRetries)
        co_return false;
    co_await transport->loop().sleep(kRetryPause);
    co_return true;
}

Open session_opener(Transport& transport, unsigned window) {
    return [session = transport.session(), window] {
        constexpr std::string_view kType = "session";
        return libssh2_channel_open_ex(session, kType.data(), kType.size(), window, kPacket, nullptr, 0);
    };
}

// Until as many stand ready as are wanted.
Async<void> open_spares(std::shared_ptr<Transport> transport) {
    Transport::Spares& spares = transport->spares;
    const Open open = session_opener(*transport, kWindow);
    while (transport->is_open() && !spares.is_refused && spares.ready.size() < spares.wanted) {
        Async<OpenChannel> opening = open_once(transport, open);
        Result<OpenChannel> opened = co_await std::move(opening);
        if (!opened)
            co_return fail(opened.error());
        spares.is_refused = !opened->raw;
        if (opened->raw)
            spares.ready.push_back(*opened);
        transport->opened.notify();
        transport->freed.notify(); // for a command that was refused meanwhile, and waits
    }
    co_return Result<void>();
}

// One that stands ready; `raw` is null when there is none. A server may have closed it by now.
OpenChannel take_ready(Transport& transport, unsigned window) {
    std::deque<OpenChannel>& ready = transport.spares.ready;
    while (!ready.empty()) {
        const OpenChannel opened = ready.front();
        ready.pop_front();
        if (libssh2_channel_eof(opened.raw)) {
            transport.dispose(opened.raw);
            continue;
        }
        if (window > kWindow)
            libssh2_channel_receive_window_adjust2(opened.raw, window - kWindow, 1, nullptr);
        return opened;
    }
    return {};
}

Async<OpenChannel> open_session(std::shared_ptr<Transport> transport, unsigned window) {
    const Open open = session_opener(*transport, window);
    for (int attempt = 0;; ++attempt) {
        while (transport->spares.is_opening && transport->spares.ready.empty()) {
            const std::uint64_t seen = transport->opened.generation();
            co_await transport->opened.wait(seen);
        }
        if (!transport->is_open())
            co_return transport->error("open a channel on " + transport->name());
        if (const OpenChannel ready = take_ready(*transport, window); ready.raw)
            co_return ready;
        Async<OpenChannel> opening = open_once(transport, open);
        Result<OpenChannel> opened = co_await std::move(opening);
        if (!opened || opened->raw)
            co_return opened;
        tl::unexpected<Error> refusal = no_channel(*transport);
        Async<bool> waiting = wait_for_room(transport, attempt);
        Result<bool> again = co_await std::move(waiting);
        if (!again || !*again)
            co_return refusal;
    }
}

// One request on a new channel: a negative code is the server's refusal.
Async<void> ask(std::shared_ptr<Transport> transport, std::string doing, std::string hint,
                std::function<long()> step) {
    Async<long> asking = drive(transport, doing, std::move(step));
    Result<long> code = co_await std::move(asking);
    if (!code)
        co_return fail(code.error());
    if (*code < 0)
        co_return fail(Kind::remote,
                       fmt::format("{}: the server refused ({})", doing, transport->last_message()),
                       std::move(hint));
    co_return Result<void>();
}

Async<void> ask_terminal(std::shared_ptr<Channel> channel, Terminal terminal) {
    LIBSSH2_CHANNEL* raw = channel->raw();
    std::function<long()> step = [raw, &terminal]() -> long {
        const char no_modes[] = {0};
        return libssh2_channel_request_pty_ex(raw, terminal.type.data(),
                                              static_cast<unsigned>(terminal.type.size()), no_modes,
                                              sizeof no_modes, terminal.columns, terminal.rows, 0, 0);
    };
    std::string doing = "get a terminal on " + channel->transport()->name();
    std::string hint = "sshd may not allow one (PermitTTY), or the machine has none left";
    Async<void> asking = ask(channel->transport(), std::move(doing), std::move(hint), std::move(step));
    Result<void> done = co_await std::move(asking);
    co_return done;
}

Async<void> ask_start(std::shared_ptr<Channel> channel, std::string command) {
    // The request has left at the first step; what waits is for its answer.
    bool has_asked = false;
    std::function<long()> step = [channel, &command, &has_asked]() -> long {
        const std::string_view request = command.empty() ? "shell" : "exec";
        const long code = libssh2_channel_process_startup(
            channel->raw(), request.data(), static_cast<unsigned>(request.size()),
            command.empty() ? nullptr : command.data(), static_cast<unsigned>(command.size()));
        if (!std::exchange(has_asked, true))
            open_ahead(channel->transport(), 1);
        return code;
    };
    std::string doing = "start a command on " + channel->transport()->name();
    std::string hint = "does the login shell of this user allow commands?";
    Async<void> asking = ask(channel->transport(), std::move(doing), std::move(hint), std::move(step));
    Result<void> done = co_await std::move(asking);
    co_return done;
}

} // namespace

Channel::Channel(std::shared_ptr<Transport> transport, OpenChannel opened)
    : transport_(std::move(transport)),
      raw_(opened.raw),
      number_(opened.number),
      progress_(transport_->loop().executor()) {}

Channel::~Channel() {
    close();
    for (std::string& piece : queue_)
        wipe(piece);
}

void Channel::close() {
    if (LIBSSH2_CHANNEL* raw = std::exchange(raw_, nullptr)) {
        transport_->dispose(raw);
        if (number_)
            transport_->forget_number(*number_);
        // Whoever waits for this channel looks again and finds it closed.
        transport_->input.notify();
        transport_->drained.notify();
        progress_.notify();
    }
}

void Channel::send(std::string data) {
    if (data.empty())
        return;
    queued_ += data.size();
    queue_.push_back(std::move(data));
    start_pump();
}

void Channel::send_eof() {
    eof_wanted_ = true;
    start_pump();
}

void Channel::start_pump() {
    if (is_pumping_ || !raw_)
        return;
    is_pumping_ = true;
    Async<void> work = pump_input(shared_from_this());
    std::function<void(Result<void>)> done = [weak = weak_from_this()](Result<void> result) {
        const auto self = weak.lock();
        if (!self)
            return;
        self->is_pumping_ = false;
        if (!result)
            self->input_error_ = result.error();
        else if (!self->queue_.empty() || (self->eof_wanted_ && !self->eof_sent_))
            self->start_pump(); // came between its last look and now
        self->progress_.notify();
    };
    net::start<void>(transport_->loop(), std::move(work), std::move(done));
}

// libssh2 tells whether the server has closed the channel only by this call, which does not wait.
bool Channel::is_closed_by_peer() const {
    const int code = libssh2_channel_wait_closed(raw_);
    transport_->note_fatal(code);
    return code == 0;
}

// On a short line little is kept under way: OpenSSH moves all that a command has not read yet about in
// memory, again and again, which with a full window costs more than decrypting it.
bool Channel::has_room() const {
    if (transport_->round_trip() > kNear)
        return true;
    unsigned long whole = 0;
    const unsigned long left = libssh2_channel_window_write_ex(raw_, &whole);
    return whole < left + kNearBacklog;
}

long Channel::read_stream(Stream stream) {
    if (buffer_.empty())
        buffer_.resize(kReadBuffer);
    return static_cast<long>(libssh2_channel_read_ex(
        raw_, stream == Stream::out ? 0 : SSH_EXTENDED_DATA_STDERR, buffer_.data(), buffer_.size()));
}

Chunk Channel::take(Stream stream, long count) {
    // The other stream first next time: a flood on one must not starve the other.
    err_first_ = stream == Stream::out;
    return Chunk{stream, std::string(buffer_.data(), static_cast<std::size_t>(count))};
}

Async<void> pump_input(std::shared_ptr<Channel> channel) {
    const std::shared_ptr<Transport> transport = channel->transport_;
    const std::string doing = "send input on " + transport->name();
    while (channel->raw_) {
        if (transport->failure())
            co_return transport->error(doing);
        const std::uint64_t seen = transport->input.generation();
        const std::uint64_t seen_drained = transport->drained.generation();
        long code = 0;
        if (channel->is_closed_by_peer())
            co_return fail(Kind::conflict, doing + ": the command has ended and reads no more input");
        if (transport->failure())
            continue;
        if (!channel->queue_.empty() && transport->is_congested()) {
            co_await transport->drained.wait(seen_drained);
            continue;
        }
        if (!channel->queue_.empty() && !channel->has_room()) {
            co_await transport->input.wait(seen);
            continue;
        }
        if (!channel->queue_.empty()) {
            const std::string& piece = channel->queue_.front();
            code = static_cast<long>(libssh2_channel_write_ex(
                channel->raw_, 0, piece.data() + channel->front_sent_, piece.size() - channel->front_sent_));
        } else if (channel->eof_wanted_ && !channel->eof_sent_) {
            code = libssh2_channel_send_eof(channel->raw_);
            channel->eof_sent_ = code == 0;
        } else {
            co_return Result<void>();
        }
        transport->note_fatal(code);
        if (code < 0 && code != LIBSSH2_ERROR_EAGAIN)
            co_return transport->error(doing);
        if (code > 0) {
            channel->sent_ += static_cast<std::uint64_t>(code);
            channel->front_sent_ += static_cast<std::size_t>(code);
            if (channel->front_sent_ == channel->queue_.front().size()) {
                wipe(channel->queue_.front()); // input may hold secrets
                channel->queue_.pop_front();
                channel->front_sent_ = 0;
                channel->progress_.notify();
            }
        } else if (code == LIBSSH2_ERROR_EAGAIN || !channel->queue_.empty()) {
            co_await transport->input.wait(seen);
        }
    }
    co_return fail(closed_error(*transport, "send input"));
}

Async<std::shared_ptr<Channel>> open_channel(std::shared_ptr<Transport> transport, std::string command,
                                             std::optional<Terminal> terminal, unsigned window) {
    Async<OpenChannel> opening = open_session(transport, window ? window : kWindow);
    Result<OpenChannel> opened = co_await std::move(opening);
    if (!opened)
        co_return fail(opened.error());
    auto channel = std::make_shared<Channel>(transport, *opened);
    if (terminal) {
        Async<void> asking = ask_terminal(channel, *terminal);
        Result<void> given = co_await std::move(asking);
        if (!given)
            co_return fail(given.error());
    }
    Async<void> starting = ask_start(channel, std::move(command));
    Result<void> started = co_await std::move(starting);
    if (!started)
        co_return fail(started.error());
    co_return channel;
}

Async<std::shared_ptr<Channel>> open_forward(std::shared_ptr<Transport> transport, std::string host,
                                             int port) {
    const Open open = [session = transport->session(), &host, port] {
        return libssh2_channel_direct_tcpip_ex(session, host.c_str(), port, "127.0.0.1", 22);
    };
    Async<OpenChannel> opening = open_once(transport, open);
    Result<OpenChannel> opened = co_await std::move(opening);
    if (!opened)
        co_return fail(opened.error());
    if (!opened->raw)
        co_return fail(
            Kind::conflict,
            fmt::format("connect to {}:{} from {}: {}", host, port, transport->name(),
                        transport->last_message()),
            fmt::format("does something listen on port {} there, and does its sshd allow forwarding "
                        "(AllowTcpForwarding)?",
                        port));
    co_return std::make_shared<Channel>(transport, *opened);
}

void open_ahead(std::shared_ptr<Transport> transport, std::size_t count) {
    Transport::Spares& spares = transport->spares;
    spares.wanted = spares.is_opening ? std::max(spares.wanted, count) : count;
    const bool is_near = transport->round_trip() > 0 && transport->round_trip() <= kNear;
    if (is_near || spares.is_opening || spares.is_refused || spares.ready.size() >= count)
        return;
    spares.is_opening = true;
    std::function<void(Result<void>)> done = [weak = std::weak_ptr(transport)](Result<void>) {
        if (const auto self = weak.lock()) {
            self->spares.is_opening = false;
            self->opened.notify();
        }
    };
    Async<void> work = open_spares(transport);
    net::start<void>(transport->loop(), std::move(work), std::move(done));
}

Async<std::shared_ptr<Channel>> open_detached(std::shared_ptr<Transport> transport,
                                              Async<std::shared_ptr<Channel>> open) {
    struct Opening {
        explicit Opening(asio::any_io_executor executor) : gate(std::move(executor)) {}
        net::Gate gate;
        std::optional<Result<std::shared_ptr<Channel>>> result;
    };
    auto opening = std::make_shared<Opening>(transport->loop().executor());
    std::function<void(Result<std::shared_ptr<Channel>>)> done =
        [weak = std::weak_ptr(opening)](Result<std::shared_ptr<Channel>> result) {
            if (const auto alive = weak.lock()) {
                alive->result = std::move(result);
                alive->gate.open();
            }
        };
    net::start<std::shared_ptr<Channel>>(transport->loop(), std::move(open), std::move(done));
    co_await opening->gate.wait();
    co_return std::move(*opening->result);
}

Async<std::optional<Chunk>> read_chunk(std::shared_ptr<Channel> channel) {
    const std::shared_ptr<Transport> transport = channel->transport_;
    const std::string doing = "read output on " + transport->name();
    for (;;) {
        if (!channel->raw_)
            co_return fail(closed_error(*transport, "read output"));
        if (transport->is_corrupt())
            co_return transport->error(doing);
        const std::uint64_t seen = transport->input.generation();
        const Stream first = channel->err_first_ ? Stream::err : Stream::out;
        const Stream second = channel->err_first_ ? Stream::out : Stream::err;
        // The first once more: reading the second may have brought something for it, or the end.
        const std::array<Stream, 3> order{first, second, first};
        std::array<long, 3> codes{};
        for (std::size_t i = 0; i < order.size(); ++i) {
            codes[i] = channel->read_stream(order[i]);
            if (codes[i] > 0)
                co_return channel->take(order[i], codes[i]);
            if (transport->note_fatal(codes[i]))
                co_return transport->error(doing);
        }
        if (codes[1] == 0 && codes[2] == 0) {
            channel->buffer_ = std::vector<char>();
            co_return std::nullopt;
        }
        if (transport->failure())
            co_return transport->error(doing);
        co_await transport->input.wait(seen);
    }
}

Async<void> write_all(std::shared_ptr<Channel> channel, std::string data) {
    const std::shared_ptr<Transport> transport = channel->transport_;
    if (channel->eof_wanted_)
        co_return fail(Kind::conflict,
                       fmt::format("send input on {}: its end was already sent", transport->name()));
    if (!channel->input_error_)
        channel->send(std::move(data));
    const std::uint64_t target = channel->queued_;
    while (channel->sent_ < target) {
        if (channel->input_error_)
            co_return fail(*channel->input_error_);
        if (!channel->raw_)
            co_return fail(closed_error(*transport, "send input"));
        const std::uint64_t seen = channel->progress_.generation();
        co_await channel->progress_.wait(seen);
    }
    if (channel->input_error_)
        co_return fail(*channel->input_error_);
    co_return Result<void>();
}

Async<void> resize_terminal(std::shared_ptr<Channel> channel, int columns, int rows) {
    std::function<long()> step = [channel, columns, rows]() -> long {
        return channel->raw() ? libssh2_channel_request_pty_size_ex(channel->raw(), columns, rows, 0, 0)
                              : LIBSSH2_ERROR_CHANNEL_CLOSED;
    };
    std::string doing = "resize the terminal on " + channel->transport()->name();
    Async<long> asking = drive(channel->transport(), std::move(doing), std::move(step));
    Result<long> code = co_await std::move(asking);
    if (!code)
        co_return fail(code.error());
    co_return Result<void>(); // no answer comes, and a command that has ended needs no size
}

Async<void> wait_closed(std::shared_ptr<Channel> channel) {
    std::string doing = "wait for a command on " + channel->transport()->name();
    std::function<long()> step = [channel]() -> long {
        return channel->raw() ? libssh2_channel_wait_closed(channel->raw()) : LIBSSH2_ERROR_CHANNEL_CLOSED;
    };
    Async<long> waiting = drive(channel->transport(), std::move(doing), std::move(step));
    Result<long> code = co_await std::move(waiting);
    if (!code)
        co_return fail(code.error());
    if (!channel->raw())
        co_return fail(closed_error(*channel->transport(), "wait for a command"));
    co_return Result<void>();
}

Async<Exit> read_exit(std::shared_ptr<Channel> channel) {
    const std::shared_ptr<Transport> transport = channel->transport();
    Async<void> waiting = wait_closed(channel);
    Result<void> closed = co_await std::move(waiting);
    if (!closed)
        co_return fail(closed.error());
    Exit exit;
    char* signal = nullptr;
    std::size_t length = 0;
    libssh2_channel_get_exit_signal(channel->raw(), &signal, &length, nullptr, nullptr, nullptr, nullptr);
    if (signal) {
        exit.signal.assign(signal, length);
        libssh2_free(transport->session(), signal);
    } else if (!channel->may_have_status()) {
        Error error;
        error.kind = Kind::network;
        error.message = fmt::format("wait for a command on {}: its channel was closed without an exit status",
                                    transport->name());
        error.hint =
            "its server process was ended from outside; whether the command has done its work is not known";
        error.retryable = true;
        co_return fail(std::move(error));
    } else {
        exit.code = libssh2_channel_get_exit_status(channel->raw());
    }
    co_return exit;
}

} // namespace podsmith::ssh
