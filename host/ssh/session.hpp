#pragma once
#include "base/secret.hpp"
#include "net/loop.hpp"
#include "ssh/known_hosts.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podsmith::ssh {

using net::Async;

class PrivateKey;
class Transport;

/// One key that may open the door: in memory, or held by the ssh-agent.
struct Identity {
    std::shared_ptr<PrivateKey> key = nullptr; ///< null: the agent signs
    std::string agent_blob = {};               ///< the public key that the agent holds, binary
    std::string shown = {};                    ///< how errors speak of it: a path or the agent's comment
};

struct ConnectRequest {
    std::string host;
    int port = 22;
    std::string user = "root";
    /// Path of the private key (OpenSSH or PEM; ed25519, ecdsa or RSA); used when `identities` is empty.
    std::string key_file;
    Secret passphrase = {};
    /// Tried in this order until the server takes one.
    std::vector<Identity> identities = {};
    std::string agent_socket = {}; ///< for those of the agent
    HostKeyPolicy host_key = {};
    double connect_timeout = 10; ///< TCP
    double login_timeout = 20;   ///< banner, key exchange, authentication
    double keepalive = 15;       ///< seconds between keepalives; the session fails after three unanswered
};

/// A terminal for a remote command, as the local one is.
struct Terminal {
    std::string type = "xterm-256color";
    int columns = 80;
    int rows = 24;
};

struct ExecRequest {
    std::string
        command; ///< a shell command line, run by the login shell; "" with a terminal: the login shell itself
    /// Exported to the command, never on a command line: `sh` on the other side first reads assignments from
    /// stdin, up to a line with a random mark, then becomes `$SHELL -c command`; the rest of stdin is the
    /// command's own. Values may hold anything but NUL.
    std::vector<std::pair<std::string, std::string>> env = {};
    std::string input = {}; ///< written to stdin while the output is read, then end of file
    bool keep_stdin_open = false;
    /// Where the command runs: a folder on the other side ("~/x" is in the home folder); the command ends
    /// with code 1 and the shell's word for it when there is none.
    std::string folder = {};
    /// Its output then comes on one stream, and `env` cannot be given: the terminal would show it.
    std::optional<Terminal> terminal = std::nullopt;
    /// Bytes of output that may be under way at once; 0: 2 MiB. What comes over a long line needs more:
    /// bandwidth times round trip.
    unsigned window = 0;
};

/// How a remote process ended.
struct Exit {
    int code = -1;      ///< exit status; -1 when a signal ended it
    std::string signal; ///< "KILL", "TERM"... or ""
};

enum class Stream { out, err };
struct Chunk {
    Stream stream = Stream::out;
    std::string data; ///< never empty
};

/// A running remote command. Dropping it closes the channel; the remote process may live on.
class Process {
public:
    virtual ~Process() = default;
    /// The next piece of output; nullopt when both streams have ended. One reader at a time. Order is kept
    /// within a stream; between the two it is as close as the pieces that arrived together allow.
    virtual Async<std::optional<Chunk>> read() = 0;
    /// Waits until `data` has been handed to the connection. Cancelled, it is still sent. Error{conflict}
    /// when the command has ended or the input was ended.
    virtual Async<void> write(std::string data) = 0;
    virtual Async<void> write_eof() = 0;
    /// Waits for the end (discarding unread output) and gives the exit status. Error{network} when the
    /// connection broke, or the channel was closed without a status.
    virtual Async<Exit> wait() = 0;
    /// Tells the remote terminal its new size.
    virtual Async<void> resize(int columns, int rows) = 0;
    virtual void close() = 0;
};

struct ExecResult {
    Exit exit;
    std::string out;
    std::string err;
};

/// One authenticated connection with many channels. All calls on the loop's thread. When the connection
/// breaks every pending and later call fails with Error{network, retryable}; `is_open()` is then false.
/// Errors name user@host:port.
class Session {
public:
    /// TCP, key exchange, host key check (before any authentication), public key login.
    /// Errors: network (refused, unreachable, reset), timeout, host_key, auth (names the key file and what to
    /// do), invalid (key unreadable).
    static Async<std::shared_ptr<Session>> connect(net::Loop& loop, ConnectRequest request);

    virtual ~Session() = default;
    /// Waits until the server has started the command. Where the server allows no further command on this
    /// connection (sshd's MaxSessions, usually 10) it waits for one of ours to end, and warns once.
    /// Cancelled, the session stays whole.
    virtual Async<std::unique_ptr<Process>> start(ExecRequest request) = 0;
    /// start + read all + wait. Output over `max_output` bytes is an error.
    virtual Async<ExecResult> exec(ExecRequest request, std::size_t max_output = 64u << 20) = 0;
    /// Writes `content` to `path` on the other side: beside it first, readable by the user alone, then given
    /// its mode and renamed, if all of it arrived. Needs only sh and coreutils there. Creates the folder.
    /// "~/x" is in the home folder. Error{io} with what the other side said (disk full, not allowed).
    virtual Async<void> upload(std::string content, std::string path, unsigned mode = 0644) = 0;
    /// The same from a local file, streamed (never whole in memory).
    virtual Async<void> upload_file(std::string local, std::string path, unsigned mode = 0644) = 0;
    /// One more connection to the same server, as the same user, which must show the same host key. For work
    /// that one connection holds up.
    virtual Async<std::shared_ptr<Session>> connect_again() = 0;
    /// Says that this many commands will start soon: over a long line their channels are opened ahead.
    virtual void prepare(std::size_t commands) = 0;
    /// Seconds that the server has taken to answer the opening of a channel, at best; 0 before the first.
    virtual double round_trip() const = 0;
    /// Who and where, as errors say it: "root@10.0.0.7:22".
    virtual const std::string& name() const = 0;
    /// The server's key and what is known about it.
    virtual const HostKey& host_key() const = 0;
    virtual bool is_open() const = 0;
    /// Waits until the connection has ended, for whatever reason.
    virtual Async<void> wait_closed() = 0;
    virtual std::shared_ptr<Transport> transport() const = 0;
    virtual void close() = 0;
};

} // namespace podsmith::ssh
