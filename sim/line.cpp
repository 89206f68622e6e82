#include "sim/line.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <fmt/core.h>
#include <functional>
#include <optional>
#include <vector>

namespace podsmith::sim {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::size_t kMostChunk = 256u << 10;
constexpr std::size_t kLeastChunk = 1460;
constexpr double kAhead = 0.01;            // seconds of work that a limited line takes in advance
constexpr std::size_t kMostLate = 1 << 20; // bytes that should be there and are not taken

/// One direction of a line, which its connections share.
struct Way {
    explicit Way(net::Loop& event_loop) : loop(event_loop), timer(event_loop) {}

    /// Seconds until the line takes more.
    double wait() const { return free_at - kAhead - loop.now(); }
    /// Calls `next` as soon as the line takes more; in the order of the calls.
    void queue(std::function<void()> next) {
        waiting.push_back(std::move(next));
        if (waiting.size() == 1)
            arm();
    }
    void arm() {
        timer.start(std::max(wait(), 0.0), [this](bool fired) {
            if (!fired)
                return;
            while (!waiting.empty() && wait() <= 0) {
                const std::function<void()> next = std::move(waiting.front());
                waiting.pop_front();
                next();
            }
            if (!waiting.empty())
                arm();
        });
    }
    /// When so many bytes that come now are at the other end.
    double arrival(std::size_t bytes, const LineShape& shape) {
        free_at = std::max(free_at, loop.now());
        if (shape.bandwidth > 0)
            free_at += static_cast<double>(bytes) / shape.bandwidth;
        return free_at + shape.rtt / 2;
    }

    net::Loop& loop;
    net::Timer timer;
    double free_at = 0; ///< when the line has sent off all that it took
    std::deque<std::function<void()>> waiting;
};

class Connection;

/// What the connections of a line share; it lives as long as the last of them.
struct Shared {
    Shared(net::Loop& event_loop, std::shared_ptr<const LineShape> line_shape)
        : loop(event_loop), shape(std::move(line_shape)), ways{Way(event_loop), Way(event_loop)} {}

    std::size_t allowed(std::size_t size) const {
        return left ? static_cast<std::size_t>(std::min<std::uint64_t>(*left, size)) : size;
    }
    void came_through(std::size_t size) {
        passed += size;
        if (left && (*left -= size) == 0)
            cut();
    }
    void cut();

    net::Loop& loop;
    std::shared_ptr<const LineShape> shape;
    std::array<Way, 2> ways;
    std::size_t count = 0;
    std::uint64_t passed = 0;
    std::optional<std::uint64_t> left; ///< bytes until the line is cut
    std::vector<std::weak_ptr<Connection>> connections;
};

/// One direction of a connection: what is read from `source` is written to `sink` when it is due.
class Lane {
public:
    Lane(Connection& owner, Way& way, tcp::socket& source, tcp::socket& sink);
    void watch();
    void stop();
    bool has_ended() const { return has_ended_; }

private:
    struct Chunk {
        double due = 0;
        std::size_t size = 0; ///< 0: the end
        bool is_reset = false;
        std::unique_ptr<char[]> bytes = nullptr;
    };
    void read();
    void put(Chunk chunk);
    void arm();
    void write();
    void wrote(std::size_t size);
    bool is_too_late() const;

    Connection& owner_;
    Way& way_;
    tcp::socket& source_;
    tcp::socket& sink_;
    std::optional<net::Timer> timer_; ///< none once stopped
    std::deque<Chunk> queue_;
    std::size_t written_ = 0; ///< of the first chunk
    bool is_watching_ = false;
    bool is_writing_ = false;
    bool has_read_all_ = false;
    bool has_ended_ = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<Shared> line, tcp::socket client)
        : shared(std::move(line)),
          client_(std::move(client)),
          server_(shared->loop.context()),
          timer_(std::in_place, shared->loop),
          there_(*this, shared->ways[0], client_, server_),
          back_(*this, shared->ways[1], server_, client_) {}

