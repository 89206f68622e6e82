#include "journal/names.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace podsmith::journal {
namespace {

constexpr std::string_view kMark = "-ps-";

bool is_plain(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
}

std::string sanitized(std::string_view base) {
    std::string result;
    for (const char c : base) {
        if (is_plain(c))
            result += c;
        else if (!result.ends_with('-')) // one dash for a whole run, so that "a / b" reads well
            result += '-';
    }
    return result;
}

} // namespace

bool is_run_id(std::string_view text) {
    return text.size() == kRunIdLength && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
           });
}

std::string attempt_name(std::string_view base, std::string_view run_id, int n) {
    const std::string tail = std::string(kMark) + std::string(run_id) + "-" + std::to_string(n);
    std::string head = sanitized(base);
    head.resize(std::min(head.size(), kLongestName - std::min(kLongestName, tail.size())));
    while (head.ends_with('-'))
        head.pop_back();
    head.erase(0, std::min(head.find_first_not_of('-'), head.size()));
    return (head.empty() ? "pod" : head) + tail;
}

std::optional<RunTag> run_tag(std::string_view name) {
    const auto mark = name.rfind(kMark);
    if (mark == std::string_view::npos || mark == 0)
        return std::nullopt;
    const std::string_view tail = name.substr(mark + kMark.size());
    if (tail.size() < kRunIdLength + 2 || tail[kRunIdLength] != '-' ||
        !is_run_id(tail.substr(0, kRunIdLength)))
        return std::nullopt;
    const std::string_view digits = tail.substr(kRunIdLength + 1);
    RunTag tag;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), tag.attempt);
    if (error != std::errc() || end != digits.data() + digits.size() || tag.attempt < 1 || digits[0] == '0')
        return std::nullopt;
    tag.base = name.substr(0, mark);
    tag.run_id = tail.substr(0, kRunIdLength);
    return tag;
}

} // namespace podsmith::journal
