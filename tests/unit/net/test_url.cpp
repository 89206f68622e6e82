#include "net/url.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::net;

TEST_CASE("an origin is scheme, host and port, whatever their spelling") {
    CHECK(origin_of("https://HuggingFace.co/a?b#c") == "https://huggingface.co:443");
    CHECK(origin_of("https://huggingface.co:443/") == "https://huggingface.co:443");
    CHECK(origin_of("http://user:pass@127.0.0.1:8080/x") == "http://127.0.0.1:8080");
    CHECK(origin_of("http://127.0.0.1/") != origin_of("http://localhost/"));
    CHECK(origin_of("http://a/") != origin_of("https://a/"));
    CHECK(origin_of("file:///etc/passwd") == "");
    CHECK(origin_of("nonsense url") == "");
}

TEST_CASE("what may be logged has neither query, fragment nor user info") {
    CHECK(printable("https://me:secret@host:8443/v2/pods?api_key=secret#frag") ==
          "https://host:8443/v2/pods");
    CHECK(printable("http://host/") == "http://host/");
    CHECK(printable("::") == "(not a URL)");
}

TEST_CASE("a location is resolved against where it was found") {
    CHECK(resolve_url("https://h/a/b?q=1", "/c?d=e").value() == "https://h/c?d=e");
    CHECK(resolve_url("https://h/a/b", "c").value() == "https://h/a/c");
    CHECK(resolve_url("https://h/a", "http://other:81/x").value() == "http://other:81/x");
    CHECK(resolve_url("https://h/a", "//cdn/x").value() == "https://cdn/x");
    CHECK(resolve_url("https://h/a", "file:///etc/passwd").error().kind == Kind::protocol);
    CHECK(resolve_url("https://h/a", "gopher://h/").error().kind == Kind::protocol);
}

TEST_CASE("path and query are kept as they are") {
    CHECK(path_and_query("https://h:1/a%2Fb/c?cursor=x%3D") == "/a%2Fb/c?cursor=x%3D");
    CHECK(path_and_query("https://h") == "/");
}
