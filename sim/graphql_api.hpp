#pragma once
#include "sim/graphql_execute.hpp"
#include "sim/runpod_api.hpp"
#include "sim/v2_call.hpp"

namespace podsmith::sim {

/// Runpod's GraphQL, put on top of REST v2: `POST /graphql`.
class GraphqlApi {
public:
    /// `has_spot` false: spot pods, bids and their prices are not in the schema.
    GraphqlApi(std::shared_ptr<RunpodApi> api, bool has_spot);

    /// Answers a request for /graphql.
    static asio::awaitable<Response> dispatch(std::shared_ptr<GraphqlApi> self,
                                              std::shared_ptr<Request> request);

private:
    /// Who asks: the account, one pod with its own key, or nobody.
    struct Caller {
        bool is_account = false;
        std::string pod;
    };
    std::optional<Response> refuse(Request& request, Caller& caller, bool& is_counted);
    /// The answer to a query that does not read or fit; otherwise `out` is ready to run.
    std::optional<Response> prepare(const Request& request, graphql::Execution& out) const;
    static graphql::Gate gate_for(Caller caller);

    std::shared_ptr<RunpodApi> api_;
    graphql::Schema schema_;
    graphql::Resolvers resolvers_;
};

/// The resolvers, by what they are about.
void add_graphql_pods(graphql::Resolvers& resolvers, const std::shared_ptr<RunpodApi>& api);
void add_graphql_catalog(graphql::Resolvers& resolvers, const std::shared_ptr<RunpodApi>& api);
void add_graphql_account(graphql::Resolvers& resolvers, const std::shared_ptr<RunpodApi>& api);
void add_graphql_storage(graphql::Resolvers& resolvers, const std::shared_ptr<RunpodApi>& api);

/// A resolver that is a coroutine of the API and the call.
using ApiResolver = asio::awaitable<graphql::Resolved> (*)(std::shared_ptr<RunpodApi>,
                                                           std::shared_ptr<const graphql::Call>);
graphql::Resolver resolver(const std::shared_ptr<RunpodApi>& api, ApiResolver body);

/// A v2 refusal as a GraphQL error: its text, and the code that clients look for.
graphql::Resolved graphql_error(const V2Answer& answer);

/// A pod as GraphQL shows it.
nlohmann::json graphql_pod(const RunpodApi& api, const Pod& pod);
/// A GPU type.
nlohmann::json graphql_gpu(const GpuType& type);
/// {"A": "1"} from [{"key": "A", "value": "1"}], and back.
nlohmann::json map_of(const nlohmann::json& pairs);
nlohmann::json pairs_of(const nlohmann::json& map);

} // namespace podsmith::sim
