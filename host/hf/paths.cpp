#include "hf/paths.hpp"

#include "base/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace podsmith::hf {

std::string encoded_path(const std::string& path) {
    std::string all;
    for (const std::string& part : split(path, '/'))
        all += fmt::format("{}{}", all.empty() ? "" : "/", url_encode(part));
    return all;
}

std::string api_path(const std::string& type, const std::string& id) {
    return fmt::format("/api/{}s/{}", type, encoded_path(id));
}

std::string web_path(const std::string& type, const std::string& id) {
    return fmt::format("/{}{}", type == "dataset" ? "datasets/" : "", encoded_path(id));
}

std::string revision_segment(const std::string& revision) {
    return url_encode(revision.empty() ? "main" : revision);
}

std::string next_link(const std::string& header) {
    for (std::size_t at = 0; (at = header.find('<', at)) != std::string::npos; ++at) {
        const auto end = header.find('>', at);
        if (end == std::string::npos)
            break;
        const std::string parameters = header.substr(end, header.find(",", end) - end);
        if (parameters.find("rel=\"next\"") != std::string::npos ||
            parameters.find("rel=next") != std::string::npos)
            return header.substr(at + 1, end - at - 1);
    }
    return "";
}

std::string path_problem(const std::string& path) {
    if (path.empty() || path.size() > 1000)
        return "must have 1 to 1000 bytes";
    if (path.find('\0') != std::string::npos || path.find('\n') != std::string::npos)
        return "must not hold a zero byte or a line break";
    for (const std::string& part : split(path, '/'))
        if (part.empty() || part == "." || part == ".." || part == ".git")
            return fmt::format("must be relative and have no part \"{}\"", part);
    try {
        static_cast<void>(nlohmann::json(path).dump());
    } catch (const nlohmann::json::exception&) {
        return "must be UTF-8";
    }
    return "";
}

} // namespace podsmith::hf
