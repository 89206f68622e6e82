#include "config/scalar.hpp"
#include "config/utf8.hpp"
#include "config/yaml.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/core.h>
#include <fmt/format.h>
#include <iterator>

namespace podsmith::config {
namespace {

using nlohmann::ordered_json;

constexpr int kDeepest = 200;
constexpr std::size_t kLongestSimpleKey = 120; // beyond it YAML wants "? key"

bool is_valid_utf8(std::string_view text) {
    while (!text.empty())
        if (!take_utf8(text))
            return false;
    return true;
}

bool is_printable_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// Narrower than YAML allows, so that no corner of its rules for bare words matters.
bool is_plain(std::string_view text) {
    const char first = text.empty() ? '\0' : text[0];
    if (!std::isalnum(static_cast<unsigned char>(first)) && first != '/' && first != '_' && first != '.' &&
        first != '(')
        return false;
    if (!is_printable_ascii(text) || text.back() == ' ' || text.back() == ':' || text.starts_with("..."))
        return false;
    if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos)
        return false;
    return scalar_type(text) == ScalarType::string;
}

std::string single_quoted(std::string_view text) {
    std::string result = "'";
    for (const char c : text) {
        result += c;
        if (c == '\'')
            result += c;
    }
    return result + "'";
}

// True for what PyYAML reads as it stands inside double quotes; line separators and controls must be escaped.
bool is_readable(std::uint32_t code) {
    return (code >= 0x20 && code < 0x7F) || (code >= 0xA0 && code < 0x2028) ||
           (code > 0x2029 && code < 0xD800) || (code >= 0xE000 && code < 0xFEFF) ||
           (code > 0xFEFF && code <= 0xFFFD) || code >= 0x10000;
}

std::string double_quoted(std::string_view text) {
    std::string result = "\"";
    while (!text.empty()) {
        const std::string_view before = text;
        const std::uint32_t code = take_utf8(text).value_or(0xFFFD);
        if (code == '"' || code == '\\')
            result += '\\', result += static_cast<char>(code);
        else if (code == '\n')
            result += "\\n";
        else if (code == '\t')
            result += "\\t";
        else if (code == '\r')
            result += "\\r";
        else if (is_readable(code))
            result += before.substr(0, before.size() - text.size());
        else if (code < 0x100)
            result += fmt::format("\\x{:02X}", code);
        else
            result += fmt::format("\\u{:04X}", code);
    }
    return result + "\"";
}

std::string string_text(std::string_view text) {
    if (is_plain(text))
        return std::string(text);
    return is_printable_ascii(text) ? single_quoted(text) : double_quoted(text);
}

std::string scalar_text(const ordered_json& value) {
    if (value.is_string())
        return string_text(value.get_ref<const std::string&>());
    if (value.is_number_float())
        return float_text(value.get<double>());
    if (value.is_array())
        return "[]";
    if (value.is_object())
        return "{}";
    return value.dump(); // null, true, false, integers: the same in YAML
}

bool is_block(const ordered_json& value) {
    return (value.is_array() || value.is_object()) && !value.empty();
}

// Text that cannot be written, named by its path ("lora.targets[2]"); empty when all is well.
std::string fault_in(const ordered_json& value, const std::string& path, int depth) {
    const std::string here = path.empty() ? "the document" : path;
    if (depth > kDeepest)
        return here + " is nested too deep";
    if (value.is_binary() || value.is_discarded())
        return here + " is not a value that YAML can hold";
    if (value.is_string() && !is_valid_utf8(value.get_ref<const std::string&>()))
        return here + " is not valid UTF-8";
    if (value.is_array())
        for (std::size_t i = 0; i < value.size(); ++i)
            if (std::string fault = fault_in(value[i], fmt::format("{}[{}]", path, i), depth + 1);
                !fault.empty())
                return fault;
    if (value.is_object())
        for (const auto& [key, item] : value.items()) {
            if (!is_valid_utf8(key))
                return "a key of " + here + " is not valid UTF-8";
            if (std::string fault = fault_in(item, path.empty() ? key : path + "." + key, depth + 1);
                !fault.empty())
                return fault;
        }
    return {};
}

class Writer {
public:
    std::string take() { return std::move(text_); }

    // `indent` is the column of the block; the cursor already stands there for the first entry.
    void write_block(const ordered_json& value, std::size_t indent) {
        bool is_first = true;
        if (value.is_array()) {
            for (const ordered_json& item : value) {
                start_entry(is_first, indent);
                write_item(item, indent);
            }
            return;
        }
        for (const auto& [key, item] : value.items()) {
            start_entry(is_first, indent);
            write_pair(key, item, indent);
        }
    }

private:
    void start_entry(bool& is_first, std::size_t indent) {
        if (!is_first)
            text_.append(indent, ' ');
        is_first = false;
    }

    void write_item(const ordered_json& item, std::size_t indent) {
        text_ += "- ";
        if (is_block(item)) {
            write_block(item, indent + 2);
        } else {
            text_ += scalar_text(item);
            text_ += '\n';
        }
    }

    void write_pair(const std::string& key, const ordered_json& item, std::size_t indent) {
        const std::string name = string_text(key);
        if (name.size() > kLongestSimpleKey) {
            text_ += "? " + name + "\n";
            text_.append(indent, ' ');
        } else {
            text_ += name;
        }
        text_ += ':';
        if (!is_block(item)) {
            text_ += ' ' + scalar_text(item) + '\n';
            return;
        }
        // A list stands below its key without further indent, as PyYAML writes it.
        const std::size_t inner = item.is_array() ? indent : indent + 2;
        text_ += '\n';
        text_.append(inner, ' ');
        write_block(item, inner);
    }

    std::string text_;
};

} // namespace

Result<std::string> emit_yaml(const ordered_json& value) {
    if (const std::string fault = fault_in(value, "", 0); !fault.empty())
        return fail(Kind::invalid, "write YAML: " + fault, "look for binary data or a loop in the table");
    if (!is_block(value))
        return scalar_text(value) + "\n";
    Writer writer;
    writer.write_block(value, 0);
    return writer.take();
}

} // namespace podsmith::config
