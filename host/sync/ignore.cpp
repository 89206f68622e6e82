#include "sync/ignore.hpp"

#include <cctype>

namespace podsmith::sync {
namespace {

bool in_class(std::string_view name, unsigned char c) {
    if (name == "alpha")
        return std::isalpha(c);
    if (name == "digit")
        return std::isdigit(c);
    if (name == "alnum")
        return std::isalnum(c);
    if (name == "upper")
        return std::isupper(c);
    if (name == "lower")
        return std::islower(c);
    if (name == "space")
        return std::isspace(c);
    if (name == "punct")
        return std::ispunct(c);
    if (name == "xdigit")
        return std::isxdigit(c);
    if (name == "blank")
        return c == ' ' || c == '\t';
    if (name == "cntrl")
        return std::iscntrl(c);
    if (name == "graph")
        return std::isgraph(c);
    return name == "print" && std::isprint(c);
}

enum class Bracket { no, yes, broken };

// pattern[at] is the character after "["; moved behind the "]".
Bracket match_bracket(std::string_view pattern, std::size_t& at, unsigned char c) {
    bool is_negated = false;
    if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) {
        is_negated = true;
        ++at;
    }
    bool found = false;
    for (bool first = true;; first = false) {
        if (at >= pattern.size())
            return Bracket::broken;
        if (pattern[at] == ']' && !first)
            break;
        if (pattern[at] == '[' && at + 1 < pattern.size() && pattern[at + 1] == ':') {
            const std::size_t end = pattern.find(":]", at + 2);
            if (end != std::string_view::npos) {
                found = found || in_class(pattern.substr(at + 2, end - at - 2), c);
                at = end + 2;
                continue;
            }
        }
        if (pattern[at] == '\\' && ++at >= pattern.size())
            return Bracket::broken;
        const auto low = static_cast<unsigned char>(pattern[at++]);
        auto high = low;
        if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
            ++at;
            if (pattern[at] == '\\' && ++at >= pattern.size())
                return Bracket::broken;
            high = static_cast<unsigned char>(pattern[at++]);
        }
        found = found || (low <= c && c <= high);
    }
    ++at;
    return found != is_negated && c != '/' ? Bracket::yes : Bracket::no;
}

bool match(std::string_view pattern, std::size_t at, std::string_view text, std::size_t place);

// pattern[at] is a star.
bool match_star(std::string_view pattern, std::size_t at, std::string_view text, std::size_t place) {
    const std::size_t begin = at;
    while (at < pattern.size() && pattern[at] == '*')
        ++at;
    const bool opens = begin == 0 || pattern[begin - 1] == '/';
    const bool closes = at == pattern.size() || pattern[at] == '/';
    const bool is_deep = at - begin >= 2 && opens && closes;
    if (is_deep && at < pattern.size() && match(pattern, at + 1, text, place))
        return true; // "**/" is also no folder at all
    for (std::size_t end = place;; ++end) {
        if (match(pattern, at, text, end))
            return true;
        if (end == text.size() || (text[end] == '/' && !is_deep))
            return false;
    }
}

bool match(std::string_view pattern, std::size_t at, std::string_view text, std::size_t place) {
    while (at < pattern.size()) {
        if (pattern[at] == '*')
            return match_star(pattern, at, text, place);
        if (place >= text.size())
            return false;
        const char c = text[place];
        if (pattern[at] == '?') {
            if (c == '/')
                return false;
            ++at;
        } else if (pattern[at] == '[') {
            if (match_bracket(pattern, ++at, static_cast<unsigned char>(c)) != Bracket::yes)
                return false;
        } else {
            if (pattern[at] == '\\' && ++at >= pattern.size())
                return false;
            if (pattern[at++] != c)
                return false;
        }
        ++place;
    }
    return place == text.size();
}

// Blanks at the end do not count, unless a backslash stands before them.
std::string_view without_trailing_blanks(std::string_view line) {
    std::size_t end = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\' && i + 1 < line.size())
            ++i;
        else if (line[i] == ' ')
            continue;
        end = i + 1;
    }
    return line.substr(0, end);
}

bool matches(const IgnoreRule& rule, std::string_view path, bool is_folder) {
    if (rule.folders_only && !is_folder)
        return false;
    if (!rule.base.empty()) {
        if (path.size() <= rule.base.size() || !path.starts_with(rule.base) || path[rule.base.size()] != '/')
            return false;
        path.remove_prefix(rule.base.size() + 1);
    }
    if (!rule.is_anchored)
        path = path.substr(path.rfind('/') + 1); // npos + 1 is 0
    return wildcard_match(rule.pattern, path);
}

} // namespace

bool wildcard_match(std::string_view pattern, std::string_view text) {
    return match(pattern, 0, text, 0);
}

void Ignore::add(std::string_view text, const std::string& base) {
    if (text.starts_with("\xEF\xBB\xBF"))
        text.remove_prefix(3);
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        line = without_trailing_blanks(line);
        if (line.empty() || line.front() == '#')
            continue;
        IgnoreRule rule;
        rule.base = base;
        if (line.front() == '!') {
            rule.is_negated = true;
            line.remove_prefix(1);
        }
        if (line.ends_with('/')) {
            rule.folders_only = true;
            line.remove_suffix(1);
        }
        rule.is_anchored = line.find('/') != std::string_view::npos;
        if (line.starts_with('/'))
            line.remove_prefix(1);
        rule.pattern = line;
        if (!rule.pattern.empty())
            rules_.push_back(std::move(rule));
    }
}

std::optional<bool> Ignore::verdict(std::string_view path, bool is_folder) const {
    for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule)
        if (matches(*rule, path, is_folder))
            return !rule->is_negated;
    return std::nullopt;
}

bool Ignore::excludes_tree(std::string_view path, bool is_folder) const {
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1))
        if (excludes(path.substr(0, slash), true))
            return true;
    return excludes(path, is_folder);
}

std::string_view default_ignores() {
    return ".git/\n"
           ".git\n"
           ".hg/\n"
           ".svn/\n"
           "__pycache__/\n"
           "*.py[co]\n"
           ".venv/\n"
           "node_modules/\n"
           ".mypy_cache/\n"
           ".pytest_cache/\n"
           ".ruff_cache/\n"
           ".ipynb_checkpoints/\n"
           ".DS_Store\n";
}

} // namespace podsmith::sync
