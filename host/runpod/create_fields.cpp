#include "runpod/create_fields.hpp"

#include "base/text.hpp"
#include "runpod/errors.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr std::array<std::string_view, 4> kLater{"gpu.minRamPerGpu", "gpu.minVcpuCountPerGpu", "cmd",
                                                 "entrypoint"};

bool is_unset(const json& value) {
    return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty());
}

json::json_pointer pointer_to(std::string field) {
    std::replace(field.begin(), field.end(), '.', '/');
    return json::json_pointer("/" + field);
}

/// "$.gpu: additional properties 'a', 'b' not allowed" as {"gpu.a", "gpu.b"}; empty for any other text.
std::vector<std::string> additional_properties(const std::string& violation) {
    const std::size_t colon = violation.find(':');
    if (colon == std::string::npos || !violation.starts_with("$") ||
        violation.find("additional propert", colon) == std::string::npos)
        return {};
    std::string prefix = violation.substr(1, colon - 1); // "" or ".gpu"
    if (!prefix.empty())
        prefix = prefix.substr(1) + ".";
    std::vector<std::string> names;
    const std::vector<std::string> parts = split(violation.substr(colon), '\'');
    for (std::size_t i = 1; i + 1 < parts.size(); i += 2) // what stands between quotes
        names.push_back(prefix + parts[i]);
    return names;
}

} // namespace

void drop_unset(json& body) {
    if (!body.is_object())
        return;
    for (auto field = body.begin(); field != body.end();) {
        if (is_unset(*field)) {
            field = body.erase(field);
            continue;
        }
        if (field.key() != "env")
            drop_unset(*field);
        else if (field->is_object())
            for (auto variable = field->begin(); variable != field->end();)
                variable = variable->is_null() ? field->erase(variable) : std::next(variable);
        ++field;
    }
}

bool are_texts(const json& list) {
    return list.is_array() &&
           std::all_of(list.begin(), list.end(), [](const json& item) { return item.is_string(); });
}

std::string args_text(const json& argv) {
    std::string text;
    for (const json& word : argv)
        text += (text.empty() ? "" : " ") + shell_quote(word.get<std::string>());
    return text;
}

std::vector<std::string> later_fields(const json& spec, const net::HttpResponse& answer) {
    std::vector<std::string> fields;
    for (const std::string& violation : violations(answer)) {
        const std::vector<std::string> names = additional_properties(violation);
        if (names.empty())
            return {};
        for (const std::string& name : names) {
            if (std::find(kLater.begin(), kLater.end(), name) == kLater.end() ||
                !spec.contains(pointer_to(name)))
                return {};
            fields.push_back(name);
        }
    }
    return fields;
}

Result<void> drop_later_fields(json& spec, const std::vector<std::string>& fields, const std::string& what) {
    const auto drops = [&](const char* field) {
        return std::find(fields.begin(), fields.end(), field) != fields.end();
    };
    // `args` replaces an image's CMD and never its ENTRYPOINT, which only the image's maker knows.
    if (drops("entrypoint"))
        return fail(Kind::invalid, what + ": this service takes no entrypoint for a pod",
                    "leave entrypoint out and say in cmd what the image's own entrypoint is to run");
    if (drops("cmd")) {
        const json cmd = spec.at("cmd");
        if (!are_texts(cmd))
            return fail(Kind::invalid, what + ": cmd is not a list of texts");
        if (spec.contains("args"))
            return fail(Kind::invalid, what + ": this service takes args or cmd, not both",
                        "leave args out: cmd says what runs");
        spec["args"] = args_text(cmd);
    }
    for (const std::string& field : fields) {
        const json::json_pointer place = pointer_to(field);
        spec.at(place.parent_pointer()).erase(place.back());
    }
    return {};
}

} // namespace podsmith::runpod
