#pragma once
#include "ssh/session.hpp"

#include <memory>

namespace podsmith::lua {

/// What a script's ssh session holds; shared by the files that bind what runs over one.
struct SessionBox {
    static constexpr const char* kClass = "podsmith.ssh_session";
    std::shared_ptr<ssh::Session> session;
};

} // namespace podsmith::lua
