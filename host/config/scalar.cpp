#include "config/scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>

namespace podsmith::config {
namespace {

constexpr std::array<std::string_view, 5> kNulls{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 9> kTrue{"yes",  "Yes", "YES", "true", "True",
                                                "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 9> kFalse{"no",    "No",  "NO",  "false", "False",
                                                 "FALSE", "off", "Off", "OFF"};

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& list) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_digit_or_underscore(char c) {
    return is_digit(c) || c == '_';
}
bool is_binary(char c) {
    return c == '0' || c == '1' || c == '_';
}
bool is_octal(char c) {
    return (c >= '0' && c <= '7') || c == '_';
}
bool is_hex(char c) {
    return is_digit_or_underscore(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_space(char c) {
    return c == ' ' || c == '\t';
}

// Reads a word piece by piece, as PyYAML's regular expressions do. A failed piece takes nothing.
class Cursor {
public:
    explicit Cursor(std::string_view text) : text_(text) {}
    bool is_end() const { return text_.empty(); }

    bool take(char c) {
        if (text_.empty() || text_[0] != c)
            return false;
        text_.remove_prefix(1);
        return true;
    }
    bool take_sign() { return take('-') || take('+'); }
    bool take(std::string_view word) {
        if (!text_.starts_with(word))
            return false;
        text_.remove_prefix(word.size());
        return true;
    }
    template <class Predicate>
    std::size_t run(Predicate is_wanted, std::size_t most = std::string_view::npos) {
        std::size_t n = 0;
        while (n < text_.size() && n < most && is_wanted(text_[n]))
            ++n;
        text_.remove_prefix(n);
        return n;
    }
    // (?::[0-5]?[0-9])+
    bool take_sixties() {
        std::size_t groups = 0;
        while (take(':')) {
            const bool is_ten = text_.size() > 1 && text_[0] >= '0' && text_[0] <= '5' && is_digit(text_[1]);
            if (run(is_digit, is_ten ? 2 : 1) == 0)
                return false;
            ++groups;
        }
        return groups > 0;
    }

private:
    std::string_view text_;
};

bool is_integer(std::string_view text) {
    Cursor all(text);
    all.take_sign();
    Cursor hex = all;
    if (hex.take("0x"))
        return hex.run(is_hex) > 0 && hex.is_end();
    Cursor binary = all;
    if (binary.take("0b"))
        return binary.run(is_binary) > 0 && binary.is_end();
    if (all.take('0'))
        return all.run(is_octal), all.is_end();
    if (all.run(is_digit, 1) == 0)
        return false;
    all.run(is_digit_or_underscore);
    return all.is_end() || (all.take_sixties() && all.is_end());
}

bool take_exponent(Cursor& cursor) {
    if (!cursor.take('e') && !cursor.take('E'))
        return true;
    return cursor.take_sign() && cursor.run(is_digit) > 0; // without a sign it is a string
}

bool is_float(std::string_view text) {
    if (text == ".nan" || text == ".NaN" || text == ".NAN")
        return true;
    Cursor all(text);
    Cursor fraction = all;
    if (fraction.take('.') && fraction.run(is_digit, 1) == 1) {
        fraction.run(is_digit_or_underscore);
        return take_exponent(fraction) && fraction.is_end();
    }
    all.take_sign();
    Cursor infinite = all;
    if (infinite.take(".inf") || infinite.take(".Inf") || infinite.take(".INF"))
        return infinite.is_end();
    if (all.run(is_digit, 1) == 0)
        return false;
    all.run(is_digit_or_underscore);
    Cursor sixties = all;
    if (sixties.take_sixties() && sixties.take('.'))
        return sixties.run(is_digit_or_underscore), sixties.is_end();
    if (!all.take('.'))
        return false;
    all.run(is_digit_or_underscore);
    return take_exponent(all) && all.is_end();
}

bool take_zone(Cursor& cursor) {
    cursor.run(is_space);
    if (cursor.take('Z') || cursor.is_end())
        return true;
    if (!cursor.take_sign() || cursor.run(is_digit, 2) == 0)
        return false;
    return !cursor.take(':') || cursor.run(is_digit, 2) == 2;
}

bool is_timestamp(std::string_view text) {
    Cursor all(text);
    if (all.run(is_digit, 4) != 4 || !all.take('-'))
        return false;
    const std::size_t month = all.run(is_digit, 2);
    if (month == 0 || !all.take('-'))
        return false;
    const std::size_t day = all.run(is_digit, 2);
    if (day == 0)
        return false;
    if (all.is_end())
        return month == 2 && day == 2;
    if (!all.take('T') && !all.take('t') && all.run(is_space) == 0)
        return false;
    if (all.run(is_digit, 2) == 0 || !all.take(':') || all.run(is_digit, 2) != 2 || !all.take(':') ||
        all.run(is_digit, 2) != 2)
        return false;
    if (all.take('.'))
        all.run(is_digit);
    return take_zone(all) && all.is_end();
}

std::string without_underscores(std::string_view text) {
    std::string digits(text);
    std::erase(digits, '_');
    return digits;
}

// The number of an unsigned run of digits; nullopt past 64 bits.
std::optional<std::uint64_t> magnitude(std::string_view digits, int base) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    if (error != std::errc() || end != digits.data() + digits.size())
        return std::nullopt;
    return number;
}

std::optional<std::uint64_t> integer_magnitude(std::string_view digits) {
    if (digits.starts_with("0x"))
        return magnitude(digits.substr(2), 16);
    if (digits.starts_with("0b"))
        return magnitude(digits.substr(2), 2);
    if (digits.size() > 1 && digits[0] == '0')
        return magnitude(digits, 8);
    std::uint64_t number = 0;
    for (;;) { // 1:30 counts in sixties
        const auto colon = digits.find(':');
        const auto part = magnitude(digits.substr(0, colon), 10);
        if (!part || number > (std::numeric_limits<std::uint64_t>::max() - *part) / 60)
            return std::nullopt;
        number = number * 60 + *part;
        if (colon == std::string_view::npos)
            return number;
        digits.remove_prefix(colon + 1);
    }
}

std::optional<nlohmann::ordered_json> integer_value(std::string_view text) {
    const std::string digits = without_underscores(text);
    const bool is_negative = digits[0] == '-';
    const bool has_sign = is_negative || digits[0] == '+';
    const auto number = integer_magnitude(std::string_view(digits).substr(has_sign ? 1 : 0));
    if (!number)
        return std::nullopt;
    if (!is_negative && *number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        return nlohmann::ordered_json(*number);
    if (!is_negative)
        return nlohmann::ordered_json(static_cast<std::int64_t>(*number));
    if (*number > std::uint64_t{1} << 63)
        return std::nullopt;
    return nlohmann::ordered_json(static_cast<std::int64_t>(0 - *number));
}

double plain_double(std::string_view text) {
    double number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    if (result.ec == std::errc::result_out_of_range) // as Python does: too large is infinite, too small is 0
        return text.find("e-") != std::string_view::npos ? 0 : std::numeric_limits<double>::infinity();
    return number;
}

double float_value(std::string_view text) {
    std::string digits = without_underscores(text);
    std::transform(digits.begin(), digits.end(), digits.begin(), [](char c) { return c == 'E' ? 'e' : c; });
    std::string_view rest = digits;
    const double sign = rest[0] == '-' ? -1 : 1;
    if (rest[0] == '-' || rest[0] == '+')
        rest.remove_prefix(1);
    if (rest[0] == '.' && rest.size() == 4 && (rest[1] == 'i' || rest[1] == 'I'))
        return sign * std::numeric_limits<double>::infinity();
    if (rest[0] == '.' && rest.size() == 4 && (rest[1] == 'n' || rest[1] == 'N'))
        return std::numeric_limits<double>::quiet_NaN();
    double number = 0;
    for (;;) {
        const auto colon = rest.find(':');
        number = number * 60 + plain_double(rest.substr(0, colon));
        if (colon == std::string_view::npos)
            return sign * number;
        rest.remove_prefix(colon + 1);
    }
}

} // namespace

ScalarType scalar_type(std::string_view text) {
    if (is_one_of(text, kNulls))
        return ScalarType::null;
    if (is_one_of(text, kTrue) || is_one_of(text, kFalse))
        return ScalarType::boolean;
    if (is_float(text))
        return ScalarType::floating;
    if (is_integer(text))
        return ScalarType::integer;
    if (is_timestamp(text))
        return ScalarType::timestamp;
    if (text == "<<")
        return ScalarType::merge;
    return text == "=" ? ScalarType::value : ScalarType::string;
}

std::optional<nlohmann::ordered_json> scalar_value(std::string_view text) {
    switch (scalar_type(text)) {
    case ScalarType::null:
        return nlohmann::ordered_json(nullptr);
    case ScalarType::boolean:
        return nlohmann::ordered_json(is_one_of(text, kTrue));
    case ScalarType::integer:
        return integer_value(text);
    case ScalarType::floating:
        return nlohmann::ordered_json(float_value(text));
    default:
        return nlohmann::ordered_json(std::string(text));
    }
}

std::string float_text(double value) {
    if (std::isnan(value))
        return ".nan";
    if (std::isinf(value))
        return value < 0 ? "-.inf" : ".inf";
    // Python's repr: the fewest digits that read back the same, with an exponent below 1e-4 and from 1e16 on.
    const double size = std::fabs(value);
    const bool is_scientific = size != 0 && (size < 1e-4 || size >= 1e16);
    const auto format = is_scientific ? std::chars_format::scientific : std::chars_format::fixed;
    char buffer[64];
    const auto written = std::to_chars(buffer, buffer + sizeof buffer, value, format);
    std::string text(buffer, written.ptr);
    if (text.find('.') == std::string::npos) // PyYAML takes a float without a dot for a string or an integer
        text.insert(std::min(text.find('e'), text.size()), ".0");
    return text;
}

} // namespace podsmith::config
