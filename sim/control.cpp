#include "sim/control.hpp"

#include "base/text.hpp"
#include "sim/problem.hpp"

namespace podsmith::sim {
namespace {

using nlohmann::json;

json pod_state(const Pod& pod) {
    return {{"id", pod.id},
            {"name", pod.name},
            {"status", pod.status},
            {"gpu", pod.gpu_id},
            {"gpu_count", pod.gpu_count},
            {"place", pod.place},
            {"is_up", pod.is_up},
            {"ssh_port", pod.ssh_port},
            {"is_spot", pod.is_spot},
            {"bid", pod.bid},
            {"cost_per_hour", pod.cost},
            {"is_spot", pod.is_spot},
            {"bid", pod.bid},
            {"spent", pod.spent},
            {"created_at", utc_text(pod.created_at)},
            {"ended_at", pod.ended_by.empty() ? json(nullptr) : json(utc_text(pod.ended_at))},
            {"ended_by", pod.ended_by.empty() ? json(nullptr) : json(pod.ended_by)}};
}

Response state(Core& core) {
    PodBook& book = core.api->pods();
    const double spent = core.api->spent();
    json pods = json::array();
    for (const Pod* pod : book.all())
        pods.push_back(pod_state(*pod));
    const std::size_t alive = pods.size();
    for (const auto& pod : book.ended())
        pods.push_back(pod_state(*pod));
    json traffic = json::object();
    for (const auto& [route, bytes] : core.traffic)
        traffic[route] = {{"received", bytes.received}, {"sent", bytes.sent}};
    return json_answer(200, {{"pods", pods},
                             {"alive", alive},
                             {"requests", core.requests},
                             {"traffic", traffic},
                             {"cost", spent},
                             {"balance", core.api->balance_left()},
                             {"faults", core.faults.to_json()}});
}

/// The body is the text itself, or JSON with it under `name`.
std::string text_of(const Request& request, const char* name) {
    const json body = json::parse(request.body, nullptr, false);
    if (body.is_object() && body.contains(name) && body[name].is_string())
        return body[name];
    return trim(request.body);
}

Response done(const Result<void>& result) {
    return result ? json_answer(200, {{"ok", true}}) : problem(422, result.error().text());
}

enum class Side { api, hub, s3 };

std::string route_of(const Core& core, const Request& request, Side side) {
    if (side == Side::hub)
        return core.hub->route_of(request);
    if (side == Side::s3) {
        const std::string operation = S3Api::operation_of(request);
        return operation.empty() ? "" : "S3 " + operation;
    }
    const std::string first = request.segments.empty() ? "" : request.segments[0];
    if (first == "graphql")
        return request.method + " /graphql";
    return first == "v1" && core.v1 ? core.v1->route_of(request) : core.api->route_of(request);
}

/// The real answer, by what the path begins with.
asio::awaitable<Response> handle(std::shared_ptr<Core> core, std::shared_ptr<Request> request, Side side) {
    const std::string first = request->segments.empty() ? "" : request->segments[0];
    Response response;
    if (side == Side::hub)
        response = co_await core->hub->dispatch(request);
    else if (side == Side::s3)
        response = co_await S3Api::dispatch(core->s3, request);
    else if (first == "v2")
        response = co_await RunpodApi::dispatch(core->api, request);
    else if (first == "graphql" && core->graphql)
        response = co_await GraphqlApi::dispatch(core->graphql, request);
    else if (first == "v1" && core->v1)
        response = co_await V1Api::dispatch(core->v1, request);
    else if (first == "graphql" || first == "v1")
        response = answer(410, R"({"error":"this API has been retired; use REST v2","status":410})",
                          "application/json");
    else
        response = problem(404, "resource not found");
    co_return response;
}

void record(Core& core, const Request& request, const Response& response, const std::vector<Fault>& faults) {
    if (!core.record.is_open())
        return;
    std::vector<std::string> specs;
    for (const Fault& fault : faults)
        specs.push_back(fault.spec);
    core.record.add(request, response, specs);
}

/// Counts the bytes of both bodies on the route's account, as they come and go.
void count_bytes(const std::shared_ptr<Core>& core, const std::string& route, const Request& request) {
    Core::Traffic& traffic = core->traffic[route];
    traffic.received += request.body.size();
    if (request.source)
        request.source->on_bytes = [core, &traffic](std::size_t count) { traffic.received += count; };
}

/// The fault that cuts the request itself, or null.
const Fault* cutting(const std::vector<Fault>& faults) {
    for (const Fault& fault : faults)
        if (fault.kind == FaultKind::drop_during)
            return &fault;
    return nullptr;
}

asio::awaitable<Response> serve(std::shared_ptr<Core> core, std::shared_ptr<Request> request, Side side) {
    std::string route = route_of(*core, *request, side);
    if (route.empty())
        route = request->method + " (no route)";
    ++core->requests[route];
    count_bytes(core, route, *request);
    const std::vector<Fault> faults = core->faults.match(*request);
    if (core->shape->rtt > 0)
        co_await core->loop.sleep(core->shape->rtt);
    auto response = std::make_shared<Response>();
    bool ended = co_await apply_before(core->loop, faults, response);
    if (const Fault* cut = ended ? nullptr : cutting(faults)) {
        ended = !request->source; // the whole body is there: all that is left is not to act on it
        response->drop = ended;
        if (request->source)
            request->source->cut_after(cut->amount < 0 ? request->source->length().value_or(0) / 2
                                                       : static_cast<std::uint64_t>(cut->amount));
    }
    if (!ended) {
        Response real = co_await handle(core, request, side);
        *response = std::move(real);
        apply_after(faults, *response);
        response->drop = response->drop || cutting(faults);
    }
    if (side == Side::api)
        record(*core, *request, *response, faults);
    // The map's entries stay where they are, and the core outlives its answers.
    response->on_sent = [core, &traffic = core->traffic[route]](std::size_t count) { traffic.sent += count; };
    co_return std::move(*response);
}

/// The numbers of a body, an object whose only members they may be; an empty body has none.
Result<void> read_numbers(const Request& request,
                          std::initializer_list<std::pair<const char*, double*>> wanted) {
    const json body = request.body.empty() ? json::object() : json::parse(request.body, nullptr, false);
    std::string names;
    std::size_t known = 0;
    bool is_good = body.is_object();
    for (const auto& [name, value] : wanted) {
        names += (names.empty() ? "" : ", ") + std::string(name);
        if (!is_good || !body.contains(name))
            continue;
        ++known;
        is_good = body[name].is_number() && body[name].get<double>() >= 0;
        if (is_good)
            *value = body[name].get<double>();
    }
    if (is_good && known == body.size())
        return {};
    return fail(Kind::invalid, "the body is an object of numbers, all optional: " + names);
}

Response shape_line(Core& core, const Request& request) {
    double rtt = core.shape->rtt * 1000, bandwidth = core.shape->bandwidth / kMegabit;
    const Result<void> read = read_numbers(request, {{"rtt", &rtt}, {"bandwidth", &bandwidth}});
    if (read)
        *core.shape = LineShape{rtt / 1000, bandwidth * kMegabit};
    return done(read);
}

Response cut(Pod& pod, const Request& request) {
    double after = 0, refuse = 0;
    if (const Result<void> read =
            read_numbers(request, {{"after_bytes", &after}, {"refuse_seconds", &refuse}});
        !read)
        return done(read);
    if (!pod.line)
        return problem(409, "the pod has no SSH server now");
    pod.line->cut_after(static_cast<std::uint64_t>(after));
    if (refuse > 0)
        pod.line->refuse(refuse);
    return done({});
}

/// A control route that does something to one living pod.
void on_pod(Core& core, const std::string& name, std::function<Response(Pod&, const Request&)> act) {
    core.control.on("POST", "/_sim/pods/{id}/" + name, [&core, act = std::move(act)](const Request& request) {
        Pod* pod = core.api->pods().find(request.param("id"));
        return pod ? act(*pod, request) : problem(404, "no such pod");
    });
}

} // namespace

void add_control_routes(Core& core) {
    // The router is part of the core, so the reference holds as long as the routes do.
    Router& control = core.control;
    control.on("GET", "/_sim/state", [&core](const Request&) { return state(core); });
    control.on("POST", "/_sim/fault",
               [&core](const Request& request) { return done(core.faults.add(text_of(request, "spec"))); });
    control.on("DELETE", "/_sim/fault", [&core](const Request&) {
        core.faults.clear();
        return done({});
    });
    control.on("POST", "/_sim/stock", [&core](const Request& request) {
        return done(core.api->catalog().set_stock(text_of(request, "stock")));
    });
    control.on("POST", "/_sim/pods", [&core](const Request& request) {
        const json body = json::parse(request.body, nullptr, false);
        const bool is_order = body.is_object() && body.contains("pod") && body["pod"].is_object() &&
                              body.value("count", json()).is_number_integer();
        return is_order ? done(core.api->seed(body["pod"], body["count"].get<int>()))
                        : problem(422, "the body is {\"count\": N, \"pod\": {as for POST /v2/pods}}");
    });
    on_pod(core, "kill-sshd-and-move", [&core](Pod& pod, const Request&) {
        const Result<int> port = core.api->pods().move_sshd(pod);
        return port ? json_answer(200, {{"port", *port}}) : problem(409, port.error().text());
    });
    on_pod(core, "cut", cut);
    control.on("POST", "/_sim/line", [&core](const Request& request) { return shape_line(core, request); });
    on_pod(core, "vanish", [&core](Pod& pod, const Request&) {
        core.api->pods().terminate(pod, "vanished");
        return done({});
    });
    on_pod(core, "preempt", [&core](Pod& pod, const Request&) {
        const Result<void> begun = core.api->pods().preempt(pod);
        return begun ? done({}) : problem(409, begun.error().text());
    });
    on_pod(core, "fill-host", [](Pod& pod, const Request&) {
        pod.is_host_full = true;
        return done({});
    });
    on_pod(core, "free-host", [](Pod& pod, const Request&) {
        pod.is_host_full = false;
        return done({});
    });
}

asio::awaitable<Response> serve_api(std::shared_ptr<Core> core, std::shared_ptr<Request> request) {
    if (!request->segments.empty() && request->segments[0] == "_sim") {
        Response response = co_await core->control.dispatch(request);
        co_return response;
    }
    Response response = co_await serve(core, request, Side::api);
    co_return response;
}

asio::awaitable<Response> serve_hub(std::shared_ptr<Core> core, std::shared_ptr<Request> request) {
    Response response = co_await serve(core, request, Side::hub);
    co_return response;
}

asio::awaitable<Response> serve_s3(std::shared_ptr<Core> core, std::shared_ptr<Request> request) {
    Response response = co_await serve(core, request, Side::s3);
    co_return response;
}

} // namespace podsmith::sim
