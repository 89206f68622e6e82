#pragma once
#include "ssh/session.hpp"
#include "ssh/transport.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace podsmith::ssh {

/// One exec channel. Input is queued here and sent by a coroutine of its own, so a cancelled writer leaves
/// nothing half-said and a command may be fed while its output is read. At its end the channel is closed
/// without waiting.
class Channel : public std::enable_shared_from_this<Channel> {
public:
    Channel(std::shared_ptr<Transport> transport, LIBSSH2_CHANNEL* raw);
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    const std::shared_ptr<Transport>& transport() const { return transport_; }
    LIBSSH2_CHANNEL* raw() const { return raw_; }
    void close();

    /// Queues input (and the end of it) without waiting.
    void send(std::string data);
    void send_eof();

private:
    friend Async<std::optional<Chunk>> read_chunk(std::shared_ptr<Channel> channel);
    friend Async<void> write_all(std::shared_ptr<Channel> channel, std::string data);
    friend Async<void> pump_input(std::shared_ptr<Channel> channel);

    void start_pump();
    bool is_closed_by_peer() const;
    long read_stream(Stream stream);
    Chunk take(Stream stream, long count);

    std::shared_ptr<Transport> transport_;
    LIBSSH2_CHANNEL* raw_;
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

/// Opens a channel and starts `command` on it. When the server allows no further channel on this connection
/// and others of ours are open, waits until one has gone. Must not be cancelled (libssh2 would stay in the
/// middle of the open). `window`: as in ExecRequest.
Async<std::shared_ptr<Channel>> open_channel(std::shared_ptr<Transport> transport, std::string command,
                                             unsigned window);
Async<std::optional<Chunk>> read_chunk(std::shared_ptr<Channel> channel);
/// Queues `data` and waits until it has been handed to the connection.
Async<void> write_all(std::shared_ptr<Channel> channel, std::string data);
/// After the end of both streams.
Async<Exit> read_exit(std::shared_ptr<Channel> channel);

} // namespace podsmith::ssh
