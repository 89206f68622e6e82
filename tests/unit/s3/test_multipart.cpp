#include "unit/s3/fixture.hpp"

using namespace podsmith;
using namespace podsmith::test;
using s3::Part;

namespace {

const char* const kHello = "5d41402abc4b2a76b9719d911017c592"; // MD5 of "hello"

bool asks(const Request& request, const char* name) {
    return request.query.find(name) != std::string::npos;
}

const std::vector<Part> kParts{{1, kHello, 5}, {2, kHello, 5}};

} // namespace

TEST_CASE_FIXTURE(S3Fixture, "an upload in parts: begun, sent, completed") {
    const std::string path = file("f", "hellohello");
    answer = [](const Request& request) {
        if (request.method == "POST" && asks(request, "uploads="))
            return xml(
                200,
                "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
        if (request.method == "PUT") {
            CHECK(request.query == "partNumber=2&uploadId=u1");
            CHECK(request.body == "hello");
            return xml(200, "").with("ETag", std::string("\"") + kHello + "\"");
        }
        CHECK(request.body ==
              std::string("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;") + kHello +
                  "&quot;</ETag></Part><Part><PartNumber>2</PartNumber><ETag>&quot;" + kHello +
                  "&quot;</ETag></Part></CompleteMultipartUpload>");
        return xml(200, "<CompleteMultipartUploadResult/>");
    };
    const auto id = run(loop, client.begin_upload("big"));
    REQUIRE(id);
    CHECK(*id == "u1");
    const auto part = run(loop, client.put_part("big", *id, 2, {path, 5, 5}));
    REQUIRE(part);
    CHECK(part->tag == kHello);
    CHECK(part->size == 5);
    CHECK(run(loop, client.complete("big", *id, kParts)));
}

TEST_CASE_FIXTURE(S3Fixture, "uploads of a key are listed the newest first, its parts page by page") {
    answer = [](const Request& request) {
        if (asks(request, "uploads="))
            return xml(
                200,
                "<ListMultipartUploadsResult>"
                "<Upload><Key>big</Key><UploadId>old</UploadId><Initiated>2026-11-28T09:00:00.000Z</"
                "Initiated></Upload>"
                "<Upload><Key>big</Key><UploadId>new</UploadId><Initiated>2026-11-29T09:00:00.000Z</"
                "Initiated></Upload>"
                "<Upload><Key>bigger</Key><UploadId>other</UploadId></Upload></ListMultipartUploadsResult>");
        if (asks(request, "part-number-marker=1"))
            return xml(200, std::string("<ListPartsResult><Part><PartNumber>2</PartNumber><ETag>\"") +
                                kHello + "\"</ETag><Size>7</Size></Part></ListPartsResult>");
        return xml(200, std::string("<ListPartsResult><IsTruncated>true</"
                                    "IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>"
                                    "<Part><PartNumber>1</PartNumber><ETag>\"") +
                            kHello + "\"</ETag><Size>5</Size></Part></ListPartsResult>");
    };
    const auto ids = run(loop, client.uploads("big"));
    REQUIRE(ids);
    CHECK(*ids == std::vector<std::string>{"new", "old"});
    const auto parts = run(loop, client.parts("big", "new"));
    REQUIRE(parts);
    REQUIRE(parts->size() == 2);
    CHECK((*parts)[1].number == 2);
    CHECK((*parts)[1].size == 7);
}

TEST_CASE_FIXTURE(
    S3Fixture, "a completion whose answer is lost is a success when the file is there and the upload gone") {
    int looks = 0;
    answer = [&](const Request& request) {
        if (request.method == "POST")
            return xml(524, "");
        if (request.method == "HEAD") {
            Reply head = reply(200).with("Content-Length", "10");
            head.hold_open = true;
            return head;
        }
        return ++looks < 4 ? xml(200, "<ListPartsResult/>")
                           : xml(404, "<Error><Code>NoSuchUpload</Code></Error>");
    };
    CHECK(run(loop, client.complete("big", "u1", kParts)));
    CHECK(looks == 4); // it was waited for, and not asked for again
    CHECK(server.count("POST", "/eu-ro-1/vol1/big") == 1);
}

TEST_CASE_FIXTURE(S3Fixture, "a completion that did not happen is asked for again") {
    int posts = 0;
    answer = [&](const Request& request) {
        if (request.method == "POST" && ++posts == 1)
            return xml(200, "<Error><Code>InternalError</Code><Message>try again</Message></Error>");
        if (request.method == "POST")
            return xml(200, "<CompleteMultipartUploadResult/>");
        return xml(200, "<ListPartsResult/>");
    };
    CHECK(run(loop, client.complete("big", "u1", kParts)));
    CHECK(posts == 2);
}

TEST_CASE_FIXTURE(S3Fixture, "a completion that is refused, or whose file is not there, is an error") {
    answer = [](const Request&) {
        return xml(400, "<Error><Code>InvalidPart</Code><Message>no such part</Message></Error>");
    };
    const auto refused = run(loop, client.complete("big", "u1", kParts));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::invalid);
    CHECK(server.requests().size() == 1);
    answer = [](const Request& request) {
        return request.method == "POST" ? xml(502, "") : xml(404, "<Error><Code>NoSuchUpload</Code></Error>");
    };
    const auto lost = run(loop, client.complete("big", "u1", kParts));
    REQUIRE_FALSE(lost);
    CHECK(lost.error().status == 502);
}

TEST_CASE_FIXTURE(S3Fixture, "an upload that is gone can be given up") {
    answer = [](const Request&) { return xml(404, "<Error><Code>NoSuchUpload</Code></Error>"); };
    CHECK(run(loop, client.abort("big", "u1")));
}
