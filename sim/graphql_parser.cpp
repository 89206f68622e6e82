#include "sim/graphql_parser.hpp"

#include "sim/graphql_lexer.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim::graphql {
namespace {

constexpr int kMaxDepth = 64; // of nesting: clients use ten, a hostile query must not use up the stack

class Parser {
public:
    explicit Parser(std::string_view text) : lexer_(text) { advance(); }

    Document document() {
        Document out;
        do {
            if (is_name("fragment"))
                out.fragments.push_back(fragment());
            else
                out.operations.push_back(operation());
        } while (token_.type != Token::Type::end);
        return out;
    }

    std::vector<Type> types() {
        std::vector<Type> out;
        while (token_.type != Token::Type::end)
            out.push_back(type_definition());
        return out;
    }

private:
    /// One level of nesting, for as long as it lives.
    class Level {
    public:
        explicit Level(int& depth) : depth_(depth) {
            if (++depth_ > kMaxDepth)
                throw SyntaxError("Syntax Error: the query is nested too deeply.");
        }
        ~Level() { --depth_; }

    private:
        int& depth_;
    };

    void advance() { token_ = lexer_.next(); }
    bool is(std::string_view mark) const {
        return token_.type == Token::Type::punctuator && token_.text == mark;
    }
    bool is_name(std::string_view word) const {
        return token_.type == Token::Type::name && token_.text == word;
    }
    [[noreturn]] void unexpected() const {
        throw SyntaxError(fmt::format("Syntax Error: Unexpected {}.", token_.shown()));
    }
    [[noreturn]] void expected(const std::string& what) const {
        throw SyntaxError(fmt::format("Syntax Error: Expected {}, found {}.", what, token_.shown()));
    }
    bool accept(std::string_view mark) {
        if (!is(mark))
            return false;
        advance();
        return true;
    }
    void expect(std::string_view mark) {
        if (!accept(mark))
            expected(fmt::format("\"{}\"", mark));
    }
    std::string name() {
        if (token_.type != Token::Type::name)
            expected("Name");
        std::string out = std::move(token_.text);
        advance();
        return out;
    }
    /// The items between two marks, at least one.
    template <class Item>
    auto list(std::string_view open, Item item, std::string_view close) {
        std::vector<decltype(item())> out;
        expect(open);
        do
            out.push_back(item());
        while (!accept(close));
        return out;
    }

    Operation operation() {
        Operation out;
        out.type = "query";
        if (!is("{")) {
            if (!is_name("query") && !is_name("mutation") && !is_name("subscription"))
                unexpected();
            out.type = name();
            if (token_.type == Token::Type::name)
                out.name = name();
            if (is("("))
                out.variables = list(
                    "(", [this] { return variable(); }, ")");
            directives();
        }
        out.selections = selections();
        return out;
    }

    Variable variable() {
        Variable out;
        expect("$");
        out.name = name();
        expect(":");
        out.type = type_ref();
        if (accept("="))
            out.fallback = value();
        directives();
        return out;
    }

    Fragment fragment() {
        advance();
        Fragment out;
        if (is_name("on"))
            unexpected();
        out.name = name();
        if (!is_name("on"))
            expected("\"on\"");
        advance();
        out.condition = name();
        directives();
        out.selections = selections();
        return out;
    }

    std::vector<Selection> selections() {
        const Level level(depth_);
        return list(
            "{", [this] { return selection(); }, "}");
    }

    Selection selection() {
        Selection out;
        if (accept("...")) {
            const bool is_spread = token_.type == Token::Type::name && token_.text != "on";
            out.type = is_spread ? Selection::Type::spread : Selection::Type::inline_fragment;
            if (is_spread)
                out.name = name();
            else if (is_name("on")) {
                advance();
                out.condition = name();
            }
            out.directives = directives();
            if (!is_spread)
                out.selections = selections();
            return out;
        }
        out.key = out.name = name();
        if (accept(":"))
            out.name = name();
        if (is("("))
            out.arguments = arguments();
        out.directives = directives();
        if (is("{"))
            out.selections = selections();
        return out;
    }

