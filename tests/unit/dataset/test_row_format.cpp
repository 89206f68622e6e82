#include "dataset/row_rules.hpp"

#include <doctest/doctest.h>

namespace podsmith::dataset {

TEST_CASE("a row's format is told by its keys, in order") {
    struct Case {
        std::string row;
        std::string_view name, confidence;
    };
    const Case cases[] = {
        {R"({"conversations":[],"messages":[]})", "sharegpt", "high"},
        {R"({"messages":[],"text":""})", "chatml-wrapped", "high"},
        {R"({"text":"","prompt":"","response":""})", "standard-text", "high"},
        {R"({"prompt":"","chosen":"","rejected":"","response":""})", "dpo", "high"},
        {R"({"prompt":"","response":""})", "rlhf", "high"},
        {R"({"instruction":"","output":""})", "alpaca", "high"},
        {R"({"instruction":"","response":"","context":""})", "alpaca", "high"},
        {R"({"system_prompt":"","question":"","response":""})", "openorca", "high"},
        {R"({"instruction":"","instances":[]})", "unnatural", "high"},
        {R"({"role":"","content":""})", "chatml", "medium"},
        {R"({"foo":1})", "jsonl", "low"},
        {R"({"moves":"e4","context":""})", "game", "high"},
        {R"({"moves_uci":["e2e4"]})", "game", "high"},
        {R"({"context":[],"next":1})", "splice", "high"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.row);
        simdjson::dom::parser parser;
        const simdjson::padded_string text{std::string_view(one.row)};
        const simdjson::dom::object row = parser.parse(text);
        CHECK(name_of(detect_row(row)) == one.name);
        CHECK(confidence_of(detect_row(row)) == one.confidence);
        CHECK(row_format_from(one.name) == detect_row(row));
    }
    CHECK_FALSE(row_format_from("csv"));
}

TEST_CASE("each format says what a row lacks") {
    struct Case {
        std::string_view format;
        std::string row;
        std::string_view problem;
    };
    const Case cases[] = {
        {"chatml-wrapped",
         R"({"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]})", ""},
        {"chatml-wrapped", R"({"messages":[]})", "no messages"},
        {"chatml-wrapped", R"({"messages":"x"})", "\"messages\" is no list"},
        {"chatml-wrapped", R"({"text":"x"})", "no \"messages\""},
        {"chatml-wrapped", R"({"messages":[{"role":"user"}]})", "message 1: no \"content\""},
        {"chatml-wrapped", R"({"messages":[{"role":"user","content":"a"},{"content":"b"}]})",
         "message 2: no \"role\""},
        {"chatml-wrapped", R"({"messages":[{"role":1,"content":"b"}]})", "message 1: \"role\" is no text"},
        {"chatml-wrapped", R"({"messages":[{"role":"user","content":5}]})",
         "message 1: \"content\" is a number, not a text"},
        {"chatml-wrapped", R"({"messages":[7]})", "message 1 is a number, not an object"},
        {"chatml-wrapped", R"({"messages":[{"role":"assistant","content":null,"tool_calls":[]}]})", ""},
        {"chatml-wrapped", R"({"messages":[{"role":"user","content":[{"type":"image"}]}]})", ""},
        {"sharegpt", R"({"conversations":[{"from":"human","value":"x"}]})", ""},
        {"sharegpt", R"({"conversations":[{"from":"human"}]})", "message 1: no \"value\""},
        {"standard-text", R"({"text":5})", "\"text\" is a number, not a text"},
        {"dpo", R"({"prompt":"a","chosen":"b"})", "no \"rejected\""},
        {"dpo", R"({"prompt":"a","chosen":[],"rejected":[]})", ""},
        {"dpo", R"({"prompt":"a","chosen":1,"rejected":""})", "\"chosen\" is a number, not a text"},
        {"rlhf", R"({"prompt":"a","response":"b","reward":0.5})", ""},
        {"rlhf", R"({"prompt":"a","response":"b","reward":"0.5"})", "\"reward\" is a text, not a number"},
        {"alpaca", R"({"instruction":"a","output":"b","input":null})", "\"input\" is null, not a text"},
        {"alpaca", R"({"instruction":"a","response":"b"})", ""},
        {"alpaca", R"({"output":"b"})", "no \"instruction\""},
        {"openorca", R"({"system_prompt":"","question":"q"})", "no \"response\""},
        {"unnatural", R"({"instruction":"a","instances":[{"input":"i"}]})", "instance 1: no \"output\""},
        {"unnatural", R"({"instruction":"a","instances":[]})", "no instances"},
        {"chatml", R"({"role":"user"})", "no \"content\""},
        {"game", R"({"context":1})", "neither \"moves\" nor \"moves_uci\""},
        {"splice", R"({"moves":1})", "no \"context\""},
        {"jsonl", R"({"anything":1})", ""},
        {"jsonl", "true", "the row is a boolean, not an object"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.row);
        simdjson::dom::parser parser;
        const simdjson::padded_string text{std::string_view(one.row)};
        const simdjson::dom::element row = parser.parse(text);
        RowLengths lengths;
        CHECK(row_problem(row, *row_format_from(one.format), lengths) == one.problem);
    }
}

TEST_CASE("lengths are characters of what goes in and comes out") {
    simdjson::dom::parser parser;
    const simdjson::padded_string text{std::string_view(
        R"({"messages":[{"role":"system","content":"xxx"},{"role":"user","content":"añb"},{"role":"assistant","content":"yo"}]})")};
    const simdjson::dom::element row = parser.parse(text);
    RowLengths lengths;
    CHECK(row_problem(row, RowFormat::chatml, lengths).empty());
    CHECK(lengths.input == 3);
    CHECK(lengths.output == 2);
}

} // namespace podsmith::dataset
