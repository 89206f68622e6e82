#pragma once
#include "net/http.hpp"

#include <string>

namespace podsmith::hf {

/// What a call was about, for messages that a person can act on.
struct Subject {
    std::string what;       ///< names the call: "model info of acme/llm"
    std::string page = {};  ///< the repository's page in a browser; "" when the call is about no repository
    bool has_token = false; ///< a token was sent
    std::string token_name = "HF_TOKEN";
};

/// The error for an answer that is not a success. The Hub's own code (X-Error-Code) goes before the status:
/// the same missing repository is a 401 without a token and a 404 with one.
Error error_from(const net::HttpResponse& response, const Subject& subject);

/// The error for a body that breaks the API's promise.
Error malformed(const Subject& subject, const std::string& why);

} // namespace podsmith::hf
