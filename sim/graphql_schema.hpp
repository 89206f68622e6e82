#pragma once
#include "sim/graphql_parser.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::sim::graphql {

/// Types by name. The scalars String, Int, Float, Boolean and ID are always there; any other scalar takes any
/// value.
class Schema {
public:
    /// From type definitions; what carries a directive of `without` is left out. Throws std::logic_error when
    /// they do not read: they are part of the program.
    static Schema parse(std::string_view types, const std::vector<std::string>& without = {});

    const Type* type(const std::string& name) const;
    /// A field of a type; `__typename` is on each.
    const Field* field(const Type& type, const std::string& name) const;
    /// "Query" or "Mutation"; null when there is none.
    const Type* root(const std::string& operation_type) const;

private:
    std::map<std::string, Type> types_;
    Field typename_;
};

/// What is wrong with a document by the schema, in graphql-js's words; empty: nothing. Only the operation
/// that will run and what it uses is looked at.
std::vector<std::string> violations(const Schema& schema, const Document& document,
                                    const Operation& operation);

/// The operation to run. Kind invalid when there is no such, or several and no name.
Result<const Operation*> pick(const Document& document, const std::string& name);

/// The values of an operation's variables: those given, fallbacks for the others, checked by their types.
/// Kind invalid: a required one is missing, one does not fit.
Result<nlohmann::json> variable_values(const Schema& schema, const Operation& operation,
                                       const nlohmann::json& given);

/// A literal with variables filled in; a word becomes a string. A variable without a value gives null, and is
/// left out of an object.
nlohmann::json to_json(const Value& value, const nlohmann::json& variables);
nlohmann::json to_json(const Arguments& arguments, const nlohmann::json& variables);

/// The types of Runpod's GraphQL that the simulator answers.
std::string runpod_types();

} // namespace podsmith::sim::graphql
