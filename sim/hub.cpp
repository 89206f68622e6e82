#include "sim/hub.hpp"

#include "sim/hub_call.hpp"

#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

template <class Number>
bool read_number(const std::string& text, Number& out) {
    const auto end = text.data() + text.size();
    Number value{};
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || at != end || value < Number{0})
        return false;
    out = value;
    return true;
}

} // namespace

struct Hub::Impl : HubState {
    using HubState::HubState;
};

Hub::Hub(net::Loop& loop, HubOptions options) : impl_(std::make_shared<Impl>(loop, std::move(options))) {}
Hub::~Hub() = default;

const std::string& Hub::read_token() const {
    return impl_->options.read_token;
}
HubStore& Hub::store() {
    return impl_->store;
}

void Hub::add_routes(Router& router) {
    const std::shared_ptr<HubState> state = impl_;
    add_hub_account_routes(router, state);
    add_hub_info_routes(router, state);
    add_hub_tree_routes(router, state);
    add_hub_file_routes(router, state);
    add_hub_commit_routes(router, state);
    add_hub_lfs_routes(router, state);
    router.on_missing([state](const Request& request, int status) {
        const char* text =
            status == 404 ? "Sorry, we can't find the page you are looking for." : "Method not allowed";
        return hub_finish(*state, request, hub_error(status, "", text));
    });
}

Result<void> set_hub_option(HubOptions& options, const std::string& setting) {
    const auto equals = setting.find('=');
    const std::string name = setting.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : setting.substr(equals + 1);
    bool is_good = false;
    if (name == "page_size")
        is_good = read_number(value, options.page_size) && options.page_size > 0;
    else if (name == "chunk_size")
        is_good = read_number(value, options.chunk_size) && options.chunk_size > 0;
    else if (name == "api_quota")
        is_good = read_number(value, options.api_quota);
    else if (name == "verify") {
        is_good = value == "0" || value == "1";
        options.verify = value != "0";
    } else
        return fail(Kind::invalid, fmt::format("--hub {}: no such setting", setting),
                    "page_size=N, chunk_size=BYTES, verify=0|1, api_quota=N");
    if (!is_good)
        return fail(Kind::invalid, fmt::format("--hub {}: '{}' is no value for {}", setting, value, name),
                    "page_size=N, chunk_size=BYTES, verify=0|1, api_quota=N");
    return {};
}

} // namespace podsmith::sim
