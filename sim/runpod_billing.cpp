#include "sim/runpod_billing.hpp"

#include "base/system.hpp"

#include <chrono>
#include <cmath>
#include <fmt/core.h>
#include <optional>
#include <set>

namespace podsmith::sim {
namespace {

using nlohmann::json;
namespace chrono = std::chrono;

constexpr double kDefaultWindow = 30.0 * 86400;

/// One of the six paths: whose lines it shows, and what its records are called.
struct View {
    std::string path, id_field, unique_field; ///< no id_field: everything, one record a bucket
    std::optional<Payer> payer;
    bool is_aggregate = false;
};

struct Query {
    double start = 0, end = 0; ///< UTC seconds, on bucket edges
    std::string bucket = "day";
    std::string id; ///< "" for all
};

/// The start of the bucket that holds `time`, moved by `steps` buckets. Weeks begin on Monday.
double edge(double time, const std::string& bucket, int steps = 0) {
    using Days = chrono::sys_days;
    const auto seconds = static_cast<std::int64_t>(std::floor(time));
    if (bucket == "hour")
        return static_cast<double>((seconds / 3600 + steps) * 3600);
    const Days day = chrono::floor<chrono::days>(chrono::sys_seconds(chrono::seconds(seconds)));
    const chrono::year_month_day date(day);
    Days out = day + chrono::days(steps);
    if (bucket == "week")
        out = day - (chrono::weekday(day) - chrono::Monday) + chrono::weeks(steps);
    else if (bucket == "month")
        out = Days((date.year() / date.month() / 1) + chrono::months(steps));
    else if (bucket == "year")
        out = Days((date.year() / 1 / 1) + chrono::years(steps));
    return static_cast<double>(chrono::sys_seconds(out).time_since_epoch().count());
}

double time_of(std::vector<std::string>& errors, const Request& request, const char* name, double fallback) {
    const auto text = request.query_value(name);
    const auto time = text ? utc_from(*text) : std::optional<double>(fallback);
    if (!time)
        errors.push_back(fmt::format("$.{}: '{}' is not valid date-time", name, *text));
    return time.value_or(fallback);
}

OrRefusal<Query> read_query(const Request& request, const View& view, double now) {
    Query query;
    std::vector<std::string> errors;
    query.bucket = request.query_value("bucketSize").value_or("day");
    check_words(errors, "bucketSize", {query.bucket}, {"hour", "day", "week", "month", "year"});
    const int last = number_of(errors, request, "lastN", 0, 1);
    const double end = time_of(errors, request, "endTime", now);
    const double start = time_of(errors, request, "startTime", end - kDefaultWindow);
    if (!errors.empty())
        return tl::unexpected(invalid_request(errors));
    if (last > 0 && (request.query.contains("startTime") || request.query.contains("endTime")))
        return tl::unexpected(problem(400, "lastN and startTime/endTime are mutually exclusive"));
    if (start >= end)
        return tl::unexpected(problem(400, "startTime must be before endTime"));
    query.start = edge(start, query.bucket);
    query.end = edge(end, query.bucket) == end ? end : edge(end, query.bucket, 1);
    if (last > 0) {
        query.start = edge(now, query.bucket, 1 - last);
        query.end = edge(now, query.bucket, 1);
    }
    if (!view.id_field.empty())
        query.id = request.query_value(view.id_field).value_or("");
    return query;
}

/// The components of one record of a view.
json amounts_json(const View& view, const Amounts& pod, const Amounts& cluster, const Amounts& volume) {
    const double total = pod.total() + cluster.total() + volume.total();
    if (view.is_aggregate)
        return {{"totalAmount", total},
                {"podGpuAmount", pod.gpu},
                {"podCpuAmount", pod.cpu},
                {"podDiskAmount", pod.disk},
                {"serverlessGpuAmount", 0},
                {"serverlessCpuAmount", 0},
                {"serverlessDiskAmount", 0},
                {"serverlessFeeAmount", 0},
                {"storageStandardAmount", volume.standard},
                {"storageHighPerformanceAmount", volume.high_performance},
                {"endpointAmount", 0},
                {"clusterGpuAmount", cluster.gpu},
                {"clusterDiskAmount", cluster.disk},
                {"clusterNetworkingAmount", 0}};
    if (view.payer == Payer::pod)
        return {
            {"totalAmount", total}, {"gpuAmount", pod.gpu}, {"cpuAmount", pod.cpu}, {"diskAmount", pod.disk}};
    if (view.payer == Payer::cluster)
        return {{"totalAmount", total},
                {"gpuAmount", cluster.gpu},
                {"diskAmount", cluster.disk},
                {"networkingAmount", 0}};
    if (view.payer == Payer::volume)
        return {{"totalAmount", total},
                {"standardAmount", volume.standard},
                {"highPerformanceAmount", volume.high_performance}};
    if (view.id_field == "serverlessId")
        return {{"totalAmount", 0}, {"gpuAmount", 0}, {"cpuAmount", 0}, {"diskAmount", 0}, {"feeAmount", 0}};
    return {{"totalAmount", 0}};
}

/// What one record, or the total, sums up.
struct Sum {
    Amounts pod, cluster, volume;
    void add(const Ledger::Line& line) {
        (line.payer == Payer::pod ? pod : line.payer == Payer::cluster ? cluster : volume) += line.amounts;
    }
};

Response bill(const View& view, const Query& query, const Ledger& ledger) {
    std::map<std::pair<double, std::string>, Sum> records; // bucket and id
    Sum all;
    std::set<std::string> ids;
    for (const Ledger::Line& line : ledger.lines()) {
        const double time = static_cast<double>(line.hour) * 3600;
        if (time < query.start || time >= query.end || (!view.is_aggregate && line.payer != view.payer) ||
            (!query.id.empty() && line.id != query.id))
            continue;
        records[{edge(time, query.bucket), view.is_aggregate ? "" : line.id}].add(line);
        all.add(line);
        ids.insert(line.id);
    }
    json list = json::array();
    for (const auto& [key, sum] : records) {
        json record = amounts_json(view, sum.pod, sum.cluster, sum.volume);
        record["startTime"] = utc_text(key.first);
        record["endTime"] = utc_text(edge(key.first, query.bucket, 1));
        if (!view.id_field.empty())
            record[view.id_field] = key.second;
        list.push_back(std::move(record));
    }
    json asked{
        {"startTime", utc_text(query.start)}, {"endTime", utc_text(query.end)}, {"bucketSize", query.bucket}};
    if (!view.id_field.empty())
        asked[view.id_field] = query.id.empty() ? json(nullptr) : json(query.id);
    json metadata{{"query", asked},
                  {"recordCount", list.size()},
                  {"totals", amounts_json(view, all.pod, all.cluster, all.volume)}};
    if (!view.unique_field.empty())
        metadata[view.unique_field] = ids.size();
    return json_answer(200, {{"records", list}, {"metadata", metadata}});
}

} // namespace

void add_billing_routes(Router& router, const System& system, const Ledger& ledger,
                        std::function<void()> settle) {
    const std::vector<View> views{
        {"/v2/billing", "", "", std::nullopt, true},
        {"/v2/billing/pods", "podId", "uniquePodCount", Payer::pod},
        {"/v2/billing/serverless", "serverlessId", "uniqueServerlessCount", std::nullopt},
        {"/v2/billing/endpoints", "", "", std::nullopt},
        {"/v2/billing/network-volumes", "networkVolumeId", "uniqueNetworkVolumeCount", Payer::volume},
        {"/v2/billing/clusters", "clusterId", "uniqueClusterCount", Payer::cluster}};
    for (const View& view : views)
        router.on("GET", view.path, [view, settle, &system, &ledger](const Request& request) {
            settle();
            const auto query = read_query(request, view, system.utc());
            return query ? bill(view, *query, ledger) : query.error();
        });
}

} // namespace podsmith::sim
