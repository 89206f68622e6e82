#include "ssh/channel.hpp"

#include "base/log.hpp"

#include <array>
#include <fmt/format.h>

namespace podsmith::ssh {
namespace {

constexpr unsigned kWindow = LIBSSH2_CHANNEL_WINDOW_DEFAULT; // 2 MiB: what may be under way at once
constexpr unsigned kPacket = LIBSSH2_CHANNEL_PACKET_DEFAULT;
constexpr std::size_t kReadBuffer = 128 * 1024;
constexpr int kRetries = 20;
constexpr double kRetryPause = 0.1;

Error closed_error(const Transport& transport, std::string_view doing) {
    if (transport.failure())
        return transport.failure()->in(fmt::format("{} on {}", doing, transport.name()));
    Error error;
    error.kind = Kind::conflict;
    error.message =
        fmt::format("{} on {}: the command's channel was closed on this side", doing, transport.name());
    return error;
}

Async<long> open_once(std::shared_ptr<Transport> transport, LIBSSH2_CHANNEL** opened, unsigned window) {
    while (!transport->try_begin_open()) {
        if (!transport->is_open())
            co_return transport->error("open a channel on " + transport->name());
        co_await transport->opened.wait(transport->opened.generation());
    }
    LIBSSH2_SESSION* session = transport->session();
    std::function<long()> step = [session, opened, window]() -> long {
        constexpr std::string_view kType = "session";
        *opened = libssh2_channel_open_ex(session, kType.data(), kType.size(), window ? window : kWindow,
                                          kPacket, nullptr, 0);
        return *opened ? 0 : libssh2_session_last_errno(session);
    };
    std::string doing = "open a channel on " + transport->name();
    const double begun = transport->loop().system().monotonic();
    Async<long> work = drive(transport, std::move(doing), std::move(step));
    Result<long> code = co_await std::move(work);
    transport->note_round_trip(transport->loop().system().monotonic() - begun);
    transport->end_open();
    co_return code;
}

tl::unexpected<Error> no_channel(Transport& transport) {
    return fail(Kind::conflict,
                fmt::format("open a channel on {}: {}", transport.name(), transport.last_message()),
                "sshd's MaxSessions limits the commands on one connection: close some, or connect once more");
}

// Waits until a channel has gone, as far as we have one; then a moment for the server to notice. False: no
// hope.
Async<bool> wait_for_room(std::shared_ptr<Transport> transport, int attempt) {
    if (transport->channels() > 0) {
        if (transport->first_lack_of_room())
            log::warn("{} allows no more than {} commands at once on a connection; waiting for one to end",
                      transport->name(), transport->channels());
        const std::uint64_t seen = transport->freed.generation();
        co_await transport->freed.wait(seen);
        co_return true;
    }
    if (attempt == 0 || attempt > kRetries)
        co_return false;
    co_await transport->loop().sleep(kRetryPause);
    co_return true;
}

Async<LIBSSH2_CHANNEL*> open_session(std::shared_ptr<Transport> transport, unsigned window) {
    for (int attempt = 0;; ++attempt) {
        if (!transport->is_open())
            co_return transport->error("open a channel on " + transport->name());
        LIBSSH2_CHANNEL* raw = nullptr;
        Async<long> opening = open_once(transport, &raw, window);
        Result<long> code = co_await std::move(opening);
        if (!code)
            co_return fail(code.error());
        if (raw)
            co_return raw;
        tl::unexpected<Error> refusal = no_channel(*transport);
        Async<bool> waiting = wait_for_room(transport, attempt);
        Result<bool> again = co_await std::move(waiting);
        if (!again || !*again)
            co_return refusal;
    }
}

} // namespace

Channel::Channel(std::shared_ptr<Transport> transport, LIBSSH2_CHANNEL* raw)
    : transport_(std::move(transport)), raw_(raw), progress_(transport_->loop().executor()) {
    transport_->add_channel(raw_);
}

Channel::~Channel() {
    close();
    for (std::string& piece : queue_)
        wipe(piece);
}

void Channel::close() {
    if (LIBSSH2_CHANNEL* raw = std::exchange(raw_, nullptr)) {
        transport_->dispose(raw);
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
                                             unsigned window) {
    Async<LIBSSH2_CHANNEL*> opening = open_session(transport, window);
    Result<LIBSSH2_CHANNEL*> raw = co_await std::move(opening);
    if (!raw)
        co_return fail(raw.error());
    auto channel = std::make_shared<Channel>(transport, *raw);
    std::function<long()> step = [raw = *raw, &command]() -> long {
        constexpr std::string_view kRequest = "exec";
        return libssh2_channel_process_startup(raw, kRequest.data(), kRequest.size(), command.data(),
                                               static_cast<unsigned>(command.size()));
    };
    std::string doing = "start a command on " + transport->name();
    Async<long> starting = drive(transport, doing, std::move(step));
    Result<long> code = co_await std::move(starting);
    if (!code)
        co_return fail(code.error());
    if (*code < 0)
        co_return fail(Kind::remote,
                       fmt::format("{}: the server refused to run it ({})", doing, transport->last_message()),
                       "does the login shell of this user allow commands?");
    co_return channel;
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

Async<Exit> read_exit(std::shared_ptr<Channel> channel) {
    const std::shared_ptr<Transport> transport = channel->transport();
    std::string doing = "wait for a command on " + transport->name();
    std::function<long()> step = [channel]() -> long {
        return channel->raw() ? libssh2_channel_wait_closed(channel->raw()) : LIBSSH2_ERROR_CHANNEL_CLOSED;
    };
    Async<long> waiting = drive(transport, std::move(doing), std::move(step));
    Result<long> code = co_await std::move(waiting);
    if (!code)
        co_return fail(code.error());
    if (!channel->raw())
        co_return fail(closed_error(*transport, "wait for a command"));
    Exit exit;
    char* signal = nullptr;
    std::size_t length = 0;
    libssh2_channel_get_exit_signal(channel->raw(), &signal, &length, nullptr, nullptr, nullptr, nullptr);
    if (signal) {
        exit.signal.assign(signal, length);
        libssh2_free(transport->session(), signal);
    } else {
        exit.code = libssh2_channel_get_exit_status(channel->raw());
    }
    co_return exit;
}

} // namespace podsmith::ssh
