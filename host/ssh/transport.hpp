#pragma once
#include "net/loop.hpp"
#include "ssh/signal.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <functional>
#include <libssh2.h>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::ssh {

using net::Async;

/// A channel as libssh2 has opened it, and our number of it; nullopt when libssh2 did not let that be seen.
struct OpenChannel {
    LIBSSH2_CHANNEL* raw = nullptr;
    std::optional<std::uint32_t> number = std::nullopt;
};

/// A libssh2 session and its socket, kept apart: libssh2 reads from and writes to memory (its send and
/// receive callbacks), and this class moves the bytes.
///
/// Why: a libssh2 call that could send only half a packet must be repeated before any other call on the
/// session, with the same arguments at the same addresses, which many coroutines on one session cannot
/// promise (and cancelled ones break). Here a send always succeeds, so "again" from libssh2 means one thing:
/// it wants input. Whoever gets it waits on `input`. Arriving bytes are fed to libssh2 at once, whether or
/// not anybody reads, so window updates, requests of the server and key renewals are dealt with, and every
/// waiter is woken to look at its own channel.
class Transport : public std::enable_shared_from_this<Transport> {
public:
    /// `name` is how errors speak of it: "root@10.0.0.7:22".
    Transport(net::Loop& loop, asio::ip::tcp::socket socket, std::string name);
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    /// Begins to read from the socket. Once, right after make_shared.
    void start();
    /// After the login: asks the server for a sign of life whenever `seconds` pass without a byte from it;
    /// three such questions without an answer fail the session. 0: never.
    void keep_alive(double seconds);
    /// Ends the connection: every waiting and later call fails.
    void close();

    net::Loop& loop() { return loop_; }
    LIBSSH2_SESSION* session() { return session_; }
    const std::string& name() const { return name_; }
    int descriptor() { return socket_.native_handle(); }
    bool is_open() const { return !failure_; }
    /// libssh2 lost its thread: no call on it makes sense any more. (A connection that just ended is not
    /// corrupt: what came before the end can still be read.)
    bool is_corrupt() const { return is_corrupt_; }
    const std::optional<Error>& failure() const { return failure_; }
    std::uint64_t received() const { return received_; }
    /// How long the server took to answer, at best; 0 before the first channel. (The kernel's figure for the
    /// socket would be that of the nearest TCP proxy.)
    double round_trip() const { return round_trip_; }
    void note_round_trip(double seconds);

    /// Turns a libssh2 code that this connection does not survive into its failure. True when it was one.
    bool note_fatal(long code);
    /// The failure (or the last libssh2 error), with what was being done in front.
    tl::unexpected<Error> error(const std::string& doing);
    std::string last_message();

    /// libssh2 can open one channel at a time: true when the caller may, until end_open.
    bool try_begin_open();
    void end_open();
    void add_channel(LIBSSH2_CHANNEL* channel);
    /// Closes and frees a channel without waiting; what is left to do is done as the server answers.
    void dispose(LIBSSH2_CHANNEL* channel);
    /// The number of the channel that was opened last.
    std::optional<std::uint32_t> opened_number() const { return opened_number_; }
    /// Whether the server has sent an exit status for our channel of this number. libssh2 gives 0 for a
    /// command that ended well and for a channel that was closed without a word.
    bool has_exit_status(std::uint32_t number) const { return with_status_.count(number) > 0; }
    void forget_number(std::uint32_t number) { with_status_.erase(number); }
    std::size_t channels() const { return channels_.size() + dying_.size(); }
    /// True once: the operator need not be told twice that the server's limit holds commands up.
    bool first_lack_of_room() { return !std::exchange(lacked_room_, true); }

    /// True while so much waits to be sent that a writer should hold back until `drained`.
    bool is_congested() const;

    /// Channels that stand ready for the commands to come: see open_ahead.
    struct Spares {
        std::deque<OpenChannel> ready;
        std::size_t wanted = 0;
        bool is_opening = false;
        bool is_refused = false; ///< the server has no room for them
    };
    Spares spares;

    Signal input;   ///< bytes came, or the connection failed
    Signal drained; ///< no longer congested, or failed
    Signal opened;  ///< the open of a channel has ended: another may begin
    Signal freed;   ///< a channel has gone
    Signal ended;   ///< the connection failed or was closed

private:
    static void* allocate(size_t count, void** self);
    static void* reallocate(void* memory, size_t count, void** self);
    static void release(void* memory, void** self);
    void note_packet(std::string_view packet);
    static ssize_t receive_from(libssh2_socket_t, void* buffer, size_t length, int, void** self);
    static ssize_t send_to(libssh2_socket_t, const void* buffer, size_t length, int, void** self);
    static void disconnected(LIBSSH2_SESSION*, int, const char* message, int length, const char*, int,
                             void** self);

    void wait_readable();
    void on_readable();
    bool fill_inbox();
    void feed();
    void finish_dying();
    void probe();
    void wait_writable();
    void flush();
    void tick();
    void fail_with(Error error);

    net::Loop& loop_;
    asio::ip::tcp::socket socket_;
    std::string name_;
    LIBSSH2_SESSION* session_ = nullptr;

    std::string inbox_;
    std::size_t inbox_taken_ = 0;
    std::string outbox_;
    std::size_t outbox_sent_ = 0;
    bool is_writing_ = false;
    bool write_failed_ = false;
    bool is_ending_ = false; // the destructor runs: libssh2 gets errors instead of "again"
    std::string farewell_;   // the server's own words when it disconnected

    std::vector<LIBSSH2_CHANNEL*> channels_;
    std::vector<LIBSSH2_CHANNEL*> dying_;
    std::optional<std::uint32_t> opened_number_;
    std::set<std::uint32_t> with_status_;
    bool is_opening_ = false;
    bool is_probing_ = false;
    double probed_at_ = 0;
    bool lacked_room_ = false;
    bool is_corrupt_ = false; // libssh2's state can no longer be trusted: no more calls but free
    std::optional<Error> failure_;

    net::Timer timer_;
    double interval_ = 0;
    int unanswered_ = -1; // -1: nothing was asked
    double round_trip_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t received_before_ = 0;
};

/// Repeats `step` (one libssh2 call) until it no longer wants input, and returns its code: negative codes
/// that leave the connection whole are for the caller; the others are Error{network} or Error{protocol}. May
/// be cancelled while it waits; the caller knows whether the step may then be left half-done.
Async<long> drive(std::shared_ptr<Transport> transport, std::string doing, std::function<long()> step);

} // namespace podsmith::ssh
