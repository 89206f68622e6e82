#pragma once
#include "sync/plan.hpp"

#include <string>

namespace podsmith::sync {

/// The tar streams that the commands of push_scripts.hpp read.
std::string prepare_input(const Plan& plan);
/// `with_fraction`: the tar there reads fractions of a second.
std::string finish_input(const Plan& plan, bool with_fraction);

} // namespace podsmith::sync
