#include "net/sse.hpp"

#include "base/text.hpp"
#include "net/retry.hpp"
#include "net/url.hpp"

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <utility>

namespace podsmith::net {
namespace {

constexpr std::size_t kMaxEvent = 1u << 20;
constexpr double kGiveUpAfter = 60;   ///< seconds of failing reconnects
constexpr double kSilenceLimit = 300; ///< a connection this quiet may be dead: open a new one, it resumes

} // namespace

Result<std::vector<SseEvent>> SseParser::feed(std::string_view bytes) {
    std::vector<SseEvent> events;
    while (!bytes.empty()) {
        if (std::exchange(after_cr_, false) && bytes.front() == '\n') { // the second half of a CRLF
            bytes.remove_prefix(1);
            continue;
        }
        const auto end = bytes.find_first_of("\r\n");
        line_.append(bytes.substr(0, end));
        if (line_.size() + event_.data.size() > kMaxEvent)
            return fail(Kind::protocol,
                        fmt::format("an event of the stream is larger than {} bytes", kMaxEvent));
        if (end == std::string_view::npos)
            break;
        after_cr_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        const std::string line = std::exchange(line_, {});
        if (auto taken = take_line(line, events); !taken)
            return fail(taken.error());
    }
    return events;
}

Result<void> SseParser::take_line(std::string_view line, std::vector<SseEvent>& events) {
    if (line.empty()) {
        SseEvent event = std::exchange(event_, {});
        if (!std::exchange(has_data_, false))
            return {};
        event.id = last_id_;
        if (event.name.empty())
            event.name = "message";
        event.data.pop_back(); // the \n after the last line
        events.push_back(std::move(event));
        return {};
    }
    const auto colon = line.find(':');
    const std::string_view field = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' '))
        value.remove_prefix(1);
    if (field == "data") {
        event_.data.append(value).push_back('\n');
        has_data_ = true;
    } else if (field == "event") {
        event_.name = value;
    } else if (field == "id" && value.find('\0') == std::string_view::npos) {
        last_id_ = value;
    }
    return {}; // comments, retry and unknown fields
}

/// Shared with the coroutine that pumps, so that an EventStream may go while it still unwinds.
struct EventStream::Impl {
    Impl(Http& client, HttpRequest what) : http(client), request(std::move(what)) {}
    Http& http;
    HttpRequest request;
    SseParser parser;
    std::unique_ptr<HttpStream> stream = nullptr;
    std::deque<SseEvent> events = {};
    std::string last_id = {};
    bool closed = false;
    std::optional<Error> failed = std::nullopt; ///< final: every later next() gets it
    double failing_since = -1;
    int failures = 0;
    double not_before = 0; ///< the earliest moment of the next connection
    std::shared_ptr<Gate> pause = nullptr;

    static Async<bool> pump(std::shared_ptr<Impl> self);
    static asio::awaitable<void> connect(std::shared_ptr<Impl> self);
    static asio::awaitable<void> read(std::shared_ptr<Impl> self);
    static asio::awaitable<void> rest(std::shared_ptr<Impl> self, double seconds);
    void lost(const Error& error);
    void accept(std::unique_ptr<HttpStream> opened);
    void schedule(double at_least);
};

/// A connection could not be made or broke: try later, or give up.
void EventStream::Impl::lost(const Error& error) {
    stream.reset();
    const double now = http.loop().now();
    if (failing_since < 0)
        failing_since = now;
    if (!error.retryable || now - failing_since >= kGiveUpAfter)
        failed = error;
    schedule(0);
}

void EventStream::Impl::schedule(double at_least) {
    ++failures;
    not_before = http.loop().now() + std::max(at_least, backoff(failures, 1));
}

void EventStream::Impl::accept(std::unique_ptr<HttpStream> opened) {
    const HttpResponse& head = opened->head();
    const std::string where = "GET " + printable(request.url);
    Error error;
    error.status = head.status;
    error.message = fmt::format("{}: the event stream answered {}", where, head.status);
    if (head.status == 200) {
        if (!starts_with_no_case(head.header("content-type"), "text/event-stream")) {
            error.kind = Kind::protocol;
            error.message =
                fmt::format("{}: not an event stream but \"{}\"", where, head.header("content-type"));
            failed = error;
            return;
        }
        stream = std::move(opened);
        failing_since = -1;
        return;
    }
    error.retryable = head.status == 429 || head.status == 408 || head.status >= 500;
    error.kind = head.status == 401   ? Kind::auth
                 : head.status == 403 ? Kind::forbidden
                 : head.status == 404 ? Kind::not_found
                 : head.status == 422 ? Kind::invalid
                 : head.status == 429 ? Kind::rate_limited
                 : head.status >= 500 ? Kind::remote
                                      : Kind::protocol;
    const double wait = rate_limit_wait(head);
    lost(error);
    not_before = std::max(not_before, http.loop().now() + wait);
}

