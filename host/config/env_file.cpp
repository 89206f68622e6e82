#include "config/env_file.hpp"

#include "base/text.hpp"
#include "config/place.hpp"

#include <cctype>
#include <fmt/core.h>

namespace podsmith::config {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}
bool is_key_start(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
bool is_key_char(char c) {
    return is_key_start(c) || std::isdigit(static_cast<unsigned char>(c)) || c == '.' || c == '-';
}

class EnvParser {
public:
    EnvParser(std::string_view text, std::string_view file) : text_(text), file_(file) {
        if (text_.starts_with(kBom))
            at_ = kBom.size();
    }

    Result<EnvPairs> parse() {
        EnvPairs pairs;
        for (;;) {
            skip_to_entry();
            if (is_end())
                return pairs;
            Result<std::string> key = read_key();
            if (!key)
                return fail(key.error());
            Result<std::string> value = read_value(*key);
            if (!value)
                return fail(value.error());
            pairs.emplace_back(std::move(*key), std::move(*value));
        }
    }

private:
    bool is_end() const { return at_ >= text_.size(); }
    char peek() const { return is_end() ? '\0' : text_[at_]; }

    void skip_blanks() {
        while (!is_end() && is_blank(text_[at_]))
            ++at_;
    }

    void skip_line() {
        while (!is_end() && text_[at_] != '\n')
            ++at_;
    }

    void skip_to_entry() {
        for (;;) {
            skip_blanks();
            if (peek() == '#')
                skip_line();
            if (is_end() || text_[at_] != '\n')
                return;
            ++at_;
        }
    }

    tl::unexpected<Error> error(std::size_t offset, std::string_view what, std::string hint) const {
        return error_at(file_, place_of(text_, offset), what, std::move(hint));
    }

    std::string word() {
        const std::size_t start = at_;
        while (!is_end() && is_key_char(text_[at_]))
            ++at_;
        return std::string(text_.substr(start, at_ - start));
    }

    Result<std::string> read_key() {
        std::size_t start = at_;
        std::string key = word();
        skip_blanks();
        if (key == "export" && peek() != '=') {
            start = at_;
            key = word();
            skip_blanks();
        }
        if (key.empty() || !is_key_start(key[0]))
            return error(start, "a line must be KEY=VALUE",
                         "start it with the name of a variable, or # for a comment");
        if (peek() != '=') // the name is not shown: it may be a token that stands alone
            return error(start, "no = after the name", "write KEY=VALUE; quote a value that spans lines");
        ++at_;
        skip_blanks();
        return key;
    }

    Result<std::string> read_value(const std::string& key) {
        const char quote = peek();
        if (quote != '"' && quote != '\'')
            return bare_value();
        const std::size_t start = at_++;
        std::string value;
        while (!is_end() && text_[at_] != quote)
            value += quote == '"' ? double_quoted_char() : text_[at_++];
        if (is_end())
            return error(start, fmt::format("the quote of {} is never closed", key),
                         "close it, or leave both away");
        ++at_;
        skip_blanks();
        if (!is_end() && text_[at_] != '\n' && text_[at_] != '#')
            return error(at_, fmt::format("text after the closing quote of {}", key),
                         quote == '"' ? "write \\\" for a quote inside"
                                      : "use double quotes round single ones");
        skip_line();
        return value;
    }

    char double_quoted_char() {
        const char c = text_[at_++];
        if (c != '\\' || is_end())
            return c;
        switch (const char next = text_[at_]; next) {
        case 'n':
            return ++at_, '\n';
        case 'r':
            return ++at_, '\r';
        case 't':
            return ++at_, '\t';
        case '\\':
        case '"':
        case '$':
            return ++at_, next;
        default:
            return c; // an unknown escape stays as it was written
        }
    }

    std::string bare_value() {
        const std::size_t start = at_;
        while (!is_end() && text_[at_] != '\n' && !(text_[at_] == '#' && is_blank(text_[at_ - 1])))
            ++at_;
        std::string value = trim(text_.substr(start, at_ - start));
        skip_line();
        return value;
    }

    std::string_view text_;
    std::string_view file_;
    std::size_t at_ = 0;
};

} // namespace

Result<EnvPairs> parse_env(std::string_view text, std::string_view file) {
    return EnvParser(text, file).parse();
}

} // namespace podsmith::config
