#include "sim/simulator.hpp"

#include "base/text.hpp"
#include "sim/control.hpp"
#include "sim/hub.hpp"
#include "sim/scratch.hpp"
#include "sim/server.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/core.h>
#include <unistd.h>

namespace podsmith::sim {
namespace {

bool needs_quotes(const std::string& value) {
    const std::string plain = "_-./:@%+=,";
    return std::any_of(value.begin(), value.end(), [&plain](unsigned char c) {
        return !std::isalnum(c) && plain.find(static_cast<char>(c)) == std::string::npos;
    });
}

} // namespace

struct Simulator::Impl {
    Impl(net::Loop& l, SimOptions o) : loop(l), options(std::move(o)), core(std::make_shared<Core>(l)) {
        api_server = std::make_unique<Server>(loop, [core = core](std::shared_ptr<Request> request) {
            return serve_api(core, std::move(request));
        });
        hub_server = std::make_unique<Server>(loop, [core = core](std::shared_ptr<Request> request) {
            return serve_hub(core, std::move(request));
        });
        s3_server = std::make_unique<Server>(loop, [core = core](std::shared_ptr<Request> request) {
            return serve_s3(core, std::move(request));
        });
    }

    static net::Async<void> start(std::shared_ptr<Impl> self);
    Result<void> prepare();
    Result<void> build();
    void stop();

