#pragma once
#include "net/http.hpp"
#include "support/http_server.hpp"

#include <cstdlib>

namespace podsmith::test {

/// A loop on the manual clock with an HTTP client that no proxy of the machine comes between.
struct HttpFixture {
    HttpFixture() {
        setenv("NO_PROXY", "127.0.0.1,localhost", 1);
        loop.use_manual_clock();
    }
    System system;
    net::Loop loop{system};
    net::Http http{loop, "podsmith/test"};
};

} // namespace podsmith::test
