#pragma once
#include <string>
#include <vector>

namespace podsmith::hf {

/// Which files of a repository or folder are meant. Shell wildcards, as the Hub's own client reads them: *
/// also matches slashes, and a pattern that ends in / means all below. One without a slash may also match the
/// name alone.
struct Patterns {
    std::vector<std::string> include = {}; ///< none: all
    std::vector<std::string> exclude = {}; ///< stronger than include
    bool takes(const std::string& path) const;
};

} // namespace podsmith::hf
