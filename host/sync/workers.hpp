#pragma once
#include "net/loop.hpp"

#include <vector>

namespace podsmith::sync {

/// Runs all at once and returns when all have ended: the first failure, which calls the others off. Called
/// off itself, it calls them off and waits for their ends.
net::Async<void> run_all(net::Loop& loop, std::vector<net::Async<void>> works);

} // namespace podsmith::sync
