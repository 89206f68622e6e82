#pragma once

struct lua_State;

namespace podsmith::lua {

/// The natives of network volumes' files (bind_s3.cpp).
void register_s3(lua_State* L);

} // namespace podsmith::lua
