#include "config/scalar.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using namespace podsmith::config;
using nlohmann::ordered_json;

TEST_CASE("bare words have PyYAML's types") {
    const std::pair<const char*, ScalarType> rows[]{
        {"", ScalarType::null},
        {"~", ScalarType::null},
        {"null", ScalarType::null},
        {"Null", ScalarType::null},
        {"nULL", ScalarType::string},
        {"None", ScalarType::string},
        {"yes", ScalarType::boolean},
        {"No", ScalarType::boolean},
        {"ON", ScalarType::boolean},
        {"off", ScalarType::boolean},
        {"True", ScalarType::boolean},
        {"FALSE", ScalarType::boolean},
        {"y", ScalarType::string},
        {"n", ScalarType::string},
        {"tRUE", ScalarType::string},
        {"0", ScalarType::integer},
        {"-0", ScalarType::integer},
        {"+12", ScalarType::integer},
        {"1_000", ScalarType::integer},
        {"017", ScalarType::integer},
        {"018", ScalarType::string},
        {"0o17", ScalarType::string},
        {"0x1F", ScalarType::integer},
        {"0xG", ScalarType::string},
        {"0b101", ScalarType::integer},
        {"0b12", ScalarType::string},
        {"1:30", ScalarType::integer},
        {"1:60", ScalarType::string},
        {"12:30:45", ScalarType::integer},
        {"0:30", ScalarType::string},
        {"_1", ScalarType::string},
        {"1-2", ScalarType::string},
        {"1.5", ScalarType::floating},
        {"1.", ScalarType::floating},
        {".5", ScalarType::floating},
        {"-.5", ScalarType::string},
        {"1e6", ScalarType::string},
        {"1e-06", ScalarType::string},
        {"1.0e-06", ScalarType::floating},
        {"1.0e6", ScalarType::string},
        {"1.0E+6", ScalarType::floating},
        {"1.2.3", ScalarType::string},
        {".", ScalarType::string},
        {"-.inf", ScalarType::floating},
        {".INF", ScalarType::floating},
        {"inf", ScalarType::string},
        {".NaN", ScalarType::floating},
        {"-.nan", ScalarType::string},
        {"1:30.5", ScalarType::floating},
        {"01.5", ScalarType::floating},
        {"2026-11-22", ScalarType::timestamp},
        {"2026-1-2", ScalarType::string},
        {"2026-11-22T09:00:00Z", ScalarType::timestamp},
        {"2026-1-2 9:00:00.5 +1:00", ScalarType::timestamp},
        {"2026-11-22T09:00", ScalarType::string},
        {"2026-11", ScalarType::string},
        {"<<", ScalarType::merge},
        {"=", ScalarType::value},
        {"sdpa", ScalarType::string},
        {"unsloth/gemma-2b", ScalarType::string},
        {"10.0.0.7", ScalarType::string},
    };
    for (const auto& [text, type] : rows) {
        CAPTURE(text);
        CHECK(static_cast<int>(scalar_type(text)) == static_cast<int>(type));
    }
}

TEST_CASE("bare words have PyYAML's values") {
    const std::pair<const char*, const char*> rows[]{
        {"~", "null"},
        {"yes", "true"},
        {"off", "false"},
        {"-0", "0"},
        {"+12", "12"},
        {"1_000", "1000"},
        {"017", "15"},
        {"0x1F", "31"},
        {"-0x1f", "-31"},
        {"0b101", "5"},
        {"1:30", "90"},
        {"-1:30:05", "-5405"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551615", "18446744073709551615"},
        {"1.5", "1.5"},
        {"1.", "1.0"},
        {".5", "0.5"},
        {"1.0e-06", "1e-06"},
        {"-1_0.5", "-10.5"},
        {"1:30.5", "90.5"},
        {"1.0e-999", "0.0"},
        {"2026-11-22", "\"2026-11-22\""},
        {"text", "\"text\""},
    };
    for (const auto& [text, json] : rows) {
        CAPTURE(text);
        CHECK(scalar_value(text).value() == ordered_json::parse(json));
        CHECK(scalar_value(text).value().type_name() == std::string(ordered_json::parse(json).type_name()));
    }
    CHECK(scalar_value("-.inf")->get<double>() == -std::numeric_limits<double>::infinity());
    CHECK(std::isnan(scalar_value(".nan")->get<double>()));
    CHECK(scalar_value("1.0e+999")->get<double>() == std::numeric_limits<double>::infinity());
    CHECK_FALSE(scalar_value("18446744073709551616").has_value());
    CHECK_FALSE(scalar_value("-9223372036854775809").has_value());
}

TEST_CASE("floats keep a dot and read back as the same float") {
    const std::pair<double, const char*> rows[]{{1e-6, "1.0e-06"},
                                                {0.1, "0.1"},
                                                {3, "3.0"},
                                                {-0.0, "-0.0"},
                                                {1.5e300, "1.5e+300"},
                                                {1e16, "1.0e+16"},
                                                {123456789012345680, "1.2345678901234568e+17"},
                                                {1e15, "1000000000000000.0"},
                                                {0.0001, "0.0001"},
                                                {0.00001, "1.0e-05"},
                                                {5e-324, "5.0e-324"},
                                                {1.0 / 3, "0.3333333333333333"}};
    for (const auto& [value, text] : rows) {
        CHECK(float_text(value) == text);
        REQUIRE(scalar_type(text) == ScalarType::floating);
        CHECK(scalar_value(text)->get<double>() == value);
    }
    CHECK(float_text(std::numeric_limits<double>::infinity()) == ".inf");
    CHECK(float_text(-std::numeric_limits<double>::infinity()) == "-.inf");
    CHECK(float_text(std::nan("")) == ".nan");
}
