#pragma once
#include "net/loop.hpp"
#include "ssh/session.hpp"

#include <memory>
#include <string>

namespace podsmith::ssh {

/// A local port that leads to a port on the other side: listens on 127.0.0.1 alone, carries any number of
/// connections over one session, each way no faster than its reader takes, and passes on the end of either
/// direction by itself. When the session breaks its connections are closed and new ones wait for the next
/// session.
class Tunnel {
public:
    struct Options {
        int local_port = 0;             ///< 0: any that is free
        std::string host = "localhost"; ///< as the other side's sshd sees it
        int port = 0;
        double patience = 60; ///< seconds that a new connection waits for a session
    };
    struct Counts {
        std::uint64_t accepted = 0;
        std::uint64_t refused = 0; ///< closed without having reached the other side
        std::size_t open = 0;
        std::uint64_t sent = 0;     ///< bytes to the other side
        std::uint64_t received = 0; ///< bytes from there
    };

    /// Begins to listen. Error{conflict} when the local port is taken, Error{invalid} for what is no port.
    static Result<std::shared_ptr<Tunnel>> listen(net::Loop& loop, Options options);
    virtual ~Tunnel() = default;

    virtual int local_port() const = 0;
    /// New connections go over this session from now on.
    virtual void use(std::shared_ptr<Session> session) = 0;
    virtual Counts counts() const = 0;
    /// Stops listening and closes every connection.
    virtual void close() = 0;
};

} // namespace podsmith::ssh
