#include "runpod/shapes.hpp"

#include "runpod/errors.hpp"

#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

bool has_string(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() && !found->get_ref<const std::string&>().empty();
}

} // namespace

Result<void> check_pod(const json& pod, const std::string& what) {
    if (!pod.is_object())
        return fail(malformed(what, "a pod is not an object"));
    for (const char* key : {"id", "status"})
        if (!has_string(pod, key))
            return fail(malformed(what, fmt::format("a pod without \"{}\"", key)));
    return {};
}

Result<void> check_item(const json& item, const std::string& what) {
    if (!item.is_object())
        return fail(malformed(what, "an item is not an object"));
    if (!has_string(item, "id"))
        return fail(malformed(what, "an item without \"id\""));
    return {};
}

Result<json> pod_from(const std::string& body, const std::string& what) {
    json pod = json::parse(body, nullptr, false);
    if (pod.is_discarded())
        return fail(malformed(what, "the body is not JSON"));
    if (auto checked = check_pod(pod, what); !checked)
        return fail(checked.error());
    return pod;
}

Result<Page> page_from(const std::string& body, const std::string& key, const std::string& what) {
    const json parsed = json::parse(body, nullptr, false);
    if (!parsed.is_object())
        return fail(malformed(what, "the body is not a JSON object"));
    const auto items = parsed.find(key);
    if (items == parsed.end() || !items->is_array())
        return fail(malformed(what, fmt::format("no list \"{}\"", key)));
    Page page;
    page.items = *items;
    const auto pagination = parsed.find("pagination");
    if (pagination != parsed.end() && pagination->is_object()) {
        const auto more = pagination->find("hasNextPage");
        if (more != pagination->end() && *more == true && has_string(*pagination, "nextCursor"))
            page.next_cursor = pagination->at("nextCursor").get<std::string>();
        else if (more != pagination->end() && *more == true)
            return fail(malformed(what, "a page that says it has a next one, without its cursor"));
    }
    return page;
}

} // namespace podsmith::runpod
