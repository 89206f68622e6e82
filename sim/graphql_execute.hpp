#pragma once
#include "sim/graphql_schema.hpp"
#include "sim/router.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace podsmith::sim::graphql {

/// What a field came to: a value, or what went wrong.
struct Resolved {
    // g++ 12 frees an aggregate's strings twice in some coroutines; a class with a constructor is sound.
    Resolved(nlohmann::json v = nullptr, std::string m = {}, std::string c = {})
        : value(std::move(v)), message(std::move(m)), code(std::move(c)) {}
    nlohmann::json value;
    std::string message; ///< empty: no error
    std::string code;    ///< extensions.code of the error
};

/// One field that is computed: its arguments by name, and the object it is a field of.
struct Call {
    nlohmann::json arguments;
    nlohmann::json parent;
    /// `input`, which nearly all of Runpod's fields take, or an empty object.
    nlohmann::json input() const {
        const auto found = arguments.find("input");
        return found == arguments.end() || !found->is_object() ? nlohmann::json::object() : *found;
    }
};

using Resolver = std::function<asio::awaitable<Resolved>(std::shared_ptr<const Call>)>;

/// Resolvers by "Type.field". A field without one is taken from its object, null when it is not there.
using Resolvers = std::map<std::string, Resolver>;

/// A resolver that need not wait.
Resolver at_once(std::function<Resolved(const Call&)> body);

/// Says whether a field of Query or Mutation may be asked for: no value, go on; otherwise this is its answer.
using Gate = std::function<std::optional<Resolved>(const std::string& field, const Call& call)>;

/// What to run. It has been checked by `violations`.
struct Execution {
    const Schema* schema = nullptr;
    const Resolvers* resolvers = nullptr;
    std::shared_ptr<const Document> document;
    const Operation* operation = nullptr; ///< part of the document
    nlohmann::json variables;
    Gate gate;
};

/// Runs it, fields in the order of the query; gives {"data": ...} and "errors" when there are any. Schema and
/// resolvers must live until it returns.
asio::awaitable<nlohmann::json> execute(std::shared_ptr<const Execution> what);

} // namespace podsmith::sim::graphql
