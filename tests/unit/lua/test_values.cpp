#include "lua/value.hpp"

#include "lua/task.hpp"

#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>

using namespace podsmith;
using namespace podsmith::lua;

namespace {

struct Close {
    void operator()(lua_State* L) const { lua_close(L); }
};

struct State {
    std::unique_ptr<lua_State, Close> owner{luaL_newstate()};
    lua_State* L = owner.get();
    State() {
        luaL_openlibs(L);
        register_errors(L);
        register_secrets(L);
        register_json(L);
    }
    // Runs code that returns one value and leaves it on the stack.
    bool run(const char* code) {
        lua_settop(L, 0);
        return luaL_loadstring(L, code) == LUA_OK && lua_pcall(L, 0, 1, 0) == LUA_OK;
    }
    std::string text(const char* code) {
        run(code);
        return luaL_tolstring(L, -1, nullptr);
    }
};

int throwing(lua_State*) {
    throw std::runtime_error("out of luck");
}

int counted = 0;
struct Counter {
    Counter() { ++counted; }
    ~Counter() { --counted; }
};
int raising_with_an_owner(lua_State* L) {
    const Counter counter;
    luaL_checkinteger(L, 1);
    return 0;
}

} // namespace

TEST_CASE("an error crosses into Lua and back whole, with its cause") {
    State state;
    Error inner;
    inner.kind = Kind::network;
    inner.message = "connection reset";
    Error outer;
    outer.kind = Kind::remote;
    outer.message = "create pod x";
    outer.hint = "try again";
    outer.retryable = true;
    outer.status = 502;
    outer.cause = std::make_shared<Error>(inner);

    const int top = lua_gettop(state.L);
    push_error(state.L, outer);
    const Error back = to_error(state.L, -1);
    lua_pop(state.L, 1);
    CHECK(lua_gettop(state.L) == top);

    CHECK(back.kind == Kind::remote);
    CHECK(back.message == outer.message);
    CHECK(back.hint == outer.hint);
    CHECK(back.retryable);
    CHECK(back.status == 502);
    REQUIRE(back.cause);
    CHECK(back.cause->kind == Kind::network);
    CHECK(back.cause->message == "connection reset");
}

TEST_CASE("every kind has a name that leads back to it") {
    for (int i = 0; i <= static_cast<int>(Kind::internal); ++i)
        CHECK(kind_from(name_of(static_cast<Kind>(i))) == static_cast<Kind>(i));
}

TEST_CASE("a C++ exception in a binding becomes an internal error and no exception escapes") {
    State state;
    lua_pushcfunction(state.L, guarded<throwing>);
    CHECK(lua_pcall(state.L, 0, 0, 0) == LUA_ERRRUN);
    const Error error = to_error(state.L, -1);
    CHECK(error.kind == Kind::internal);
    CHECK(error.message == "podsmith slipped: out of luck");
    CHECK_FALSE(error.hint.empty());
}

TEST_CASE("a Lua error runs the destructors of the frames that it leaves") {
    State state;
    lua_pushcfunction(state.L, guarded<raising_with_an_owner>);
    lua_pushliteral(state.L, "no number");
    CHECK(lua_pcall(state.L, 1, 0, 0) == LUA_ERRRUN);
    CHECK(counted == 0);
}

TEST_CASE("a plain Lua error reads as the script's") {
    State state;
    CHECK_FALSE(state.run("error('broken', 0)"));
    const Error error = to_error(state.L, -1);
    CHECK(error.kind == Kind::script);
    CHECK(error.message == "broken");
}

TEST_CASE("a secret shows itself in no way that Lua has") {
    State state;
    for (const char* code :
         {"return tostring(secret.new('topsecret', 'KEY'))",
          "return string.format('%s', secret.new('topsecret', 'KEY'))",
          "return select(2, pcall(function() return secret.new('topsecret', 'KEY') .. '' end))",
          "return select(2, pcall(json.encode, { secret.new('topsecret', 'KEY') }))",
          "return select(2, pcall(string.rep, secret.new('topsecret', 'KEY'), 1))",
          "return select(2, pcall(string.len, secret.new('topsecret', 'KEY')))"}) {
        CAPTURE(code);
        CHECK(state.text(code).find("topsecret") == std::string::npos);
    }
}

TEST_CASE("secrets are revealed only where the caller says so") {
    State state;
    REQUIRE(state.run("return { token = secret.new('topsecret', 'KEY') }"));
    Json body = check_json(state.L, -1, Secrets::reveal);
    CHECK(body["token"] == "topsecret");
    wipe(body);
    CHECK(body["token"] == "");
}

TEST_CASE("JSON goes through Lua and comes back the same") {
    State state;
    for (const char* text : {"[]", "{}", "[1,2.5,\"x\",true]", "{\"a\":[],\"b\":{\"c\":[[]]}}",
                             "\"\\u0000zero\"", "-1", "1e300"}) {
        CAPTURE(text);
        const Json value = Json::parse(text);
        push_json(state.L, value);
        CHECK(check_json(state.L, -1) == value);
        lua_settop(state.L, 0);
    }
}
