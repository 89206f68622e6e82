#include "runpod/errors.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace podsmith;
using namespace podsmith::runpod;

namespace {

net::HttpResponse answer(int status, std::string body) {
    net::HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

net::HttpResponse problem(int status, const std::string& detail) {
    return answer(status, fmt::format(R"({{"title":"T","status":{},"detail":"{}"}})", status, detail));
}

constexpr const char* kNoStock = "There are no longer any instances available with the requested "
                                 "specifications. Please refresh and try again.";
constexpr const char* kRace =
    "This machine does not have the resources to deploy your pod. Please try a different machine";

} // namespace

TEST_CASE("each answer to a create has one kind, and says whether a pod may have been made") {
    struct Row {
        net::HttpResponse response;
        Kind kind;
        bool retryable;
        bool ambiguous;
    };
    const Row rows[] = {
        {problem(400, kNoStock), Kind::capacity, true, false},
        {problem(400, "There are no instances currently available"), Kind::capacity, true, false},
        {problem(400,
                 "There are no instances available with the request specifications. Please try again later."),
         Kind::capacity, true, false},
        {problem(400, kRace), Kind::capacity, true, false},
        {problem(400, "There are not enough free GPUs on the host machine to start this pod."),
         Kind::capacity, true, false},
        {problem(400, "Insufficient resources"), Kind::capacity, true, false},
        {problem(400, "Something went wrong. Please try again later or contact support."), Kind::remote, true,
         true},
        {problem(400, "exactly one of gpu, cpu is required"), Kind::invalid, false, false},
        {problem(401, "missing bearer token"), Kind::auth, false, false},
        {problem(402, "Your account balance is too low to rent a pod. Please add funds to your account."),
         Kind::payment, false, false},
        {problem(400, "Your account balance is too low to rent a pod. Please add funds"), Kind::payment,
         false, false},
        {problem(403, "access denied"), Kind::forbidden, false, false},
        {answer(403, "error code: 1010"), Kind::protocol, false, false},
        {problem(404, "resource not found"), Kind::not_found, false, false},
        {problem(405, "no"), Kind::internal, false, false},
        {problem(409, "no"), Kind::conflict, false, false},
        {problem(410, "gone"), Kind::remote, false, false},
        {problem(413, "too large"), Kind::invalid, false, false},
        {problem(422, "Request validation failed."), Kind::invalid, false, false},
        {problem(429, "rate limit exceeded for the minute window"), Kind::rate_limited, true, false},
        {problem(500, "oops"), Kind::remote, true, true},
        {problem(500, kNoStock), Kind::capacity, true, false},
        {answer(502, "<html>Bad gateway</html>"), Kind::remote, true, true},
        {answer(504, ""), Kind::remote, true, true},
        {answer(301, ""), Kind::protocol, false, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.response.status);
        CAPTURE(row.response.body);
        const Error error = error_from(row.response, "create pod x");
        CHECK(name_of(error.kind) == name_of(row.kind));
        CHECK(error.retryable == row.retryable);
        CHECK(error.status == row.response.status);
        CHECK_FALSE(error.hint.empty());
        CHECK(
            error.message.starts_with(fmt::format("create pod x: Runpod answered {}", row.response.status)));
        CHECK(is_ambiguous(row.response) == row.ambiguous);
    }
}

TEST_CASE("a validation error lists what is missing first") {
    const Error error = error_from(
        answer(422, R"({"title":"Unprocessable Entity","status":422,"detail":"Request validation failed.",
                        "errors":["$: additional properties 'gpu' not allowed","$: missing property 'name'"]})"),
        "create pod x");
    CHECK(error.message ==
          "create pod x: Runpod answered 422: Request validation failed. $: missing property 'name'; "
          "$: additional properties 'gpu' not allowed");
}

TEST_CASE("a rate limit error says how long to wait") {
    net::HttpResponse response = problem(429, "rate limit exceeded");
    response.headers = {{"retry-after", "12"}, {"ratelimit", "\"minute\";r=0;t=12, \"hour\";r=0;t=90"}};
    CHECK(error_from(response, "list pods").hint == "try again in 90 s");
}

TEST_CASE("the lost race of one host is told from an empty market") {
    CHECK(is_host_race(kRace));
    CHECK_FALSE(is_host_race(kNoStock));
}

TEST_CASE("a page that is no JSON is quoted, but not all of it") {
    const Error error = error_from(answer(403, std::string(5000, 'x')), "list pods");
    CHECK(error.message.size() < 400);
}
