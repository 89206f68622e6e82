#include "sim/record.hpp"

#include "base/log.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

/// JSON as it is, anything else as a string, nothing as null.
json value_of(const std::string& body) {
    if (body.empty())
        return nullptr;
    json value = json::parse(body, nullptr, false);
    return value.is_discarded() ? json(body) : value;
}

void mask(json& body) {
    for (const char* name : {"password", "value"})
        if (body.is_object() && body.contains(name) && body[name].is_string())
            body[name] = "***";
}

} // namespace

Recorder::~Recorder() {
    if (is_open())
        ::close(descriptor_);
}

Result<void> Recorder::open(const std::filesystem::path& file) {
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor_ < 0)
        return fail(Kind::io, fmt::format("--record {}: {}", file.string(), std::strerror(errno)),
                    "give a file in a folder that exists and is writable");
    return {};
}

void Recorder::add(const Request& request, const Response& response, const std::vector<std::string>& faults) {
    json query = json::object();
    for (const auto& [name, value] : request.query)
        query[name] = name == "api_key" ? "***" : value;
    json body = value_of(request.body);
    mask(body);
    json line{{"method", request.method},
              {"path", request.path},
              {"query", query},
              {"body", std::move(body)},
              {"status", response.status},
              {"answer", response.stream ? json() : value_of(response.body)}};
    if (!faults.empty())
        line["fault"] = faults;
    const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    if (::write(descriptor_, text.data(), text.size()) < 0) // O_APPEND: a line stays whole
        log::error("simulator: write the record: {}", std::strerror(errno));
}

} // namespace podsmith::sim
