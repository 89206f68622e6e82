#pragma once
#include "runpod/graphql.hpp"

/// Reading GraphQL's answers. Pure.
namespace podsmith::runpod {

/// The value under `key`; null, "" and 0 when there is none of that type.
nlohmann::json member(const nlohmann::json& object, const char* key);
std::string text_in(const nlohmann::json& object, const char* key);
double number_in(const nlohmann::json& object, const char* key);

/// What an operation gave; null when it gave nothing.
nlohmann::json data_of(const net::HttpResponse& response, const char* operation);
/// What the errors of an answer say, "" when it has none.
std::string message_of(const net::HttpResponse& response);
/// Whether a mutation with this answer may have taken effect all the same.
bool may_have_worked(const net::HttpResponse& response);

} // namespace podsmith::runpod
