#pragma once
#include "sim/hub.hpp"
#include "sim/hub_store.hpp"
#include "sim/router.hpp"

#include <nlohmann/json.hpp>
#include <string>

namespace podsmith::sim {

/// Who asks.
struct HubCaller {
    std::string user;       ///< empty: no token
    bool can_write = false; ///< the token's role
    bool is_bad = false;    ///< a token that is nobody's
};

/// State of the Hub behind its routes, and one request on its way through.
struct HubState {
    HubState(net::Loop& given_loop, HubOptions given_options);
    net::Loop& loop;
    HubOptions options;
    HubStore store;
    struct Upload {
        std::string sha256;
        std::uint64_t size = 0;
        std::map<int, std::string> etags; ///< part -> what the PUT was answered
    };
    std::map<std::string, Upload> uploads; ///< multipart ones, by id
    double window_start = 0;
    int window_calls = 0;

    /// The organisations of a user and the role in them.
    static bool may_act_for(const HubCaller& who, const std::string& owner, const HubOptions& options);
};

struct HubCall {
    HubState& hub;
    const Request& request;
    std::string type; ///< "model" or "dataset"
    HubCaller who;
    std::string id() const { return request.param("ns") + "/" + request.param("repo"); }
    /// "http://127.0.0.1:4000" as the client wrote it, and the same server under its other name.
    std::string base() const;
    std::string storage() const;
};

/// A repository, or the answer that says why not.
struct HubFound {
    HubRepo* repo = nullptr;
    Response refusal = {};
};

/// Error answers of the Hub: X-Error-Code and X-Error-Message when not empty, JSON body.
Response hub_error(int status, const std::string& code, const std::string& message);
Response hub_json(const nlohmann::json& body, int status = 200);
Response revision_missing(const std::string& revision);
/// A missing file or folder; clients cache the absence by the commit.
Response entry_missing(const std::string& commit);

HubCaller caller_of(const Request& request, const HubOptions& options);
/// The repository that the call names, if its caller may know of it: 401, 404, 307 to the right case
/// otherwise.
HubFound find_repo(const HubCall& call);
/// Also checks that its content may be read: gates, disabled repositories.
HubFound find_readable(const HubCall& call);
/// Also checks that it may be written.
HubFound find_writable(const HubCall& call);

/// The routes, by what they are about.
void add_hub_account_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_info_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_tree_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_file_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_commit_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_lfs_routes(Router& router, std::shared_ptr<HubState> hub);

/// A handler of one call; runs after the token was looked at.
using HubHandler = std::function<Response(HubCall&)>;
/// Adds a route with no repository type in it.
void hub_route(Router& router, const std::shared_ptr<HubState>& hub, const std::string& method,
               const std::string& pattern, HubHandler handler);
/// Adds it for models and for datasets: "{api}" becomes /api/models/{ns}/{repo}, "{web}" /{ns}/{repo}, and
/// the same with datasets.
void hub_routes(Router& router, const std::shared_ptr<HubState>& hub, const std::string& method,
                const std::string& pattern, const HubHandler& handler);
/// Headers that every answer has, and the rate limit.
Response hub_finish(HubState& hub, const Request& request, Response response);

/// "2026-11-22T09:00:00.000Z"
std::string hub_time(double seconds);

} // namespace podsmith::sim
