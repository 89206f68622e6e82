#pragma once
#include "net/http.hpp"

namespace podsmith::net {

/// What one attempt came to, as the retry rule sees it: an answer or an error.
struct Attempt {
    const HttpResponse* response = nullptr;
    const Error* error = nullptr;
    bool was_sent =
        true; ///< false only when no connection was made, so the server cannot have seen the request
    bool handed_over = false; ///< part of the body is already with the caller
};

enum class Verdict {
    final,        ///< give the attempt's outcome to the caller
    again,        ///< send again after `wait`
    rate_limited, ///< the server wants a longer wait than the deadline allows
};

struct Decision {
    Verdict verdict = Verdict::final;
    double wait = 0; ///< seconds; for rate_limited the wait that the server asked for
};

/// The one rule of what is sent again, and when. `number` counts attempts from 1, `elapsed` is seconds since
/// the first one began, `random` is in [0, 1). Pure.
Decision decide(const Retry& retry, const Attempt& attempt, int number, double elapsed, double random);

/// Full jitter: a random part of 0.5 s doubled with each attempt, at most 20 s.
double backoff(int number, double random);

/// An error that says so when nothing reached the server, for callers that must know whether a call may have
/// had an effect.
Error mark_unsent(Error error);
/// True when the error proves that the request was never sent.
bool nothing_was_sent(const Error& error);

} // namespace podsmith::net
