#include "unit/s3/fixture.hpp"

#include <fstream>

using namespace podsmith;
using namespace podsmith::test;
using s3::Level;
using s3::Object;

namespace {

const char* const kHello = "5d41402abc4b2a76b9719d911017c592"; // MD5 of "hello"

std::string page(const std::string& content, const std::string& next = "") {
    return "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>" +
           std::string(next.empty() ? "false" : "true") + "</IsTruncated>" +
           (next.empty() ? "" : "<NextContinuationToken>" + next + "</NextContinuationToken>") + content +
           "</ListBucketResult>";
}

std::string content(const std::string& key, int size = 5) {
    return "<Contents><Key>" + key + "</Key><Size>" + std::to_string(size) + "</Size><ETag>&quot;" + kHello +
           "&quot;</ETag><LastModified>2026-11-29T09:00:00.000Z</LastModified></Contents>";
}

std::string folder(const std::string& prefix) {
    return "<CommonPrefixes><Prefix>" + prefix + "</Prefix></CommonPrefixes>";
}

std::string read_all(const std::string& path) {
    const auto text = read_file(path);
    return text ? *text : "(" + text.error().message + ")";
}

Reply body(const std::string& text, const std::string& tag = kHello) {
    return reply(200, text, "application/octet-stream").with("ETag", "\"" + tag + "\"");
}

/// The answer to a HEAD: a length, and no body.
Reply length(const std::string& bytes) {
    Reply head = reply(200, "", "application/octet-stream").with("Content-Length", bytes);
    head.hold_open = true;
    return head;
}

} // namespace

TEST_CASE_FIXTURE(S3Fixture, "calls are signed for the data center, and the secret does not travel") {
    answer = [](const Request&) { return xml(200, page("")); };
    REQUIRE(run(loop, client.list("a b/")));
    const Request& seen = server.requests().at(0);
    CHECK(seen.target == "/eu-ro-1/vol1?delimiter=%2F&list-type=2&max-keys=1000&prefix=a%20b%2F");
    const std::string authorization = seen.header("authorization");
    CHECK(authorization.starts_with("AWS4-HMAC-SHA256 Credential=user_abc/"));
    CHECK(authorization.find("/EU-RO-1/s3/aws4_request") != std::string::npos);
    CHECK(authorization.find("SignedHeaders=host;x-amz-content-sha256;x-amz-date,") != std::string::npos);
    CHECK(seen.header("x-amz-content-sha256") == s3::sha256_hex(""));
    for (const auto& [name, value] : seen.headers)
        CHECK(value.find("rps_") == std::string::npos);
}

TEST_CASE_FIXTURE(S3Fixture, "a level is listed page by page, folders once, the own marker apart") {
    answer = [](const Request& request) {
        if (request.query.find("continuation-token") == std::string::npos)
            return xml(200, page(content("d/", 0) + content("d/a") + folder("d/x/"), "t1"));
        CHECK(request.query.find("continuation-token=t1") != std::string::npos);
        return xml(200, page(content("d/b&amp;c", 7) + folder("d/y/") + content("d/y/", 0)));
    };
    const auto level = run(loop, client.list("d/"));
    REQUIRE(level);
    CHECK(level->has_marker);
    CHECK(level->folders == std::vector<std::string>{"d/x/", "d/y/"});
    REQUIRE(level->objects.size() == 2);
    CHECK(level->objects[1].key == "d/b&c");
    CHECK(level->objects[1].size == 7);
    CHECK(level->objects[0].tag == kHello);
    CHECK(level->objects[0].modified == 1795942800);
}

TEST_CASE_FIXTURE(S3Fixture, "a page token that comes twice begins the listing anew, after a pause") {
    int listings = 0;
    answer = [&](const Request& request) {
        const bool is_first = request.query.find("continuation-token") == std::string::npos;
        listings += is_first;
        if (listings < 3)
            return xml(200, page(content("a"), "same"));
        return xml(200, is_first ? page(content("a"), "t1") : page(content("b")));
    };
    const auto level = run(loop, client.list(""));
    REQUIRE(level);
    CHECK(level->objects.size() == 2);
    CHECK(listings == 3);
    CHECK(loop.now() >= 9);
}

