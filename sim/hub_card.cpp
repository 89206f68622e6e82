#include "sim/hub_card.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <string_view>
#include <vector>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 78> kLicenses{"afl-3.0",
                                                     "agpl-3.0",
                                                     "apache-2.0",
                                                     "apple-amlr",
                                                     "apple-ascl",
                                                     "artistic-2.0",
                                                     "bigcode-openrail-m",
                                                     "bigscience-bloom-rail-1.0",
                                                     "bigscience-openrail-m",
                                                     "bsd",
                                                     "bsd-2-clause",
                                                     "bsd-3-clause",
                                                     "bsd-3-clause-clear",
                                                     "bsl-1.0",
                                                     "c-uda",
                                                     "cc",
                                                     "cc-by-2.0",
                                                     "cc-by-2.5",
                                                     "cc-by-3.0",
                                                     "cc-by-4.0",
                                                     "cc-by-nc-2.0",
                                                     "cc-by-nc-3.0",
                                                     "cc-by-nc-4.0",
                                                     "cc-by-nc-nd-3.0",
                                                     "cc-by-nc-nd-4.0",
                                                     "cc-by-nc-sa-2.0",
                                                     "cc-by-nc-sa-3.0",
                                                     "cc-by-nc-sa-4.0",
                                                     "cc-by-nd-4.0",
                                                     "cc-by-sa-3.0",
                                                     "cc-by-sa-4.0",
                                                     "cc0-1.0",
                                                     "cdla-permissive-1.0",
                                                     "cdla-permissive-2.0",
                                                     "cdla-sharing-1.0",
                                                     "creativeml-openrail-m",
                                                     "deepfloyd-if-license",
                                                     "ecl-2.0",
                                                     "epl-1.0",
                                                     "epl-2.0",
                                                     "etalab-2.0",
                                                     "eupl-1.1",
                                                     "eupl-1.2",
                                                     "fair-noncommercial-research-license",
                                                     "gemma",
                                                     "gfdl",
                                                     "gpl",
                                                     "gpl-2.0",
                                                     "gpl-3.0",
                                                     "h-research",
                                                     "intel-research",
                                                     "isc",
                                                     "lgpl",
                                                     "lgpl-2.1",
                                                     "lgpl-3.0",
                                                     "lgpl-lr",
                                                     "llama2",
                                                     "llama3",
                                                     "llama3.1",
                                                     "llama3.2",
                                                     "llama3.3",
                                                     "llama4",
                                                     "lppl-1.3c",
                                                     "mit",
                                                     "mpl-2.0",
                                                     "ms-pl",
                                                     "ncsa",
                                                     "odbl",
                                                     "odc-by",
                                                     "ofl-1.1",
                                                     "openrail",
                                                     "openrail++",
                                                     "osl-3.0",
                                                     "other",
                                                     "pddl",
                                                     "postgresql",
                                                     "unknown",
                                                     "unlicense"};
constexpr std::array<std::string_view, 4> kMoreLicenses{"wtfpl", "zlib", "open-mdw", "openmdw-1.0"};

bool is_license(const std::string& name) {
    return std::find(kLicenses.begin(), kLicenses.end(), name) != kLicenses.end() ||
           std::find(kMoreLicenses.begin(), kMoreLicenses.end(), name) != kMoreLicenses.end();
}

struct Head {
    std::vector<std::string> lines; ///< between the two ---
    bool is_closed = false;
};

Head head_of(const std::string& text) {
    Head head;
    const auto lines = split(text, '\n');
    for (std::size_t i = 1; i < lines.size() && !head.is_closed; ++i) {
        head.is_closed = trim(lines[i]) == "---";
        if (!head.is_closed)
            head.lines.push_back(lines[i]);
    }
    return head;
}

bool has_head(const std::string& text) {
    return text == "---" || text.starts_with("---\n") || text.starts_with("---\r\n");
}

/// A scalar without its quotes and comment.
std::string plain(std::string text) {
    text = trim(text);
    if (text.size() >= 2 && (text[0] == '"' || text[0] == '\'') && text.back() == text[0])
        return text.substr(1, text.size() - 2);
    return trim(text.substr(0, text.find(" #")));
}

