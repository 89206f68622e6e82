#pragma once
#include "base/system.hpp"

#include <string>
#include <vector>

namespace podsmith::app {

/// Runs lua/podsmith/cli.lua with the command line's arguments; gives the exit code: 0 done, 1 failed, 2
/// wrong usage, 130 interrupted.
int run_program(System& system, const std::vector<std::string>& arguments);

} // namespace podsmith::app
