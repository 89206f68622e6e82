#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace podsmith::testing {

/// Words that a careless writer would leave bare and a reader would take for something else.
inline std::vector<std::string> tricky_words() {
    return {"",
            "~",
            "null",
            "no",
            "No",
            "yes",
            "on",
            "off",
            "true",
            "y",
            "1",
            "-1",
            "017",
            "0x1f",
            "0o17",
            "1_000",
            "1:30",
            "1.5",
            ".5",
            "1.",
            "1e6",
            "1e-06",
            "1.0e-06",
            ".inf",
            ".nan",
            "2026-11-22",
            "2026-11-22T09:00:00Z",
            "<<",
            "=",
            "-",
            "- a",
            "--- a",
            "---",
            "...",
            "a: b",
            "a:",
            ":a",
            "a #b",
            "#a",
            "a#b",
            "?",
            "? a",
            "[a]",
            "{a}",
            "a, b",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "it's",
            " lead",
            "trail ",
            "tab\tin",
            "\t",
            "two\nlines",
            "trail\n",
            "\n",
            "cr\rlf\r\n",
            "back\\slash",
            "\xC3\xA9t\xC3\xA9",
            "\xE4\xBD\xA0\xE5\xA5\xBD: \xE4\xB8\x96",
            "\xF0\x9F\x99\x82",
            "\xC2\x85",
            "\xC2\xA0",
            "\xE2\x80\xA8",
            "\xEF\xBB\xBFx",
            std::string("nul\0x", 5),
            "\x1b[0m",
            "\x7f",
            "/workspace/models",
            "unsloth/gemma-2b",
            "<think>",
            "First reason inside <think> and </think>.",
            "a" + std::string(300, 'b'),
            "{{ bos_token }}{% for m in messages %}{{ m['content'] + '\\n' }}{% endfor %}"};
}

/// Values whose types are easy to lose on the way through YAML.
inline nlohmann::ordered_json yaml_samples() {
    using nlohmann::ordered_json;
    ordered_json all = ordered_json::object();
    all["zeta"] = 1;
    all["alpha"] = nullptr;
    all["learning_rate"] = 1e-6;
    all["floats"] = {0.1, 1.0, -0.0, 1e16, 1e-7, 1.5e300, 123456.789};
    all["integers"] = {0, -5, 9223372036854775807LL, 18446744073709551615ULL};
    all["booleans"] = {true, false};
    all["report_to"] = ordered_json::array();
    all["kwargs"] = ordered_json::object();
    all["nested"] = ordered_json::parse(
        R"({"list":[[1,[2,3]],[],[{"a":1,"b":[{"c":{}}]},{"d":null}]],"map":{"x":{"y":{"z":[]}}},"no":"no","1":"one"})");
    all["words"] = tricky_words();
    for (const std::string& word : tricky_words())
        all["keys"][word] = word;
    all["keys"][std::string(400, 'k') + ": x"] = {{"deep", {1, 2}}};
    all["keys"][std::string(401, 'k')] = {1, {{"a", 1}}};
    return all;
}

} // namespace podsmith::testing
