#include "s3/sign.hpp"

#include "s3/hash.hpp"

#include <doctest/doctest.h>

using namespace podsmith;

namespace {

const s3::Bucket kBucket{"vol1", "EU-RO-1", "https://s3api-eu-ro-1.runpod.io", "user_abc",
                         Secret("rps_0123456789", "AWS_SECRET_ACCESS_KEY")};

std::string signed_as(const std::string& method, const std::string& url, const std::string& body) {
    net::HttpRequest request;
    request.method = method;
    request.url = url;
    s3::sign(request, kBucket, s3::sha256_hex(body), 1795942800); // 2026-11-29T09:00:00Z
    REQUIRE(request.headers.size() == 3);
    CHECK(request.headers[0] == std::pair<std::string, std::string>{"x-amz-date", "20261129T090000Z"});
    CHECK(request.headers[2].first == "Authorization");
    return request.headers[2].second;
}

std::string expected(const char* signature) {
    return std::string("AWS4-HMAC-SHA256 Credential=user_abc/20261129/EU-RO-1/s3/aws4_request, "
                       "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=") +
           signature;
}

} // namespace

// The signatures are those that botocore 1.43.11 makes of the same requests.
TEST_CASE("a signature is the one that Amazon's SDK makes") {
    CHECK(signed_as(
              "GET",
              "https://s3api-eu-ro-1.runpod.io/vol1?delimiter=%2F&list-type=2&max-keys=1000&prefix=a%20b%2F",
              "") == expected("9cd47cedf408169b44f5d159d32ae306ff73b768d0cd7b0764f8f03f110b379e"));
    CHECK(signed_as("PUT", "http://127.0.0.1:9000/eu-ro-1/vol1/a%20b/c%23d%2Be.txt", "hello") ==
          expected("ed66fcf9e0c49e237deb7db69e08d90c968bca2515f386bcc5abf5ed9c48b59b"));
}

TEST_CASE("a port that goes without saying is not signed, since it is not sent") {
    CHECK(signed_as("GET", "https://host:443/vol1", "") == signed_as("GET", "https://host/vol1", ""));
    CHECK(signed_as("GET", "http://host:443/vol1", "") != signed_as("GET", "http://host/vol1", ""));
}
