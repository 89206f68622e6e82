#pragma once
#include "sim/hub.hpp"
#include "sim/hub_people.hpp"
#include "sim/hub_store.hpp"
#include "sim/hub_sum.hpp"
#include "sim/router.hpp"

#include <nlohmann/json.hpp>
#include <string>

namespace podsmith::sim {

/// A multipart upload on its way.
struct HubUpload {
    std::string sha256;
    std::uint64_t size = 0, chunk_size = 1;
    std::shared_ptr<PoolFile> file; ///< of the whole object; each part has its place in it
    std::shared_ptr<HubSum> sum;
    std::map<int, std::string> etags; ///< part -> what the PUT was answered
    bool is_done = false;
    int parts() const { return static_cast<int>((size + chunk_size - 1) / chunk_size); }
    /// 0 for a part that is none.
    std::uint64_t part_size(int number) const;
};

/// One PUT to the storage service, for tests: what came, and whether it was kept.
struct HubPut {
    std::string sha256;
    int part = 0; ///< 0: the object as a whole
    std::uint64_t bytes = 0;
    bool is_stored = false;
};

/// State of the Hub behind its routes.
struct HubState {
    HubState(net::Loop& given_loop, HubOptions given_options);
    net::Loop& loop;
    HubOptions options;
    HubStore store;
    std::map<std::string, std::shared_ptr<HubUpload>> uploads; ///< multipart ones, by id
    std::map<std::string, std::uint64_t> announced;            ///< size of each object of an upload batch
    std::vector<HubPut> puts;
    std::uint64_t incoming = 0; ///< PUTs so far, for names
    std::string signing_key;
    unsigned signed_epoch = 1; ///< signed addresses of an earlier one have expired
    HubPeople people;
    /// Calls of one user (or of all without a token) in the five minutes that count.
    struct Window {
        double start = 0;
        int calls = 0;
    };
    std::map<std::string, Window> windows; ///< by "bucket user"
};

/// One request on its way through.
struct HubCall {
    HubState& hub;
    const Request& request;
    std::string type; ///< "model" or "dataset"
    HubCaller who;
    /// "namespace/name", or the bare name of a legacy route.
    std::string id() const {
        const std::string owner = request.param("ns"), name = request.param("repo");
        return owner.empty() ? name : owner + "/" + name;
    }
    /// "http://127.0.0.1:4000" as the client wrote it, and the same server under its other name.
    std::string base() const;
    std::string storage() const { return "http://" + storage_host(); }
    std::string storage_host() const;
};

/// A repository, or the answer that says why not.
struct HubFound {
    HubRepo* repo = nullptr;
    Response refusal = {};
};

/// A file larger than this is not taken as a regular one.
constexpr std::uint64_t kMaxRegular = 10'000'000;

/// Error answers of the Hub: X-Error-Code and X-Error-Message when not empty, JSON body.
Response hub_error(int status, const std::string& code, const std::string& message);
Response hub_json(const nlohmann::json& body, int status = 200);
Response revision_missing(const std::string& revision);
/// A missing file or folder; clients cache the absence by the commit.
Response entry_missing(const std::string& commit);

HubCaller caller_of(const Request& request, const HubState& hub);
/// The repository that the call names, if its caller may know of it: 401, 404, 307 to the right case
/// otherwise.
HubFound find_repo(const HubCall& call);
/// Also checks that its content may be read: gates, disabled repositories.
HubFound find_readable(const HubCall& call);
/// Also checks that it may be written.
HubFound find_writable(const HubCall& call);
/// Whether the call asks for a pull request in place of a commit on the branch.
bool wants_request(const HubCall& call);
/// The repository that a commit goes to: writable, or readable for a pull request; both need a token.
HubFound find_for_commit(const HubCall& call);
/// 401 of a call that needs a token and came without.
Response login_needed();

/// The routes, by what they are about.
void add_hub_account_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_repo_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_info_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_tree_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_ref_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_file_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_preupload_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_commit_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_lfs_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_storage_routes(Router& router, std::shared_ptr<HubState> hub);
void add_hub_control_routes(Router& control, std::shared_ptr<HubState> hub);

/// A handler of one call; runs after the token was looked at.
using HubHandler = std::function<Response(HubCall&)>;
/// Adds a route with no repository type in it.
void hub_route(Router& router, const std::shared_ptr<HubState>& hub, const std::string& method,
               const std::string& pattern, HubHandler handler);
/// Adds it for models and for datasets: "{api}" becomes /api/models/{ns}/{repo}, "{web}" /{ns}/{repo}, and
/// the same with datasets.
void hub_routes(Router& router, const std::shared_ptr<HubState>& hub, const std::string& method,
                const std::string& pattern, const HubHandler& handler);
/// A text or a number of a JSON object; "" and 0 when it is missing or of another type.
std::string text_in(const nlohmann::json& object, const char* name);
std::uint64_t count_in(const nlohmann::json& object, const char* name);

/// A piece of a file.
struct ByteSpan {
    std::uint64_t from = 0, count = 0;
    bool is_part = false; ///< a range was asked for
    bool is_good = true;  ///< false: outside of the file
};
/// Reads "bytes=a-b", "bytes=a-" and "bytes=-n"; anything else counts as the whole file, as the standard
/// says.
ByteSpan span_of(const std::string& range, std::uint64_t size);
/// Status and headers of an answer with that piece: 200, 206 or 416.
void set_span(Response& response, const ByteSpan& span, std::uint64_t size);

/// Query of a signed address: `what` may be done at `host` until it expires (HubOptions::url_seconds).
std::string signed_query(const HubState& hub, const std::string& host, const std::string& what);
/// What is wrong with a request to a signed address: a token (400), another signature or host (403), expired
/// (403).
std::optional<Response> signature_problem(const HubState& hub, const Request& request,
                                          const std::string& what);
/// An error of the storage service, in XML.
Response storage_error(int status, const std::string& code, const std::string& message);

/// Headers that every answer has, and the rate limit.
Response hub_finish(HubState& hub, const Request& request, Response response);

/// "2026-11-22T09:00:00.000Z"
std::string hub_time(double seconds);

} // namespace podsmith::sim
