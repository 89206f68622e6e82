#include "unit/s3/fixture.hpp"

using namespace podsmith;
using test::S3Fixture;

TEST_CASE_FIXTURE(S3Fixture, "a local file's tags are its MD5 and that of its parts") {
    const std::string path = file("abc", "aaaaabbbbbcc");
    const auto tags = s3::tags_of(path, 5);
    REQUIRE(tags);
    CHECK(tags->whole == "e5acda5b40725929d78504ae35c5da02");
    CHECK(tags->parts == std::vector<std::string>{"594f803b380a41396ed63dca39503542",
                                                  "a21075a36eeddd084e17611a238c7101",
                                                  "e0323a9039add2978bf5b49550572c7c"});
    CHECK(tags->composite == "e054baf8a790fa129a28b08515440e3e-3");
    CHECK(s3::tags_of(path, 12)->parts.size() == 1);
    const auto empty = s3::tags_of(file("empty", ""), 5);
    REQUIRE(empty);
    CHECK(empty->whole == "d41d8cd98f00b204e9800998ecf8427e");
    CHECK(empty->parts.size() == 1);
    CHECK(s3::tags_of(path + "-not", 5).error().kind == Kind::not_found);
}

TEST_CASE_FIXTURE(S3Fixture, "a slice is hashed where it lies; one that is shorter is an error") {
    const std::string path = file("abc", "aaaaabbbbbcc");
    const auto hashes = s3::hashes_of({path, 5, 5});
    REQUIRE(hashes);
    CHECK(hashes->md5 == "a21075a36eeddd084e17611a238c7101");
    CHECK(hashes->sha256 == s3::sha256_hex("bbbbb"));
    CHECK(s3::hashes_of({path, 10, 5}).error().message.find("has become shorter") != std::string::npos);
}

TEST_CASE("tags are told from other ETags") {
    CHECK(s3::clean_tag("\"D41D8CD98F00B204E9800998ECF8427E\"") == "d41d8cd98f00b204e9800998ecf8427e");
    CHECK(s3::clean_tag("W/\"d41d8cd98f00b204e9800998ecf8427e-12\"") ==
          "d41d8cd98f00b204e9800998ecf8427e-12");
    CHECK(s3::clean_tag("\"abc\"").empty());
    CHECK(s3::clean_tag("").empty());
    CHECK_FALSE(s3::is_md5("d41d8cd98f00b204e9800998ecf8427e-12"));
}
