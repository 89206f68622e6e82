#pragma once
#include "sim/ledger.hpp"
#include "sim/runpod_call.hpp"

#include <functional>

namespace podsmith::sim {

/// The six billing paths, over the ledger. `settle` books what is still open before it is read. Records of
/// serverless and public endpoints are always empty.
void add_billing_routes(Router& router, const System& system, const Ledger& ledger,
                        std::function<void()> settle);

} // namespace podsmith::sim
