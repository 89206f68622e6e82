#include "config/place.hpp"
#include "config/scalar.hpp"
#include "config/yaml.hpp"

#include <fmt/core.h>
#include <yaml-cpp/yaml.h>

namespace podsmith::config {
namespace {

using nlohmann::ordered_json;

constexpr int kDeepest = 200;
constexpr std::size_t kMostNodes = 1'000'000; // aliases of aliases grow without bound

constexpr std::string_view kStringTag = "tag:yaml.org,2002:str";

Place place_of(const YAML::Mark& mark) {
    if (mark.is_null())
        return {};
    return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

class Converter {
public:
    explicit Converter(std::string_view file) : file_(file) {}

    Result<ordered_json> convert(const YAML::Node& node, int depth) {
        if (depth > kDeepest || ++nodes_ > kMostNodes)
            return error(node, "nested too deep, or aliases that never end");
        switch (node.Type()) {
        case YAML::NodeType::Scalar:
            return scalar(node);
        case YAML::NodeType::Sequence:
            return sequence(node, depth);
        case YAML::NodeType::Map:
            return mapping(node, depth);
        default:
            return ordered_json(nullptr);
        }
    }

private:
    tl::unexpected<Error> error(const YAML::Node& node, std::string_view what, std::string hint = {}) const {
        return error_at(file_, place_of(node.Mark()), what, std::move(hint));
    }

    Result<ordered_json> scalar(const YAML::Node& node) {
        const std::string& text = node.Scalar();
        if (node.Tag() == "!" || node.Tag() == kStringTag) // quoted, literal, or said to be text
            return ordered_json(text);
        if (node.Tag() != "?" && !node.Tag().empty() && !node.Tag().starts_with("tag:yaml.org,2002:"))
            return error(node, fmt::format("unknown tag {}", node.Tag()), "leave the tag away");
        std::optional<ordered_json> value = scalar_value(text);
        if (!value)
            return error(node, fmt::format("{} does not fit 64 bits", text), "quote it to keep it as text");
        return std::move(*value);
    }

    Result<ordered_json> sequence(const YAML::Node& node, int depth) {
        ordered_json list = ordered_json::array();
        for (const YAML::Node& item : node) {
            Result<ordered_json> value = convert(item, depth + 1);
            if (!value)
                return value;
            list.push_back(std::move(*value));
        }
        return list;
    }

    Result<ordered_json> mapping(const YAML::Node& node, int depth) {
        ordered_json object = ordered_json::object();
        ordered_json merged = ordered_json::object();
        for (const auto& pair : node) {
            const YAML::Node& key = pair.first;
            if (!key.IsScalar() && !key.IsNull())
                return error(key, "a key must be a word", "lists and maps cannot be keys here");
            const std::string name = key.IsNull() ? "null" : key.Scalar();
            Result<ordered_json> value = convert(pair.second, depth + 1);
            if (!value)
                return value;
            if (key.Tag() == "?" && name == "<<") {
                if (Result<void> done = merge(pair.second, *value, merged); !done)
                    return fail(done.error());
            } else if (object.contains(name)) {
                return error(key, fmt::format("key {} comes twice", name), "keep one of the two");
            } else {
                object[name] = std::move(*value);
            }
        }
        // Merged keys come first, as PyYAML orders them; the map's own values win.
        for (const auto& [name, value] : object.items())
            merged[name] = value;
        return merged;
    }

    // `<<: *base` or `<<: [*a, *b]`, where the earlier wins.
    Result<void> merge(const YAML::Node& node, const ordered_json& value, ordered_json& into) {
        if (value.is_array()) {
            for (const ordered_json& item : value)
                if (Result<void> done = merge(node, item, into); !done)
                    return done;
            return {};
        }
        if (!value.is_object())
            return error(node, "<< takes a map or a list of maps");
        for (const auto& [name, item] : value.items())
            if (!into.contains(name))
                into[name] = item;
        return {};
    }

    std::string_view file_;
    std::size_t nodes_ = 0;
};

} // namespace

Result<ordered_json> parse_yaml(std::string_view text, std::string_view file) {
    try {
        const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
        if (documents.empty())
            return ordered_json(nullptr);
        if (documents.size() > 1)
            return error_at(file, place_of(documents[1].Mark()), "a second document starts here",
                            "keep one document in a file");
        return Converter(file).convert(documents.front(), 0);
    } catch (const YAML::Exception& error) {
        return error_at(file, place_of(error.mark), error.msg);
    }
}

} // namespace podsmith::config
