#include "net/transfer.hpp"

#include "base/text.hpp"
#include "net/url.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace podsmith::net {
namespace {

constexpr std::size_t kMaxHeaderBytes = 256u << 10;
constexpr std::size_t kMaxErrorBody = 64u << 10;
constexpr std::size_t kPauseAt = 256u << 10; ///< a stream's reader is this far behind: stop the sender

Transfer* transfer_of(void* pointer) {
    return static_cast<Transfer*>(pointer);
}

} // namespace

Transfer::Transfer(Loop& loop, std::shared_ptr<CurlMulti> multi, Hop hop)
    : loop_(loop),
      multi_(std::move(multi)),
      hop_(std::move(hop)),
      easy_(curl_easy_init()),
      deadline_(loop),
      idle_(loop) {
    response_.url = hop_.url;
}

Transfer::~Transfer() {
    if (active_)
        multi_->remove(easy_.get());
}

void Transfer::start() {
    last_byte_ = loop_.now();
    if (!set_options()) {
        end(reason_);
        return;
    }
    active_ = multi_->add(easy_.get(), [weak = weak_from_this()](CURLcode code) {
        if (auto self = weak.lock())
            self->complete(code);
    });
    if (!active_) {
        end(error_of(Kind::cancelled, "the HTTP client is closed"));
        return;
    }
    if (hop_.timeout > 0)
        deadline_.start(hop_.timeout, [weak = weak_from_this()](bool fired) {
            auto self = weak.lock();
            if (!fired || !self || self->ended_)
                return;
            self->give_up(fmt::format("no complete answer within {:g} s", self->hop_.timeout));
        });
    if (hop_.request->idle_timeout > 0)
        watch_idle(hop_.request->idle_timeout);
}

void Transfer::watch_idle(double seconds) {
    idle_.start(seconds, [weak = weak_from_this()](bool fired) {
        auto self = weak.lock();
        if (!fired || !self || self->ended_)
            return;
        const double limit = self->hop_.request->idle_timeout;
        // A paused stream is silent because its reader is slow, not because the server is.
        const double left = self->paused_ ? limit : self->last_byte_ + limit - self->loop_.now();
        if (left > 0.001) {
            self->watch_idle(left);
            return;
        }
        self->give_up(fmt::format("not a byte came for {:g} s", limit));
    });
}

asio::awaitable<void> Transfer::changed() {
    auto gate = std::make_shared<Gate>(loop_.executor());
    gate_ = gate;
    co_await gate->wait();
}

asio::awaitable<void> Transfer::wait_ready() {
    while (!ended_ && !(hop_.is_stream && head_done_ && is_success()))
        co_await changed();
}

asio::awaitable<void> Transfer::wait_data() {
    while (!ended_ && pending_.empty())
        co_await changed();
}

std::string Transfer::take() {
    std::string bytes = std::exchange(pending_, {});
    if (paused_ && active_ && !multi_->is_busy()) {
        paused_ = false;
        last_byte_ = loop_.now();
        curl_easy_pause(easy_.get(), CURLPAUSE_CONT); // may call on_write at once
        multi_->kick();
    }
    return bytes;
}

void Transfer::abort() {
    if (!ended_)
        end(error_of(Kind::cancelled, "the transfer was closed"));
    if (!active_)
        return;
    if (multi_->is_busy()) {
        // Inside one of libcurl's callbacks it must not be called back; the handle goes a moment later.
        loop_.post([self = shared_from_this()] { self->abort(); });
        return;
    }
    active_ = false;
    multi_->remove(easy_.get());
    deadline_.cancel();
    idle_.cancel();
}

void Transfer::give_up(std::string why) {
    note_connection();
    end(error_of(Kind::timeout, std::move(why)));
    abort();
}

void Transfer::note_connection() {
    curl_off_t connected = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_PRETRANSFER_TIME_T, &connected);
    was_sent_ = connected > 0 || response_.status > 0;
}

void Transfer::complete(CURLcode code) {
    active_ = false;
    note_connection();
    deadline_.cancel();
    idle_.cancel();
    if (reason_)
        end(reason_);
    else if (code == CURLE_OK && head_done_)
        end(std::nullopt);
    else
        end(error_of(code == CURLE_OK ? CURLE_GOT_NOTHING : code));
}

