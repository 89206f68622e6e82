#pragma once
#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// GraphQL as far as clients of Runpod write it: the whole of the executable language, and the part of the
/// type language that sim/graphql_schema needs. Our own instead of libgraphqlparser: that library reads no
/// block strings and its last release is of 2017; this is a page more than its bindings would be.
namespace podsmith::sim::graphql {

/// A literal or a variable.
struct Value {
    enum class Type { null, boolean, integer, number, string, word, variable, list, object };
    Type type = Type::null;
    std::string text; ///< the number as written, the string decoded, the word, the variable's name
    std::vector<Value> items = {};
    std::vector<std::pair<std::string, Value>> members = {};
};

/// `String`, `String!`, `[String!]!`.
struct TypeRef {
    std::string name;            ///< empty: a list
    std::vector<TypeRef> item{}; ///< of a list: its one item type
    bool is_required = false;    ///< "!"
    std::string text() const;    ///< as written
    const std::string& base() const { return item.empty() ? name : item.front().base(); }
};

using Arguments = std::vector<std::pair<std::string, Value>>;

struct Directive {
    std::string name;
    Arguments arguments;
};

struct Selection {
    enum class Type { field, spread, inline_fragment };
    Type type = Type::field;
    std::string key;       ///< of a field: its alias, or its name
    std::string name;      ///< of the field or fragment
    std::string condition; ///< type condition of an inline fragment, or ""
    Arguments arguments;
    std::vector<Directive> directives;
    std::vector<Selection> selections;
};

struct Fragment {
    std::string name, condition;
    std::vector<Selection> selections;
};

struct Variable {
    std::string name;
    TypeRef type;
    std::optional<Value> fallback;
};

struct Operation {
    std::string type; ///< "query", "mutation" or "subscription"
    std::string name;
    std::vector<Variable> variables;
    std::vector<Selection> selections;
};

struct Document {
    std::vector<Operation> operations;
    std::vector<Fragment> fragments;
    const Fragment* fragment(const std::string& name) const;
};

/// Reads a query. Kind invalid with the text "Syntax Error: ...", as graphql-js words it.
Result<Document> parse_document(std::string_view text);

/// An argument of a field, or a field of an input type.
struct InputField {
    std::string name;
    TypeRef type;
    std::vector<Directive> directives;
};

struct Field {
    std::string name;
    TypeRef type;
    std::vector<InputField> arguments;
    std::vector<Directive> directives;
};

struct Type {
    std::string kind; ///< "type", "input", "enum" or "scalar"
    std::string name;
    std::vector<Field> fields;      ///< of a type
    std::vector<InputField> inputs; ///< of an input
    std::vector<std::string> words; ///< of an enum
};

/// Reads type definitions. Kind invalid, as above.
Result<std::vector<Type>> parse_types(std::string_view text);

} // namespace podsmith::sim::graphql
