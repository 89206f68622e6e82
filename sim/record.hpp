#pragma once
#include "base/error.hpp"
#include "sim/router.hpp"

#include <filesystem>
#include <string>

namespace podsmith::sim {

/// Appends one JSON line for each request of the API: method, path, query, body, status, answer (null for a
/// stream), and `fault` where one was injected. Headers are not written, so no key is; a registry's password
/// and a secret's value are masked. The file has mode 0600: env values are in it in clear.
class Recorder {
public:
    Recorder() = default;
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;
    /// Kind io when the file cannot be opened.
    Result<void> open(const std::filesystem::path& file);
    bool is_open() const { return descriptor_ >= 0; }
    void add(const Request& request, const Response& response, const std::vector<std::string>& faults);

private:
    int descriptor_ = -1;
};

} // namespace podsmith::sim
