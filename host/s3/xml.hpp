#pragma once
#include "base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace podsmith::s3 {

/// An element of an answer; attributes, comments and name space prefixes are left out.
struct Element {
    std::string name;
    std::string text = {}; ///< with entities resolved
    std::vector<Element> children = {};

    /// The first child of that name, or nullptr.
    const Element* child(std::string_view name) const;
    /// Its text, or "".
    std::string value(std::string_view name) const;
};

/// The root element. Refuses what no S3 service sends and what an attacker would (DOCTYPE, own entities, deep
/// nesting): Kind protocol.
Result<Element> parse_xml(std::string_view text);

} // namespace podsmith::s3
