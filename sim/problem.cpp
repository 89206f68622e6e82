#include "sim/problem.hpp"

#include <boost/beast/http/status.hpp>

namespace podsmith::sim {

Response problem(int status, const std::string& detail, const std::vector<std::string>& errors) {
    namespace http = boost::beast::http;
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
    nlohmann::json body{
        {"title", std::string(reason.data(), reason.size())}, {"status", status}, {"detail", detail}};
    if (!errors.empty())
        body["errors"] = errors;
    return answer(status, body.dump(), "application/problem+json");
}

Response invalid_request(const std::vector<std::string>& errors) {
    return problem(422, "Request validation failed.", errors);
}

Response json_answer(int status, const nlohmann::json& body) {
    // Env values may hold any bytes; a pod must not become unreadable by them.
    return answer(status, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                  "application/json");
}

} // namespace podsmith::sim
