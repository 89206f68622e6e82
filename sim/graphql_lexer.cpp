#include "sim/graphql_lexer.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <vector>

namespace podsmith::sim::graphql {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

[[noreturn]] void refuse(const std::string& what) {
    throw SyntaxError("Syntax Error: " + what);
}

void append_utf8(std::string& out, unsigned code) {
    const auto add = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
        add(code);
    } else if (code < 0x800) {
        add(0xC0 | code >> 6);
        add(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        add(0xE0 | code >> 12);
        add(0x80 | (code >> 6 & 0x3F));
        add(0x80 | (code & 0x3F));
    } else {
        add(0xF0 | code >> 18);
        add(0x80 | (code >> 12 & 0x3F));
        add(0x80 | (code >> 6 & 0x3F));
        add(0x80 | (code & 0x3F));
    }
}

/// A block string loses its common indentation and the blank lines at both ends.
std::string dedent(const std::string& raw) {
    std::vector<std::string> lines = split(raw, '\n');
    const auto blanks = [](const std::string& line) {
        return std::min(line.find_first_not_of(" \t"), line.size());
    };
    std::size_t common = std::string::npos;
    for (std::size_t i = 1; i < lines.size(); ++i)
        if (blanks(lines[i]) < lines[i].size())
            common = std::min(common, blanks(lines[i]));
    for (std::size_t i = 1; i < lines.size() && common != std::string::npos; ++i)
        lines[i].erase(0, std::min(common, lines[i].size()));
    const auto is_blank = [&blanks](const std::string& line) { return blanks(line) == line.size(); };
    while (!lines.empty() && is_blank(lines.front()))
        lines.erase(lines.begin());
    while (!lines.empty() && is_blank(lines.back()))
        lines.pop_back();
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i)
        out += (i > 0 ? "\n" : "") + lines[i];
    return out;
}

} // namespace

std::string Token::shown() const {
    switch (type) {
    case Type::end:
        return "<EOF>";
    case Type::punctuator:
        return fmt::format("\"{}\"", text);
    case Type::name:
        return fmt::format("Name \"{}\"", text);
    case Type::integer:
        return fmt::format("Int \"{}\"", text);
    case Type::number:
        return fmt::format("Float \"{}\"", text);
    case Type::string:
        return fmt::format("String \"{}\"", text);
    }
    return {};
}

void Lexer::skip() {
    while (position_ < text_.size()) {
        const char c = text_[position_];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',')
            ++position_;
        else if (at("\xEF\xBB\xBF"))
            position_ += 3;
        else if (c == '#')
            position_ = std::min(text_.find('\n', position_), text_.size());
        else
            break;
    }
}

Token Lexer::next() {
    skip();
    if (position_ >= text_.size())
        return {};
    const char c = text_[position_];
    if (starts_name(c)) {
        const std::size_t begin = position_;
        while (position_ < text_.size() && (starts_name(text_[position_]) || is_digit(text_[position_])))
            ++position_;
        return {Token::Type::name, std::string(text_.substr(begin, position_ - begin))};
    }
    if (is_digit(c) || c == '-')
        return number();
    if (at("\"\"\""))
        return block_string();
    if (c == '"')
        return string();
    if (at("...")) {
        position_ += 3;
        return {Token::Type::punctuator, "..."};
    }
    if (std::string_view("!$&():=@[]{|}").find(c) == std::string_view::npos)
        refuse(fmt::format("Unexpected character: \"{}\".", c));
    ++position_;
    return {Token::Type::punctuator, std::string(1, c)};
}

Token Lexer::number() {
    const std::size_t begin = position_;
    const auto here = [this] { return position_ < text_.size() ? text_[position_] : '\0'; };
    const auto digits = [this, &here] {
        if (!is_digit(here()))
            refuse("Invalid number, expected digit.");
        while (is_digit(here()))
            ++position_;
    };
    bool is_whole = true;
    if (here() == '-')
        ++position_;
    const std::size_t first = position_;
    digits();
    if (text_[first] == '0' && position_ > first + 1)
        refuse("Invalid number, unexpected digit after 0.");
    if (here() == '.') {
        is_whole = false;
        ++position_;
        digits();
    }
    if (here() == 'e' || here() == 'E') {
        is_whole = false;
        ++position_;
        if (here() == '+' || here() == '-')
            ++position_;
        digits();
    }
    if (here() == '.' || starts_name(here()))
        refuse(fmt::format("Invalid number, expected digit but got: \"{}\".", here()));
    return {is_whole ? Token::Type::integer : Token::Type::number,
            std::string(text_.substr(begin, position_ - begin))};
}

unsigned Lexer::hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i, ++position_) {
        const auto digit =
            position_ < text_.size()
                ? std::string_view("0123456789abcdef").find(static_cast<char>(text_[position_] | 0x20))
                : std::string_view::npos;
        if (digit == std::string_view::npos)
            refuse("Invalid Unicode escape sequence.");
        code = code * 16 + static_cast<unsigned>(digit);
    }
    return code;
}

void Lexer::escape(std::string& out) {
    const char c = position_ < text_.size() ? text_[position_++] : '\0';
    static constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    if (const auto found = kNames.find(c); c != '\0' && found != std::string_view::npos) {
        out.push_back(kValues[found]);
        return;
    }
    if (c != 'u')
        refuse(fmt::format("Invalid character escape sequence: \"\\{}\".", c));
    unsigned code = hex4();
    if (code >= 0xD800 && code < 0xDC00 && at("\\u")) { // a pair of surrogates
        position_ += 2;
        const unsigned low = hex4();
        if (low < 0xDC00 || low > 0xDFFF)
            refuse("Invalid Unicode escape sequence.");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, code);
}

Token Lexer::string() {
    std::string out;
    for (++position_; position_ < text_.size() && text_[position_] != '\n';) {
        const char c = text_[position_++];
        if (c == '"')
            return {Token::Type::string, out};
        if (c == '\\')
            escape(out);
        else
            out.push_back(c);
    }
    refuse("Unterminated string.");
}

Token Lexer::block_string() {
    std::string out;
    for (position_ += 3; position_ < text_.size();) {
        if (at("\"\"\"")) {
            position_ += 3;
            return {Token::Type::string, dedent(out)};
        }
        if (at("\\\"\"\"")) {
            out += "\"\"\"";
            position_ += 4;
        } else if (text_[position_] == '\r') {
            ++position_; // lines end in \n here
        } else {
            out.push_back(text_[position_++]);
        }
    }
    refuse("Unterminated string.");
}

} // namespace podsmith::sim::graphql
