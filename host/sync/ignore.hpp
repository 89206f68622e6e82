#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::sync {

/// One line of an ignore file, in gitignore's syntax.
struct IgnoreRule {
    std::string base;    ///< folder of the file that it stands in: "" or "a/b"
    std::string pattern; ///< without "!", and the slashes at both ends
    bool is_negated = false;
    bool folders_only = false;
    bool is_anchored = false; ///< matched against the whole path below `base`, not against the last part
};

/// What is left out of a transfer. The last rule that matches decides, as in git; what lies in a folder that
/// is left out is left out, whatever later rules say.
class Ignore {
public:
    /// Adds the lines of an ignore file that stands in `base`.
    void add(std::string_view text, const std::string& base = "");
    /// What the last rule that matches this path itself says; nullopt when none does.
    std::optional<bool> verdict(std::string_view path, bool is_folder) const;
    /// Whether the rules leave out this path; its folders are taken to be in.
    bool excludes(std::string_view path, bool is_folder) const {
        return verdict(path, is_folder).value_or(false);
    }
    /// The same, where a folder above may be left out.
    bool excludes_tree(std::string_view path, bool is_folder) const;
    /// Rules deeper than `count` go: what a folder's own file added is over with the folder.
    std::size_t count() const { return rules_.size(); }
    void truncate(std::size_t count) { rules_.resize(count); }
    void append(const Ignore& other) {
        rules_.insert(rules_.end(), other.rules_.begin(), other.rules_.end());
    }

private:
    std::vector<IgnoreRule> rules_;
};

/// What nobody means to send: version control, caches, virtual environments, installed packages.
std::string_view default_ignores();

/// gitignore's wildcards: * ? [...] and, between slashes, **.
bool wildcard_match(std::string_view pattern, std::string_view text);

} // namespace podsmith::sync
