#include "ssh/transport.hpp"

#include "ssh/wire.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <malloc.h>
#include <string_view>
#include <sys/socket.h>

namespace podsmith::ssh {
namespace {

constexpr std::size_t kReadPiece = 64 * 1024;
constexpr std::size_t kReadRound = 512 * 1024; // then other sessions get their turn
constexpr std::size_t kMostInbox = 8u << 20;   // only a server that breaks the rules gets here
constexpr std::size_t kCongested = 512 * 1024;
constexpr int kUnusedStream = 77; // reading it feeds libssh2 and takes nothing from anybody
constexpr std::string_view kProbeType = "ping@podsmith";

// Codes after which the session can be used on.
bool is_harmless(long code) {
    constexpr std::array<long, 9> kHarmless{LIBSSH2_ERROR_EAGAIN,
                                            LIBSSH2_ERROR_CHANNEL_FAILURE,
                                            LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED,
                                            LIBSSH2_ERROR_CHANNEL_CLOSED,
                                            LIBSSH2_ERROR_CHANNEL_EOF_SENT,
                                            LIBSSH2_ERROR_INVAL,
                                            LIBSSH2_ERROR_CHANNEL_UNKNOWN,
                                            LIBSSH2_ERROR_AUTHENTICATION_FAILED,
                                            LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED};
    return code >= 0 || std::find(kHarmless.begin(), kHarmless.end(), code) != kHarmless.end();
}

Error network_error(std::string message) {
    Error error;
    error.kind = Kind::network;
    error.message = std::move(message);
    error.hint = "connect again; what runs detached on the other side goes on";
    error.retryable = true;
    return error;
}

} // namespace

Transport::Transport(net::Loop& loop, asio::ip::tcp::socket socket, std::string name)
    : input(loop.executor()),
      drained(loop.executor()),
      opened(loop.executor()),
      freed(loop.executor()),
      ended(loop.executor()),
      loop_(loop),
      socket_(std::move(socket)),
      name_(std::move(name)),
      timer_(loop) {
    static const int initialised = libssh2_init(0);
    session_ = initialised == 0 ? libssh2_session_init_ex(allocate, release, reallocate, this) : nullptr;
    if (!session_)
        throw std::bad_alloc();
    libssh2_session_set_blocking(session_, 0);
    libssh2_session_callback_set(session_, LIBSSH2_CALLBACK_RECV,
                                 reinterpret_cast<void*>(&Transport::receive_from));
    libssh2_session_callback_set(session_, LIBSSH2_CALLBACK_SEND,
                                 reinterpret_cast<void*>(&Transport::send_to));
    libssh2_session_callback_set(session_, LIBSSH2_CALLBACK_DISCONNECT,
                                 reinterpret_cast<void*>(&Transport::disconnected));
    // libssh2 puts a socket that it found blocking back to blocking at its end: it must find this one
    // non-blocking.
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
}

Transport::~Transport() {
    close();
    is_ending_ = true;
    for (int attempt = 0; attempt < 10; ++attempt)
        if (libssh2_session_free(session_) != LIBSSH2_ERROR_EAGAIN)
            break;
}

void Transport::note_round_trip(double seconds) {
    round_trip_ = round_trip_ > 0 ? std::min(round_trip_, seconds) : seconds;
}

void Transport::start() {
    wait_readable();
}

void Transport::keep_alive(double seconds) {
    interval_ = seconds;
    tick();
}

void Transport::close() {
    if (failure_)
        return;
    if (!is_corrupt_ && !write_failed_ && libssh2_userauth_authenticated(session_))
        libssh2_session_disconnect_ex(session_, SSH_DISCONNECT_BY_APPLICATION, "done", "");
    Error error;
    error.kind = Kind::network;
    error.message = "the connection was closed on this side";
    fail_with(std::move(error));
}

void Transport::fail_with(Error error) {
    if (failure_)
        return;
    failure_ = std::move(error);
    timer_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
    input.notify();
    drained.notify();
    opened.notify();
    freed.notify();
    ended.notify();
}

bool Transport::note_fatal(long code) {
    // After the server's farewell libssh2 blames whatever was being done.
    if (is_harmless(code) && (code >= 0 || code == LIBSSH2_ERROR_EAGAIN || farewell_.empty()))
        return false;
    is_corrupt_ = true;
    if (!farewell_.empty()) {
        fail_with(network_error("the server ended the connection: " + farewell_));
    } else if (code == LIBSSH2_ERROR_TIMEOUT) {
        fail_with(network_error("the server left a request unanswered for a minute"));
    } else if (code == LIBSSH2_ERROR_SOCKET_RECV || code == LIBSSH2_ERROR_SOCKET_DISCONNECT ||
               code == LIBSSH2_ERROR_SOCKET_SEND) {
        fail_with(network_error("the server closed the connection"));
    } else {
        Error error;
        error.kind = Kind::protocol;
        error.message = fmt::format("ssh broke down: {} (libssh2 {})", last_message(), code);
        error.hint = "connect again; if it happens again, look at sshd's log on the other side";
        error.retryable = true;
        fail_with(std::move(error));
    }
    return true;
}

std::string Transport::last_message() {
    char* text = nullptr;
    int length = 0;
    libssh2_session_last_error(session_, &text, &length, 0);
    return text && length > 0 ? std::string(text, static_cast<std::size_t>(length))
                              : std::string("no reason given");
}

tl::unexpected<Error> Transport::error(const std::string& doing) {
    if (failure_)
        return podsmith::fail(failure_->in(doing));
    return podsmith::fail(Kind::protocol, fmt::format("{}: {}", doing, last_message()),
                          "look at sshd's log on the other side");
}

// ---- packets that libssh2 keeps to itself

// libssh2 tells neither a channel's number nor whether an exit status has come (it gives 0 for none). Each
// packet that it has read and dealt with goes back through the session's own free, whole: there both are
// seen. Should another version free them otherwise, nothing is known and the status counts as before.
void* Transport::allocate(size_t count, void**) {
    return std::malloc(count);
}

void* Transport::reallocate(void* memory, size_t count, void**) {
    return std::realloc(memory, count);
}

void Transport::release(void* memory, void** self) {
    if (memory && self && *self)
        static_cast<Transport*>(*self)->note_packet(
            {static_cast<const char*>(memory), ::malloc_usable_size(memory)});
    std::free(memory);
}

void Transport::note_packet(std::string_view packet) {
    constexpr char kConfirmation = 91; // RFC 4254: SSH_MSG_CHANNEL_OPEN_CONFIRMATION, SSH_MSG_CHANNEL_REQUEST
    constexpr char kRequest = 98;
    if (packet.size() < 17 || (packet[0] != kConfirmation && packet[0] != kRequest))
        return;
    WireReader reader(packet.substr(1));
    const std::uint32_t number = reader.number();
    if (packet[0] == kConfirmation && is_opening_)
        opened_number_ = number;
    else if (packet[0] == kRequest && reader.string() == "exit-status")
        with_status_.insert(number);
}

// ---- bytes in

ssize_t Transport::receive_from(libssh2_socket_t, void* buffer, size_t length, int, void** self) {
    auto* transport = static_cast<Transport*>(*self);
    const std::size_t there = transport->inbox_.size() - transport->inbox_taken_;
    if (there == 0)
        return transport->is_ending_ ? -ECONNRESET : -EAGAIN;
    const std::size_t count = std::min(there, length);
    std::memcpy(buffer, transport->inbox_.data() + transport->inbox_taken_, count);
    transport->inbox_taken_ += count;
    if (transport->inbox_taken_ == transport->inbox_.size()) {
        transport->inbox_.clear();
        transport->inbox_taken_ = 0;
    }
    return static_cast<ssize_t>(count);
}

void Transport::disconnected(LIBSSH2_SESSION*, int, const char* message, int length, const char*, int,
                             void** self) {
    auto* transport = static_cast<Transport*>(*self);
    if (message && length > 0)
        transport->farewell_.assign(message, static_cast<std::size_t>(std::min(length, 200)));
}

void Transport::wait_readable() {
    socket_.async_wait(asio::ip::tcp::socket::wait_read,
                       [weak = weak_from_this()](boost::system::error_code error) {
                           const auto self = weak.lock();
                           if (self && !self->failure_ && error != asio::error::operation_aborted)
                               self->on_readable();
                       });
}

void Transport::on_readable() {
    const bool is_connected = fill_inbox();
    feed();
    input.notify();
    if (failure_)
        return;
    if (!is_connected) {
        fail_with(network_error(farewell_.empty() ? "the server closed the connection"
                                                  : "the server ended the connection: " + farewell_));
        return;
    }
    if (inbox_.size() > kMostInbox) {
        is_corrupt_ = true;
        fail_with(network_error("the server sends more than anybody asked for"));
        return;
    }
    if (inbox_.empty())
        inbox_ = std::string(); // an idle session holds no buffer
    wait_readable();
}

// False at the end of the connection.
bool Transport::fill_inbox() {
    for (std::size_t round = 0; round < kReadRound;) {
        const std::size_t before = inbox_.size();
        inbox_.resize(before + kReadPiece);
        const ssize_t count =
            ::recv(socket_.native_handle(), inbox_.data() + before, kReadPiece, MSG_DONTWAIT);
        const int code = errno;
        inbox_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count == 0)
            return false;
        if (count < 0)
            return code == EAGAIN || code == EINTR;
        received_ += static_cast<std::uint64_t>(count);
        round += static_cast<std::size_t>(count);
        if (static_cast<std::size_t>(count) < kReadPiece)
            return true;
    }
    return true;
}

