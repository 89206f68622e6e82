#include "runpod/graphql.hpp"

#include "base/text.hpp"
#include "net/retry.hpp"
#include "runpod/create_fields.hpp"
#include "runpod/graphql_answer.hpp"

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr const char* kAccount = "query { myself { id email clientBalance currentSpendPerHr spendLimit } }";
constexpr const char* kSpotPrices =
    "query($input: GpuLowestPriceInput) { gpuTypes { id displayName memoryInGb "
    "lowestPrice(input: $input) { minimumBidPrice uninterruptablePrice stockStatus } } }";
constexpr const char* kRent = "mutation($input: PodRentInterruptableInput!) { podRentInterruptable(input: "
                              "$input) { id name desiredStatus imageName costPerHr gpuCount } }";
constexpr const char* kResume = "mutation($input: PodBidResumeInput!) { podBidResume(input: $input) "
                                "{ id name desiredStatus imageName costPerHr gpuCount } }";
/// Seconds for reading a pod that is known to exist: whoever waits for its id must not wait long.
constexpr double kReadDeadline = 20;

/// The pod of an answer, with what v2 would call its fields; null when the answer has none. Such an answer
/// is a success even with errors beside it: the pod is there and bills.
json given_pod(const net::HttpResponse& response, const char* operation, const json& input) {
    const json data = data_of(response, operation);
    if (text_in(data, "id").empty())
        return nullptr;
    json pod = json::object();
    pod["id"] = data.at("id");
    // GraphQL only knows that it shall run.
    pod["status"] = "PROVISIONING";
    const std::string name = text_in(data, "name");
    pod["name"] = name.empty() ? text_in(input, "name") : name;
    pod["image"] = text_in(data, "imageName");
    pod["cost"] = number_in(data, "costPerHr");
    pod["gpu"] = json::object();
    if (const std::string type = text_in(input, "gpuTypeId"); !type.empty())
        pod["gpu"]["id"] = type;
    pod["gpu"]["count"] = member(input, "gpuCount");
    drop_unset(pod);
    return pod;
}

} // namespace

Graphql::Graphql(Client& client, std::string url) : client_(client), url_(std::move(url)) {
    if (url_.empty())
        url_ = client_.base_url() + "/graphql";
}

net::HttpRequest Graphql::request(std::string query, json variables) const {
    net::HttpRequest made;
    made.method = "POST";
    made.url = url_;
    made.bearer = client_.key();
    made.max_redirects = 0;
    made.headers.emplace_back("Accept", "application/json");
    made.headers.emplace_back("Content-Type", "application/json");
    json body = json::object();
    body["query"] = std::move(query);
    body["variables"] = std::move(variables);
    made.body = body.dump(-1, ' ', false, json::error_handler_t::replace);
    return made;
}

Async<json> Graphql::account() {
    const std::string what = "read the account";
    net::HttpRequest asked = request(kAccount, json::object());
    asked.retry.idempotent = true; // a query
    Result<net::HttpResponse> answer = co_await client_.send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(what));
    const json myself = data_of(*answer, "myself");
    if (!myself.is_object()) {
        const json body = json::parse(answer->body, nullptr, false);
        // Public queries answer without a key; then nobody is "myself".
        if (answer->status == 200 && body.is_object() && message_of(*answer).empty())
            co_return fail(Kind::auth, what + ": Runpod does not know whose key this is",
                           "check RUNPOD_API_KEY; keys are made at https://console.runpod.io/user/settings");
        Error error = graphql_error(*answer, what);
        if (error.kind == Kind::unsupported)
            error.hint = "the balance is shown at https://console.runpod.io/user/billing";
        co_return fail(std::move(error));
    }
    json account = json::object();
    account["id"] = member(myself, "id");
    account["email"] = member(myself, "email");
    account["balance"] = member(myself, "clientBalance");
    account["spendPerHour"] = member(myself, "currentSpendPerHr");
    account["spendLimit"] = member(myself, "spendLimit");
    drop_unset(account);
    co_return account;
}

