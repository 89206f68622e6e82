#pragma once
#include "net/http.hpp"

namespace podsmith::net {

/// One server-sent event (WHATWG HTML, section 9.2).
struct SseEvent {
    std::string id;
    std::string name; ///< "message" when the stream names none
    std::string data; ///< lines joined by \n
};

/// Splits a byte stream into events: any line end (LF, CRLF, CR), comments ignored, partial frames kept until
/// complete.
class SseParser {
public:
    /// Adds bytes and returns the events they complete. An event over 1 MiB is Error{protocol}.
    Result<std::vector<SseEvent>> feed(std::string_view bytes);

private:
    Result<void> take_line(std::string_view line, std::vector<SseEvent>& events);
    std::string line_;
    SseEvent event_;
    bool has_data_ = false;
    bool after_cr_ = false;
    std::string last_id_;
};

/// Follows an event stream and, when the connection ends or breaks, opens it again with Last-Event-ID, with
/// backoff. A frame cut in the middle is dropped by the parser and sent again by the server after the resume.
class EventStream {
public:
    EventStream(Http& http, HttpRequest request);
    ~EventStream();
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;

    /// Waits for the next event; nullopt after `idle` seconds without one (0: wait for ever). A status other
    /// than 200 (404: the pod is gone) or reconnects that fail for 60 s are errors; 4xx are final, 5xx are
    /// retried.
    Async<std::optional<SseEvent>> next(double idle = 0);
    void close();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace podsmith::net
