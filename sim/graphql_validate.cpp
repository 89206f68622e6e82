#include "sim/graphql_schema.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <set>

namespace podsmith::sim::graphql {
namespace {

/// A literal as a message shows it.
std::string shown(const Value& value) {
    if (value.type == Value::Type::string)
        return nlohmann::json(value.text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (value.type == Value::Type::variable)
        return "$" + value.text;
    std::string out;
    for (const Value& item : value.items)
        out += (out.empty() ? "" : ", ") + shown(item);
    for (const auto& [name, member] : value.members)
        out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", name, shown(member));
    if (value.type == Value::Type::list)
        return "[" + out + "]";
    if (value.type == Value::Type::object)
        return "{" + out + "}";
    return value.type == Value::Type::null ? "null" : value.text;
}

class Validator {
public:
    Validator(const Schema& schema, const Document& document, const Operation& operation)
        : schema_(schema), document_(document), operation_(operation) {}

    std::vector<std::string> run() {
        const Type* root = schema_.root(operation_.type);
        if (!root) {
            add("Schema is not configured to execute {} operation.", operation_.type);
            return errors_;
        }
        for (const Variable& variable : operation_.variables) {
            const Type* type = schema_.type(variable.type.base());
            if (!type)
                add("Unknown type \"{}\".", variable.type.base());
            else if (type->kind == "type")
                add("Variable \"${}\" cannot be non-input type \"{}\".", variable.name, variable.type.text());
            declared_.insert(variable.name);
        }
        check_selections(*root, operation_.selections);
        for (const Variable& variable : operation_.variables)
            if (!used_.contains(variable.name))
                add("Variable \"${}\" is never used{}.", variable.name,
                    operation_.name.empty() ? "" : fmt::format(" in operation \"{}\"", operation_.name));
        return errors_;
    }

private:
    template <class... Parts>
    void add(fmt::format_string<Parts...> form, Parts&&... parts) {
        errors_.push_back(fmt::format(form, std::forward<Parts>(parts)...));
    }

    void check_selections(const Type& type, const std::vector<Selection>& selections) {
        for (const Selection& one : selections) {
            check_directives(one.directives);
            if (one.type == Selection::Type::field)
                check_field(type, one);
            else if (one.type == Selection::Type::spread)
                check_spread(type, one);
            else
                check_fragment(type, one.condition, one.selections);
        }
    }

    void check_fragment(const Type& type, const std::string& condition, const std::vector<Selection>& inner) {
        if (!condition.empty() && !schema_.type(condition))
            add("Unknown type \"{}\".", condition);
        else if (!condition.empty() && condition != type.name)
            add("Fragment cannot be spread here as objects of type \"{}\" can never be of type \"{}\".",
                type.name, condition);
        else
            check_selections(type, inner);
    }

    void check_spread(const Type& type, const Selection& one) {
        const Fragment* fragment = document_.fragment(one.name);
        if (!fragment) {
            add("Unknown fragment \"{}\".", one.name);
        } else if (!open_.insert(one.name).second) {
            add("Cannot spread fragment \"{}\" within itself.", one.name);
        } else {
            check_fragment(type, fragment->condition, fragment->selections);
            open_.erase(one.name);
        }
    }

    void check_field(const Type& type, const Selection& one) {
        const Field* field = schema_.field(type, one.name);
        if (!field) {
            add("Cannot query field \"{}\" on type \"{}\".", one.name, type.name);
            return;
        }
        check_arguments(fmt::format("{}.{}", type.name, one.name), one.name, field->arguments, one.arguments);
        const Type* result = schema_.type(field->type.base());
        const bool has_fields = result && result->kind == "type";
        if (has_fields && one.selections.empty())
            add("Field \"{}\" of type \"{}\" must have a selection of subfields. Did you mean \"{} {{ ... "
                "}}\"?",
                one.name, field->type.text(), one.name);
        else if (!has_fields && !one.selections.empty())
            add("Field \"{}\" must not have a selection since type \"{}\" has no subfields.", one.name,
                field->type.text());
        else if (has_fields)
            check_selections(*result, one.selections);
    }

    void check_directives(const std::vector<Directive>& directives) {
        static const std::vector<InputField> condition{{"if", {"Boolean", {}, true}, {}}};
        for (const Directive& one : directives) {
            if (one.name != "skip" && one.name != "include")
                add("Unknown directive \"@{}\".", one.name);
            else
                check_arguments("@" + one.name, "@" + one.name, condition, one.arguments);
        }
    }

    void check_arguments(const std::string& where, const std::string& name,
                         const std::vector<InputField>& known, const Arguments& given) {
        for (const auto& [key, value] : given) {
            const auto field = find(known, key);
            if (field == known.end())
                add("Unknown argument \"{}\" on field \"{}\".", key, where);
            else
                check_value(field->type, value);
        }
        for (const InputField& field : known)
            if (field.type.is_required && !has(given, field.name))
                add("Field \"{}\" argument \"{}\" of type \"{}\" is required, but it was not provided.", name,
                    field.name, field.type.text());
    }

    void check_value(const TypeRef& ref, const Value& value) {
        if (value.type == Value::Type::variable) {
            used_.insert(value.text);
            if (!declared_.contains(value.text))
                add("Variable \"${}\" is not defined{}.", value.text,
                    operation_.name.empty() ? "" : fmt::format(" by operation \"{}\"", operation_.name));
            else
                check_variable_type(ref, value.text);
        } else if (value.type == Value::Type::null) {
            if (ref.is_required)
                add("Expected value of type \"{}\", found null.", ref.text());
        } else if (!ref.item.empty()) {
            if (value.type != Value::Type::list)
                check_value(ref.item.front(), value); // a single value stands for a list of one
            for (const Value& item : value.items)
                check_value(ref.item.front(), item);
        } else if (const Type* type = schema_.type(ref.name); type && type->kind == "input") {
            check_object(*type, value);
        } else if (type && type->kind == "enum") {
            check_word(*type, value);
        } else {
            check_scalar(ref.name, value);
        }
    }

    void check_variable_type(const TypeRef& wanted, const std::string& name) {
        for (const Variable& variable : operation_.variables) {
            if (variable.name != name)
                continue;
            const bool may_be_null = !variable.type.is_required && !variable.fallback;
            const bool is_list = !variable.type.item.empty();
            if (variable.type.base() != wanted.base() || (wanted.is_required && may_be_null) ||
                is_list != !wanted.item.empty())
                add("Variable \"${}\" of type \"{}\" used in position expecting type \"{}\".", name,
                    variable.type.text(), wanted.text());
        }
    }

    void check_object(const Type& type, const Value& value) {
        if (value.type != Value::Type::object) {
            add("Expected value of type \"{}\", found {}.", type.name, shown(value));
            return;
        }
        for (const auto& [key, member] : value.members) {
            const auto field = find(type.inputs, key);
            if (field == type.inputs.end())
                add("Field \"{}\" is not defined by type \"{}\".", key, type.name);
            else
                check_value(field->type, member);
        }
        for (const InputField& field : type.inputs)
            if (field.type.is_required && !has(value.members, field.name))
                add("Field \"{}.{}\" of required type \"{}\" was not provided.", type.name, field.name,
                    field.type.text());
    }

    void check_word(const Type& type, const Value& value) {
        if (value.type != Value::Type::word)
            add("Enum \"{}\" cannot represent non-enum value: {}.", type.name, shown(value));
        else if (std::find(type.words.begin(), type.words.end(), value.text) == type.words.end())
            add("Value \"{}\" does not exist in \"{}\" enum.", value.text, type.name);
    }

    void check_scalar(const std::string& name, const Value& value) {
        using Kind = Value::Type;
        if (name == "Int" && value.type != Kind::integer)
            add("Int cannot represent non-integer value: {}", shown(value));
        else if (name == "Float" && value.type != Kind::integer && value.type != Kind::number)
            add("Float cannot represent non numeric value: {}", shown(value));
        else if (name == "Boolean" && value.type != Kind::boolean)
            add("Boolean cannot represent a non boolean value: {}", shown(value));
        else if (name == "String" && value.type != Kind::string)
            add("String cannot represent a non string value: {}", shown(value));
        else if (name == "ID" && value.type != Kind::string && value.type != Kind::integer)
            add("ID cannot represent a non-string and non-integer value: {}", shown(value));
    }

    static std::vector<InputField>::const_iterator find(const std::vector<InputField>& known,
                                                        const std::string& name) {
        return std::find_if(known.begin(), known.end(),
                            [&name](const InputField& field) { return field.name == name; });
    }
    static bool has(const Arguments& given, const std::string& name) {
        return std::any_of(given.begin(), given.end(),
                           [&name](const auto& one) { return one.first == name; });
    }

    const Schema& schema_;
    const Document& document_;
    const Operation& operation_;
    std::set<std::string> declared_, used_, open_;
    std::vector<std::string> errors_;
};

} // namespace

std::vector<std::string> violations(const Schema& schema, const Document& document,
                                    const Operation& operation) {
    Validator validator(schema, document, operation);
    return validator.run();
}

} // namespace podsmith::sim::graphql
