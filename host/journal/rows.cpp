#include "journal/rows.hpp"

#include "base/secret.hpp"

namespace podsmith::journal {

using nlohmann::json;

namespace {

// Inside JSON text a secret may be escaped and so hide from redact(); each string is cleaned before the dump.
void redact_strings(json& value) {
    if (value.is_string()) {
        value = redact(value.get<std::string>());
    } else if (value.is_array()) {
        for (json& item : value)
            redact_strings(item);
    } else if (value.is_object()) {
        json clean = json::object();
        for (auto& [key, item] : value.items()) {
            redact_strings(item);
            clean[redact(key)] = std::move(item);
        }
        value = std::move(clean);
    }
}

} // namespace

Pod pod_from(const Statement& row) {
    Pod pod;
    pod.name = row.text(0);
    pod.run_id = row.text(1);
    pod.pod_id = row.maybe_text(2);
    pod.state = pod_state_from(row.text(3));
    pod.details.gpu = row.text(4);
    pod.details.gpu_count = static_cast<int>(row.integer(5));
    pod.details.cloud = row.text(6);
    pod.details.data_center = row.text(7);
    pod.details.price_per_hour = row.maybe_real(8);
    pod.details.image = row.text(9);
    pod.details.note = row.text(10);
    pod.created_at = row.real(11);
    pod.ended_at = row.maybe_real(12);
    pod.last_seen = row.maybe_real(13);
    pod.details.kind = pod_kind_from(row.text(14));
    return pod;
}

Run run_from(const Statement& row, int first) {
    Run run;
    run.id = row.text(first);
    run.recipe = row.text(first + 1);
    run.params = loaded(row.text(first + 2));
    run.pid = static_cast<int>(row.integer(first + 3));
    run.started_at = row.real(first + 4);
    run.ended_at = row.maybe_real(first + 5);
    run.status = run_status_from(row.text(first + 6));
    run.budget_usd = row.maybe_real(first + 7);
    run.log_dir = row.text(first + 8);
    return run;
}

std::string stored(json value) {
    redact_strings(value);
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json loaded(const std::string& text) {
    json value = json::parse(text, nullptr, false);
    return value.is_discarded() ? json(nullptr) : value;
}

} // namespace podsmith::journal
