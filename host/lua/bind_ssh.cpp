// Natives of lua/podsmith/ssh.lua: sessions and remote processes.
#include "base/text.hpp"
#include "lua/bind.hpp"
#include "lua/runtime.hpp"
#include "lua/ssh_box.hpp"
#include "ssh/keys.hpp"
#include "ssh/session.hpp"

namespace podsmith::lua {
namespace {

struct ProcessBox {
    static constexpr const char* kClass = "podsmith.ssh_process";
    std::shared_ptr<ssh::Process> process;
};

const char* trust_name(ssh::Trust trust) {
    switch (trust) {
    case ssh::Trust::verified:
        return "verified";
    case ssh::Trust::known:
        return "known";
    default:
        return "pinned";
    }
}

ssh::HostKeyPolicy read_policy(lua_State* L) {
    ssh::HostKeyPolicy policy;
    if (const auto list = field_json(L, 1, "fingerprints"))
        for (const auto& item : *list)
            policy.fingerprints.push_back(item.get<std::string>());
    policy.file = field_string(L, 1, "known_hosts").value_or("");
    policy.alias = field_string(L, 1, "alias").value_or("");
    policy.pin = field_bool(L, 1, "pin").value_or(true);
    policy.must_be_verified = field_bool(L, 1, "must_be_verified").value_or(false);
    policy.note = field_string(L, 1, "note").value_or(policy.note);
    return policy;
}

// identities = {key | {blob=, shown=}, ...}: in memory, or held by the agent
std::vector<ssh::Identity> read_identities(lua_State* L) {
    std::vector<ssh::Identity> identities;
    if (lua_getfield(L, 1, "identities") == LUA_TTABLE) {
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; ++i) {
            ssh::Identity identity;
            if (lua_istable(L, -1)) {
                const int entry = lua_gettop(L);
                identity.agent_blob = base64_decode(field_string(L, entry, "blob").value_or(""));
                identity.shown = field_string(L, entry, "shown").value_or("");
            } else {
                const auto box = check_object<KeyBox>(L, -1);
                identity.key = box->key;
                identity.shown = box->shown;
            }
            identities.push_back(std::move(identity));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return identities;
}

// core.ssh_connect{host=, port=, user=, identities=, agent=, fingerprints=, known_hosts=, alias=, pin=, ...}
// -> session
int ssh_connect(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    ssh::ConnectRequest request;
    request.host = field_string(L, 1, "host").value_or("");
    request.port = static_cast<int>(field_number(L, 1, "port").value_or(request.port));
    request.user = field_string(L, 1, "user").value_or(request.user);
    request.identities = read_identities(L);
    request.agent_socket = field_string(L, 1, "agent").value_or("");
    request.host_key = read_policy(L);
    request.connect_timeout = field_number(L, 1, "connect_timeout").value_or(request.connect_timeout);
    request.login_timeout = field_number(L, 1, "login_timeout").value_or(request.login_timeout);
    request.keepalive = field_number(L, 1, "keepalive").value_or(request.keepalive);

    return await<std::shared_ptr<ssh::Session>>(
        L, ssh::Session::connect(Runtime::of(L).loop(), std::move(request)),
        [](lua_State* state, std::shared_ptr<ssh::Session>& session) {
            auto box = std::make_shared<SessionBox>();
            box->session = session;
            push_object(state, std::move(box));
            return 1;
        });
}

void read_env(lua_State* L, int index, ssh::ExecRequest& request) {
    if (const auto env = field_json(L, index, "env", Secrets::reveal))
        for (const auto& [name, value] : env->items())
            request.env.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
}

ssh::ExecRequest check_exec(lua_State* L) {
    ssh::ExecRequest request;
    request.command = check_string(L, 2);
    request.input = field_string(L, 3, "input").value_or("");
    request.keep_stdin_open = field_bool(L, 3, "keep_stdin_open").value_or(false);
    request.folder = field_string(L, 3, "cwd").value_or("");
    if (lua_istable(L, 3) && lua_getfield(L, 3, "pty") == LUA_TTABLE) {
        const int index = lua_gettop(L);
        ssh::Terminal terminal;
        terminal.type = field_string(L, index, "type").value_or(terminal.type);
        terminal.columns = static_cast<int>(field_number(L, index, "columns").value_or(terminal.columns));
        terminal.rows = static_cast<int>(field_number(L, index, "rows").value_or(terminal.rows));
        request.terminal = std::move(terminal);
    } else {
        read_env(L, 3, request);
    }
    return request;
}

void push_exit(lua_State* L, const ssh::Exit& exit) {
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, exit.code);
    lua_setfield(L, -2, "code");
    if (!exit.signal.empty()) {
        push_string(L, exit.signal);
        lua_setfield(L, -2, "signal");
    }
}

// A command's own deadline is no broken link: the session is whole, and the command may not be one to repeat.
net::Async<ssh::ExecResult> within(net::Loop& loop, double seconds, std::string what,
                                   net::Async<ssh::ExecResult> work) {
    auto limited = net::with_deadline<ssh::ExecResult>(loop, seconds, std::move(what), std::move(work));
    Result<ssh::ExecResult> result = co_await std::move(limited);
    if (!result && result.error().kind == Kind::timeout) {
        result.error().retryable = false;
        result.error().hint = "it may still run on the other side; give it more time, or make it a job";
    }
    co_return result;
}

// session:exec(command, {input=, env=, cwd=, timeout=, max_output=}) -> {code, signal, stdout, stderr}.
// Waits.
int session_exec(lua_State* L) {
    auto box = check_object<SessionBox>(L, 1);
    ssh::ExecRequest request = check_exec(L);
    const double timeout = field_number(L, 3, "timeout").value_or(0);
    const auto max_output =
        static_cast<std::size_t>(field_number(L, 3, "max_output").value_or(64.0 * 1024 * 1024));
    const std::string what = "run \"" + request.command.substr(0, 60) + "\"";
    auto work = box->session->exec(std::move(request), max_output);

    return await<ssh::ExecResult>(L, within(Runtime::of(L).loop(), timeout, what, std::move(work)),
                                  [](lua_State* state, ssh::ExecResult& result) {
                                      push_exit(state, result.exit);
                                      push_string(state, result.out);
                                      lua_setfield(state, -2, "stdout");
                                      push_string(state, result.err);
                                      lua_setfield(state, -2, "stderr");
                                      return 1;
                                  });
}

// session:start(command, {input=, env=, cwd=, keep_stdin_open=, pty={type=, columns=, rows=}}) -> process.
// Waits until it runs.
int session_start(lua_State* L) {
    auto box = check_object<SessionBox>(L, 1);
    ssh::ExecRequest request = check_exec(L);

    return await<std::unique_ptr<ssh::Process>>(L, box->session->start(std::move(request)),
                                                [](lua_State* state, std::unique_ptr<ssh::Process>& process) {
                                                    auto shared = std::make_shared<ProcessBox>();
                                                    shared->process = std::move(process);
                                                    push_object(state, std::move(shared));
                                                    return 1;
                                                });
}

// session:upload(text|secret, path, mode). Waits.
int session_upload(lua_State* L) {
    auto box = check_object<SessionBox>(L, 1);
    const Secret* secret = to_secret(L, 2);
    std::string content = secret ? secret->reveal() : check_string(L, 2);
    std::string path = check_string(L, 3);
    const auto mode = static_cast<unsigned>(luaL_optinteger(L, 4, secret ? 0600 : 0644));

    return await(L, box->session->upload(std::move(content), std::move(path), mode));
}

// session:upload_file(local, path, mode). Waits.
int session_upload_file(lua_State* L) {
    auto box = check_object<SessionBox>(L, 1);
    std::string local = Runtime::of(L).loop().system().expand(check_string(L, 2)).string();
    std::string path = check_string(L, 3);
    const auto mode = static_cast<unsigned>(luaL_optinteger(L, 4, 0644));

    return await(L, box->session->upload_file(std::move(local), std::move(path), mode));
}

// session:host_key() -> {type, fingerprint, trust = "verified"|"known"|"pinned"}
int session_host_key(lua_State* L) {
    const ssh::HostKey key = check_object<SessionBox>(L, 1)->session->host_key();
    lua_createtable(L, 0, 3);
    push_string(L, key.type);
    lua_setfield(L, -2, "type");
    push_string(L, key.fingerprint);
    lua_setfield(L, -2, "fingerprint");
    lua_pushstring(L, trust_name(key.trust));
    lua_setfield(L, -2, "trust");
    return 1;
}

int session_is_open(lua_State* L) {
    lua_pushboolean(L, check_object<SessionBox>(L, 1)->session->is_open());
    return 1;
}

// session:wait_closed(): until the connection has ended
int session_wait_closed(lua_State* L) {
    return await(L, check_object<SessionBox>(L, 1)->session->wait_closed());
}

int session_close(lua_State* L) {
    check_object<SessionBox>(L, 1)->session->close();
    return 0;
}

// process:read() -> data, "stdout"|"stderr" | nil at the end. Waits.
int process_read(lua_State* L) {
    auto box = check_object<ProcessBox>(L, 1);
    return await<std::optional<ssh::Chunk>>(
        L, box->process->read(), [box](lua_State* state, std::optional<ssh::Chunk>& chunk) {
            if (!chunk)
                return 0;
            push_string(state, chunk->data);
            lua_pushstring(state, chunk->stream == ssh::Stream::out ? "stdout" : "stderr");
            return 2;
        });
}

// process:write(data), process:write_eof(). Wait.
int process_write(lua_State* L) {
    auto box = check_object<ProcessBox>(L, 1);
    return await(L, box->process->write(check_string(L, 2)));
}
int process_write_eof(lua_State* L) {
    auto box = check_object<ProcessBox>(L, 1);
    return await(L, box->process->write_eof());
}

// process:wait() -> {code, signal}. Waits.
int process_wait(lua_State* L) {
    auto box = check_object<ProcessBox>(L, 1);
    return await<ssh::Exit>(L, box->process->wait(), [box](lua_State* state, ssh::Exit& exit) {
        push_exit(state, exit);
        return 1;
    });
}

// process:resize(columns, rows). Waits.
int process_resize(lua_State* L) {
    auto box = check_object<ProcessBox>(L, 1);
    const auto columns = static_cast<int>(luaL_checkinteger(L, 2));
    const auto rows = static_cast<int>(luaL_checkinteger(L, 3));
    return await(L, box->process->resize(columns, rows));
}

int process_close(lua_State* L) {
    check_object<ProcessBox>(L, 1)->process->close();
    return 0;
}

} // namespace

void register_ssh(lua_State* L) {
    const luaL_Reg session_methods[] = {{"exec", guarded<session_exec>},
                                        {"start", guarded<session_start>},
                                        {"upload", guarded<session_upload>},
                                        {"upload_file", guarded<session_upload_file>},
                                        {"host_key", guarded<session_host_key>},
                                        {"is_open", guarded<session_is_open>},
                                        {"close", guarded<session_close>},
                                        {"wait_closed", guarded<session_wait_closed>},
                                        {nullptr, nullptr}};
    register_class<SessionBox>(L, session_methods);
    const luaL_Reg process_methods[] = {{"read", guarded<process_read>},
                                        {"write", guarded<process_write>},
                                        {"write_eof", guarded<process_write_eof>},
                                        {"wait", guarded<process_wait>},
                                        {"resize", guarded<process_resize>},
                                        {"close", guarded<process_close>},
                                        {nullptr, nullptr}};
    register_class<ProcessBox>(L, process_methods);
    const luaL_Reg functions[] = {{"ssh_connect", guarded<ssh_connect>}, {nullptr, nullptr}};
    add_natives(L, functions);
    register_ssh_keys(L);
    register_tunnel(L);
}

} // namespace podsmith::lua
