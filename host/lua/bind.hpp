#pragma once
#include "lua/task.hpp"

#include <memory>
#include <utility>

// How the bind_*.cpp files add natives. All natives of the program live in one table,
// `require("podsmith.core")`, which only lua/podsmith/ uses: scripts see the modules there.
namespace podsmith::lua {

/// Adds functions to the core table.
void add_natives(lua_State* L, const luaL_Reg* functions);
/// Pops the value on top of the stack into the core table under `name`.
void set_native_value(lua_State* L, const char* name);

/// Userdata that share a C++ object: push_object(L, pointer) and check_object<T>(L, 1). T::kClass names the
/// metatable.
template <class T>
int object_gc(lua_State* L) {
    static_cast<std::shared_ptr<T>*>(lua_touserdata(L, 1))->~shared_ptr();
    return 0;
}

template <class T>
void register_class(lua_State* L, const luaL_Reg* methods) {
    luaL_newmetatable(L, T::kClass);
    lua_pushcfunction(L, object_gc<T>);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

template <class T>
void push_object(lua_State* L, std::shared_ptr<T> object) {
    new (lua_newuserdatauv(L, sizeof(std::shared_ptr<T>), 0)) std::shared_ptr<T>(std::move(object));
    luaL_setmetatable(L, T::kClass);
}

template <class T>
std::shared_ptr<T> check_object(lua_State* L, int index) {
    return *static_cast<std::shared_ptr<T>*>(luaL_checkudata(L, index, T::kClass));
}

} // namespace podsmith::lua
