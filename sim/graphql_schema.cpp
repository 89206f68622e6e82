#include "sim/graphql_schema.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <stdexcept>

namespace podsmith::sim::graphql {
namespace {

using nlohmann::json;

template <class Item>
void drop(std::vector<Item>& items, const std::vector<std::string>& without) {
    std::erase_if(items, [&without](const Item& item) {
        return std::any_of(item.directives.begin(), item.directives.end(), [&without](const Directive& one) {
            return std::find(without.begin(), without.end(), one.name) != without.end();
        });
    });
}

/// A variable's value against its type; "" or the reason.
std::string misfit(const Schema& schema, const TypeRef& ref, const json& value) {
    if (value.is_null())
        return ref.is_required ? fmt::format("Expected non-nullable type \"{}\" not to be null.", ref.text())
                               : "";
    if (!ref.item.empty()) {
        for (const json& item : value.is_array() ? value : json::array({value}))
            if (const std::string reason = misfit(schema, ref.item.front(), item); !reason.empty())
                return reason;
        return "";
    }
    const std::string shown = value.dump();
    if (ref.name == "Int" && !value.is_number_integer())
        return fmt::format("Int cannot represent non-integer value: {}", shown);
    if (ref.name == "Float" && !value.is_number())
        return fmt::format("Float cannot represent non numeric value: {}", shown);
    if (ref.name == "Boolean" && !value.is_boolean())
        return fmt::format("Boolean cannot represent a non boolean value: {}", shown);
    if (ref.name == "String" && !value.is_string())
        return fmt::format("String cannot represent a non string value: {}", shown);
    if (ref.name == "ID" && !value.is_string() && !value.is_number_integer())
        return fmt::format("ID cannot represent value: {}", shown);
    const Type* type = schema.type(ref.name);
    if (!type || type->kind == "scalar")
        return "";
    if (type->kind == "enum") {
        if (!value.is_string())
            return fmt::format("Enum \"{}\" cannot represent non-string value: {}.", ref.name, shown);
        const bool is_known = std::find(type->words.begin(), type->words.end(), value) != type->words.end();
        return is_known ? "" : fmt::format("Value {} does not exist in \"{}\" enum.", shown, ref.name);
    }
    if (!value.is_object())
        return fmt::format("Expected type \"{}\" to be an object.", ref.name);
    for (const auto& [name, member] : value.items()) {
        const auto known = std::find_if(type->inputs.begin(), type->inputs.end(),
                                        [&n = name](const InputField& field) { return field.name == n; });
        if (known == type->inputs.end())
            return fmt::format("Field \"{}\" is not defined by type \"{}\".", name, ref.name);
        if (const std::string reason = misfit(schema, known->type, member); !reason.empty())
            return reason;
    }
    for (const InputField& field : type->inputs)
        if (field.type.is_required && !value.contains(field.name))
            return fmt::format("Field \"{}\" of required type \"{}\" was not provided.", field.name,
                               field.type.text());
    return "";
}

} // namespace

Schema Schema::parse(std::string_view types, const std::vector<std::string>& without) {
    auto read = parse_types(types);
    if (!read)
        throw std::logic_error("GraphQL schema: " + read.error().message);
    Schema out;
    out.typename_ = {"__typename", {"String", {}, true}, {}, {}};
    for (const char* name : {"String", "Int", "Float", "Boolean", "ID"})
        out.types_[name] = {"scalar", name, {}, {}, {}};
    for (Type& type : *read) {
        drop(type.fields, without);
        drop(type.inputs, without);
        for (Field& field : type.fields)
            drop(field.arguments, without);
        std::string name = type.name;
        out.types_[std::move(name)] = std::move(type);
    }
    return out;
}

const Type* Schema::type(const std::string& name) const {
    const auto found = types_.find(name);
    return found == types_.end() ? nullptr : &found->second;
}

const Field* Schema::field(const Type& type, const std::string& name) const {
    if (name == "__typename")
        return &typename_;
    const auto found = std::find_if(type.fields.begin(), type.fields.end(),
                                    [&name](const Field& field) { return field.name == name; });
    return found == type.fields.end() ? nullptr : &*found;
}

const Type* Schema::root(const std::string& operation_type) const {
    return operation_type == "query"      ? type("Query")
           : operation_type == "mutation" ? type("Mutation")
                                          : nullptr;
}

Result<const Operation*> pick(const Document& document, const std::string& name) {
    if (document.operations.empty())
        return fail(Kind::invalid, "Must provide an operation.");
    if (name.empty() && document.operations.size() > 1)
        return fail(Kind::invalid, "Must provide operation name if query contains multiple operations.");
    for (const Operation& operation : document.operations)
        if (name.empty() || operation.name == name)
            return &operation;
    return fail(Kind::invalid, fmt::format("Unknown operation named \"{}\".", name));
}

Result<json> variable_values(const Schema& schema, const Operation& operation, const json& given) {
    json out = json::object();
    for (const Variable& variable : operation.variables) {
        const bool is_given = given.contains(variable.name);
        if (!is_given && variable.fallback)
            out[variable.name] = to_json(*variable.fallback, json::object());
        else if (is_given)
            out[variable.name] = given[variable.name];
        else if (variable.type.is_required)
            return fail(Kind::invalid,
                        fmt::format("Variable \"${}\" of required type \"{}\" was not provided.",
                                    variable.name, variable.type.text()));
        if (!out.contains(variable.name))
            continue;
        const json& value = out[variable.name];
        if (const std::string reason = misfit(schema, variable.type, value); !reason.empty())
            return fail(Kind::invalid, fmt::format("Variable \"${}\" got invalid value {}; {}", variable.name,
                                                   value.dump(), reason));
    }
    return out;
}

json to_json(const Value& value, const json& variables) {
    json out;
    switch (value.type) {
    case Value::Type::null:
        break;
    case Value::Type::boolean:
        return value.text == "true";
    case Value::Type::integer:
    case Value::Type::number:
        return json::parse(value.text, nullptr, false);
    case Value::Type::string:
    case Value::Type::word:
        return value.text;
    case Value::Type::variable:
        return variables.value(value.text, json());
    case Value::Type::list:
        out = json::array();
        for (const Value& item : value.items)
            out.push_back(to_json(item, variables));
        break;
    case Value::Type::object:
        return to_json(value.members, variables);
    }
    return out;
}

json to_json(const Arguments& arguments, const json& variables) {
    json out = json::object();
    for (const auto& [name, value] : arguments)
        if (value.type != Value::Type::variable || variables.contains(value.text))
            out[name] = to_json(value, variables);
    return out;
}

} // namespace podsmith::sim::graphql
