#pragma once
#include "sim/router.hpp"

#include <boost/asio/steady_timer.hpp>
#include <deque>

namespace podsmith::sim {

/// The log of one pod, container and system lines in one order; kept over stop, start and restart. Bounded:
/// the oldest lines go first.
class LogBuffer {
public:
    struct Line {
        std::uint64_t sequence; ///< from 1, without gaps
        std::string time;       ///< RFC 3339
        std::string source;     ///< "container" or "system"
        std::string text;
        std::string id() const; ///< "<time>/<sequence, 12 digits>"
    };

    explicit LogBuffer(net::Loop& loop) : loop_(loop) {}

    void add(const std::string& source, const std::string& text);
    /// No more lines: streams end.
    void close();
    bool is_closed() const { return closed_; }

    /// Where a stream begins: the sequence after which lines are sent.
    std::uint64_t position_after_id(const std::string& id) const;
    std::uint64_t position_since(double utc) const;
    std::uint64_t position_tail(std::size_t lines, const std::string& source) const;

    /// Up to `limit` lines after `position`, which moves past what was looked at. `source` "" takes both.
    std::vector<Line> take(std::uint64_t& position, const std::string& source, std::size_t limit) const;
    std::uint64_t last() const { return next_ - 1; }

    /// Waits for a new line or the close, at most `seconds`. False when nothing came.
    static asio::awaitable<bool> wait(std::shared_ptr<LogBuffer> self, std::uint64_t position,
                                      double seconds);

private:
    void wake();
    net::Loop& loop_;
    std::deque<Line> lines_;
    std::uint64_t next_ = 1;
    bool closed_ = false;
    std::vector<std::weak_ptr<asio::steady_timer>> waiters_;
};

/// GET /v2/pods/{id}/logs: server-sent events that end only when the pod is gone.
Response stream_logs(std::shared_ptr<LogBuffer> log, const Request& request, double keep_alive);

} // namespace podsmith::sim
