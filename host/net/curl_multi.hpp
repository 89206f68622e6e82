#pragma once
#include "net/loop.hpp"

#include <curl/curl.h>
#include <functional>
#include <map>
#include <memory>

namespace podsmith::net {

/// libcurl's multi handle on the loop: libcurl says which sockets and which moment it waits for, asio waits.
/// Owned by shared_ptr, since handlers that asio still holds must find out that it is gone.
class CurlMulti : public std::enable_shared_from_this<CurlMulti> {
public:
    explicit CurlMulti(Loop& loop);
    ~CurlMulti();
    CurlMulti(const CurlMulti&) = delete;
    CurlMulti& operator=(const CurlMulti&) = delete;

    /// Starts a transfer. `done` is called once, from the loop, unless `remove` comes first; the handle has
    /// left the multi handle by then. False after shutdown().
    bool add(CURL* easy, std::function<void(CURLcode)> done);
    /// Ends a transfer at once: none of its callbacks runs after this. Must not be called while is_busy().
    void remove(CURL* easy);
    /// Has libcurl look at its transfers soon (after a transfer was unpaused).
    void kick();
    /// True while libcurl runs, that is inside any of its callbacks.
    bool is_busy() const { return busy_; }
    /// Ends all transfers with CURLE_ABORTED_BY_CALLBACK and closes the pooled connections.
    void shutdown();

private:
    struct Watch;
    static int on_socket(CURL* easy, curl_socket_t socket, int what, void* self, void* watch);
    static int on_timer(CURLM* multi, long milliseconds, void* self);
    void arm(const std::shared_ptr<Watch>& watch);
    void wait(const std::shared_ptr<Watch>& watch, bool for_write);
    void act(curl_socket_t socket, int events);
    void collect();

    Loop& loop_;
    CURLM* multi_;
    // libcurl measures with its own clock, so this timer is real even when the loop's clock is driven by a
    // test.
    asio::steady_timer timer_;
    std::map<curl_socket_t, std::shared_ptr<Watch>> watches_;
    std::map<CURL*, std::function<void(CURLcode)>> running_;
    bool busy_ = false;
};

} // namespace podsmith::net
