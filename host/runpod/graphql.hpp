#pragma once
#include "runpod/client.hpp"

#include <string>

// Runpod's GraphQL, for what REST v2 cannot do: spot pods, their prices, and the account's balance. The only
// place that knows it. The service is announced to end in early 2027, spot pods perhaps before: then this
// header, graphql*.cpp, host/lua/bind_graphql.cpp, lua/podsmith/graphql.lua and their tests go, in one
// commit.
namespace podsmith::runpod {

struct SpotPriceQuery {
    int count = 1;          ///< GPUs on one host
    std::string cloud = {}; ///< "SECURE", "COMMUNITY" or "" for either
};

/// All calls wait, and fail as Client's do; with Kind `unsupported` when the service no longer offers what
/// was asked. The key travels in a header, never in the address.
class Graphql {
public:
    /// `client` must outlive this and its calls. `url` is the full address, "" for the client's own with
    /// /graphql.
    Graphql(Client& client, std::string url);

    /// {"id", "email", "balance" in USD, "spendPerHour" and "spendLimit" in USD/h}; what the key may not see
    /// is left out.
    Async<nlohmann::json> account();
    /// The GPU types that are offered as spot, as an array of {"id", "name", "memory" GB of one GPU, "count",
    /// "bid" least bid in USD/h per GPU, "price" on demand in USD/h per GPU, "stock" "High" ... or ""}.
    Async<nlohmann::json> spot_prices(SpotPriceQuery query);
    /// Makes a spot pod from the body of a v2 create. `bid` is USD/h per GPU. The data centers are tried in
    /// order, for GraphQL takes one. The result is the pod as v2 tells it, or, when that read fails, what is
    /// known: the pod exists and its id is returned whatever happens. A lost answer is treated as
    /// Client::create_pod does.
    Async<nlohmann::json> create_spot_pod(nlohmann::json spec, double bid);
    /// Starts a spot pod that was reclaimed or stopped; v2's start cannot. The result is as of
    /// create_spot_pod.
    Async<nlohmann::json> resume_spot_pod(std::string id, double bid, int gpu_count);

    const std::string& url() const { return url_; }

private:
    net::HttpRequest request(std::string query, nlohmann::json variables) const;
    Async<nlohmann::json> rent(nlohmann::json input, std::string what);
    Async<nlohmann::json> as_v2(nlohmann::json given);

    Client& client_;
    std::string url_;
};

/// The error in an answer, whatever its status. Kinds as of errors.hpp, and `unsupported`. Codes count
/// before texts, but the servers' default code says nothing. Pure.
Error graphql_error(const net::HttpResponse& response, const std::string& what);

/// The body of a v2 create as the input of podRentInterruptable, without `dataCenterIds`; Kind invalid when
/// it asks for something that a spot pod cannot have. Pure.
Result<nlohmann::json> spot_input(nlohmann::json spec, double bid);

} // namespace podsmith::runpod