// Lets libssh2 take what has come, also when nobody reads just now.
void Transport::feed() {
    if (is_corrupt_ || failure_)
        return;
    char nothing[1];
    LIBSSH2_CHANNEL* any = !channels_.empty() ? channels_.front()
                           : !dying_.empty()  ? dying_.front()
                                              : nullptr;
    if (any)
        note_fatal(libssh2_channel_read_ex(any, kUnusedStream, nothing, sizeof nothing));
    finish_dying();
    if (failure_)
        return;
    // Without a channel only the opening of one makes libssh2 look at its input.
    if (is_probing_ || (!any && !inbox_.empty() && libssh2_userauth_authenticated(session_)))
        probe();
}

// ---- bytes out

ssize_t Transport::send_to(libssh2_socket_t, const void* buffer, size_t length, int, void** self) {
    auto* transport = static_cast<Transport*>(*self);
    const auto whole = static_cast<ssize_t>(length);
    if (transport->failure_ || transport->write_failed_)
        return whole; // the reading side finds out, after it has delivered what still came
    std::size_t sent = 0;
    if (transport->outbox_.empty()) {
        const ssize_t count =
            ::send(transport->socket_.native_handle(), buffer, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            transport->write_failed_ = true;
            return whole;
        }
        sent = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    }
    transport->outbox_.append(static_cast<const char*>(buffer) + sent, length - sent);
    if (!transport->outbox_.empty())
        transport->wait_writable();
    return whole;
}

