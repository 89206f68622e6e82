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
    return policy;
}

// core.ssh_connect{host=, port=, user=, key=, passphrase=, fingerprints=, known_hosts=, alias=, pin=, ...} ->
// session
int ssh_connect(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    ssh::ConnectRequest request;
    request.host = field_string(L, 1, "host").value_or("");
    request.port = static_cast<int>(field_number(L, 1, "port").value_or(request.port));
    request.user = field_string(L, 1, "user").value_or(request.user);
    request.key_file = field_string(L, 1, "key").value_or("");
    request.passphrase = field_secret(L, 1, "passphrase");
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

// core.ssh_public_key(path) -> "ssh-ed25519 AAAA...", of a private key that needs no passphrase. Waits.
int ssh_public_key(lua_State* L) {
    std::function<Result<std::string>()> work = [path = check_string(L, 1)]() -> Result<std::string> {
        auto key = ssh::load_private_key(path, path, Secret());
        if (!key)
            return fail(key.error());
        return (*key)->type() + " " + base64_encode((*key)->blob((*key)->type()));
    };
    return await<std::string>(L, Runtime::of(L).loop().offload<std::string>(std::move(work)),
                              [](lua_State* state, std::string& line) {
                                  push_string(state, line);
                                  return 1;
                              });
}

// core.base64(text) -> text
int base64(lua_State* L) {
    push_string(L, base64_encode(check_string(L, 1)));
    return 1;
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
    read_env(L, 3, request);
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

// session:exec(command, {input=, env=, timeout=, max_output=}) -> {code, signal, stdout, stderr}. Waits.
int session_exec(lua_State* L) {
    auto box = check_object<SessionBox>(L, 1);
    ssh::ExecRequest request = check_exec(L);
    const double timeout = field_number(L, 3, "timeout").value_or(0);
    const auto max_output =
        static_cast<std::size_t>(field_number(L, 3, "max_output").value_or(64.0 * 1024 * 1024));
    const std::string what = "run \"" + request.command.substr(0, 60) + "\"";
    auto work = box->session->exec(std::move(request), max_output);

    return await<ssh::ExecResult>(
        L, net::with_deadline<ssh::ExecResult>(Runtime::of(L).loop(), timeout, what, std::move(work)),
        [](lua_State* state, ssh::ExecResult& result) {
            push_exit(state, result.exit);
            push_string(state, result.out);
            lua_setfield(state, -2, "stdout");
            push_string(state, result.err);
            lua_setfield(state, -2, "stderr");
            return 1;
        });
}

// session:start(command, options) -> process. Waits until it runs.
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

int process_close(lua_State* L) {
    check_object<ProcessBox>(L, 1)->process->close();
    return 0;
}

} // namespace

void register_ssh(lua_State* L) {
    const luaL_Reg session_methods[] = {
        {"exec", guarded<session_exec>},         {"start", guarded<session_start>},
        {"upload", guarded<session_upload>},     {"upload_file", guarded<session_upload_file>},
        {"host_key", guarded<session_host_key>}, {"is_open", guarded<session_is_open>},
        {"close", guarded<session_close>},       {nullptr, nullptr}};
    register_class<SessionBox>(L, session_methods);
    const luaL_Reg process_methods[] = {
        {"read", guarded<process_read>},           {"write", guarded<process_write>},
        {"write_eof", guarded<process_write_eof>}, {"wait", guarded<process_wait>},
        {"close", guarded<process_close>},         {nullptr, nullptr}};
    register_class<ProcessBox>(L, process_methods);
    const luaL_Reg functions[] = {{"ssh_connect", guarded<ssh_connect>},
                                  {"ssh_public_key", guarded<ssh_public_key>},
                                  {"base64", guarded<base64>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
