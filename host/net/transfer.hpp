#pragma once
#include "net/curl_multi.hpp"
#include "net/http.hpp"

#include <cstdio>

namespace podsmith::net {

/// One hop of one attempt: what goes on the wire, after the redirect rules have been applied to the request.
struct Hop {
    std::shared_ptr<const HttpRequest> request;
    std::string url;
    std::string method;
    bool has_body = true;
    bool has_credentials = true; ///< false after a redirect to another origin
    bool is_stream = false;      ///< 2xx bodies are read piece by piece with take()
    double timeout = 0;          ///< seconds for this hop, 0 for none
    std::string user_agent;
    std::string ca_bundle;
};

/// One exchange with libcurl: one request, one answer, no redirect, no retry. Its owner calls abort() when it
/// loses interest, after which no callback touches it.
class Transfer : public std::enable_shared_from_this<Transfer> {
public:
    Transfer(Loop& loop, std::shared_ptr<CurlMulti> multi, Hop hop);
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    void start();
    /// Returns at the end, or for a stream when a 2xx head is there.
    asio::awaitable<void> wait_ready();
    /// Returns when take() has something to give or the end has come.
    asio::awaitable<void> wait_data();
    /// The bytes of a stream that have come; lets more come.
    std::string take();
    void abort();

    HttpResponse& response() { return response_; }
    const std::optional<Error>& error() const { return error_; }
    bool has_ended() const { return ended_; }
    bool was_sent() const { return was_sent_; }
    bool handed_over() const { return handed_over_; }

private:
    static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t on_write(char* data, std::size_t size, std::size_t count, void* self);
    static std::size_t on_read(char* buffer, std::size_t size, std::size_t count, void* self);
    static int on_seek(void* self, curl_off_t offset, int origin);

    bool set_options();
    void set_headers();
    bool set_body();
    void set_file_body();
    void take_header(std::string_view line);
    std::size_t take_body(std::string_view bytes);
    void watch_idle(double seconds);
    void give_up(std::string why);
    void note_connection();
    void complete(CURLcode code);
    void end(std::optional<Error> error);
    Error error_of(CURLcode code) const;
    Error error_of(Kind kind, std::string what, std::string hint = {}) const;
    bool is_success() const { return response_.status >= 200 && response_.status < 300; }
    asio::awaitable<void> changed();

    struct EasyDeleter {
        void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    };
    struct FileDeleter {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    struct HeaderDeleter {
        void operator()(curl_slist* list) const; // wipes: the list holds the bearer token
    };

    Loop& loop_;
    std::shared_ptr<CurlMulti> multi_;
    Hop hop_;
    std::unique_ptr<CURL, EasyDeleter> easy_;
    std::unique_ptr<curl_slist, HeaderDeleter> headers_;
    std::unique_ptr<std::FILE, FileDeleter> file_;
    std::int64_t file_left_ = 0;
    std::int64_t file_size_ = 0;
    char curl_text_[CURL_ERROR_SIZE] = {};
    Timer deadline_;
    Timer idle_;
    double last_byte_ = 0;

    HttpResponse response_;
    std::size_t header_bytes_ = 0;
    bool head_done_ = false;
    std::string pending_; ///< a stream's bytes that nobody has taken yet
    bool paused_ = false;
    bool handed_over_ = false;
    bool was_sent_ = true;
    bool active_ = false;
    bool ended_ = false;
    std::optional<Error> error_;  ///< the outcome
    std::optional<Error> reason_; ///< set by a callback of ours before it makes libcurl stop
    std::shared_ptr<Gate> gate_;
};

} // namespace podsmith::net