void Transport::wait_writable() {
    if (std::exchange(is_writing_, true))
        return;
    const auto weak = weak_from_this();
    socket_.async_wait(asio::ip::tcp::socket::wait_write, [weak](boost::system::error_code error) {
        const auto self = weak.lock();
        if (self && !self->failure_ && error != asio::error::operation_aborted)
            self->flush();
    });
}

void Transport::flush() {
    is_writing_ = false;
    while (outbox_sent_ < outbox_.size()) {
        const ssize_t count = ::send(socket_.native_handle(), outbox_.data() + outbox_sent_,
                                     outbox_.size() - outbox_sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (count < 0) {
            write_failed_ = true;
            outbox_sent_ = outbox_.size();
            break;
        }
        outbox_sent_ += static_cast<std::size_t>(count);
    }
    if (outbox_sent_ == outbox_.size()) {
        outbox_ = std::string();
        outbox_sent_ = 0;
    } else {
        if (outbox_sent_ > kCongested) {
            outbox_.erase(0, outbox_sent_);
            outbox_sent_ = 0;
        }
        wait_writable();
    }
    if (!is_congested())
        drained.notify();
}

bool Transport::is_congested() const {
    return outbox_.size() - outbox_sent_ > kCongested;
}

// ---- channels

bool Transport::try_begin_open() {
    if (is_opening_)
        return false;
    is_opening_ = true;
    opened_number_.reset();
    return true;
}

void Transport::end_open() {
    is_opening_ = false;
    opened.notify();
}

void Transport::add_channel(LIBSSH2_CHANNEL* channel) {
    channels_.push_back(channel);
}

void Transport::dispose(LIBSSH2_CHANNEL* channel) {
    std::erase(channels_, channel);
    if (is_corrupt_ || failure_)
        return; // libssh2_session_free frees it
    dying_.push_back(channel);
    finish_dying();
}

void Transport::finish_dying() {
    if (is_corrupt_ || failure_ || dying_.empty())
        return;
    const auto gone = std::erase_if(dying_, [](LIBSSH2_CHANNEL* channel) {
        return libssh2_channel_free(channel) != LIBSSH2_ERROR_EAGAIN;
    });
    if (gone > 0)
        freed.notify();
}

// ---- signs of life

// Asks for a channel of a type that no server has. The refusal is a round trip that needs no state on the
// other side, and it makes libssh2 read even when there is no channel. (libssh2's own keepalive does neither:
// the server's answers pile up in libssh2 1.10, and nothing reads them.)
void Transport::probe() {
    if (is_corrupt_ || failure_ || (!is_probing_ && !try_begin_open()))
        return;
    if (!std::exchange(is_probing_, true))
        probed_at_ = loop_.system().monotonic();
    LIBSSH2_CHANNEL* channel =
        libssh2_channel_open_ex(session_, kProbeType.data(), kProbeType.size(), 1024, 1024, nullptr, 0);
    const int code = channel ? 0 : libssh2_session_last_errno(session_);
    if (code == LIBSSH2_ERROR_EAGAIN)
        return;
    is_probing_ = false;
    note_round_trip(loop_.system().monotonic() - probed_at_);
    end_open();
    if (channel)
        dispose(channel);
    else
        note_fatal(code);
}

void Transport::tick() {
    if (failure_ || interval_ <= 0)
        return;
    if (received_ != received_before_)
        unanswered_ = -1;
    else
        ++unanswered_;
    received_before_ = received_;
    if (unanswered_ >= 3) {
        fail_with(network_error(fmt::format("no answer to three keepalives, {} s apart", interval_)));
        return;
    }
    if (unanswered_ >= 0)
        probe();
    if (failure_)
        return;
    timer_.start(interval_, [weak = weak_from_this()](bool fired) {
        const auto self = weak.lock();
        if (fired && self)
            self->tick();
    });
}

Async<long> drive(std::shared_ptr<Transport> transport, std::string doing, std::function<long()> step) {
    for (;;) {
        if (transport->is_corrupt())
            co_return transport->error(doing);
        const std::uint64_t seen = transport->input.generation();
        const long code = step();
        if (transport->note_fatal(code))
            co_return transport->error(doing);
        if (code != LIBSSH2_ERROR_EAGAIN)
            co_return code;
        // After the step: what came before the connection broke is still delivered.
        if (transport->failure())
            co_return transport->error(doing);
        co_await transport->input.wait(seen);
    }
}

} // namespace podsmith::ssh
