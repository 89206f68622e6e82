#include "sim/runpod_logs.hpp"

#include "base/text.hpp"
#include "sim/problem.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

constexpr std::size_t kMaxLines = 50'000;
constexpr std::size_t kBatch = 500;
constexpr int kMaxTail = 5000;

std::string frame(const LogBuffer::Line& line) {
    nlohmann::ordered_json data{{"ts", line.time}, {"source", line.source}, {"line", line.text}};
    return "id: " + line.id() +
           "\ndata: " + data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n\n";
}

asio::awaitable<void> produce(std::shared_ptr<LogBuffer> log, std::uint64_t position, std::string source,
                              double keep_alive, std::shared_ptr<BodyWriter> writer) {
    for (;;) {
        const std::vector<LogBuffer::Line> lines = log->take(position, source, kBatch);
        std::string text;
        for (const LogBuffer::Line& line : lines)
            text += frame(line);
        if (text.empty() && position < log->last())
            continue;
        if (text.empty() && log->is_closed())
            co_return;
        if (text.empty()) {
            const bool woken = co_await LogBuffer::wait(log, position, keep_alive);
            if (woken)
                continue;
            text = ": keep-alive\n\n";
        }
        const bool sent = co_await writer->write(std::move(text));
        if (!sent)
            co_return;
    }
}

} // namespace

std::string LogBuffer::Line::id() const {
    return fmt::format("{}/{:012}", time, sequence);
}

void LogBuffer::add(const std::string& source, const std::string& text) {
    lines_.push_back({next_++, utc_text(loop_.system().utc()), source, text});
    if (lines_.size() > kMaxLines)
        lines_.pop_front();
    wake();
}

void LogBuffer::close() {
    closed_ = true;
    wake();
}

void LogBuffer::wake() {
    for (const auto& waiter : waiters_)
        if (const auto timer = waiter.lock())
            timer->cancel();
    waiters_.clear();
}

std::uint64_t LogBuffer::position_after_id(const std::string& id) const {
    const auto slash = id.rfind('/');
    const auto time = utc_from(id.substr(0, slash)).value_or(0);
    const std::string digits = slash == std::string::npos ? "" : id.substr(slash + 1);
    std::uint64_t sequence = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), sequence);
    if (sequence > 0)
        return std::min(sequence, last());
    // A plain time: everything of that second counts as seen.
    std::uint64_t position = lines_.empty() ? last() : lines_.front().sequence - 1;
    for (const Line& line : lines_)
        if (utc_from(line.time).value_or(0) <= time)
            position = line.sequence;
    return position;
}

std::uint64_t LogBuffer::position_since(double utc) const {
    for (const Line& line : lines_)
        if (utc_from(line.time).value_or(0) >= std::floor(utc))
            return line.sequence - 1;
    return last();
}

std::uint64_t LogBuffer::position_tail(std::size_t lines, const std::string& source) const {
    std::uint64_t position = last();
    for (auto line = lines_.rbegin(); line != lines_.rend() && lines > 0; ++line) {
        position = line->sequence - 1;
        if (source.empty() || line->source == source)
            --lines;
    }
    return position;
}

std::vector<LogBuffer::Line> LogBuffer::take(std::uint64_t& position, const std::string& source,
                                             std::size_t limit) const {
    std::vector<Line> out;
    if (lines_.empty() || position >= last())
        return out;
    const std::uint64_t first = lines_.front().sequence;
    for (std::size_t i = position + 1 > first ? position + 1 - first : 0;
         i < lines_.size() && out.size() < limit; ++i) {
        position = lines_[i].sequence;
        if (source.empty() || lines_[i].source == source)
            out.push_back(lines_[i]);
    }
    return out;
}

asio::awaitable<bool> LogBuffer::wait(std::shared_ptr<LogBuffer> self, std::uint64_t position,
                                      double seconds) {
    if (self->last() > position || self->closed_)
        co_return true;
    auto timer = std::make_shared<asio::steady_timer>(self->loop_.context());
    timer->expires_after(std::chrono::milliseconds(static_cast<long>(seconds * 1000)));
    std::erase_if(self->waiters_, [](const auto& waiter) { return waiter.expired(); });
    self->waiters_.push_back(timer);
    boost::system::error_code error;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, error));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
    co_return error == asio::error::operation_aborted;
}

Response stream_logs(std::shared_ptr<LogBuffer> log, const Request& request, double keep_alive) {
    std::vector<std::string> errors;
    const std::string source = request.query_value("source").value_or("");
    if (!source.empty() && source != "container" && source != "system")
        errors.push_back("$.source: value must be one of 'container', 'system'");
    const std::string tail_text = request.query_value("tail").value_or("100");
    int tail = -1;
    const auto [end, bad] = std::from_chars(tail_text.data(), tail_text.data() + tail_text.size(), tail);
    if (bad != std::errc() || end != tail_text.data() + tail_text.size())
        errors.push_back("$.tail: got string, want integer");
    else if (tail < 0)
        errors.push_back(fmt::format("$.tail: minimum: got {}, want 0", tail));
    else if (tail > kMaxTail)
        errors.push_back(fmt::format("$.tail: maximum: got {}, want {}", tail, kMaxTail));
    const auto since_text = request.query_value("since");
    const auto since = since_text ? utc_from(*since_text) : std::nullopt;
    if (since_text && !since)
        errors.push_back(fmt::format("$.since: '{}' is not valid date-time", *since_text));
    const std::string last_id = request.header("last-event-id");
    if (!last_id.empty() && !utc_from(last_id.substr(0, last_id.rfind('/'))))
        errors.push_back(fmt::format("$.Last-Event-ID: '{}' is not valid date-time", last_id));
    if (!errors.empty())
        return invalid_request(errors);

    std::uint64_t position = log->position_tail(static_cast<std::size_t>(tail), source);
    if (!last_id.empty())
        position = log->position_after_id(last_id);
    else if (since)
        position = log->position_since(*since);
    Response response;
    response.set("Content-Type", "text/event-stream").set("Cache-Control", "no-cache");
    response.set("Connection", "keep-alive").set("X-Accel-Buffering", "no");
    response.stream = [log, position, source, keep_alive](std::shared_ptr<BodyWriter> writer) {
        return produce(log, position, source, keep_alive, std::move(writer));
    };
    return response;
}

} // namespace podsmith::sim
