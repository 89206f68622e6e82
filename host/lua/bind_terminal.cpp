// Natives for the terminal: its width and colour, questions, and the REPL's line.
#include "base/log.hpp"
#include "base/text.hpp"
#include "lua/bind.hpp"
#include "lua/runtime.hpp"
#include "term/line_reader.hpp"
#include "term/terminal.hpp"
#include "term/terminal_stream.hpp"

#include <cstdio>

namespace podsmith::lua {
namespace {

struct Reader {
    static constexpr const char* kClass = "podsmith.line_reader";
    explicit Reader(net::Loop& loop) : reader(loop) {}
    ~Reader() { log::set_sink({}); }
    term::LineReader reader;
};

// core.terminal(descriptor) -> {is_tty, width, color}
int core_terminal(lua_State* L) {
    const int descriptor = static_cast<int>(luaL_checkinteger(L, 1));
    lua_createtable(L, 0, 3);
    lua_pushboolean(L, term::is_terminal(descriptor));
    lua_setfield(L, -2, "is_tty");
    lua_pushinteger(L, term::width(descriptor));
    lua_setfield(L, -2, "width");
    lua_pushboolean(L, term::has_color(descriptor));
    lua_setfield(L, -2, "color");
    return 1;
}

// core.columns(text) -> integer
int core_columns(lua_State* L) {
    lua_pushinteger(L, term::columns(check_string(L, 1)));
    return 1;
}

// core.nearest(word, list) -> text, "" when nothing is near
int core_nearest(lua_State* L) {
    const std::string word = check_string(L, 1);
    std::vector<std::string> candidates;
    for (const auto& item : check_json(L, 2))
        candidates.push_back(item.get<std::string>());
    push_string(L, nearest(word, candidates));
    return 1;
}

// core.shell_quote(text)
int core_shell_quote(lua_State* L) {
    push_string(L, shell_quote(check_string(L, 1)));
    return 1;
}

// core.line_reader(history file | nil, completer | nil) -> reader. `completer(line)` gives a list; it must
// not wait.
int core_line_reader(lua_State* L) {
    auto box = std::make_shared<Reader>(Runtime::of(L).loop());
    if (!lua_isnoneornil(L, 1))
        box->reader.use_history(check_string(L, 1));
    if (lua_isfunction(L, 2)) {
        lua_pushvalue(L, 2);
        const int function = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_State* main = Runtime::of(L).state();
        box->reader.set_completer([main, function](const std::string& line) {
            std::vector<std::string> matches;
            lua_rawgeti(main, LUA_REGISTRYINDEX, function);
            push_string(main, line);
            if (lua_pcall(main, 1, 1, 0) == LUA_OK && lua_istable(main, -1))
                for (lua_Integer i = 1; lua_rawgeti(main, -1, i) == LUA_TSTRING; ++i) {
                    matches.emplace_back(lua_tostring(main, -1));
                    lua_pop(main, 1);
                }
            lua_settop(main, 0);
            return matches;
        });
    }
    // What tasks log while a line is edited goes above it.
    log::set_sink([weak = std::weak_ptr(box)](log::Level, const std::string& line) {
        if (auto alive = weak.lock())
            alive->reader.print_above(line);
    });
    push_object(L, std::move(box));
    return 1;
}

// reader:read(prompt) -> line | nil at the end. Waits.
int reader_read(lua_State* L) {
    auto box = check_object<Reader>(L, 1);
    std::string prompt = luaL_optstring(L, 2, "");
    return await<std::optional<std::string>>(L, box->reader.read(std::move(prompt)),
                                             [box](lua_State* state, std::optional<std::string>& line) {
                                                 if (!line)
                                                     return 0;
                                                 push_string(state, *line);
                                                 return 1;
                                             });
}

int reader_add_history(lua_State* L) {
    check_object<Reader>(L, 1)->reader.add_history(check_string(L, 2));
    return 0;
}

// reader:print(text): above the line being edited
int reader_print(lua_State* L) {
    check_object<Reader>(L, 1)->reader.print_above(redact(check_string(L, 2)));
    return 0;
}

struct StreamBox {
    static constexpr const char* kClass = "podsmith.terminal_stream";
    std::unique_ptr<term::TerminalStream> stream;
    bool has_sink = false;

    ~StreamBox() { close(); }
    void close() {
        stream->close();
        if (std::exchange(has_sink, false))
            log::set_sink({});
    }
};

// core.terminal_stream(raw) -> stream: standard input as bytes
int terminal_stream(lua_State* L) {
    const bool raw = lua_toboolean(L, 1) != 0;
    auto box = std::make_shared<StreamBox>();
    box->stream = term::TerminalStream::open(Runtime::of(L).loop(), raw);
    if (raw) {
        // A raw terminal does not go back to the first column by itself.
        log::set_sink(
            [](log::Level, const std::string& line) { std::fputs((line + "\r\n").c_str(), stderr); });
        box->has_sink = true;
    }
    push_object(L, std::move(box));
    return 1;
}

// stream:read() -> data | nil at the end | nil, "resize". Waits.
int stream_read(lua_State* L) {
    using Event = term::TerminalStream::Event;
    auto box = check_object<StreamBox>(L, 1);
    return await<Event>(L, box->stream->read(), [box](lua_State* state, Event& event) {
        if (event.what == Event::What::data)
            push_string(state, event.data);
        else
            lua_pushnil(state);
        if (event.what != Event::What::resized)
            return 1;
        lua_pushliteral(state, "resize");
        return 2;
    });
}

int stream_close(lua_State* L) {
    check_object<StreamBox>(L, 1)->close();
    return 0;
}

// core.terminal_size() -> columns, rows
int terminal_size(lua_State* L) {
    const term::Size size = term::size_of(0);
    lua_pushinteger(L, size.columns);
    lua_pushinteger(L, size.rows);
    return 2;
}

// core.ask_secret(prompt) -> secret. Waits.
int ask_secret(lua_State* L) {
    return await<Secret>(L, term::ask_secret(Runtime::of(L).loop(), check_string(L, 1)),
                         [](lua_State* state, Secret& secret) {
                             push_secret(state, secret);
                             return 1;
                         });
}

} // namespace

void restore_terminal() {
    term::restore_terminal();
}

void register_terminal(lua_State* L) {
    const luaL_Reg methods[] = {{"read", guarded<reader_read>},
                                {"add_history", guarded<reader_add_history>},
                                {"print", guarded<reader_print>},
                                {nullptr, nullptr}};
    register_class<Reader>(L, methods);
    const luaL_Reg stream_methods[] = {
        {"read", guarded<stream_read>}, {"close", guarded<stream_close>}, {nullptr, nullptr}};
    register_class<StreamBox>(L, stream_methods);
    const luaL_Reg functions[] = {{"terminal", guarded<core_terminal>},
                                  {"columns", guarded<core_columns>},
                                  {"nearest", guarded<core_nearest>},
                                  {"shell_quote", guarded<core_shell_quote>},
                                  {"line_reader", guarded<core_line_reader>},
                                  {"terminal_stream", guarded<terminal_stream>},
                                  {"terminal_size", guarded<terminal_size>},
                                  {"ask_secret", guarded<ask_secret>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