    Arguments arguments() {
        return list(
            "(", [this] { return member(); }, ")");
    }

    std::pair<std::string, Value> member() {
        std::string key = name();
        expect(":");
        return {std::move(key), value()};
    }

    std::vector<Directive> directives() {
        std::vector<Directive> out;
        while (accept("@")) {
            Directive one;
            one.name = name();
            if (is("("))
                one.arguments = arguments();
            out.push_back(std::move(one));
        }
        return out;
    }

    Value value() {
        const Level level(depth_);
        if (accept("$"))
            return {Value::Type::variable, name()};
        if (accept("[")) {
            Value out{Value::Type::list, ""};
            while (!accept("]"))
                out.items.push_back(value());
            return out;
        }
        if (accept("{")) {
            Value out{Value::Type::object, ""};
            while (!accept("}"))
                out.members.push_back(member());
            return out;
        }
        Value out;
        out.text = token_.text;
        if (token_.type == Token::Type::string)
            out.type = Value::Type::string;
        else if (token_.type == Token::Type::integer)
            out.type = Value::Type::integer;
        else if (token_.type == Token::Type::number)
            out.type = Value::Type::number;
        else if (is_name("true") || is_name("false"))
            out.type = Value::Type::boolean;
        else if (token_.type == Token::Type::name)
            out.type = token_.text == "null" ? Value::Type::null : Value::Type::word;
        else
            unexpected();
        advance();
        return out;
    }

    TypeRef type_ref() {
        const Level level(depth_);
        TypeRef out;
        if (accept("[")) {
            out.item.push_back(type_ref());
            expect("]");
        } else {
            out.name = name();
        }
        out.is_required = accept("!");
        return out;
    }

    Type type_definition() {
        if (token_.type == Token::Type::string) // a description
            advance();
        Type out;
        out.kind = name();
        out.name = name();
        if (out.kind == "type")
            out.fields = list(
                "{", [this] { return field_definition(); }, "}");
        else if (out.kind == "input")
            out.inputs = list(
                "{", [this] { return input_definition(); }, "}");
        else if (out.kind == "enum")
            out.words = list(
                "{", [this] { return name(); }, "}");
        else if (out.kind != "scalar")
            throw SyntaxError(fmt::format("Syntax Error: Unexpected Name \"{}\".", out.kind));
        return out;
    }

    Field field_definition() {
        Field out;
        out.name = name();
        if (is("("))
            out.arguments = list(
                "(", [this] { return input_definition(); }, ")");
        expect(":");
        out.type = type_ref();
        out.directives = directives();
        return out;
    }

    InputField input_definition() {
        InputField out;
        out.name = name();
        expect(":");
        out.type = type_ref();
        out.directives = directives();
        return out;
    }

    Lexer lexer_;
    Token token_;
    int depth_ = 0;
};

template <class T, class Read>
Result<T> guarded(std::string_view text, Read read) {
    std::string problem;
    try {
        Parser parser(text);
        return read(parser);
    } catch (const SyntaxError& error) {
        problem = error.what();
    }
    return fail(Kind::invalid, problem);
}

} // namespace

std::string TypeRef::text() const {
    return (item.empty() ? name : "[" + item.front().text() + "]") + (is_required ? "!" : "");
}

const Fragment* Document::fragment(const std::string& name) const {
    const auto found = std::find_if(fragments.begin(), fragments.end(),
                                    [&name](const Fragment& f) { return f.name == name; });
    return found == fragments.end() ? nullptr : &*found;
}

Result<Document> parse_document(std::string_view text) {
    return guarded<Document>(text, [](Parser& parser) { return parser.document(); });
}

Result<std::vector<Type>> parse_types(std::string_view text) {
    return guarded<std::vector<Type>>(text, [](Parser& parser) { return parser.types(); });
}

} // namespace podsmith::sim::graphql
