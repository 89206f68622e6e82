#include "net/http.hpp"

#include "base/log.hpp"
#include "net/retry.hpp"
#include "net/transfer.hpp"
#include "net/url.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <random>
#include <utility>

namespace podsmith::net {
namespace {

using RequestPtr = std::shared_ptr<const HttpRequest>;
using TransferPtr = std::shared_ptr<Transfer>;

/// Ends a transfer when the coroutine that waits for it is cancelled, that is unwound.
struct AbortOnUnwind {
    explicit AbortOnUnwind(TransferPtr owned) : transfer(std::move(owned)) {}
    AbortOnUnwind(const AbortOnUnwind&) = delete;
    AbortOnUnwind& operator=(const AbortOnUnwind&) = delete;
    ~AbortOnUnwind() {
        if (transfer)
            transfer->abort();
    }
    TransferPtr transfer;
};

/// One attempt's end, with what the retry rule must know of a failure.
struct Outcome {
    explicit Outcome(TransferPtr ended) : transfer(std::move(ended)) {}
    explicit Outcome(Error failed) : error(std::move(failed)) {}
    TransferPtr transfer = nullptr; ///< set on success
    std::optional<Error> error = std::nullopt;
    bool was_sent = true;
    bool handed_over = false;

    Attempt attempt() const {
        Attempt seen;
        seen.response = error ? nullptr : &transfer->response();
        seen.error = error ? &*error : nullptr;
        seen.was_sent = was_sent;
        seen.handed_over = handed_over;
        return seen;
    }
};

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// The next hop after a redirect answer; nullopt when the answer is the caller's.
Result<std::optional<Hop>> after_redirect(const Hop& hop, const HttpResponse& answer, int redirects) {
    const std::string location = answer.header("location");
    if (!is_redirect(answer.status) || location.empty() || hop.request->max_redirects == 0)
        return std::nullopt;
    const std::string from = fmt::format("{} {}", hop.method, printable(hop.url));
    if (redirects >= hop.request->max_redirects)
        return fail(Kind::protocol, fmt::format("{}: redirected more than {} times", from, redirects));
    Result<std::string> to = resolve_url(hop.url, location);
    if (!to)
        return fail(to.error());
    if (hop.url.starts_with("https:") && !to->starts_with("https:"))
        return fail(Kind::protocol, fmt::format("{}: redirected from https to http ({}); not followed", from,
                                                printable(*to)));
    Hop next = hop;
    next.url = *to;
    // Once dropped, credentials stay dropped: a stranger's redirect back to us must not carry them.
    next.has_credentials = hop.has_credentials && origin_of(*to) == origin_of(hop.url);
    const bool was_moved_post = (answer.status == 301 || answer.status == 302) && hop.method == "POST";
    if ((answer.status == 303 && hop.method != "HEAD") || was_moved_post) {
        next.method = "GET";
        next.has_body = false;
    }
    return next;
}

Error rate_limited(const HttpRequest& request, const HttpResponse& answer, double wait) {
    Error error;
    error.kind = Kind::rate_limited;
    error.message = fmt::format(
        "{} {}: status {}, asked to wait {:.0f} s, longer than the {:g} s that this call may take",
        request.method, printable(request.url), answer.status, wait, request.retry.deadline);
    error.hint = fmt::format("try again in {:.0f} s", wait);
    error.retryable = true;
    error.status = answer.status;
    return error;
}

class Stream final : public HttpStream {
public:
    explicit Stream(TransferPtr transfer)
        : transfer_(std::move(transfer)), head_(std::move(transfer_->response())) {}
    ~Stream() override { transfer_->abort(); }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    const HttpResponse& head() const override { return head_; }
    Async<std::optional<std::string>> read() override { return read(transfer_); }
    void close() override { transfer_->abort(); }

private:
    // The transfer is a parameter, so that a read outlives the stream object safely.
    static Async<std::optional<std::string>> read(TransferPtr transfer) {
        co_await transfer->wait_data();
        if (transfer->error() && transfer->error()->kind == Kind::cancelled)
            co_return fail(*transfer->error());
        std::string bytes = transfer->take();
        if (!bytes.empty())
            co_return std::optional<std::string>(std::move(bytes));
        if (transfer->error())
            co_return fail(*transfer->error());
        co_return std::optional<std::string>();
    }

    TransferPtr transfer_;
    HttpResponse head_;
};

} // namespace

struct Http::Impl {
    Impl(Loop& on, std::string agent)
        : loop(on), user_agent(std::move(agent)), multi(std::make_shared<CurlMulti>(on)) {
        const std::string tag = on.system().random_tag(16);
        std::seed_seq seed(tag.begin(), tag.end());
        random.seed(seed);
        for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"})
            if (ca_bundle.empty())
                ca_bundle = on.system().env(name).value_or("");
    }

    Loop& loop;
    std::string user_agent;
    std::shared_ptr<CurlMulti> multi;
    std::mt19937_64 random;
    std::string ca_bundle;