TEST_CASE_FIXTURE(S3Fixture, "a token that never moves ends in an error that says why") {
    answer = [](const Request&) { return xml(200, page(content("a"), "same")); };
    const auto level = run(loop, client.list("d/"));
    REQUIRE_FALSE(level);
    CHECK(level.error().kind == Kind::protocol);
    CHECK(level.error().message == "list vol1:/d/: the same page token came twice");
    CHECK(level.error().hint == "Runpod still reckons the checksums of new files: try again in some minutes");
}

TEST_CASE_FIXTURE(S3Fixture, "an answer that is no list is an error of the protocol") {
    for (const char* text : {"<html><body>proxy</body></html>", "not xml", "<Other/>"}) {
        CAPTURE(text);
        answer = [text](const Request&) { return xml(200, text); };
        CHECK(run(loop, client.list("")).error().kind == Kind::protocol);
    }
}

TEST_CASE_FIXTURE(S3Fixture, "answers have kinds and hints") {
    struct Case {
        int status;
        const char* code;
        Kind kind;
        const char* hint;
    };
    const Case cases[] = {{403, "InvalidAccessKeyId", Kind::auth, "user_"},
                          {403, "SignatureDoesNotMatch", Kind::auth, "rps_"},
                          {403, "RequestTimeTooSkewed", Kind::auth, "clock"},
                          {403, "AccessDenied", Kind::forbidden, "account"},
                          {404, "NoSuchBucket", Kind::not_found, "data center"},
                          {507, "", Kind::io, "the volume is full"},
                          {413, "EntityTooLarge", Kind::invalid, "500 MB"},
                          {501, "NotImplemented", Kind::unsupported, "does not have this"},
                          {307, "TemporaryRedirect", Kind::protocol, "no S3 endpoint"},
                          {409, "OperationAborted", Kind::conflict, ""}};
    for (const Case& one : cases) {
        CAPTURE(one.status);
        CAPTURE(one.code);
        answer = [&one](const Request&) {
            return xml(one.status,
                       std::string("<Error><Code>") + one.code + "</Code><Message>words</Message></Error>")
                .with("Location", "http://example.invalid/");
        };
        const auto level = run(loop, client.list(""));
        REQUIRE_FALSE(level);
        CHECK(level.error().kind == one.kind);
        CHECK(level.error().status == one.status);
        CHECK(level.error().hint.find(one.hint) != std::string::npos);
        CHECK(level.error().message.find("words") != std::string::npos);
    }
    CHECK(server.count("GET", "/") == 0); // the redirect was not followed
}

TEST_CASE_FIXTURE(S3Fixture, "a head that is 404 is nothing, not a failure") {
    answer = [](const Request&) { return xml(404, ""); };
    const auto nothing = run(loop, client.head("a"));
    REQUIRE(nothing);
    CHECK_FALSE(*nothing);
    answer = [](const Request&) {
        return length("5").with("Last-Modified", "Sun, 29 Nov 2026 09:00:00 GMT");
    };
    const auto there = run(loop, client.head("a"));
    REQUIRE(there);
    REQUIRE(*there);
    CHECK((*there)->size == 5);
    CHECK((*there)->modified == 1795942800);
}

TEST_CASE_FIXTURE(S3Fixture, "what is removed already is fine") {
    answer = [](const Request&) { return xml(404, "<Error><Code>NoSuchKey</Code></Error>"); };
    CHECK(run(loop, client.remove("a")));
    answer = [](const Request&) { return xml(403, "<Error><Code>AccessDenied</Code></Error>"); };
    CHECK(run(loop, client.remove("a")).error().kind == Kind::forbidden);
}

TEST_CASE_FIXTURE(S3Fixture,
                  "a file is sent from the disk with its hash, and the hash that comes back is checked") {
    const std::string path = file("f", "xxhelloyy");
    std::string tag = kHello;
    answer = [&](const Request&) { return body("", tag); };
    REQUIRE(run(loop, client.put("data/a#1", {path, 2, 5})));
    const Request& seen = server.requests().at(0);
    CHECK(seen.method == "PUT");
    CHECK(seen.target == "/eu-ro-1/vol1/data/a%231");
    CHECK(seen.body == "hello");
    CHECK(seen.header("x-amz-content-sha256") == s3::sha256_hex("hello"));
    tag = "00000000000000000000000000000000";
    const auto damaged = run(loop, client.put("a", {path, 2, 5}));
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().kind == Kind::protocol);
    CHECK(damaged.error().message == "send vol1:/a: what arrived has another hash than what was sent");
    tag = "opaque"; // an ETag that is no MD5 proves nothing, and refutes nothing
    CHECK(run(loop, client.put("a", {path, 2, 5})));
    tag = "d41d8cd98f00b204e9800998ecf8427e";
    CHECK(run(loop, client.put("empty", {path, 0, 0})));
}