json scalar(const std::string& text) {
    const std::string bare = plain(text);
    if (bare == "true" || bare == "false")
        return bare == "true";
    const json number = json::parse(bare, nullptr, false);
    return number.is_number() ? number : json(bare);
}

json inline_list(const std::string& text) {
    json list = json::array();
    for (const std::string& each : split(text.substr(1, text.size() - 2), ','))
        if (!trim(each).empty())
            list.push_back(scalar(each));
    return list;
}

std::string shape_problem(const Head& head) {
    bool has_key = false; // lines of a list or of a text go on until a key at the margin
    for (std::size_t i = 0; i < head.lines.size(); ++i) {
        const std::string& line = head.lines[i];
        if (trim(line).empty() || trim(line)[0] == '#')
            continue;
        if (line.find('\t') < line.find_first_not_of(" \t"))
            return fmt::format("tab in the indentation of line {}", i + 2);
        const bool at_margin = std::string_view(" -]}").find(line[0]) == std::string_view::npos;
        if (at_margin && line.find(':') == std::string::npos)
            return fmt::format("line {} is no key: {}", i + 2, trim(line));
        if (!at_margin && !has_key)
            return fmt::format("bad indentation of line {}", i + 2);
        const std::string value = at_margin ? trim(line.substr(line.find(':') + 1)) : "";
        if (!value.empty() && (value[0] == '"' || value[0] == '\'') &&
            std::count(value.begin(), value.end(), value[0]) == 1)
            return fmt::format("the quote of line {} is not closed", i + 2);
        has_key = true;
    }
    return "";
}

bool is_repo_id(const std::string& text) {
    return !text.empty() && std::count(text.begin(), text.end(), '/') <= 1 &&
           text.find_first_of(" \t:?#") == std::string::npos && text.front() != '/' && text.back() != '/';
}

std::string value_problem(const json& data, const Head& head) {
    for (const char* name : {"license", "base_model"}) {
        const json value = data.value(name, json());
        for (const json& one : value.is_array() ? value : json::array({value})) {
            if (one.is_null())
                continue;
            const std::string text = one.is_string() ? one.get<std::string>() : one.dump();
            if (name == std::string("license") && !is_license(text))
                return fmt::format("\"license\" must be one of the known licenses, not {}", text);
            if (name == std::string("base_model") && !is_repo_id(text))
                return fmt::format("\"base_model\" with value \"{}\" is not valid. Use a model id from "
                                   "https://hf.co/models.",
                                   text);
        }
    }
    for (const std::string& line : head.lines)
        if (line.starts_with("model-index:") && !plain(line.substr(12)).empty() &&
            plain(line.substr(12)) != "[]")
            return "\"model-index\" must be an array";
    return "";
}

} // namespace

json card_data(const std::string& text) {
    if (!has_head(text))
        return nullptr;
    json data = json::object();
    std::string key;
    for (const std::string& raw : head_of(text).lines) {
        const std::string line = trim(raw);
        if (line.empty() || line[0] == '#')
            continue;
        const auto colon = raw.find(':');
        if (raw[0] != ' ' && raw[0] != '-' && colon != std::string::npos) {
            key = raw.substr(0, colon);
            const std::string value = plain(raw.substr(colon + 1));
            if (value.starts_with('[') && value.ends_with(']'))
                data[key] = inline_list(value);
            else if (!value.empty())
                data[key] = scalar(raw.substr(colon + 1));
        } else if (line.starts_with("- ") && line.find(": ") == std::string::npos && !key.empty() &&
                   (!data.contains(key) || data[key].is_array())) {
            data[key].push_back(scalar(line.substr(2)));
        }
    }
    return data;
}

std::string card_problem(const std::string& text) {
    if (!has_head(text))
        return "";
    const Head head = head_of(text);
    std::string problem = head.is_closed ? shape_problem(head) : "the YAML head has no closing ---";
    if (problem.empty())
        problem = value_problem(card_data(text), head);
    return problem.empty() ? "" : "Invalid metadata in README.md: " + problem;
}

} // namespace podsmith::sim
