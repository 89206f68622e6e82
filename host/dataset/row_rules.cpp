#include "dataset/row_rules.hpp"

#include <fmt/core.h>

namespace podsmith::dataset {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

std::string_view type_name(element_type type) {
    switch (type) {
    case element_type::ARRAY:
        return "a list";
    case element_type::OBJECT:
        return "an object";
    case element_type::STRING:
        return "a text";
    case element_type::BOOL:
        return "a boolean";
    case element_type::NULL_VALUE:
        return "null";
    default:
        return "a number";
    }
}

bool has(const object& row, std::string_view key) {
    return row[key].error() == simdjson::SUCCESS;
}

std::uint64_t letters(std::string_view text) {
    std::uint64_t count = 0;
    for (const char c : text)
        count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return count;
}

std::uint64_t text_length(const object& row, std::string_view key) {
    std::string_view text;
    return row[key].get(text) == simdjson::SUCCESS ? letters(text) : 0;
}

/// The problem of the first key that is missing or no text; "" when all are texts.
std::string needs_texts(const object& row, std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
        element value;
        if (row[key].get(value) != simdjson::SUCCESS)
            return fmt::format("no \"{}\"", key);
        if (!value.is_string())
            return fmt::format("\"{}\" is {}, not a text", key, type_name(value.type()));
    }
    return {};
}

/// A preference side: a text, or a list of messages.
std::string needs_texts_or_lists(const object& row, std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
        element value;
        if (row[key].get(value) != simdjson::SUCCESS)
            return fmt::format("no \"{}\"", key);
        if (!value.is_string() && !value.is_array())
            return fmt::format("\"{}\" is {}, not a text", key, type_name(value.type()));
    }
    return {};
}

/// One message of a chat. A call of tools has no content; pictures and the like make a list of it.
std::string message_problem(const object& message, RowLengths& lengths) {
    std::string_view role;
    if (message["role"].get(role) != simdjson::SUCCESS)
        return has(message, "role") ? "\"role\" is no text" : "no \"role\"";
    element content;
    const bool is_there = message["content"].get(content) == simdjson::SUCCESS && !content.is_null();
    if (!is_there)
        return has(message, "tool_calls") ? "" : "no \"content\"";
    std::string_view text;
    if (content.get(text) != simdjson::SUCCESS)
        return content.is_array() ? ""
                                  : fmt::format("\"content\" is {}, not a text", type_name(content.type()));
    if (role == "user")
        lengths.input += letters(text);
    else if (role == "assistant")
        lengths.output += letters(text);
    return {};
}

std::string turn_problem(const object& turn, RowLengths& lengths) {
    std::string problem = needs_texts(turn, {"from", "value"});
    if (!problem.empty())
        return problem;
    const std::string_view from = turn["from"].get_string().value_unsafe();
    if (from == "human" || from == "user")
        lengths.input += text_length(turn, "value");
    else if (from == "gpt" || from == "assistant")
        lengths.output += text_length(turn, "value");
    return {};
}

/// A list of objects that must not be empty; `what` names one of them.
template <class Check>
std::string list_problem(const object& row, std::string_view key, std::string_view what, const Check& check) {
    simdjson::dom::array list;
    if (row[key].get(list) != simdjson::SUCCESS)
        return has(row, key) ? fmt::format("\"{}\" is no list", key) : fmt::format("no \"{}\"", key);
    std::size_t number = 0;
    for (const element item : list) {
        ++number;
        object one;
        if (item.get(one) != simdjson::SUCCESS)
            return fmt::format("{} {} is {}, not an object", what, number, type_name(item.type()));
        if (const std::string problem = check(one); !problem.empty())
            return fmt::format("{} {}: {}", what, number, problem);
    }
    return number == 0 ? fmt::format("no {}s", what) : "";
}

