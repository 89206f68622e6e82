#include "dataset/jsonl.hpp"
#include "unit/dataset/fixture.hpp"

namespace podsmith::dataset {
namespace {

JsonlReport checked(const std::string& content, std::optional<RowFormat> format = {}, unsigned threads = 0) {
    Folder folder(Files{{"train.jsonl", content}});
    Progress progress;
    JsonlOptions options;
    options.format = format;
    options.threads = threads;
    Result<JsonlReport> report = check_jsonl(folder.text(), files_of(folder).front(), options, progress);
    REQUIRE(report);
    CHECK(progress.bytes == content.size());
    return *report;
}

} // namespace

TEST_CASE("each defect is reported with file, line and column") {
    struct Case {
        std::string name;
        std::string content;
        std::string text;
    };
    const std::string good = R"({"context":[1],"next":2})"
                             "\n";
    const Case cases[] = {
        {"broken JSON", good + good + "{\"context\":[1,}\n" + good,
         "train.jsonl:3:15: syntax error while parsing value - unexpected '}'; expected '[', '{', or a "
         "literal"},
        {"the row is cut", good + "{\"context\":[1]",
         "train.jsonl:2:15: syntax error while parsing object - unexpected end of input; expected '}'"},
        {"two values in a row", good + "{} {}\n",
         "train.jsonl:2:4: syntax error while parsing value - unexpected '{'; expected end of input"},
        {"no JSON", "context: 1\n" + good,
         "train.jsonl:1:1: syntax error while parsing value - invalid literal"},
        {"invalid UTF-8", good + "{\"context\":\"\xC3\xA9\xFF\"}\n", "train.jsonl:2:14: invalid UTF-8"},
        {"an overlong form", good + "{\"context\":\"\xC0\xAF\"}\n", "train.jsonl:2:13: invalid UTF-8"},
        {"a byte order mark", "\xEF\xBB\xBF" + good, "train.jsonl:1:1: begins with a byte order mark"},
        {"a number", good + "7\n", "train.jsonl:2: the row is a number, not an object"},
        {"a list", good + "[1]\n", "train.jsonl:2: the row is a list, not an object"},
        {"a zero byte", good + std::string("{\"context\":\"\0\"}\n", 16), "train.jsonl:2:13: syntax error"},
        {"a number out of range", good + "{\"context\":1e999}\n", "train.jsonl:2:1: number overflow"},
        {"the format's field is missing", good + "{\"next\":2}\n", "train.jsonl:2: no \"context\""},
        {"the last line has no newline", good + "x", "train.jsonl:2:1: syntax error"},
        {"nested too deep", good + std::string(2000, '[') + std::string(2000, ']'),
         "train.jsonl:2: nested deeper than 1024"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        const JsonlReport report = checked(one.content);
        CHECK(report.defect_count == 1);
        REQUIRE(report.defects.size() == 1);
        CHECK_MESSAGE(report.defects[0].text().starts_with(one.text), report.defects[0].text());
    }
}

TEST_CASE("what JSON allows passes") {
    const char* rows[] = {
        R"({"a":123456789012345678901234567890})", // more than 64 bits
        R"({"a":1,"a":2})",
        R"({"a":"\ud83d\ude00","b":1e-9,"c":-0.0})",
        "\t{\"a\" : [ ] } \r",
        "{\"a\":\"\xF0\x9F\x98\x80\"}",
        "{}",
    };
    for (const std::string row : rows) {
        CAPTURE(row);
        CHECK(checked(std::string(row) + "\n" + row).defect_count == 0);
    }
}

TEST_CASE("rows, blank lines and duplicates are counted") {
    const JsonlReport report = checked("\n{\"a\":1}\n  \r\n{\"a\":2}\n{\"a\":1}\n\n{\"a\":1}\n");
    CHECK(report.rows == 4);
    CHECK(report.blank_lines == 3);
    CHECK(report.duplicates == 2);
    CHECK(report.hashes.size() == 4);
    CHECK(report.first_keys == std::vector<std::string>{"a"});
    CHECK(checked("").rows == 0);
    CHECK(checked("\n\n").rows == 0);
}

TEST_CASE("all defects are counted, the first are described in order") {
    std::string content;
    for (int i = 0; i < 100; ++i)
        content += i % 2 == 0 ? "{\"a\":1}\n" : "oops\n";
    const JsonlReport report = checked(content);
    CHECK(report.defect_count == 50);
    REQUIRE(report.defects.size() == 20);
    for (std::size_t i = 0; i < report.defects.size(); ++i)
        CHECK(report.defects[i].line == 2 * i + 2);
}

TEST_CASE("lines keep their numbers over the pieces in which a large file is read") {
    // Rows around each boundary of 16 MiB, one that covers a whole piece, and a defect in the last line.
    std::string content;
    std::uint64_t line = 0;
    const auto add = [&](std::size_t size) {
        content += "{\"a\":\"" + std::string(size, 'x') + "\"}\n";
        ++line;
    };
    while (content.size() < (15u << 20))
        add(3001);
    add(20u << 20);
    while (content.size() % (16u << 20) < (16u << 20) - 5000)
        add(997);
    add((16u << 20) - content.size() % (16u << 20) - 9); // ends exactly where a piece does
    CHECK(content.size() % (16u << 20) == 0);
    add(10);
    content += "oops\n";
    const JsonlReport report = checked(content, {}, 3);
    CHECK(report.rows == line + 1);
    CHECK(report.defect_count == 1);
    REQUIRE(report.defects.size() == 1);
    CHECK(report.defects[0].line == line + 1);
}

TEST_CASE("a row that is too long is a defect and not read into memory") {
    const JsonlReport report =
        checked("{\"a\":1}\n{\"b\":\"" + std::string(100u << 20, 'x') + "\"}\n{\"a\":1}\n");
    CHECK(report.defect_count == 1);
    REQUIRE(report.defects.size() == 1);
    CHECK(report.defects[0].text() == "train.jsonl:2: the row is longer than 64 MiB");
}

TEST_CASE("a file that is written to meanwhile is a conflict") {
    Folder folder(Files{{"a.jsonl", "{}\n"}});
    const File file = files_of(folder).front();
    folder.put("a.jsonl", "{}\n{}\n");
    Progress progress;
    const auto report = check_jsonl(folder.text(), file, {}, progress);
    REQUIRE_FALSE(report);
    CHECK(report.error().kind == Kind::conflict);
    CHECK(report.error().message == folder.at("a.jsonl") + " was written to meanwhile");
}

TEST_CASE("checking ends when it is called off") {
    Folder folder(Files{{"a.jsonl", "{}\n"}});
    Progress progress;
    progress.is_cancelled = true;
    const auto report = check_jsonl(folder.text(), files_of(folder).front(), {}, progress);
    REQUIRE_FALSE(report);
    CHECK(report.error().kind == Kind::cancelled);
}

} // namespace podsmith::dataset