Async<json> Graphql::spot_prices(SpotPriceQuery query) {
    const std::string what = "list spot prices";
    json variables = json::object();
    variables["input"]["gpuCount"] = query.count;
    if (!query.cloud.empty())
        variables["input"]["secureCloud"] = query.cloud == "SECURE";
    net::HttpRequest asked = request(kSpotPrices, std::move(variables));
    asked.retry.idempotent = true;
    Result<net::HttpResponse> answer = co_await client_.send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(what));
    const json types = data_of(*answer, "gpuTypes");
    if (!types.is_array())
        co_return fail(graphql_error(*answer, what));
    json rows = json::array();
    for (const json& type : types) {
        const json lowest = member(type, "lowestPrice");
        const std::string id = text_in(type, "id");
        const double bid = number_in(lowest, "minimumBidPrice");
        if (id.empty() || lower(id) == "unknown" || bid <= 0)
            continue;
        json row = json::object();
        row["id"] = id;
        row["name"] = text_in(type, "displayName");
        row["memory"] = member(type, "memoryInGb");
        row["count"] = query.count;
        row["bid"] = bid;
        if (const double price = number_in(lowest, "uninterruptablePrice"); price > 0)
            row["price"] = price;
        row["stock"] = text_in(lowest, "stockStatus");
        rows.push_back(std::move(row));
    }
    co_return rows;
}

Async<json> Graphql::create_spot_pod(json spec, double bid) {
    if (text_in(spec, "name").empty())
        co_return fail(Kind::invalid, "create spot pod: the request needs a name",
                       "give each attempt a unique name: a lost answer can only be found again by it");
    drop_unset(spec);
    const std::string what = "create spot pod " + text_in(spec, "name");
    json places = member(spec, "dataCenterIds");
    if (!places.is_array() || places.empty())
        places = json::array({json(nullptr)}); // anywhere
    Result<json> input = spot_input(std::move(spec), bid);
    if (!input)
        co_return fail(input.error());
    Result<json> pod = fail(Kind::internal, what);
    for (const json& place : places) {
        json here = *input;
        if (place.is_string())
            here["dataCenterId"] = place;
        pod = co_await rent(std::move(here), what);
        if (pod || pod.error().kind != Kind::capacity)
            break;
    }
    co_return pod;
}

/// One mutation. It is billed, so a lost answer is looked for by name, as v2's create does.
Async<json> Graphql::rent(json input, std::string what) {
    json variables = json::object();
    variables["input"] = input;
    net::HttpRequest asked = request(kRent, std::move(variables));
    Result<net::HttpResponse> answer = co_await client_.post(std::move(asked), what);
    Error why;
    if (answer) {
        json given = given_pod(*answer, "podRentInterruptable", input);
        if (!given.is_null()) {
            Result<json> pod = co_await as_v2(std::move(given));
            co_return pod;
        }
        why = graphql_error(*answer, what);
        if (!may_have_worked(*answer))
            co_return fail(why);
    } else {
        why = answer.error().in(what);
        if (net::nothing_was_sent(answer.error()))
            co_return fail(why);
    }
    std::vector<std::string> before;
    std::string name = text_in(input, "name");
    Result<json> found = co_await client_.find_lost(pods_resource(), std::move(name), std::move(before), why);
    co_return found;
}

Async<json> Graphql::resume_spot_pod(std::string id, double bid, int gpu_count) {
    const std::string what = "resume spot pod " + id;
    if (id.empty() || !(bid > 0) || gpu_count < 1)
        co_return fail(Kind::invalid, what + ": an id, a bid over 0 and at least one GPU are needed",
                       "runpod.spot_prices() tells the least bid");
    json input = json::object();
    input["podId"] = id;
    input["bidPerGpu"] = bid;
    input["gpuCount"] = gpu_count;
    json variables = json::object();
    variables["input"] = input;
    net::HttpRequest asked = request(kResume, std::move(variables));
    Result<net::HttpResponse> answer = co_await client_.post(std::move(asked), what);
    if (answer) {
        json given = given_pod(*answer, "podBidResume", input);
        if (!given.is_null()) {
            Result<json> pod = co_await as_v2(std::move(given));
            co_return pod;
        }
    }
    if (answer && !may_have_worked(*answer))
        co_return fail(graphql_error(*answer, what));
    const Error why = answer ? graphql_error(*answer, what) : answer.error().in(what);
    // Nobody knows: the pod itself tells.
    Result<json> pod = co_await client_.get_pod(id);
    if (pod && text_in(*pod, "status") != "EXITED" && text_in(*pod, "status") != "ERROR" &&
        text_in(*pod, "status") != "TERMINATED")
        co_return pod;
    co_return fail(why);
}

/// The pod as v2 tells it; as it was `given` when that read fails.
Async<json> Graphql::as_v2(json given) {
    Async<json> reading = client_.get_pod(given.at("id").get<std::string>());
    Result<json> pod =
        co_await net::with_deadline<json>(client_.loop(), kReadDeadline, "read the pod", std::move(reading));
    if (pod)
        co_return pod;
    co_return given;
}

} // namespace podsmith::runpod
