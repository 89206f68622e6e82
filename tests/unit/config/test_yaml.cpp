#include "config/yaml.hpp"
#include "unit/config/yaml_samples.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::config;
using nlohmann::ordered_json;

namespace {

std::string emitted(std::string_view json) {
    return emit_yaml(ordered_json::parse(json)).value();
}

ordered_json parsed(std::string_view yaml) {
    auto value = parse_yaml(yaml, "x.yaml");
    REQUIRE_MESSAGE(value.has_value(), (value ? "" : value.error().text()));
    return *value;
}

} // namespace

TEST_CASE("YAML is written in block style, in order, as PyYAML would") {
    CHECK(emitted(R"({"model":"unsloth/gemma-2b","learning_rate":1e-6,"bf16":true,"report_to":[],
                      "lr_scheduler_kwargs":{"min_lr_rate":0.1},"reward_funcs":["accuracy","format"],
                      "downcast_bf16":"no","none":null,
                      "dataset_mixture":{"datasets":[{"id":"a/b","config":null,"weight":0.5},[1,[2]]],"seed":42}})") ==
          "model: unsloth/gemma-2b\n"
          "learning_rate: 1.0e-06\n"
          "bf16: true\n"
          "report_to: []\n"
          "lr_scheduler_kwargs:\n"
          "  min_lr_rate: 0.1\n"
          "reward_funcs:\n"
          "- accuracy\n"
          "- format\n"
          "downcast_bf16: 'no'\n"
          "none: null\n"
          "dataset_mixture:\n"
          "  datasets:\n"
          "  - id: a/b\n"
          "    config: null\n"
          "    weight: 0.5\n"
          "  - - 1\n"
          "    - - 2\n"
          "  seed: 42\n");
    CHECK(emitted("[]") == "[]\n");
    CHECK(emitted("\"no\"") == "'no'\n");
    CHECK(emitted("[1]") == "- 1\n");
    CHECK(emitted(R"({"a":"x\ny","b":"it's"})") == "a: \"x\\ny\"\nb: it's\n");
}

TEST_CASE("what is written reads back the same, types and order included") {
    const ordered_json samples = podsmith::testing::yaml_samples();
    const std::string text = emit_yaml(samples).value();
    CHECK(parsed(text).dump() == samples.dump());
    for (const std::string& word : podsmith::testing::tricky_words()) {
        CAPTURE(word);
        CHECK(parsed(emit_yaml(ordered_json(word)).value()) == ordered_json(word));
    }
}

TEST_CASE("text that YAML cannot hold is refused by its path") {
    ordered_json value;
    value["lora"]["targets"] = {"ok", "\xff\xfe"};
    auto text = emit_yaml(value);
    REQUIRE_FALSE(text.has_value());
    CHECK(text.error().kind == Kind::invalid);
    CHECK(text.error().message == "write YAML: lora.targets[1] is not valid UTF-8");
    ordered_json deep = 1;
    for (int i = 0; i < 300; ++i)
        deep = ordered_json::array({deep});
    CHECK(emit_yaml(deep).error().message.ends_with("is nested too deep"));
    CHECK(emit_yaml(ordered_json::binary({1, 2})).error().kind == Kind::invalid);
}

TEST_CASE("YAML is read with PyYAML's types") {
    CHECK(parsed("a: no\nb: 'no'\nc: 1e-06\nd: 1.0e-06\ne: !!str 12\nf: |\n  two\n  lines\ng: [1, ~, x]\n")
              .dump() ==
          R"({"a":false,"b":"no","c":"1e-06","d":1e-06,"e":"12","f":"two\nlines\n","g":[1,null,"x"]})");
    CHECK(parsed("") == ordered_json(nullptr));
    CHECK(parsed("# only a comment\n") == ordered_json(nullptr));
    CHECK(parsed("1: a\nno: b\n~: c").dump() == R"({"1":"a","no":"b","null":"c"})");
    CHECK(parsed("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\n")["use"].dump() == R"({"x":1,"y":3})");
    CHECK(parsed("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc:\n  <<: [*a, *b]\n")["c"].dump() == R"({"x":1,"z":3})");
}

TEST_CASE("a YAML error names file, line and column") {
    const std::pair<const char*, const char*> rows[]{
        {"a: 1\nb: [1, 2\n", "x.yaml:"},
        {"a: 1\na: 2\n", "x.yaml:2:1: key a comes twice"},
        {"a: 1\nb:\n  [x]: 2\n", "x.yaml:3:3: a key must be a word"},
        {"a: 99999999999999999999\n", "x.yaml:1:4: 99999999999999999999 does not fit 64 bits"},
        {"a: !secret x\n", "x.yaml:1:4: unknown tag !secret"},
        {"a: 1\n---\nb: 2\n", "x.yaml:3:1: a second document starts here"},
        {"a: {<<: 5}\n", "x.yaml:1:9: << takes a map or a list of maps"},
        {"a: *nobody\n", "x.yaml:1:"},
    };
    for (const auto& [text, message] : rows) {
        CAPTURE(text);
        const auto value = parse_yaml(text, "x.yaml");
        REQUIRE_FALSE(value.has_value());
        CHECK(value.error().kind == Kind::invalid);
        CAPTURE(value.error().message);
        CHECK(value.error().message.starts_with(message));
    }
}

TEST_CASE("aliases that never end and nesting without bottom are refused") {
    std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        std::string items = before;
        for (int k = 1; k < 10; ++k)
            items += ", " + before;
        laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + items + "]\n";
    }
    CHECK(parse_yaml(laughs, "x.yaml").error().kind == Kind::invalid);
    CHECK(parse_yaml("a: &a [*a]\n", "x.yaml").error().kind == Kind::invalid);
    CHECK(parse_yaml(std::string(300, '[') + std::string(300, ']'), "x.yaml").error().kind == Kind::invalid);
}
