#include "net/curl_multi.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <mutex>
#include <utility>

namespace podsmith::net {
namespace {

constexpr long kPooledConnections = 256;

void start_curl_once() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

} // namespace

/// One socket of libcurl's. The descriptor is borrowed: libcurl opens and closes it.
struct CurlMulti::Watch {
    Watch(Loop& loop, curl_socket_t borrowed) : socket(borrowed), descriptor(loop.context(), borrowed) {}
    curl_socket_t socket;
    asio::posix::stream_descriptor descriptor;
    bool wants_read = false;
    bool wants_write = false;
    bool waits_read = false;
    bool waits_write = false;
};

CurlMulti::CurlMulti(Loop& loop)
    : loop_(loop), multi_((start_curl_once(), curl_multi_init())), timer_(loop.context()) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kPooledConnections);
}

CurlMulti::~CurlMulti() {
    shutdown();
}

bool CurlMulti::add(CURL* easy, std::function<void(CURLcode)> done) {
    if (!multi_ || curl_multi_add_handle(multi_, easy) != CURLM_OK)
        return false;
    running_.emplace(easy, std::move(done));
    return true;
}

void CurlMulti::remove(CURL* easy) {
    if (running_.erase(easy) > 0)
        curl_multi_remove_handle(multi_, easy);
}

void CurlMulti::kick() {
    loop_.post([weak = weak_from_this()] {
        if (auto self = weak.lock())
            self->act(CURL_SOCKET_TIMEOUT, 0);
    });
}

void CurlMulti::shutdown() {
    if (!multi_)
        return;
    for (auto& [easy, done] : std::exchange(running_, {})) {
        curl_multi_remove_handle(multi_, easy);
        done(CURLE_ABORTED_BY_CALLBACK);
    }
    CURLM* const multi = std::exchange(multi_, nullptr);
    curl_multi_cleanup(multi); // closes connections and so calls on_socket
    for (auto& [socket, watch] : std::exchange(watches_, {}))
        watch->descriptor.release();
    timer_.cancel();
}

int CurlMulti::on_socket(CURL*, curl_socket_t socket, int what, void* self_pointer, void*) {
    auto* self = static_cast<CurlMulti*>(self_pointer);
    const auto found = self->watches_.find(socket);
    if (what == CURL_POLL_REMOVE) {
        if (found != self->watches_.end()) {
            found->second->descriptor.release(); // not close: the socket is libcurl's
            self->watches_.erase(found);
        }
        return 0;
    }
    std::shared_ptr<Watch> watch;
    if (found != self->watches_.end())
        watch = found->second;
    else
        self->watches_[socket] = watch = std::make_shared<Watch>(self->loop_, socket);
    watch->wants_read = (what & CURL_POLL_IN) != 0;
    watch->wants_write = (what & CURL_POLL_OUT) != 0;
    self->arm(watch);
    return 0;
}

int CurlMulti::on_timer(CURLM*, long milliseconds, void* self_pointer) {
    auto* self = static_cast<CurlMulti*>(self_pointer);
    if (milliseconds < 0) {
        self->timer_.cancel();
        return 0;
    }
    self->timer_.expires_after(std::chrono::milliseconds(milliseconds));
    self->timer_.async_wait([weak = self->weak_from_this()](boost::system::error_code error) {
        if (auto alive = weak.lock(); alive && !error)
            alive->act(CURL_SOCKET_TIMEOUT, 0);
    });
    return 0;
}

void CurlMulti::arm(const std::shared_ptr<Watch>& watch) {
    if (watch->wants_read && !std::exchange(watch->waits_read, true))
        wait(watch, false);
    if (watch->wants_write && !std::exchange(watch->waits_write, true))
        wait(watch, true);
}

void CurlMulti::wait(const std::shared_ptr<Watch>& watch, bool for_write) {
    const auto direction =
        for_write ? asio::posix::stream_descriptor::wait_write : asio::posix::stream_descriptor::wait_read;
    auto ready = [weak_self = weak_from_this(), weak_watch = std::weak_ptr(watch),
                  for_write](boost::system::error_code error) {
        const auto self = weak_self.lock();
        const auto alive = weak_watch.lock();
        // A watch that is no longer listed was released: the number may already be another connection's
        // socket.
        if (!self || !alive || error == asio::error::operation_aborted)
            return;
        const auto listed = self->watches_.find(alive->socket);
        if (listed == self->watches_.end() || listed->second != alive)
            return;
        (for_write ? alive->waits_write : alive->waits_read) = false;
        if (!(for_write ? alive->wants_write : alive->wants_read))
            return;
        self->act(alive->socket, error ? CURL_CSELECT_ERR : for_write ? CURL_CSELECT_OUT : CURL_CSELECT_IN);
        const auto still = self->watches_.find(alive->socket);
        if (still != self->watches_.end() && still->second == alive)
            self->arm(alive);
    };
    watch->descriptor.async_wait(direction, std::move(ready));
}

void CurlMulti::act(curl_socket_t socket, int events) {
    if (!multi_ || busy_)
        return;
    int running = 0;
    busy_ = true;
    curl_multi_socket_action(multi_, socket, events, &running);
    busy_ = false;
    collect();
}

void CurlMulti::collect() {
    int left = 0;
    while (CURLMsg* message = multi_ ? curl_multi_info_read(multi_, &left) : nullptr) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL* const easy = message->easy_handle;
        const CURLcode code = message->data.result;
        curl_multi_remove_handle(multi_, easy);
        auto found = running_.find(easy);
        if (found == running_.end())
            continue;
        const auto done = std::move(found->second);
        running_.erase(found);
        done(code);
    }
}

} // namespace podsmith::net
