#include "net/retry.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::net;

namespace {

HttpResponse answer(int status, std::vector<std::pair<std::string, std::string>> headers = {}) {
    HttpResponse response;
    response.status = status;
    response.headers = std::move(headers);
    return response;
}

Decision decide_status(bool idempotent, const HttpResponse& response, int number = 1) {
    Retry retry;
    retry.idempotent = idempotent;
    Attempt attempt;
    attempt.response = &response;
    return decide(retry, attempt, number, 0, 0.5);
}

Verdict decide_error(bool idempotent, bool was_sent, bool retryable, bool handed_over = false) {
    Retry retry;
    retry.idempotent = idempotent;
    Error error;
    error.kind = Kind::network;
    error.retryable = retryable;
    Attempt attempt;
    attempt.error = &error;
    attempt.was_sent = was_sent;
    attempt.handed_over = handed_over;
    return decide(retry, attempt, 1, 0, 0.5).verdict;
}

} // namespace

TEST_CASE("which statuses are sent again depends on whether the call may be repeated") {
    struct Row {
        int status;
        bool with_retry_after;
        bool idempotent_again;
        bool other_again;
    };
    const Row rows[] = {
        {200, false, false, false}, {204, false, false, false}, {302, false, false, false},
        {400, false, false, false}, {401, false, false, false}, {404, false, false, false},
        {408, false, true, false},  {409, false, false, false}, {422, false, false, false},
        {429, false, true, true},   {429, true, true, true},    {500, false, true, false},
        {500, true, true, false},   {501, false, false, false}, {502, false, true, false},
        {503, false, true, false},  {503, true, true, true},    {504, false, true, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.status);
        CAPTURE(row.with_retry_after);
        HttpResponse response = answer(row.status);
        if (row.with_retry_after)
            response.headers.emplace_back("retry-after", "3");
        CHECK((decide_status(true, response).verdict == Verdict::again) == row.idempotent_again);
        CHECK((decide_status(false, response).verdict == Verdict::again) == row.other_again);
    }
}

TEST_CASE("a failed connection is tried again unless the request may have had an effect") {
    CHECK(decide_error(true, true, true) == Verdict::again);
    CHECK(decide_error(true, false, true) == Verdict::again);
    CHECK(decide_error(false, false, true) == Verdict::again);
    CHECK(decide_error(false, true, true) == Verdict::final);
    CHECK(decide_error(true, true, false) == Verdict::final);
    CHECK(decide_error(true, true, true, true) == Verdict::final);
}

TEST_CASE("the number of attempts is a limit") {
    CHECK(decide_status(true, answer(500), 4).verdict == Verdict::again);
    CHECK(decide_status(true, answer(500), 5).verdict == Verdict::final);
}

TEST_CASE("backoff doubles from half a second to twenty seconds, with full jitter") {
    CHECK(backoff(1, 1) == 0.5);
    CHECK(backoff(2, 1) == 1);
    CHECK(backoff(3, 0.5) == 1);
    CHECK(backoff(6, 1) == 16);
    CHECK(backoff(7, 1) == 20);
    CHECK(backoff(50, 1) == 20);
    CHECK(backoff(50, 0) == 0);
}

TEST_CASE("a wait that the server asks for is kept, and passes for rate_limited beyond the deadline") {
    const HttpResponse busy = answer(429, {{"retry-after", "12"}});
    CHECK(decide_status(false, busy).wait >= 12);
    const HttpResponse long_wait = answer(429, {{"retry-after", "500"}});
    const Decision decision = decide_status(true, long_wait);
    CHECK(decision.verdict == Verdict::rate_limited);
    CHECK(decision.wait == 500);
    CHECK(decide_status(true, answer(500, {{"retry-after", "500"}})).verdict == Verdict::final);
}

TEST_CASE("past the deadline nothing is sent again; a deadline of 0 is none") {
    Retry retry;
    retry.idempotent = true;
    retry.deadline = 10;
    const HttpResponse response = answer(503);
    Attempt attempt;
    attempt.response = &response;
    CHECK(decide(retry, attempt, 1, 9.9, 1).verdict == Verdict::final);
    CHECK(decide(retry, attempt, 1, 9, 1).verdict == Verdict::again);
    retry.deadline = 0;
    CHECK(decide(retry, attempt, 1, 1e6, 1).verdict == Verdict::again);
}

TEST_CASE("the wait is the larger of Retry-After and the exhausted windows' resets") {
    CHECK(rate_limit_wait(answer(200)) == 0);
    CHECK(rate_limit_wait(answer(429, {{"retry-after", "12"}})) == 12);
    CHECK(rate_limit_wait(answer(429, {{"retry-after", "soon"}})) == 0);
    CHECK(rate_limit_wait(answer(
              429, {{"ratelimit", "\"minute\";r=0;t=12, \"hour\";r=2800;t=1812, \"day\";r=4;t=9"}})) == 12);
    CHECK(rate_limit_wait(answer(
              429, {{"retry-after", "12"}, {"ratelimit", "\"minute\";r=0;t=12, \"hour\";r=0;t=99"}})) == 99);
    CHECK(rate_limit_wait(answer(200, {{"ratelimit", "\"api\";r=499;t=295"}})) == 0);
    CHECK(rate_limit_wait(answer(429, {{"date", "Sun, 22 Nov 2026 09:00:00 GMT"},
                                       {"retry-after", "Sun, 22 Nov 2026 09:00:30 GMT"}})) == 30);
}

TEST_CASE("an error can say that nothing was sent") {
    Error error;
    error.kind = Kind::network;
    error.message = "refused";
    CHECK_FALSE(nothing_was_sent(error));
    CHECK(nothing_was_sent(mark_unsent(error)));
}
