#pragma once
#include "base/error.hpp"
#include "base/secret.hpp"

#include <lua.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

// Values that cross between C++ and Lua: errors, secrets, JSON, strings. Functions named push_* leave one
// value on the stack; check_* and raise* may raise a Lua error, so callers hold only what the C++ build of
// Lua can unwind.
namespace podsmith::lua {

using Json = nlohmann::ordered_json;

void push_string(lua_State* L, std::string_view text);
/// The string argument at `index` as a copy.
std::string check_string(lua_State* L, int index);
/// The number argument at `index`, or `fallback` when it is absent or nil.
double opt_number(lua_State* L, int index, double fallback);

// ---- errors
// ----------------------------------------------------------------------------------------------------
/// Creates the error class's metatable. Once per state.
void register_errors(lua_State* L);
/// An error object: a table {kind, message, hint, retryable, status, cause} whose tostring is the message and
/// the hint.
void push_error(lua_State* L, const Error& error);
/// Raises `error` as a Lua error object.
[[noreturn]] void raise(lua_State* L, const Error& error);
[[noreturn]] void raise_invalid(lua_State* L, const std::string& message, const std::string& hint = {});
bool is_error(lua_State* L, int index);
/// Any Lua error value as an Error: error objects whole, everything else as Kind::script.
Error to_error(lua_State* L, int index);
/// Message handler for pcall: makes an error object of any value and adds `traceback`.
int add_traceback(lua_State* L);

// ---- secrets
// ---------------------------------------------------------------------------------------------------
void register_secrets(lua_State* L);
void push_secret(lua_State* L, Secret secret);
/// The secret at `index`; nullptr when the value is none.
Secret* to_secret(lua_State* L, int index);

// ---- JSON
// ------------------------------------------------------------------------------------------------------
void register_json(lua_State* L);
/// Objects become tables without their nulls; arrays keep an array mark, so an empty one stays one, and null
/// inside an array is `json.null`.
void push_json(lua_State* L, const Json& value);
void push_json(lua_State* L, const nlohmann::json& value);
/// Whether a secret inside a table may be revealed: only for what goes on the wire.
enum class Secrets { refuse, reveal };
/// Tables with the array mark or with 1..n keys are arrays; tables with an order mark keep it, others are
/// sorted by key. Raises on functions, mixed keys, NaN, cycles (depth over 100), and on secrets when refused.
Json check_json(lua_State* L, int index, Secrets secrets = Secrets::refuse);
/// Wipes every string inside.
void wipe(Json& value);

// ---- option tables
// ---------------------------------------------------------------------------------------------
/// Reads one optional field of the options table at `index` and checks its type. Raises with the field's
/// name.
std::optional<std::string> field_string(lua_State* L, int index, const char* name);
std::optional<double> field_number(lua_State* L, int index, const char* name);
std::optional<bool> field_bool(lua_State* L, int index, const char* name);
std::optional<Json> field_json(lua_State* L, int index, const char* name, Secrets secrets = Secrets::refuse);
Secret field_secret(lua_State* L, int index, const char* name);

} // namespace podsmith::lua
