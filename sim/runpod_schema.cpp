#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <regex>
#include <set>

namespace podsmith::sim {
namespace {

using nlohmann::json;

std::string type_of(const json& value) {
    if (value.is_null())
        return "null";
    if (value.is_boolean())
        return "boolean";
    if (value.is_string())
        return "string";
    if (value.is_array())
        return "array";
    return value.is_object() ? "object" : "number";
}

bool has_type(const json& value, const std::string& type) {
    if (type == "integer")
        return value.is_number_integer() ||
               (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
    return type_of(value) == type;
}

std::string quoted_list(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names)
        out += (out.empty() ? "'" : ", '") + name + "'";
    return out;
}

class Validator {
public:
    void check(const json& schema, const json& value, const std::string& path) {
        if (schema.contains("type") && !check_type(schema["type"], value, path))
            return;
        if (schema.contains("enum"))
            check_enum(schema["enum"], value, path);
        if (value.is_string())
            check_string(schema, value.get<std::string>(), path);
        if (value.is_number() && schema.contains("minimum") && value < schema["minimum"])
            add(path, fmt::format("minimum: got {}, want {}", value.dump(), schema["minimum"].dump()));
        if (value.is_number() && schema.contains("maximum") && value > schema["maximum"])
            add(path, fmt::format("maximum: got {}, want {}", value.dump(), schema["maximum"].dump()));
        if (value.is_array())
            check_array(schema, value, path);
        if (value.is_object())
            check_object(schema, value, path);
    }

    std::vector<std::string> take() {
        missing_.insert(missing_.end(), others_.begin(), others_.end());
        return std::move(missing_);
    }

private:
    void add(const std::string& path, const std::string& reason) { others_.push_back(path + ": " + reason); }

    bool check_type(const json& type, const json& value, const std::string& path) {
        std::string wanted;
        for (const json& one : type.is_array() ? type : json::array({type})) {
            if (has_type(value, one.get<std::string>()))
                return true;
            wanted += fmt::format("{}{}", wanted.empty() ? "" : " or ", one.get<std::string>());
        }
        add(path, fmt::format("got {}, want {}", type_of(value), wanted));
        return false;
    }

    void check_enum(const json& allowed, const json& value, const std::string& path) {
        if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
            add(path, "value must be one of " + quoted_list(allowed.get<std::vector<std::string>>()));
    }

    void check_string(const json& schema, const std::string& text, const std::string& path) {
        if (schema.contains("minLength") && text.size() < schema["minLength"].get<std::size_t>())
            add(path, fmt::format("minLength: got {}, want {}", text.size(), schema["minLength"].dump()));
        if (schema.contains("maxLength") && text.size() > schema["maxLength"].get<std::size_t>())
            add(path, fmt::format("maxLength: got {}, want {}", text.size(), schema["maxLength"].dump()));
        if (!schema.contains("pattern"))
            return;
        const auto pattern = schema["pattern"].get<std::string>();
        if (!std::regex_search(text, std::regex(pattern)))
            add(path, fmt::format("'{}' does not match pattern '{}'", text, pattern));
    }

    void check_array(const json& schema, const json& value, const std::string& path) {
        if (schema.contains("maxItems") && value.size() > schema["maxItems"].get<std::size_t>())
            add(path, fmt::format("maxItems: got {}, want {}", value.size(), schema["maxItems"].dump()));
        for (std::size_t i = 0; schema.contains("items") && i < value.size(); ++i)
            check(schema["items"], value[i], fmt::format("{}[{}]", path, i));
    }

    void check_object(const json& schema, const json& value, const std::string& path) {
        std::vector<std::string> absent;
        for (const json& name : schema.value("required", json::array()))
            if (!value.contains(name.get<std::string>()))
                absent.push_back(name.get<std::string>());
        if (!absent.empty())
            missing_.push_back(fmt::format("{}: missing {} {}", path,
                                           absent.size() > 1 ? "properties" : "property",
                                           quoted_list(absent)));
        if (schema.contains("minProperties") && value.size() < schema["minProperties"].get<std::size_t>())
            add(path,
                fmt::format("minProperties: got {}, want {}", value.size(), schema["minProperties"].dump()));
        const json properties = schema.value("properties", json::object());
        const json rest = schema.value("additionalProperties", json(true));
        std::vector<std::string> unknown;
        for (const auto& [name, member] : value.items()) {
            if (properties.contains(name))
                check(properties[name], member, path + "." + name);
            else if (rest.is_object())
                check(rest, member, path + "." + name);
            else if (rest == false)
                unknown.push_back(name);
        }
        if (!unknown.empty())
            add(path, fmt::format("additional properties {} not allowed", quoted_list(unknown)));
    }

    std::vector<std::string> missing_, others_;
};

} // namespace

std::vector<std::string> violations(const json& schema, const json& value) {
    Validator validator;
    validator.check(schema, value, "$");
    return validator.take();
}

std::vector<std::string> create_violations(const json& body, bool later) {
    const json& schema = create_pod_schema(later);
    std::vector<std::string> errors = violations(schema, body);
    if (body.is_object() && !body.contains("templateId") && !body.contains("image"))
        errors.insert(errors.begin(), "$: missing property 'image'");
    if (!body.is_object() || body.contains("name"))
        return errors;
    // The container's fields and the pod's own are two sub-schemas; when the second fails, its fields count
    // as unknown.
    static const std::set<std::string> container{"args", "disk",  "env",      "image",
                                                 "cmd",  "ports", "registry", "entrypoint"};
    const json& properties = schema["properties"];
    std::vector<std::string> own;
    for (const auto& [name, value] : body.items())
        if (properties.contains(name) && !container.contains(name))
            own.push_back(name);
    if (!own.empty())
        errors.push_back(fmt::format("$: additional properties {} not allowed", quoted_list(own)));
    return errors;
}

} // namespace podsmith::sim
