// What libcurl is told about a transfer before it starts.
#include "net/transfer.hpp"

#include "base/secret.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <strings.h>

namespace podsmith::net {
namespace {

constexpr long kUploadPiece = 256L << 10;
constexpr long kDownloadPiece = 256L << 10;

bool has_header(const HttpRequest& request, const char* name) {
    return std::any_of(request.headers.begin(), request.headers.end(),
                       [&](const auto& header) { return strcasecmp(header.first.c_str(), name) == 0; });
}

/// Headers that prove who we are belong to the origin they were given for, as the bearer token does.
bool is_credential(const std::string& name) {
    return strcasecmp(name.c_str(), "authorization") == 0 || strcasecmp(name.c_str(), "cookie") == 0 ||
           strcasecmp(name.c_str(), "proxy-authorization") == 0;
}

} // namespace

void Transfer::HeaderDeleter::operator()(curl_slist* list) const {
    for (curl_slist* node = list; node; node = node->next)
        explicit_bzero(node->data, std::strlen(node->data));
    curl_slist_free_all(list);
}

bool Transfer::set_options() {
    CURL* const easy = easy_.get();
    const HttpRequest& request = *hop_.request;
    curl_easy_setopt(easy, CURLOPT_URL, hop_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); // http.cpp follows, by our own rules
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    // Over TLS, wait for the first connection and share it if it turns out to be HTTP/2.
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, hop_.url.starts_with("https:") ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!hop_.ca_bundle.empty())
        curl_easy_setopt(easy, CURLOPT_CAINFO, hop_.ca_bundle.c_str());
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 15L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     std::max(1L, static_cast<long>(request.connect_timeout * 1000)));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, hop_.user_agent.c_str());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, curl_text_);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    // On a pooled connection that turns out dead libcurl sends a request again by itself, POST included. What
    // must not happen twice gets a connection of its own, where it never does.
    if (!request.retry.idempotent && hop_.method != "GET" && hop_.method != "HEAD")
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (!request.on_data && !hop_.is_stream && !has_header(request, "range"))
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (request.on_data)
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kDownloadPiece);
    set_headers();
    return set_body();
}

void Transfer::set_headers() {
    const HttpRequest& request = *hop_.request;
    curl_slist* list =
        curl_slist_append(nullptr, "Expect:"); // else libcurl stalls a second before a large body
    for (const auto& [name, value] : request.headers) {
        if (!hop_.has_credentials && is_credential(name))
            continue;
        if (!hop_.has_body && strcasecmp(name.c_str(), "content-type") == 0)
            continue;
        std::string line = value.empty() ? name + ";" : name + ": " + value;
        std::replace_if(
            line.begin(), line.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
        list = curl_slist_append(list, line.c_str());
        wipe(line);
    }
    if (hop_.has_credentials && !request.bearer.empty()) {
        std::string line = "Authorization: Bearer " + request.bearer.reveal();
        list = curl_slist_append(list, line.c_str());
        wipe(line);
    }
    if (!has_header(request, "content-type"))
        list = curl_slist_append(list, "Content-Type:"); // else libcurl claims a form
    headers_.reset(list);
    curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, list);
}

bool Transfer::set_body() {
    CURL* const easy = easy_.get();
    const HttpRequest& request = *hop_.request;
    if (hop_.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return true;
    }
    const bool needs_length = hop_.method == "POST" || hop_.method == "PUT" || hop_.method == "PATCH";
    if (hop_.has_body && !request.body_file.empty()) {
        set_file_body();
    } else if (hop_.has_body && (needs_length || !request.body.empty())) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, hop_.method.c_str());
    return !reason_;
}

void Transfer::set_file_body() {
    const HttpRequest& request = *hop_.request;
    file_.reset(std::fopen(request.body_file.c_str(), "rbe"));
    std::int64_t length = -1;
    if (file_ && fseeko(file_.get(), 0, SEEK_END) == 0)
        length = ftello(file_.get()) - request.body_offset;
    if (request.body_length >= 0 && length >= 0)
        length = length < request.body_length ? -1 : request.body_length;
    if (!file_ || length < 0 || fseeko(file_.get(), request.body_offset, SEEK_SET) != 0) {
        reason_ = error_of(Kind::io,
                           fmt::format("cannot read the body from {}: {}", request.body_file,
                                       file_ ? "it is shorter than the part to send" : std::strerror(errno)));
        return;
    }
    file_left_ = file_size_ = length;
    CURL* const easy = easy_.get();
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kUploadPiece);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(length));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &Transfer::on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
}

} // namespace podsmith::net
