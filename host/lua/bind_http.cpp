// Natives of lua/podsmith/http.lua: one request, or an open stream.
#include "lua/bind.hpp"
#include "lua/runtime.hpp"

namespace podsmith::lua {
namespace {

struct Stream {
    static constexpr const char* kClass = "podsmith.http_stream";
    std::shared_ptr<net::HttpStream> stream;
};

void read_headers(lua_State* L, net::HttpRequest& request) {
    if (lua_getfield(L, 1, "headers") == LUA_TTABLE) {
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
            request.headers.emplace_back(check_string(L, -2), check_string(L, -1));
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

void read_retry(lua_State* L, net::HttpRequest& request) {
    const bool is_safe = request.method == "GET" || request.method == "HEAD" || request.method == "PUT" ||
                         request.method == "DELETE";
    request.retry.idempotent = field_bool(L, 1, "idempotent").value_or(is_safe);
    request.retry.attempts =
        static_cast<int>(field_number(L, 1, "attempts").value_or(request.retry.attempts));
    request.retry.deadline = field_number(L, 1, "deadline").value_or(request.retry.deadline);
    request.timeout = field_number(L, 1, "timeout").value_or(request.timeout);
    request.connect_timeout = field_number(L, 1, "connect_timeout").value_or(request.connect_timeout);
    request.idle_timeout = field_number(L, 1, "idle_timeout").value_or(request.idle_timeout);
    request.max_body = static_cast<std::size_t>(
        field_number(L, 1, "max_body").value_or(static_cast<double>(request.max_body)));
    request.max_redirects =
        static_cast<int>(field_number(L, 1, "max_redirects").value_or(request.max_redirects));
}

// A URL that is itself a credential (a webhook's) may be a secret.
std::string check_url(lua_State* L) {
    lua_getfield(L, 1, "url");
    const Secret* secret = to_secret(L, -1);
    const std::string hidden = secret ? secret->reveal() : "";
    lua_pop(L, 1);
    const std::string url = hidden.empty() ? field_string(L, 1, "url").value_or("") : hidden;
    if (url.empty())
        raise_invalid(L, "http: option 'url' is missing");
    return url;
}

// {url=, method=, headers=, body=, json=, bearer=, body_file=, timeout=, ...}
net::HttpRequest check_request(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    net::HttpRequest request;
    request.url = check_url(L);
    request.method = field_string(L, 1, "method").value_or("GET");
    read_headers(L, request);
    request.body = field_string(L, 1, "body").value_or("");
    request.body_file = field_string(L, 1, "body_file").value_or("");
    request.bearer = field_secret(L, 1, "bearer");
    if (auto body = field_json(L, 1, "json", Secrets::reveal)) {
        request.body = body->dump();
        request.headers.emplace_back("Content-Type", "application/json");
    }
    read_retry(L, request);
    return request;
}

void push_head(lua_State* L, const net::HttpResponse& response) {
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, response.status);
    lua_setfield(L, -2, "status");
    push_string(L, response.url);
    lua_setfield(L, -2, "url");
    lua_createtable(L, 0, static_cast<int>(response.headers.size()));
    for (const auto& [name, value] : response.headers) {
        push_string(L, value);
        lua_setfield(L, -2, name.c_str());
    }
    lua_setfield(L, -2, "headers");
}

// core.http_request(options) -> {status, url, headers, body}. Waits.
int http_request(lua_State* L) {
    net::HttpRequest request = check_request(L);

    return await<net::HttpResponse>(L, Runtime::of(L).http().send(std::move(request)),
                                    [](lua_State* state, net::HttpResponse& response) {
                                        push_head(state, response);
                                        push_string(state, response.body);
                                        lua_setfield(state, -2, "body");
                                        return 1;
                                    });
}

// core.http_open(options) -> stream, head. Waits for the head.
int http_open(lua_State* L) {
    net::HttpRequest request = check_request(L);

    return await<std::unique_ptr<net::HttpStream>>(
        L, Runtime::of(L).http().open(std::move(request)),
        [](lua_State* state, std::unique_ptr<net::HttpStream>& stream) {
            auto shared = std::make_shared<Stream>();
            shared->stream = std::move(stream);
            push_object(state, shared);
            push_head(state, shared->stream->head());
            return 2;
        });
}

// stream:read() -> piece | nil at the end. Waits.
int stream_read(lua_State* L) {
    auto stream = check_object<Stream>(L, 1);
    return await<std::optional<std::string>>(L, stream->stream->read(),
                                             [stream](lua_State* state, std::optional<std::string>& piece) {
                                                 if (!piece)
                                                     return 0;
                                                 push_string(state, *piece);
                                                 return 1;
                                             });
}

int stream_close(lua_State* L) {
    check_object<Stream>(L, 1)->stream->close();
    return 0;
}

} // namespace

void register_http(lua_State* L) {
    const luaL_Reg methods[] = {
        {"read", guarded<stream_read>}, {"close", guarded<stream_close>}, {nullptr, nullptr}};
    register_class<Stream>(L, methods);
    const luaL_Reg functions[] = {
        {"http_request", guarded<http_request>}, {"http_open", guarded<http_open>}, {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
