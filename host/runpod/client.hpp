#pragma once
#include "net/sse.hpp"
#include "runpod/errors.hpp"
#include "runpod/rate.hpp"
#include "runpod/resources.hpp"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

/// Runpod's REST API, version 2. Resources are JSON with the service's own field names; what they must have
/// is checked (a string `id`, a pod's `status`), the rest passes through.
namespace podsmith::runpod {

template <class T>
using Async = net::Async<T>;
using Query = std::vector<std::pair<std::string, std::string>>;

/// One call, below every resource. How it is sent follows from the method: GET, PUT, PATCH and DELETE are
/// repeated after a failure, DELETE until a definite answer for up to two minutes, POST only after a 429,
/// which alone proves that nothing was done. A DELETE of what is gone is a success.
struct Call {
    std::string method = "GET";
    std::string path; ///< below /v2, with its ids encoded
    std::string what; ///< names the call in errors: "get template x"
    Query query = {};
    nlohmann::json body = nullptr; ///< null for none
};

/// GET /v2/catalog/gpus, with availability.
struct GpuQuery {
    int count = 1; ///< stock is told for this many GPUs on one host
    std::string cloud = "SECURE";
    std::string min_cuda_version = {};
    std::vector<std::string> cuda_versions = {};
    std::vector<std::string> country_codes = {};
};

struct LogQuery {
    std::string source = {}; ///< "container", "system" or "" for both
    int tail = 100;          ///< lines of the past, at most 5000
    std::string since = {};  ///< RFC 3339; wins over `tail`
};

/// All calls wait on the loop, honour rate limits, and fail with the kinds of errors.hpp or of net::Http.
/// The client must outlive its calls, and `http` the client.
class Client {
public:
    /// `base_url` is like "https://api.runpod.io"; the client adds /v2.
    Client(net::Http& http, std::string base_url, Secret key);

    /// The answer's JSON; null when it has no body.
    Async<nlohmann::json> call(Call call);
    /// The same, as it came: any status is a success here.
    Async<net::HttpResponse> answer_to(Call call);

    /// All things of a kind, as an array, page after page; a list without pages is one page. Kind
    /// `unsupported` when the service does not know the kind. `within` is a folder of the resource's path
    /// ("/clusters/x" has pods too).
    Async<nlohmann::json> list(const Resource& resource, Query query, std::string within);
    Async<nlohmann::json> list(const Resource& resource);
    Async<nlohmann::json> get(const Resource& resource, std::string id);
    /// One POST; see create_pod for a lost answer. The name need not be unique: what carried it before is not
    /// taken for what was made. Without a `name` in the body a lost answer is an error that is not to be
    /// tried again on. Nulls and empty texts are left out of the body.
    Async<nlohmann::json> create(const Resource& resource, nlohmann::json body);
    /// PATCH. The body goes as it is: null and "" clear a field.
    Async<nlohmann::json> update(const Resource& resource, std::string id, nlohmann::json changes);
    Async<void> remove(const Resource& resource, std::string id);

    /// Makes a pod. One POST, sent again only after a 429. When the answer is lost (5xx, timeout, reset, no
    /// JSON) the pod is looked for by its `name`, which must therefore be unique; the result is then that
    /// pod, or
    /// - an error with `retryable` = true: after three reads no pod of that name showed up;
    /// - an error with `retryable` = false: it could not be found out, a pod may exist.
    /// If several pods carry the name the oldest is returned, with the others' ids in "_duplicates": end
    /// those.
    /// Fields that an older service does not know (see later_fields) are dropped after its 422, and the
    /// result has their names in "_dropped"; a dropped `cmd` has gone on as `args`.
    Async<nlohmann::json> create_pod(nlohmann::json spec);
    /// All pods of the account, as an array; cluster members are left out.
    Async<nlohmann::json> list_pods();
    /// The oldest pod of that name (others in "_duplicates"), or null. One read: absence is not proven by it.
    Async<nlohmann::json> find_by_name(std::string name);
    Async<nlohmann::json> get_pod(std::string id);
    /// Changes a pod and gives it. A new image, args, env, ports or disk resets a running container.
    Async<nlohmann::json> patch_pod(std::string id, nlohmann::json changes);
    /// "start", "stop", "restart" or "terminate". Done already counts as done (stop of an EXITED pod,
    /// terminate of one that is gone). Returns the pod afterwards; after terminate only its id and status.
    Async<nlohmann::json> action(std::string id, std::string verb);
    /// Ends a pod for good; one that is gone already is a success. Sends until a definite answer for up to
    /// two minutes.
    Async<void> delete_pod(std::string id);
    /// GPU types with price and availability, as an array.
    Async<nlohmann::json> gpus(GpuQuery query);
    /// Follows a pod's log, with resume. Each event's data is {"ts","source","line"}. Does not end by itself.
    std::unique_ptr<net::EventStream> logs(std::string id, LogQuery query);

    /// The pods of a cluster, as an array.
    Async<nlohmann::json> cluster_pods(std::string id);
    /// The account's public SSH keys, as an array of lines.
    Async<nlohmann::json> ssh_keys();
    /// Replaces the whole set, and gives it.
    Async<nlohmann::json> put_ssh_keys(nlohmann::json keys);
    /// {"records", "metadata"} of /v2/billing, or of /v2/billing/`kind`; times in UTC, amounts in USD.
    Async<nlohmann::json> billing(std::string kind, Query query);

    /// What the rate limit headers said last, window by window; empty until an answer has some.
    const std::vector<RateWindow>& rate() const { return rate_; }

    /// What became of a create whose answer was lost for the reason `why`: three reads for the name, without
    /// the things whose ids are in `before`. The thing, or one of create_pod's two errors.
    Async<nlohmann::json> find_lost(const Resource& resource, std::string name,
                                    std::vector<std::string> before, Error why);
    /// Sends a request and notes the rate limits that its answer tells.
    Async<net::HttpResponse> send(net::HttpRequest request);
    /// Sends a POST, again only after 429 and within two minutes. Http's own rule would also repeat it after
    /// a 503 with Retry-After.
    Async<net::HttpResponse> post(net::HttpRequest request, std::string what);

    net::Loop& loop() { return http_.loop(); }
    const std::string& base_url() const { return base_url_; }
    const Secret& key() const { return key_; }

private:
    net::HttpRequest request(std::string method, const std::string& path) const;
    Async<nlohmann::json> item(const Resource& resource, Call asked);
    Async<nlohmann::json> settle_create(const Resource& resource, std::string name,
                                        std::vector<std::string> before, Result<net::HttpResponse> answer);

    net::Http& http_;
    std::string base_url_;
    Secret key_;
    std::vector<RateWindow> rate_ = {};
};

/// The oldest of the items that carry `name` and whose id is not in `before`, with the ids of the others in
/// "_duplicates"; null when there is none.
nlohmann::json pick_by_name(const nlohmann::json& items, const std::string& name,
                            const std::vector<std::string>& before = {});

} // namespace podsmith::runpod
