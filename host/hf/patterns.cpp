#include "hf/patterns.hpp"

#include <algorithm>
#include <fnmatch.h>

namespace podsmith::hf {
namespace {

bool matches(std::string pattern, const std::string& path) {
    if (pattern.ends_with('/'))
        pattern += '*';
    if (::fnmatch(pattern.c_str(), path.c_str(), 0) == 0)
        return true;
    const std::size_t slash = path.rfind('/');
    return slash != std::string::npos && pattern.find('/') == std::string::npos &&
           ::fnmatch(pattern.c_str(), path.c_str() + slash + 1, 0) == 0;
}

bool any(const std::vector<std::string>& patterns, const std::string& path) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches(pattern, path); });
}

} // namespace

bool Patterns::takes(const std::string& path) const {
    return (include.empty() || any(include, path)) && !any(exclude, path);
}

} // namespace podsmith::hf
