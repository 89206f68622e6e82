#pragma once
#include "base/descriptor.hpp"
#include "base/error.hpp"

#include <filesystem>
#include <string>

namespace podsmith::sync {

/// The right of one process to work on one transfer, and the transfer's name: the same whenever this user on
/// this machine moves the same things, and no other's. Kept by a lock that the kernel frees.
struct Claim {
    Descriptor lock;
    std::string id; ///< 12 hexadecimal digits
};

/// `words` say which transfer it is. Locks are files in `state`. Blocks: for up to three seconds where the
/// lock is held. Error{conflict} when another process (or another task of this one) still has it then.
Result<Claim> claim(const std::filesystem::path& state, const std::string& words, const std::string& random);

} // namespace podsmith::sync