    void begin(int port) {
        std::erase_if(shared->connections, [](const auto& one) { return one.expired(); });
        shared->connections.push_back(weak_from_this());
        ++shared->count;
        timer_->start(shared->shape->rtt, [self = shared_from_this(), port](bool fired) {
            if (fired)
                self->connect(port);
        });
    }
    void cut() {
        is_cut_ = true;
        timer_.reset(); // what it would call holds this connection
        there_.stop();
        back_.stop();
        ErrorCode ignored;
        for (tcp::socket* socket : {&client_, &server_}) {
            socket->set_option(asio::socket_base::linger(true, 0), ignored);
            socket->close(ignored);
        }
    }
    bool is_cut() const { return is_cut_; }
    void lane_ended() {
        if (there_.has_ended() && back_.has_ended())
            cut();
    }

    std::shared_ptr<Shared> shared;

private:
    void connect(int port) {
        ErrorCode error;
        // Loopback: accepted or refused at once.
        server_.connect(tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)),
                        error);
        if (error)
            return cut();
        for (tcp::socket* socket : {&client_, &server_}) {
            socket->non_blocking(true, error);
            socket->set_option(tcp::no_delay(true), error);
        }
        there_.watch();
        back_.watch();
    }

    tcp::socket client_, server_;
    std::optional<net::Timer> timer_; ///< none once cut
    Lane there_, back_;
    bool is_cut_ = false;
};

void Shared::cut() {
    left.reset();
    for (const auto& one : std::exchange(connections, {}))
        if (const auto connection = one.lock())
            connection->cut();
    for (Way& way : ways)
        way.waiting.clear(); // of connections that are cut, and hold them
}

Lane::Lane(Connection& owner, Way& way, tcp::socket& source, tcp::socket& sink)
    : owner_(owner), way_(way), source_(source), sink_(sink), timer_(std::in_place, owner.shared->loop) {}

void Lane::stop() {
    timer_.reset();
    queue_.clear();
    has_read_all_ = true;
}

// A sink that takes nothing must not fill our memory; what still travels is the line's own.
bool Lane::is_too_late() const {
    std::size_t late = 0;
    const double now = way_.loop.now();
    for (const Chunk& chunk : queue_) {
        if (chunk.due > now || late > kMostLate)
            break;
        late += chunk.size;
    }
    return late > kMostLate;
}

void Lane::watch() {
    if (is_watching_ || has_read_all_ || is_too_late())
        return;
    is_watching_ = true;
    source_.async_wait(tcp::socket::wait_read, [this, self = owner_.shared_from_this()](ErrorCode error) {
        if (error || self->is_cut())
            return;
        if (way_.wait() <= 0 && way_.waiting.empty())
            return read();
        way_.queue([this, self] {
            if (!self->is_cut())
                read();
        });
    });
}

void Lane::read() {
    is_watching_ = false;
    const LineShape& shape = *owner_.shared->shape;
    std::size_t most = kMostChunk;
    if (shape.bandwidth > 0)
        most = std::clamp(static_cast<std::size_t>(shape.bandwidth * kAhead), kLeastChunk, kMostChunk);
    ErrorCode error;
    Chunk chunk;
    chunk.size = std::clamp<std::size_t>(source_.available(error), 1, most);
    chunk.bytes.reset(new char[chunk.size]);
    chunk.size = source_.read_some(asio::buffer(chunk.bytes.get(), chunk.size), error);
    if (error == asio::error::would_block)
        return watch();
    if (error) {
        chunk.size = 0;
        chunk.is_reset = error != asio::error::eof;
        has_read_all_ = true;
    }
    chunk.due = way_.arrival(chunk.size, shape);
    put(std::move(chunk));
    watch();
}

void Lane::put(Chunk chunk) {
    queue_.push_back(std::move(chunk));
    if (!is_writing_ && queue_.size() == 1)
        arm();
}

void Lane::arm() {
    if (queue_.empty() || !timer_)
        return;
    const double wait = queue_.front().due - way_.loop.now();
    if (wait <= 0)
        return write();
    timer_->start(wait, [this, self = owner_.shared_from_this()](bool fired) {
        if (fired && !self->is_cut())
            write();
    });
}