    net::Loop& loop;
    SimOptions options;
    Scratch scratch;
    SshKey key;
    Secret api_key, hub_token;
    std::shared_ptr<Core> core;
    std::unique_ptr<Hub> hub;
    std::unique_ptr<Server> api_server, hub_server, s3_server;
};

Result<void> Simulator::Impl::prepare() {
    if (!options.no_sshd)
        if (auto able = Sandbox::available(options.sshd); !able)
            return fail(Error(able.error()).in("simulated pods with a real sshd"));
    auto made = Scratch::make(options.dir);
    if (!made)
        return fail(made.error());
    scratch = std::move(*made);
    const System& system = loop.system();
    std::string key_text = options.api_key.empty() ? "rpa_sim" + system.random_tag(40) : options.api_key;
    api_key = Secret(std::move(key_text), "RUNPOD_API_KEY");
    hub_token = Secret("hf_sim" + system.random_tag(31), "HF_TOKEN");
    core->shape->rtt = options.rtt / 1000;
    core->shape->bandwidth = options.bandwidth * kMegabit;
    if (!options.record.empty())
        if (auto opened = core->record.open(options.record); !opened)
            return fail(opened.error());
    for (const std::string& spec : options.faults)
        if (auto added = core->faults.add(spec); !added)
            return fail(added.error());
    return {};
}

Result<void> Simulator::Impl::build() {
    auto hub_port = hub_server->listen(options.hub_port);
    if (!hub_port)
        return fail(hub_port.error());
    auto api_port = api_server->listen(options.port);
    if (!api_port)
        return fail(api_port.error());
    auto s3_port = s3_server->listen(options.s3_port);
    if (!s3_port)
        return fail(s3_port.error());
    RunpodOptions runpod;
    runpod.api_key = api_key.reveal();
    runpod.stock = options.stock;
    runpod.prices = options.prices;
    runpod.quotas = options.quotas;
    runpod.balance = options.balance;
    runpod.keep_alive = options.keep_alive;
    runpod.pods.boot = options.boot;
    runpod.pods.provisioning_first = options.provisioning_first;
    runpod.pods.no_sshd = options.no_sshd;
    runpod.pods.later = options.later;
    runpod.pods.preempt_grace = options.preempt_grace;
    runpod.lenient_include = options.lenient_include;
    runpod.no_volume_stop = options.no_volume_stop;
    runpod.pods.sshd = options.sshd;
    runpod.pods.shape = core->shape;
    runpod.pods.dir = scratch.path();
    // A real container finds the real services by their names; here it needs their addresses.
    runpod.pods.world = {{"RUNPOD_API_URL", api_server->url()}, {"HF_ENDPOINT", hub_server->url()}};
    for (const char* const* entry = environ; *entry; ++entry)
        if (const std::string_view text = *entry;
            text.starts_with("SIM_") && !text.starts_with("SIM_HF_")) // the stand-ins' knobs
            if (const auto equals = text.find('='); equals != std::string_view::npos)
                runpod.pods.world.emplace(text.substr(0, equals), text.substr(equals + 1));
    auto api = RunpodApi::make(loop, std::move(runpod));
    if (!api)
        return fail(api.error());
    core->api = std::move(*api);
    S3Options s3;
    s3.key = {"user_sim" + loop.system().random_tag(20), "rps_sim" + loop.system().random_tag(40)};
    for (const std::string& setting : options.s3)
        if (auto set = set_s3_option(s3, setting); !set)
            return fail(set.error());
    core->s3 = std::make_shared<S3Api>(core->api, std::move(s3));
    const bool has_spot = options.spot == "on";
    if (options.graphql == "on")
        core->graphql = std::make_shared<GraphqlApi>(core->api, has_spot);
    if (options.v1 == "on")
        core->v1 = std::make_shared<V1Api>(core->api, has_spot);
    add_control_routes(*core);
    HubOptions hub_options;
    hub_options.token = hub_token.reveal();
    hub_options.dir = scratch.path() / "hub";
    for (const std::string& setting : options.hub)
        if (auto set = set_hub_option(hub_options, setting); !set)
            return fail(set.error());
    hub = std::make_unique<Hub>(loop, std::move(hub_options));
    hub->add_routes(*core->hub);
    hub->add_control_routes(core->control);
    hub_server->stream_bodies(Hub::is_streamed);
    return {};
}

net::Async<void> Simulator::Impl::start(std::shared_ptr<Impl> self) {
    if (auto prepared = self->prepare(); !prepared)
        co_return fail(prepared.error());
    std::function<Result<SshKey>()> make_key = [folder = self->scratch.path()] {
        return make_ssh_key(folder);
    };
    Result<SshKey> key = co_await self->loop.offload<SshKey>(std::move(make_key));
    if (!key)
        co_return fail(key.error());
    self->key = std::move(*key);
    co_return self->build();
}

void Simulator::Impl::stop() {
    api_server->stop();
    hub_server->stop();
    s3_server->stop();
    if (core->api)
        core->api->pods().clear();
    scratch.remove();
}

Simulator::Simulator(net::Loop& loop, SimOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {}

Simulator::~Simulator() {
    stop();
}

net::Async<void> Simulator::start() {
    return Impl::start(impl_);
}

std::string Simulator::api_url() const {
    return impl_->api_server->url();
}

std::string Simulator::hub_url() const {
    return impl_->hub_server->url();
}

std::filesystem::path Simulator::folder() const {
    return impl_->scratch.path();
}

std::map<std::string, std::string> Simulator::environment() const {
    const std::string api = api_url();
    std::map<std::string, std::string> all = impl_->hub->tokens();
    all.merge(std::map<std::string, std::string>{
        {"RUNPOD_API_URL", api},
        // What other clients read: the SDK, the MCP server, runpodctl (whose RUNPOD_API_URL is v1's and
        // so has another meaning than ours).
        {"RUNPOD_API_BASE_URL", api},
        {"RUNPOD_GRAPHQL_URL", api + "/graphql"},
        {"RUNPOD_REST_V2_URL", api + "/v2"},
        {"RUNPOD_REST_V2_API_URL", api + "/v2"},
        {"RUNPOD_REST_API_URL", api + "/v1"},
        {"RUNPOD_PUBLIC_GRAPHQL_URL", api + "/graphql"},
        {"RUNPOD_AUTHED_GRAPHQL_URL", api + "/graphql"},
        {"RUNPOD_REST_ENDPOINT", api + "/v1"},
        {"RUNPOD_GRAPHQL_ENDPOINT", api + "/graphql"},
        {"RUNPOD_API_KEY", impl_->api_key.reveal()},
        {"RUNPOD_S3_ENDPOINT", impl_->s3_server->url() + "/{dc}"},
        {"AWS_ACCESS_KEY_ID", impl_->core->s3->key().access},
        {"AWS_SECRET_ACCESS_KEY", impl_->core->s3->key().secret},
        {"HF_ENDPOINT", hub_url()},
        {"HF_TOKEN", impl_->hub_token.reveal()},
        {"SSH_PRIVATE_KEY_PATH", impl_->key.private_path.string()},
        {"SSH_PUBLIC_KEY", impl_->key.public_line}});
    return all;
}

std::string Simulator::environment_text() const {
    std::string out;
    for (const auto& [name, value] : environment())
        out += name + "=" + (needs_quotes(value) ? shell_quote(value) : value) + "\n";
    return out;
}

void Simulator::stop() {
    impl_->stop();
}

Hub& Simulator::hub() {
    return *impl_->hub;
}

RunpodApi& Simulator::runpod() {
    return *impl_->core->api;
}

} // namespace podsmith::sim
