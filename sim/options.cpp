#include "sim/options.hpp"

#include "base/text.hpp"
#include "sim/faults.hpp"

#include <cmath>
#include <cstdlib>
#include <fmt/core.h>
#include <functional>

namespace podsmith::sim {
namespace {

struct Flag {
    std::string name, value, help; ///< value "": a switch
    std::function<Result<void>(SimOptions&, const std::string&)> set;
};

tl::unexpected<Error> bad(const std::string& flag, const std::string& value, const std::string& want) {
    return fail(Kind::invalid, fmt::format("{} '{}': want {}", flag, value, want),
                "podsmith sim --help lists the flags");
}

template <class T>
Flag number(std::string name, std::string value, std::string help, T SimOptions::*member, double most) {
    auto set = [name, member, most](SimOptions& options, const std::string& text) -> Result<void> {
        char* end = nullptr;
        const double read = std::strtod(text.c_str(), &end);
        const bool is_whole = std::is_floating_point_v<T> || read == std::floor(read);
        if (text.empty() || *end != '\0' || read < 0 || read > most || !is_whole)
            return bad(name, text, fmt::format("a number from 0 to {}", most));
        options.*member = static_cast<T>(read);
        return {};
    };
    return {name, std::move(value), std::move(help), std::move(set)};
}

template <class T>
Flag text(std::string name, std::string value, std::string help, T SimOptions::*member) {
    auto set = [name, member](SimOptions& options, const std::string& given) -> Result<void> {
        if (given.empty())
            return bad(name, given, "a value");
        options.*member = given;
        return {};
    };
    return {name, std::move(value), std::move(help), std::move(set)};
}

/// A flag that takes one of two words.
Flag choice(std::string name, std::string words, std::string help, std::string SimOptions::*member) {
    auto set = [name, words, member](SimOptions& options, const std::string& given) -> Result<void> {
        for (const std::string& word : split(words, '|'))
            if (word == given) {
                options.*member = given;
                return {};
            }
        return bad(name, given, words);
    };
    return {name, words, std::move(help), std::move(set)};
}

Flag flip(std::string name, std::string help, bool SimOptions::*member) {
    auto set = [member](SimOptions& options, const std::string&) -> Result<void> {
        options.*member = true;
        return {};
    };
    return {std::move(name), "", std::move(help), std::move(set)};
}

Result<void> add_fault(SimOptions& options, const std::string& spec) {
    if (auto fault = parse_fault(spec); !fault)
        return fail(fault.error());
    options.faults.push_back(spec);
    return {};
}

Result<void> add_s3(SimOptions& options, const std::string& setting) {
    options.s3.push_back(setting);
    return {};
}

Result<void> add_hub(SimOptions& options, const std::string& setting) {
    options.hub.push_back(setting);
    return {};
}

std::vector<Flag> flags() {
    return {
        text("--env-file", "FILE", "write the variables that point clients here (mode 0600)",
             &SimOptions::env_file),
        number("--port", "N", "port of the Runpod API (default: any free one)", &SimOptions::port, 65535),
        number("--hub-port", "N", "port of the Hub (default: any free one)", &SimOptions::hub_port, 65535),
        number("--s3-port", "N", "port of the network volumes' S3 API", &SimOptions::s3_port, 65535),
        number("--boot", "SECONDS", "from create to a running container (default 1)", &SimOptions::boot,
               86400),
        flip("--provisioning-first", "PROVISIONING and STARTING before RUNNING",
             &SimOptions::provisioning_first),
        number("--rtt", "MS", "round trip to API, Hub and pods: to an answer, on an SSH line",
               &SimOptions::rtt, 60000),
        number("--bandwidth", "MBIT", "of each pod's SSH line, each way, in Mbit/s (default: no limit)",
               &SimOptions::bandwidth, 1e6),
        choice("--sshd", "openssh|dropbear", "which SSH server the pods have", &SimOptions::sshd),
        flip("--no-sshd", "pods exist in the API only; their SSH port is closed", &SimOptions::no_sshd),
        text("--stock", "LIST", "free GPUs, e.g. 'NVIDIA L40S=0,NVIDIA H200@US-TX-3=2'", &SimOptions::stock),
        text("--price", "LIST", "USD per GPU and hour, e.g. 'NVIDIA L40S=0.86'", &SimOptions::prices),
        text("--quota", "M,H,D", "calls a minute, an hour, a day before 429", &SimOptions::quotas),
        number("--balance", "USD", "of the account (default 100)", &SimOptions::balance, 1e9),
        choice("--graphql", "on|gone", "gone: GraphQL answers 410", &SimOptions::graphql),
        choice("--v1", "on|gone", "gone: REST v1 answers 410", &SimOptions::v1),
        choice("--spot", "on|off", "off: GraphQL knows no spot pods, bids and spot prices",
               &SimOptions::spot),
        number("--keep-alive", "SECONDS", "between comments on a silent log stream (default 10)",
               &SimOptions::keep_alive, 3600),
        flip("--later", "the later contract: paging, cmd and entrypoint, minRamPerGpu, secrets, 413",
             &SimOptions::later),
        flip("--lenient-include", "include=AVAILABILITY without product is accepted",
             &SimOptions::lenient_include),
        flip("--no-volume-stop", "a pod with a network volume refuses to stop", &SimOptions::no_volume_stop),
        number("--preempt-grace", "SECONDS", "from SIGTERM to SIGKILL of a reclaimed pod (default 5)",
               &SimOptions::preempt_grace, 3600),
        text("--record", "FILE", "append each API request and its answer as a JSON line (mode 0600)",
             &SimOptions::record),
        text("--api-key", "KEY", "the key to accept (default: a random one)", &SimOptions::api_key),
        text("--dir", "FOLDER", "scratch folder, kept (default: a temporary one, removed)", &SimOptions::dir),
        number("--parent-fd", "N", "end when this file descriptor is closed at its other end",
               &SimOptions::parent_fd, 65535),
        {"--fault", "SPEC", "'METHOD PATH:KIND[:ARG][@N]', may be repeated; see sim/README.md", add_fault},
        {"--hub", "NAME=VALUE", "a setting of the Hub, may be repeated; see sim/README.md", add_hub},
        {"--s3", "NAME=VALUE", "a setting of the volumes' S3 API, may be repeated; see sim/README.md",
         add_s3},
        flip("--help", "this text", &SimOptions::help)};
}

} // namespace

Result<SimOptions> parse_sim_options(const std::vector<std::string>& args) {
    SimOptions options;
    const std::vector<Flag> known = flags();
    for (std::size_t i = 0; i < args.size(); ++i) {
        const auto equals = args[i].find('=');
        const std::string name = args[i] == "-h" ? "--help" : args[i].substr(0, equals);
        const Flag* flag = nullptr;
        std::vector<std::string> names;
        for (const Flag& one : known) {
            names.push_back(one.name);
            if (one.name == name)
                flag = &one;
        }
        if (!flag) {
            const std::string near = nearest(name, names);
            return fail(Kind::invalid, fmt::format("podsmith sim: unknown flag '{}'", name),
                        near.empty() ? "podsmith sim --help lists the flags"
                                     : fmt::format("did you mean {}?", near));
        }
        std::string value;
        if (equals != std::string::npos)
            value = args[i].substr(equals + 1);
        else if (!flag->value.empty() && i + 1 < args.size())
            value = args[++i];
        else if (!flag->value.empty())
            return bad(name, "", flag->value);
        if (auto set = flag->set(options, value); !set)
            return fail(set.error());
    }
    return options;
}

std::string sim_usage() {
    std::string out = "podsmith sim [flags]: a local Runpod and Hugging Face, until Ctrl-C\n\n";
    for (const Flag& flag : flags())
        out += fmt::format("  {:<24} {}\n", flag.value.empty() ? flag.name : flag.name + " " + flag.value,
                           flag.help);
    return out;
}

} // namespace podsmith::sim
