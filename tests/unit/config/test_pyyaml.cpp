// The configs are read by Python programs on the pod, so the real PyYAML is asked what it understands.
#include "base/system.hpp"
#include "config/scalar.hpp"
#include "config/yaml.hpp"
#include "unit/base/scratch.hpp"
#include "unit/config/yaml_samples.hpp"

#include <cstdio>
#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::config;
using nlohmann::ordered_json;
using podsmith::testing::Scratch;

namespace {

// Dates become their text, as parse_yaml keeps them; everything else goes through JSON with its type.
constexpr const char* kReader = R"(import json, sys, yaml
with open(sys.argv[1], encoding="utf-8", newline="") as f:
    value = yaml.safe_load(f.read())
with open(sys.argv[2], "w", encoding="utf-8") as f:
    json.dump(value, f, default=str)
)";

std::string python_with_yaml() {
    for (const char* python : {"/usr/bin/python3", "python3"})
        if (std::system((std::string(python) + " -c 'import yaml' 2>/dev/null").c_str()) == 0)
            return python;
    MESSAGE("skipped: no python3 with the yaml module");
    return {};
}

ordered_json as_python_reads(const std::string& python, const std::string& yaml) {
    const Scratch scratch;
    REQUIRE(write_file(scratch.path() / "read.py", kReader).has_value());
    REQUIRE(write_file(scratch.path() / "in.yaml", yaml).has_value());
    const std::string folder = scratch.path().string();
    const std::string command =
        python + " " + folder + "/read.py " + folder + "/in.yaml " + folder + "/out.json";
    REQUIRE(std::system(command.c_str()) == 0);
    return ordered_json::parse(read_file(scratch.path() / "out.json").value());
}

} // namespace

TEST_CASE("PyYAML reads what emit_yaml writes as the same values and types in the same order") {
    const std::string python = python_with_yaml();
    if (python.empty())
        return;
    const ordered_json samples = podsmith::testing::yaml_samples();
    const ordered_json read = as_python_reads(python, emit_yaml(samples).value());
    for (const auto& [key, value] : samples.items()) {
        CAPTURE(key);
        CHECK(read[key].dump() == value.dump());
    }
    CHECK(read.dump() == samples.dump());
}

TEST_CASE("parse_yaml gives a bare word the value that PyYAML gives it") {
    const std::string python = python_with_yaml();
    if (python.empty())
        return;
    std::string yaml;
    for (const char* word : {"~",        "no",       "On",
                             "y",        "0",        "-0",
                             "+12",      "1_000",    "017",
                             "018",      "0o17",     "0x1F",
                             "-0x1f",    "0b101",    "1:30",
                             "1:60",     "-1:30:05", "0:30",
                             "1.5",      "1.",       ".5",
                             "-.5",      "1e6",      "1e-06",
                             "1.0e-06",  "1.0e6",    "1.0E+6",
                             "1:30.5",   "01.5",     "1.2.3",
                             "2026-1-2", "2026-11",  "2026-11-22T09:00",
                             "10.0.0.7", "0x_",      "1__0",
                             "12e03",    "+.5",      "1_.5",
                             "0.",       "00",       "08",
                             "1:2:3:4",  "1:2.",     "190:20:30",
                             "0b",       "0x",       "-",
                             "text"})
        if (std::string(word) != "-" && std::string(word) != "0x_")
            yaml += "- " + std::string(word) + "\n";
    const ordered_json ours = parse_yaml(yaml, "words.yaml").value();
    const ordered_json theirs = as_python_reads(python, yaml);
    REQUIRE(ours.size() == theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
        CAPTURE(i);
        CHECK(ours[i].dump() == theirs[i].dump());
    }
}
