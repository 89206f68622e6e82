#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace podsmith::sim::graphql {

/// Thrown inside the parser only; parse_document and parse_types turn it into an Error.
struct SyntaxError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Token {
    enum class Type { end, punctuator, name, integer, number, string };
    Type type = Type::end;
    std::string text; ///< a string is decoded
    /// As a message names it: `Name "x"`, `"{"`, `<EOF>`.
    std::string shown() const;
};

/// Cuts a text into tokens. Blanks, commas, comments and a byte order mark are skipped.
class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}
    /// The next token; throws SyntaxError.
    Token next();

private:
    void skip();
    bool at(std::string_view what) const { return text_.substr(position_).starts_with(what); }
    Token number();
    Token string();
    Token block_string();
    void escape(std::string& out);
    unsigned hex4();

    std::string_view text_;
    std::size_t position_ = 0;
};

} // namespace podsmith::sim::graphql
