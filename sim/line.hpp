#pragma once
#include "net/loop.hpp"

#include <cstdint>
#include <memory>

namespace podsmith::sim {

constexpr double kMegabit = 1e6 / 8; ///< bytes a second

/// How far away the pods are. All lines share one; what is changed counts for the next byte.
struct LineShape {
    double rtt = 0;       ///< seconds; half of it each way
    double bandwidth = 0; ///< bytes a second, each way and for each pod; 0: what this machine can do
};

/// The line to one pod's SSH server: a TCP proxy on 127.0.0.1. A connection costs a round trip before its
/// first byte; every byte waits for its turn where bandwidth is limited, then travels for half a round trip.
/// How much travels at once is not limited: a sender feels the distance by its own windows alone.
class Line {
public:
    /// Listens on any free port. Kind io.
    static Result<std::shared_ptr<Line>> open(net::Loop& loop, std::shared_ptr<const LineShape> shape);
    virtual ~Line() = default;

    virtual int port() const = 0;
    /// Where connections go that are made from now on: a port of 127.0.0.1.
    virtual void lead_to(int port) = 0;
    /// Resets every connection at both its ends. What was under way is lost.
    virtual void cut() = 0;
    /// The same when so many more bytes have come through, both ways counted together.
    virtual void cut_after(std::uint64_t bytes) = 0;
    /// For so long connections are refused, as by a machine where nobody listens.
    virtual void refuse(double seconds) = 0;
    /// Connections so far, and the bytes that have come through them, both ways counted together.
    virtual std::size_t connections() const = 0;
    virtual std::uint64_t passed() const = 0;
    /// Cuts, and listens no more. Idempotent.
    virtual void close() = 0;
};

} // namespace podsmith::sim
