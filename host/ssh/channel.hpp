#pragma once
#include "ssh/session.hpp"
#include "ssh/transport.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace podsmith::ssh {

/// One channel: a command's or a forwarded connection's. Input is queued here and sent by a coroutine of its
/// own, so a cancelled writer leaves nothing half-said and a command may be fed while its output is read. At
/// its end the channel is closed without waiting.
class Channel : public std::enable_shared_from_this<Channel> {
public:
    Channel(std::shared_ptr<Transport> transport, OpenChannel opened);
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    const std::shared_ptr<Transport>& transport() const { return transport_; }
    LIBSSH2_CHANNEL* raw() const { return raw_; }
    void close();
    /// False only when it is known that the server has sent no exit status.
    bool may_have_status() const { return !number_ || transport_->has_exit_status(*number_); }

    /// Queues input (and the end of it) without waiting.
    void send(std::string data);
    void send_eof();

private:
    friend Async<std::optional<Chunk>> read_chunk(std::shared_ptr<Channel> channel);
    friend Async<void> write_all(std::shared_ptr<Channel> channel, std::string data);
    friend Async<void> pump_input(std::shared_ptr<Channel> channel);

    void start_pump();
    bool is_closed_by_peer() const;
    bool has_room() const;
    long read_stream(Stream stream);
    Chunk take(Stream stream, long count);

    std::shared_ptr<Transport> transport_;
    LIBSSH2_CHANNEL* raw_;
    std::optional<std::uint32_t> number_;
    std::deque<std::string> queue_;
    std::size_t front_sent_ = 0;
    std::uint64_t queued_ = 0;
    std::uint64_t sent_ = 0;
    bool eof_wanted_ = false;
    bool eof_sent_ = false;
    bool is_pumping_ = false;
    std::optional<Error> input_error_;
    Signal progress_; // input was sent, or will never be
    std::vector<char> buffer_;
    bool err_first_ = false;
};

/// Opens a channel, or takes one that stands ready, and starts `command` on it, or the login shell when it is
/// empty; on a terminal when one is given. When the server allows no further channel on this connection and
/// others of ours are open, waits until one has gone. Must not be cancelled (libssh2 would stay in the middle
/// of the open): see open_detached. `window`: as in ExecRequest.
Async<std::shared_ptr<Channel>> open_channel(std::shared_ptr<Transport> transport, std::string command,
                                             std::optional<Terminal> terminal, unsigned window);
/// Opens channels for the next `count` commands, while nobody waits: each costs a round trip, and libssh2
/// opens one after the other. Only over a line long enough for that to matter, and never when the server has
/// no room for them.
void open_ahead(std::shared_ptr<Transport> transport, std::size_t count);
/// Opens a channel to a port as the server sees it (direct-tcpip). Error{conflict} when the server cannot or
/// may not connect there. Must not be cancelled: see open_detached.
Async<std::shared_ptr<Channel>> open_forward(std::shared_ptr<Transport> transport, std::string host,
                                             int port);
/// Runs one of the two in a coroutine of its own: when the caller is cancelled, the open runs to its end and
/// the channel is closed again, and the session stays whole.
Async<std::shared_ptr<Channel>> open_detached(std::shared_ptr<Transport> transport,
                                              Async<std::shared_ptr<Channel>> open);

Async<std::optional<Chunk>> read_chunk(std::shared_ptr<Channel> channel);
/// Queues `data` and waits until it has been handed to the connection.
Async<void> write_all(std::shared_ptr<Channel> channel, std::string data);
/// Tells the other side's terminal its new size.
Async<void> resize_terminal(std::shared_ptr<Channel> channel, int columns, int rows);
/// After the end of both streams: waits until the server has closed the channel.
Async<void> wait_closed(std::shared_ptr<Channel> channel);
/// The same, and how the command ended. Error{network} when the channel was closed without a status.
Async<Exit> read_exit(std::shared_ptr<Channel> channel);

} // namespace podsmith::ssh