void Transfer::end(std::optional<Error> error) {
    if (ended_)
        return;
    ended_ = true;
    error_ = std::move(error);
    if (gate_)
        gate_->open();
}

std::size_t Transfer::on_header(char* data, std::size_t size, std::size_t count, void* pointer) {
    Transfer* self = transfer_of(pointer);
    self->last_byte_ = self->loop_.now();
    self->header_bytes_ += size * count;
    if (self->header_bytes_ > kMaxHeaderBytes) {
        self->reason_ =
            self->error_of(Kind::protocol, fmt::format("more than {} bytes of headers", kMaxHeaderBytes));
        return 0;
    }
    self->take_header(std::string_view(data, size * count));
    return size * count;
}

void Transfer::take_header(std::string_view line) {
    const std::string text = trim(line);
    if (head_done_)
        return; // trailers
    if (text.starts_with("HTTP/")) {
        response_.headers.clear(); // a 1xx head came before this one
        return;
    }
    if (text.empty()) {
        long status = 0;
        curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
        response_.status = static_cast<int>(status);
        head_done_ = status >= 200;
        if (head_done_ && gate_ && hop_.is_stream && is_success())
            gate_->open();
        return;
    }
    if (const auto colon = text.find(':'); colon != std::string::npos)
        response_.headers.emplace_back(lower(text.substr(0, colon)), trim(text.substr(colon + 1)));
}

std::size_t Transfer::on_write(char* data, std::size_t size, std::size_t count, void* pointer) {
    Transfer* self = transfer_of(pointer);
    self->last_byte_ = self->loop_.now();
    if (self->ended_)
        return 0;
    return self->take_body(std::string_view(data, size * count));
}

std::size_t Transfer::take_body(std::string_view bytes) {
    const HttpRequest& request = *hop_.request;
    if (hop_.is_stream && is_success()) {
        if (pending_.size() >= kPauseAt) {
            paused_ = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        pending_.append(bytes);
        if (gate_)
            gate_->open();
        return bytes.size();
    }
    if (request.on_data && is_success()) {
        handed_over_ = true;
        if (request.on_data(bytes))
            return bytes.size();
        reason_ = error_of(Kind::cancelled, "stopped by the receiver");
        return 0;
    }
    // The caller's limit is for what it asked for; the text of an error or a redirect may be longer than
    // that.
    const std::size_t limit = is_success() ? request.max_body : std::max(request.max_body, kMaxErrorBody);
    if (response_.body.size() + bytes.size() > limit) {
        reason_ = error_of(Kind::protocol, fmt::format("the answer is larger than {} bytes", limit));
        return 0;
    }
    response_.body.append(bytes);
    return bytes.size();
}

std::size_t Transfer::on_read(char* buffer, std::size_t size, std::size_t count, void* pointer) {
    Transfer* self = transfer_of(pointer);
    self->last_byte_ = self->loop_.now();
    const auto wanted = static_cast<std::size_t>(
        std::min<std::int64_t>(static_cast<std::int64_t>(size * count), self->file_left_));
    if (wanted == 0)
        return 0;
    const std::size_t got = std::fread(buffer, 1, wanted, self->file_.get());
    if (got == 0) {
        self->reason_ = self->error_of(Kind::io, fmt::format("the file {} became shorter while it was sent",
                                                             self->hop_.request->body_file));
        return CURL_READFUNC_ABORT;
    }
    self->file_left_ -= static_cast<std::int64_t>(got);
    return got;
}

int Transfer::on_seek(void* pointer, curl_off_t offset, int origin) {
    Transfer* self = transfer_of(pointer);
    if (origin != SEEK_SET || offset > self->file_size_)
        return CURL_SEEKFUNC_CANTSEEK;
    self->file_left_ = self->file_size_ - offset;
    return fseeko(self->file_.get(), self->hop_.request->body_offset + offset, SEEK_SET) == 0
               ? CURL_SEEKFUNC_OK
               : CURL_SEEKFUNC_FAIL;
}

Error Transfer::error_of(Kind kind, std::string what, std::string hint) const {
    Error error;
    error.kind = kind;
    error.message = fmt::format("{} {}: {}", hop_.method, printable(hop_.url), what);
    error.hint = std::move(hint);
    error.retryable = kind == Kind::timeout || kind == Kind::network;
    error.status = response_.status;
    return error;
}

} // namespace podsmith::net