TEST_CASE_FIXTURE(S3Fixture, "a download lands whole, with its time, and leaves nothing beside it") {
    answer = [](const Request&) { return body("hello"); };
    auto progress = std::make_shared<s3::Progress>();
    const std::string path = (scratch.path() / "sub/out").string();
    REQUIRE(run(loop, client.download(Object{"a", 5, kHello, 1795942800}, path, progress)));
    CHECK(read_all(path) == "hello");
    CHECK(progress->bytes == 5);
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK(info.st_mtime == 1795942800);
    CHECK(std::distance(std::filesystem::directory_iterator(scratch.path() / "sub"), {}) == 1);
}

TEST_CASE_FIXTURE(S3Fixture, "a broken download goes on where it stopped") {
    answer = [](const Request& request) {
        if (request.header("range").empty()) {
            Reply cut = body("hello");
            cut.cut_after = 2;
            return cut;
        }
        CHECK(request.header("range") == "bytes=2-");
        Reply rest = body("llo");
        rest.status = 206;
        return rest.with("Content-Range", "bytes 2-4/5");
    };
    auto progress = std::make_shared<s3::Progress>();
    const std::string path = (scratch.path() / "out").string();
    REQUIRE(run(loop, client.download(Object{"a", 5, kHello, 0}, path, progress)));
    CHECK(read_all(path) == "hello");
    CHECK(server.requests().size() == 2);
    CHECK(progress->bytes == 5);
}

TEST_CASE_FIXTURE(S3Fixture, "a later call goes on with the part file, unless the volume's file is another") {
    answer = [](const Request&) {
        Reply cut = body("hello");
        cut.cut_after = 3;
        return cut;
    };
    auto progress = std::make_shared<s3::Progress>();
    const std::string path = (scratch.path() / "out").string();
    // The range is answered with a whole file that breaks again and again without getting further.
    CHECK_FALSE(run(loop, client.download(Object{"a", 5, kHello, 0}, path, progress)));
    CHECK_FALSE(std::filesystem::exists(path));
    answer = [](const Request& request) {
        CHECK(request.header("range") == "bytes=3-");
        Reply rest = body("lo");
        rest.status = 206;
        return rest.with("Content-Range", "bytes 3-4/5");
    };
    REQUIRE(run(loop, client.download(Object{"a", 5, kHello, 0}, path, progress)));
    CHECK(read_all(path) == "hello");
    answer = [](const Request& request) {
        CHECK(request.header("range").empty());
        return body("other", "795f3202b17cb6bc3d4b771d8c6c9eaf");
    };
    REQUIRE(
        run(loop, client.download(Object{"a", 5, "795f3202b17cb6bc3d4b771d8c6c9eaf", 0}, path, progress)));
    CHECK(read_all(path) == "other");
}

TEST_CASE_FIXTURE(S3Fixture, "a file that changes, comes damaged or too long never gets its name") {
    auto progress = std::make_shared<s3::Progress>();
    const std::string path = (scratch.path() / "out").string();
    const Object wanted{"a", 5, kHello, 0};
    answer = [](const Request&) { return body("other", "795f3202b17cb6bc3d4b771d8c6c9eaf"); };
    CHECK(run(loop, client.download(wanted, path, progress)).error().kind == Kind::conflict);
    answer = [](const Request&) { return body("other"); };
    const auto damaged = run(loop, client.download(wanted, path, progress));
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().message == "get vol1:/a: what came has another hash than the volume's file");
    answer = [](const Request&) { return body("hello and more"); };
    CHECK(run(loop, client.download(wanted, path, progress)).error().kind == Kind::protocol);
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE_FIXTURE(S3Fixture, "a disk that is full is an error with the path") {
    std::string big(3u << 20, 'x');
    answer = [&](const Request&) { return body(big, "nohash"); };
    auto progress = std::make_shared<s3::Progress>();
    testing::FileSizeLimit limit(1u << 20);
    const auto full = run(
        loop, client.download(Object{"a", big.size(), "", 0}, (scratch.path() / "out").string(), progress));
    REQUIRE_FALSE(full);
    CHECK(full.error().kind == Kind::io);
    CHECK(full.error().message.find(".podsmith-part-") != std::string::npos);
}
