#pragma once
#include "net/loop.hpp"

#include <vector>

namespace podsmith::net {

/// Runs all at once and returns when all have ended: the first failure, which calls the others off. Called
/// off itself, it calls them off and waits for their ends.
Async<void> run_all(Loop& loop, std::vector<Async<void>> works);

} // namespace podsmith::net