asio::awaitable<void> EventStream::Impl::connect(std::shared_ptr<Impl> self) {
    HttpRequest request = self->request;
    if (!self->last_id.empty())
        request.headers.emplace_back("Last-Event-ID", self->last_id);
    self->parser = SseParser(); // half a frame of the old connection comes again, whole
    Result<std::unique_ptr<HttpStream>> opened = co_await self->http.open(std::move(request));
    if (self->closed)
        co_return;
    if (!opened) {
        self->lost(opened.error());
        co_return;
    }
    self->accept(std::move(*opened));
}

asio::awaitable<void> EventStream::Impl::read(std::shared_ptr<Impl> self) {
    Result<std::optional<std::string>> piece = co_await self->stream->read();
    if (self->closed)
        co_return;
    if (!piece || !*piece) {
        // Cut or ended: both are ordinary for a stream that was open, so open it again and resume.
        self->stream.reset();
        self->schedule(0);
        co_return;
    }
    Result<std::vector<SseEvent>> events = self->parser.feed(**piece);
    if (!events) {
        self->failed = events.error().in("GET " + printable(self->request.url));
        self->stream.reset();
        co_return;
    }
    for (SseEvent& event : *events) {
        self->failures = 0;
        if (!event.id.empty())
            self->last_id = event.id;
        self->events.push_back(std::move(event));
    }
}

asio::awaitable<void> EventStream::Impl::rest(std::shared_ptr<Impl> self, double seconds) {
    auto gate = std::make_shared<Gate>(self->http.loop().executor());
    self->pause = gate; // close() opens it
    Timer timer(self->http.loop());
    timer.start(seconds, [weak = std::weak_ptr(gate)](bool) {
        if (auto alive = weak.lock())
            alive->open();
    });
    co_await gate->wait();
}

/// Works until an event waits, or the stream is closed or has failed. May be cancelled between any two steps
/// and started again: all state is in the Impl.
Async<bool> EventStream::Impl::pump(std::shared_ptr<Impl> self) {
    while (self->events.empty() && !self->closed && !self->failed) {
        const double wait = self->not_before - self->http.loop().now();
        if (self->stream)
            co_await read(self);
        else if (wait > 0)
            co_await rest(self, wait);
        else
            co_await connect(self);
    }
    co_return true;
}

EventStream::EventStream(Http& http, HttpRequest request)
    : impl_(std::make_shared<Impl>(http, std::move(request))) {
    HttpRequest& stored = impl_->request;
    stored.method = "GET";
    stored.headers.emplace_back("Accept", "text/event-stream");
    stored.headers.emplace_back("Cache-Control", "no-cache");
    stored.timeout = 0;
    stored.idle_timeout = kSilenceLimit;
    stored.retry.attempts = 1; // reconnecting is done here, where Last-Event-ID is known
    stored.retry.idempotent = true;
}

EventStream::~EventStream() {
    close();
}

Async<std::optional<SseEvent>> EventStream::next(double idle) {
    // A local copy: the stream object may be destroyed while this waits.
    const std::shared_ptr<Impl> impl = impl_;
    if (impl->events.empty()) {
        Async<bool> work = Impl::pump(impl);
        Result<bool> pumped =
            co_await with_deadline(impl->http.loop(), idle, "event stream", std::move(work));
        if (!pumped && pumped.error().kind != Kind::timeout)
            co_return fail(pumped.error());
    }
    if (!impl->events.empty()) {
        SseEvent event = std::move(impl->events.front());
        impl->events.pop_front();
        co_return std::optional<SseEvent>(std::move(event));
    }
    if (impl->closed)
        co_return fail(Kind::cancelled,
                       fmt::format("GET {}: the event stream was closed", printable(impl->request.url)));
    if (impl->failed)
        co_return fail(*impl->failed);
    co_return std::optional<SseEvent>();
}

void EventStream::close() {
    impl_->closed = true;
    if (impl_->stream)
        impl_->stream->close();
    if (impl_->pause)
        impl_->pause->open();
}

} // namespace podsmith::net
