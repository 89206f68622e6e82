#include "s3/place.hpp"

#include <doctest/doctest.h>

using namespace podsmith;

TEST_CASE("the endpoint follows from the data center") {
    CHECK(*s3::endpoint_for("https://s3api-{dc}.runpod.io", "EU-RO-1") == "https://s3api-eu-ro-1.runpod.io");
    CHECK(*s3::endpoint_for("http://127.0.0.1:9000/{dc}/", "US-KS-2") == "http://127.0.0.1:9000/us-ks-2");
    CHECK(*s3::endpoint_for("https://s3api-eu-ro-1.runpod.io/", "EU-RO-1") ==
          "https://s3api-eu-ro-1.runpod.io");
}

TEST_CASE("an endpoint of another data center, or none, is refused") {
    const auto other = s3::endpoint_for("https://s3api-eu-ro-1.runpod.io", "US-KS-2");
    REQUIRE_FALSE(other);
    CHECK(other.error().message ==
          "RUNPOD_S3_ENDPOINT is https://s3api-eu-ro-1.runpod.io, and the volume is in US-KS-2");
    CHECK(other.error().hint == "leave it out: the endpoint follows from the volume");
    CHECK(s3::endpoint_for("s3api-eu-ro-1.runpod.io", "EU-RO-1").error().kind == Kind::invalid);
}

TEST_CASE("paths become keys; what pods see is the same place") {
    const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                         {"/", ""},
                                                         {"/workspace", ""},
                                                         {"/workspace/", ""},
                                                         {"/workspace/a/b.txt", "a/b.txt"},
                                                         {"/runpod-volume/a/", "a/"},
                                                         {"/data/x", "data/x"},
                                                         {"workspaces/x", "workspaces/x"},
                                                         {"workspace/x", "workspace/x"},
                                                         {"..a/b..", "..a/b.."}};
    for (const auto& [path, key] : cases) {
        CAPTURE(path);
        const auto got = s3::key_of(path);
        REQUIRE(got);
        CHECK(*got == key);
    }
}

TEST_CASE("paths that would lead elsewhere are refused") {
    for (const char* path :
         {"a/../b", "..", "/workspace/../etc/passwd", "./a", "a//b", "//a", "a/./", "a\nb"}) {
        CAPTURE(path);
        const auto got = s3::key_of(path);
        REQUIRE_FALSE(got);
        CHECK(got.error().kind == Kind::invalid);
    }
    CHECK(s3::key_of(std::string(1025, 'a')).error().message.find("longer than 1024 bytes") !=
          std::string::npos);
}

TEST_CASE("addresses are path-style, encoded once, their query in order") {
    const s3::Bucket bucket{"vol1", "EU-RO-1", "https://s3api-eu-ro-1.runpod.io", "user_abc", {}};
    CHECK(s3::url_of(bucket, "a b/c#d+e.txt") == "https://s3api-eu-ro-1.runpod.io/vol1/a%20b/c%23d%2Be.txt");
    CHECK(s3::url_of(bucket, "", {{"prefix", "a b/"}, {"delimiter", "/"}, {"list-type", "2"}}) ==
          "https://s3api-eu-ro-1.runpod.io/vol1?delimiter=%2F&list-type=2&prefix=a%20b%2F");
    CHECK(s3::url_of(bucket, "big", {{"uploads", ""}}) ==
          "https://s3api-eu-ro-1.runpod.io/vol1/big?uploads=");
}
