#include "sim/graphql_api.hpp"

#include "base/text.hpp"
#include "sim/problem.hpp"

#include <fmt/core.h>
#include <set>

namespace podsmith::sim {
namespace {

using graphql::Call;
using graphql::Resolved;
using nlohmann::json;

/// A query that was not run: 400, one entry a reason.
Response bad_query(const std::string& code, const std::vector<std::string>& messages) {
    json errors = json::array();
    for (const std::string& message : messages)
        errors.push_back({{"message", message}, {"extensions", {{"code", code}}}});
    return json_answer(400, {{"errors", std::move(errors)}});
}

/// GraphQL's servers answer these as text, and a bad key as an empty object.
Response plain(const Response& refusal) {
    if (refusal.status == 401)
        return json_answer(401, json::object());
    const json body = json::parse(refusal.body, nullptr, false);
    Response out = answer(refusal.status, body.is_object() ? body.value("detail", "") : refusal.body,
                          "text/plain; charset=UTF-8");
    for (const auto& [name, value] : refusal.headers)
        if (lower(name) != "content-type")
            out.set(name, value);
    return out;
}

asio::awaitable<Resolved> run_api(ApiResolver body, std::shared_ptr<RunpodApi> api,
                                  std::shared_ptr<const Call> call) {
    Resolved out = co_await body(api, call);
    co_return out;
}

} // namespace

graphql::Resolver resolver(const std::shared_ptr<RunpodApi>& api, ApiResolver body) {
    return [api, body](std::shared_ptr<const Call> call) { return run_api(body, api, std::move(call)); };
}

graphql::Resolved graphql_error(const V2Answer& answer) {
    const std::string code = answer.is_capacity()   ? "SUPPLY_CONSTRAINT"
                             : answer.status == 402 ? "INSUFFICIENT_BALANCE"
                                                    : "INTERNAL_SERVER_ERROR";
    return {nullptr, answer.text(), code};
}

GraphqlApi::GraphqlApi(std::shared_ptr<RunpodApi> api, bool has_spot)
    : api_(std::move(api)),
      schema_(graphql::Schema::parse(graphql::runpod_types(), has_spot ? std::vector<std::string>()
                                                                       : std::vector<std::string>{"spot"})) {
    add_graphql_pods(resolvers_, api_);
    add_graphql_catalog(resolvers_, api_);
    add_graphql_account(resolvers_, api_);
    add_graphql_storage(resolvers_, api_);
}

std::optional<Response> GraphqlApi::refuse(Request& request, Caller& caller, bool& is_counted) {
    // Older clients send the key in the URL.
    const auto in_url = request.query_value("api_key");
    if (in_url && !in_url->empty() && request.header("authorization").empty())
        request.headers["authorization"] = "Bearer " + *in_url;
    const std::string header = request.header("authorization");
    const auto refusal = api_->refuse(request, is_counted);
    if (!refusal) {
        caller.is_account = true;
        return std::nullopt;
    }
    if (header.empty() && refusal->status == 401)
        return std::nullopt; // public queries need no key
    const Pod* own = header.size() > 7 ? api_->pod_of_key(trim(header.substr(7))) : nullptr;
    if (!own || refusal->status != 403)
        return plain(*refusal);
    caller.pod = own->id;
    return std::nullopt;
}

graphql::Gate GraphqlApi::gate_for(Caller caller) {
    if (caller.is_account)
        return {};
    return [caller](const std::string& field, const Call& call) -> std::optional<Resolved> {
        static const std::set<std::string> open{"gpuTypes", "dataCenters", "podTemplates", "podTemplate",
                                                "serverlessGpuPools"};
        if (open.contains(field))
            return std::nullopt;
        if (!caller.pod.empty() && call.input().value("podId", "") == caller.pod)
            return std::nullopt; // a pod's own key opens that pod
        if (field == "myself" || field == "pod")
            return Resolved{};
        return Resolved{nullptr, "access denied", "FORBIDDEN"};
    };
}

std::optional<Response> GraphqlApi::prepare(const Request& request, graphql::Execution& out) const {
    const json body = json::parse(request.body, nullptr, false);
    if (!body.is_object() || !body.contains("query") || !body["query"].is_string())
        return bad_query("BAD_REQUEST", {"GraphQL operations must contain a non-empty `query`."});
    auto document = graphql::parse_document(body["query"].get<std::string>());
    if (!document)
        return bad_query("GRAPHQL_PARSE_FAILED", {document.error().message});
    out.document = std::make_shared<const graphql::Document>(std::move(*document));
    const json name = body.value("operationName", json());
    const auto operation = graphql::pick(*out.document, name.is_string() ? name.get<std::string>() : "");
    if (!operation)
        return bad_query("OPERATION_RESOLUTION_FAILURE", {operation.error().message});
    out.operation = *operation;
    if (const auto wrong = graphql::violations(schema_, *out.document, *out.operation); !wrong.empty())
        return bad_query("GRAPHQL_VALIDATION_FAILED", wrong);
    const json given = body.value("variables", json());
    auto variables =
        graphql::variable_values(schema_, *out.operation, given.is_object() ? given : json::object());
    if (!variables)
        return bad_query("BAD_USER_INPUT", {variables.error().message});
    out.variables = std::move(*variables);
    out.schema = &schema_;
    out.resolvers = &resolvers_;
    return std::nullopt;
}

asio::awaitable<Response> GraphqlApi::dispatch(std::shared_ptr<GraphqlApi> self,
                                               std::shared_ptr<Request> request) {
    self->api_->collect_debts();
    Caller caller;
    bool is_counted = false;
    std::optional<Response> refusal = self->refuse(*request, caller, is_counted);
    auto execution = std::make_shared<graphql::Execution>();
    if (!refusal && request->method != "POST") {
        refusal = problem(405, "method not allowed");
        refusal->set("Allow", "POST");
    }
    if (!refusal)
        refusal = self->prepare(*request, *execution);
    Response response;
    if (refusal) {
        response = std::move(*refusal);
    } else {
        execution->gate = gate_for(caller);
        json body = co_await graphql::execute(execution);
        response = json_answer(200, body);
    }
    if (is_counted)
        self->api_->add_limits(response);
    co_return response;
}

} // namespace podsmith::sim