    static asio::awaitable<Outcome> attempt(std::shared_ptr<Impl> self, RequestPtr request, bool is_stream,
                                            double timeout);
    static Async<TransferPtr> exchange(std::shared_ptr<Impl> self, RequestPtr request, bool is_stream);
    static Async<HttpResponse> send(std::shared_ptr<Impl> self, RequestPtr request);
    static Async<std::unique_ptr<HttpStream>> open(std::shared_ptr<Impl> self, RequestPtr request);

    void log_attempt(const HttpRequest& request, const Outcome& outcome, double seconds) const {
        if (log::level() > log::Level::debug)
            return;
        const std::string what = outcome.error ? std::string(name_of(outcome.error->kind))
                                               : std::to_string(outcome.transfer->response().status);
        log::debug("http: {} {} {} {:.0f} ms", request.method, printable(request.url), what, seconds * 1000);
    }
};

/// Sends once and follows redirects.
asio::awaitable<Outcome> Http::Impl::attempt(std::shared_ptr<Impl> self, RequestPtr request, bool is_stream,
                                             double timeout) {
    const double started = self->loop.now();
    Hop hop;
    hop.request = request;
    hop.url = request->url;
    hop.method = request->method;
    hop.is_stream = is_stream;
    hop.user_agent = self->user_agent;
    hop.ca_bundle = self->ca_bundle;
    for (int redirects = 0;; ++redirects) {
        hop.timeout = timeout > 0 ? std::max(0.001, started + timeout - self->loop.now()) : 0;
        AbortOnUnwind guard(std::make_shared<Transfer>(self->loop, self->multi, hop));
        Transfer& transfer = *guard.transfer;
        transfer.start();
        co_await transfer.wait_ready();
        if (transfer.error()) {
            Outcome failed(*transfer.error());
            failed.was_sent = transfer.was_sent();
            failed.handed_over = transfer.handed_over();
            co_return failed;
        }
        Result<std::optional<Hop>> next = after_redirect(hop, transfer.response(), redirects);
        if (!next)
            co_return Outcome(next.error());
        if (!*next)
            co_return Outcome(std::exchange(guard.transfer, nullptr));
        hop = std::move(**next);
    }
}

/// Attempts until the retry rule is content.
Async<TransferPtr> Http::Impl::exchange(std::shared_ptr<Impl> self, RequestPtr request, bool is_stream) {
    const Retry& retry = request->retry;
    const double started = self->loop.now();
    for (int number = 1;; ++number) {
        const double attempt_started = self->loop.now();
        double timeout = request->timeout;
        if (timeout > 0 && retry.deadline > 0)
            timeout = std::max(0.001, std::min(timeout, started + retry.deadline - attempt_started));
        Outcome outcome = co_await attempt(self, request, is_stream, timeout);
        const double now = self->loop.now();
        self->log_attempt(*request, outcome, now - attempt_started);
        const double random = std::uniform_real_distribution<double>(0, 1)(self->random);
        const Decision decision = decide(retry, outcome.attempt(), number, now - started, random);
        if (decision.verdict == Verdict::rate_limited)
            co_return fail(rate_limited(*request, outcome.transfer->response(), decision.wait));
        if (decision.verdict == Verdict::final) {
            if (!outcome.error)
                co_return std::move(outcome.transfer);
            co_return fail(outcome.was_sent ? std::move(*outcome.error)
                                            : mark_unsent(std::move(*outcome.error)));
        }
        co_await self->loop.sleep(decision.wait);
    }
}

Async<HttpResponse> Http::Impl::send(std::shared_ptr<Impl> self, RequestPtr request) {
    Result<TransferPtr> done = co_await exchange(self, request, false);
    if (!done)
        co_return fail(std::move(done.error()));
    co_return std::move((*done)->response());
}

Async<std::unique_ptr<HttpStream>> Http::Impl::open(std::shared_ptr<Impl> self, RequestPtr request) {
    Result<TransferPtr> ready = co_await exchange(self, request, true);
    if (!ready)
        co_return fail(std::move(ready.error()));
    std::unique_ptr<HttpStream> stream = std::make_unique<Stream>(std::move(*ready));
    co_return std::move(stream);
}

Http::Http(Loop& loop, std::string user_agent) : impl_(std::make_shared<Impl>(loop, std::move(user_agent))) {}

Http::~Http() {
    // Coroutines still waiting may hold the Impl a little longer: they get Error{cancelled}.
    impl_->multi->shutdown();
}

Async<HttpResponse> Http::send(HttpRequest request) {
    return Impl::send(impl_, std::make_shared<const HttpRequest>(std::move(request)));
}

Async<std::unique_ptr<HttpStream>> Http::open(HttpRequest request) {
    return Impl::open(impl_, std::make_shared<const HttpRequest>(std::move(request)));
}

Loop& Http::loop() {
    return impl_->loop;
}

std::string HttpResponse::header(std::string_view name) const {
    const auto found = std::find_if(headers.begin(), headers.end(),
                                    [&](const auto& header) { return header.first == name; });
    return found == headers.end() ? "" : found->second;
}

} // namespace podsmith::net