std::string rlhf_problem(const object& row, RowLengths& lengths) {
    std::string problem = needs_texts(row, {"prompt", "response"});
    element reward;
    if (problem.empty() && row["reward"].get(reward) == simdjson::SUCCESS && !reward.is_number())
        problem = fmt::format("\"reward\" is {}, not a number", type_name(reward.type()));
    lengths.input += text_length(row, "prompt");
    lengths.output += text_length(row, "response");
    return problem;
}

std::string alpaca_problem(const object& row, RowLengths& lengths) {
    const std::string_view answer = has(row, "output") ? "output" : "response";
    std::string problem = needs_texts(row, {"instruction", answer});
    element input;
    if (problem.empty() && row["input"].get(input) == simdjson::SUCCESS && !input.is_string())
        problem = fmt::format("\"input\" is {}, not a text", type_name(input.type()));
    lengths.input += text_length(row, "instruction") + text_length(row, "input");
    lengths.output += text_length(row, answer);
    return problem;
}

std::string object_problem(const object& row, RowFormat format, RowLengths& lengths) {
    switch (format) {
    case RowFormat::game:
        return has(row, "moves") || has(row, "moves_uci") ? "" : "neither \"moves\" nor \"moves_uci\"";
    case RowFormat::splice:
        return has(row, "context") ? "" : "no \"context\"";
    case RowFormat::sharegpt:
        return list_problem(row, "conversations", "message",
                            [&](const object& turn) { return turn_problem(turn, lengths); });
    case RowFormat::chatml:
        return list_problem(row, "messages", "message",
                            [&](const object& message) { return message_problem(message, lengths); });
    case RowFormat::message:
        return message_problem(row, lengths);
    case RowFormat::text:
        lengths.input += text_length(row, "text");
        return needs_texts(row, {"text"});
    case RowFormat::dpo:
        lengths.input += text_length(row, "prompt");
        lengths.output += text_length(row, "chosen");
        return needs_texts_or_lists(row, {"prompt", "chosen", "rejected"});
    case RowFormat::rlhf:
        return rlhf_problem(row, lengths);
    case RowFormat::alpaca:
        return alpaca_problem(row, lengths);
    case RowFormat::openorca:
        lengths.input += text_length(row, "question");
        lengths.output += text_length(row, "response");
        return needs_texts(row, {"system_prompt", "question", "response"});
    case RowFormat::unnatural:
        return list_problem(row, "instances", "instance", [&](const object& one) {
            lengths.input += text_length(one, "input");
            lengths.output += text_length(one, "output");
            return needs_texts(one, {"input", "output"});
        });
    case RowFormat::any:
        break;
    }
    return {};
}

} // namespace

RowFormat detect_row(const object& row) {
    const auto all = [&](std::initializer_list<std::string_view> keys) {
        for (const std::string_view key : keys)
            if (!has(row, key))
                return false;
        return true;
    };
    if (has(row, "moves") || has(row, "moves_uci"))
        return RowFormat::game;
    if (has(row, "conversations"))
        return RowFormat::sharegpt;
    if (has(row, "messages"))
        return RowFormat::chatml;
    if (has(row, "text"))
        return RowFormat::text;
    if (all({"prompt", "chosen", "rejected"}))
        return RowFormat::dpo;
    if (all({"prompt", "response"}))
        return RowFormat::rlhf;
    if (has(row, "instruction") && (has(row, "output") || has(row, "response")))
        return RowFormat::alpaca;
    if (all({"system_prompt", "question", "response"}))
        return RowFormat::openorca;
    if (all({"instruction", "instances"}))
        return RowFormat::unnatural;
    if (all({"role", "content"}))
        return RowFormat::message;
    // Last: "context" is also a second text of other formats.
    return has(row, "context") ? RowFormat::splice : RowFormat::any;
}

std::string row_problem(const element& value, RowFormat format, RowLengths& lengths) {
    object row;
    if (value.get(row) != simdjson::SUCCESS)
        return fmt::format("the row is {}, not an object", type_name(value.type()));
    return object_problem(row, format, lengths);
}

} // namespace podsmith::dataset
