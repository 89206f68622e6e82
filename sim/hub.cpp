#include "sim/hub.hpp"

#include "sim/hub_call.hpp"

#include <algorithm>
#include <cctype>

namespace podsmith::sim {
struct Hub::Impl : HubState {
    using HubState::HubState;
};

Hub::Hub(net::Loop& loop, HubOptions options) : impl_(std::make_shared<Impl>(loop, std::move(options))) {}
Hub::~Hub() = default;

const std::string& Hub::read_token() const {
    return impl_->options.read_token;
}
std::map<std::string, std::string> Hub::tokens() const {
    std::map<std::string, std::string> by_variable;
    for (const HubToken& token : impl_->people.tokens) {
        std::string kind = token.name.substr(token.name.find('-') + 1); // "sim-read": READ
        std::transform(kind.begin(), kind.end(), kind.begin(),
                       [](unsigned char c) { return std::toupper(c); });
        if (token.text != impl_->options.token)
            by_variable["SIM_HF_" + kind + "_TOKEN"] = token.text;
    }
    return by_variable;
}

HubStore& Hub::store() {
    return impl_->store;
}

void Hub::add_routes(Router& router) {
    const std::shared_ptr<HubState> state = impl_;
    add_hub_account_routes(router, state);
    add_hub_repo_routes(router, state);
    add_hub_info_routes(router, state);
    add_hub_tree_routes(router, state);
    add_hub_ref_routes(router, state);
    add_hub_file_routes(router, state);
    add_hub_preupload_routes(router, state);
    add_hub_commit_routes(router, state);
    add_hub_lfs_routes(router, state);
    add_hub_storage_routes(router, state);
    router.on_missing([state](const Request& request, int status) {
        const char* text =
            status == 404 ? "Sorry, we can't find the page you are looking for." : "Method not allowed";
        return hub_finish(*state, request, hub_error(status, "", text));
    });
}

void Hub::add_control_routes(Router& control) {
    add_hub_control_routes(control, impl_);
}

bool Hub::is_streamed(const Request& request) {
    return request.method == "PUT" && !request.segments.empty() && request.segments[0] == "sim-storage";
}

} // namespace podsmith::sim