void Lane::write() {
    const Chunk& chunk = queue_.front();
    if (chunk.size == 0) {
        if (chunk.is_reset)
            return owner_.cut();
        ErrorCode ignored;
        sink_.shutdown(tcp::socket::shutdown_send, ignored);
        queue_.clear();
        has_ended_ = true;
        return owner_.lane_ended();
    }
    is_writing_ = true;
    const auto bytes =
        asio::buffer(chunk.bytes.get() + written_, owner_.shared->allowed(chunk.size - written_));
    asio::async_write(sink_, bytes,
                      [this, self = owner_.shared_from_this()](ErrorCode error, std::size_t size) {
                          is_writing_ = false;
                          if (self->is_cut())
                              return;
                          if (error)
                              return self->cut();
                          wrote(size);
                      });
}

void Lane::wrote(std::size_t size) {
    written_ += size;
    if (written_ == queue_.front().size) {
        queue_.pop_front();
        written_ = 0;
    }
    const auto shared = owner_.shared;
    shared->came_through(size);
    if (owner_.is_cut())
        return;
    arm();
    watch();
}

class Proxy final : public Line, public std::enable_shared_from_this<Proxy> {
public:
    Proxy(net::Loop& loop, std::shared_ptr<const LineShape> shape)
        : shared_(std::make_shared<Shared>(loop, std::move(shape))),
          acceptor_(loop.context()),
          timer_(loop) {}
    ~Proxy() override { Proxy::close(); }

    Result<void> listen() {
        ErrorCode error;
        bind(error);
        if (!error)
            acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (error)
            return fail(Kind::io, fmt::format("listen for a pod's SSH connections: {}", error.message()),
                        "raise the limit of open files (ulimit -n), or stop some simulated pods");
        port_ = acceptor_.local_endpoint(error).port();
        accept();
        return {};
    }

    int port() const override { return port_; }
    void lead_to(int port) override { target_ = port; }
    void cut() override { shared_->cut(); }
    void cut_after(std::uint64_t bytes) override {
        if (bytes == 0)
            return cut();
        shared_->left = bytes;
    }
    void refuse(double seconds) override {
        ErrorCode error;
        acceptor_.close(error);
        bind(error); // keeps the port ours; nobody listens on it
        timer_.start(seconds, [weak = weak_from_this()](bool fired) {
            const auto self = weak.lock();
            if (!fired || !self)
                return;
            ErrorCode refused;
            self->acceptor_.listen(asio::socket_base::max_listen_connections, refused);
            if (refused)
                log::warn("the line on port {} stays closed: {}", self->port_, refused.message());
            else
                self->accept();
        });
    }
    std::size_t connections() const override { return shared_->count; }
    std::uint64_t passed() const override { return shared_->passed; }
    void close() override {
        timer_.cancel();
        ErrorCode ignored;
        acceptor_.close(ignored);
        shared_->cut();
    }

private:
    void bind(ErrorCode& error) {
        acceptor_.open(tcp::v4(), error);
        if (!error)
            acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error)
            acceptor_.bind(
                tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port_)), error);
    }
    void accept() {
        acceptor_.async_accept([weak = weak_from_this()](ErrorCode error, tcp::socket client) {
            const auto self = weak.lock();
            if (!self || error == asio::error::operation_aborted)
                return;
            if (!error)
                std::make_shared<Connection>(self->shared_, std::move(client))->begin(self->target_);
            self->accept();
        });
    }

    std::shared_ptr<Shared> shared_;
    tcp::acceptor acceptor_;
    net::Timer timer_;
    int port_ = 0;
    int target_ = 0;
};

} // namespace

Result<std::shared_ptr<Line>> Line::open(net::Loop& loop, std::shared_ptr<const LineShape> shape) {
    auto line = std::make_shared<Proxy>(loop, std::move(shape));
    if (Result<void> done = line->listen(); !done)
        return fail(done.error());
    return line;
}

} // namespace podsmith::sim
