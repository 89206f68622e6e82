#include "app/program.hpp"
#include "base/log.hpp"
#include "sim/simulator.hpp"

#include <csignal>
#include <cstdio>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <vector>

namespace {

// A core file would hold keys and tokens. The limit covers plain files, the dumpable flag a collector on a
// pipe.
void forbid_core_dumps() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
#ifndef PODSMITH_SANITIZED // the leak checker attaches to its own process, which the flag forbids
    ::prctl(PR_SET_DUMPABLE, 0);
#endif
}

} // namespace

int main(int argc, char** argv) {
    forbid_core_dumps();
    std::signal(SIGPIPE, SIG_IGN);
    std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
    podsmith::log::set_level(podsmith::log::Level::info);

    const std::vector<std::string> arguments(argv + 1, argv + argc);
    podsmith::System system;
    if (!arguments.empty() && arguments[0] == "sim")
        return podsmith::sim::run_simulator(system, {arguments.begin() + 1, arguments.end()});
    return podsmith::app::run_program(system, arguments);
}
