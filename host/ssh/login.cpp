#include "ssh/login.hpp"

#include "base/log.hpp"
#include "base/text.hpp"
#include "ssh/agent.hpp"
#include "ssh/channel.hpp"
#include "ssh/keys.hpp"
#include "ssh/wire.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

namespace podsmith::ssh {
namespace {

using asio::ip::tcp;
using SocketPtr = std::shared_ptr<tcp::socket>; // a plain socket has no empty state, which Async needs

constexpr int kFirstWithRsaSha2 = 0x010b00; // libssh2 1.11 knows the newer RSA signatures itself

Result<void> check_request(const ConnectRequest& request) {
    constexpr std::string_view kBad(" \t\r\n\0", 5);
    if (request.host.empty() || request.host.find_first_of(kBad) != std::string::npos)
        return fail(Kind::invalid,
                    fmt::format("connect by ssh: \"{}\" is not a host name or address", request.host),
                    "give a name or an IP address, without user and port");
    if (request.port < 1 || request.port > 65535)
        return fail(Kind::invalid, fmt::format("connect by ssh: {} is not a port", request.port),
                    "give a port between 1 and 65535");
    if (request.user.empty() || request.user.find_first_of(kBad) != std::string::npos)
        return fail(Kind::invalid, fmt::format("connect by ssh: \"{}\" is not a user name", request.user));
    return {};
}

std::string connect_hint(const boost::system::error_code& error) {
    if (error == asio::error::connection_refused)
        return "nothing listens there: is the port right, and has sshd started?";
    if (error == asio::error::host_not_found || error == asio::error::host_not_found_try_again)
        return "is the host name right, and does DNS work here?";
    return "is the address right, and is this machine online?";
}

tl::unexpected<Error> connect_error(const std::string& doing, const boost::system::error_code& code) {
    Error error;
    error.kind = Kind::network;
    error.message = fmt::format("{}: {}", doing, code.message());
    error.hint = connect_hint(code);
    error.retryable = true;
    return fail(std::move(error));
}

Async<SocketPtr> dial(net::Loop& loop, std::string host, int port, std::string doing) {
    tcp::resolver resolver(loop.executor());
    const std::string service = std::to_string(port);
    auto [failed, endpoints] = co_await resolver.async_resolve(host, service, tcp::resolver::numeric_service,
                                                               asio::as_tuple(asio::use_awaitable));
    if (failed == asio::error::operation_aborted)
        throw boost::system::system_error(failed);
    if (failed)
        co_return connect_error(doing, failed);
    auto socket = std::make_shared<tcp::socket>(loop.executor());
    auto [refused, endpoint] =
        co_await asio::async_connect(*socket, endpoints, asio::as_tuple(asio::use_awaitable));
    if (refused == asio::error::operation_aborted)
        throw boost::system::system_error(refused);
    if (refused)
        co_return connect_error(doing, refused);
    boost::system::error_code ignored;
    socket->set_option(tcp::no_delay(true), ignored);
    co_return socket;
}

// Which host key types to ask for, best first: those we have pinned, so that a server with several keys shows
// a known one.
std::string host_key_order(const HostKeyPolicy& policy) {
    std::vector<std::string> order;
    const std::vector<std::string> usual{"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                         "ecdsa-sha2-nistp521", "ssh-rsa"};
    for (const std::string& type : pinned_types(policy))
        if (std::find(usual.begin(), usual.end(), type) != usual.end())
            order.push_back(type);
    for (const std::string& type : usual)
        if (std::find(order.begin(), order.end(), type) == order.end())
            order.push_back(type);
    return fmt::format("{}", fmt::join(order, ","));
}

tl::unexpected<Error> handshake_error(Transport& transport, Error error) {
    if (error.kind == Kind::network && transport.received() == 0) {
        error.hint = "the port is open but ended the connection without a word: sshd may be starting (try "
                     "again), or it "
                     "is another service";
    } else if (error.kind == Kind::protocol) {
        error.hint = fmt::format(
            "libssh2 {} and the server agree on no host key, cipher or key exchange, or it is no ssh "
            "server; an ed25519 host key always works: ssh-keygen -A on the other side",
            libssh2_version(0));
        error.retryable = false;
    }
    return fail(std::move(error));
}

// Those of these ciphers that this libssh2 knows, as OpenSSH orders them: 128 bits cost less than the 256
// that libssh2 would begin with, and nobody breaks them either. It could leave out what it does not know
// itself, but 1.10 does so with a memcpy onto the same list.
std::string cipher_order(LIBSSH2_SESSION* session, int direction) {
    const char** names = nullptr;
    const int count = libssh2_session_supported_algs(session, direction, &names);
    if (count <= 0)
        return "aes128-ctr";
    const std::vector<std::string_view> known(names, names + count);
    std::vector<std::string_view> order;
    for (const std::string_view wanted :
         {"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr"})
        if (std::find(known.begin(), known.end(), wanted) != known.end())
            order.push_back(wanted);
    libssh2_free(session, names);
    return fmt::format("{}", fmt::join(order, ","));
}

Async<HostKey> handshake(std::shared_ptr<Transport> transport, HostKeyPolicy policy, std::string doing) {
    LIBSSH2_SESSION* session = transport->session();
    const std::string order = host_key_order(policy);
    libssh2_session_method_pref(session, LIBSSH2_METHOD_HOSTKEY, order.c_str());
    for (const int direction : {LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_CRYPT_SC})
        libssh2_session_method_pref(session, direction, cipher_order(session, direction).c_str());
    const int descriptor = transport->descriptor();
    std::function<long()> step = [session, descriptor]() -> long {
        return libssh2_session_handshake(session, descriptor);
    };
    Async<long> work = drive(transport, doing, std::move(step));
    Result<long> code = co_await std::move(work);
    if (!code)
        co_return handshake_error(*transport, code.error());
    std::size_t length = 0;
    int ignored = 0;
    const char* blob = libssh2_session_hostkey(session, &length, &ignored);
    if (*code < 0 || !blob)
        co_return handshake_error(*transport, transport->error(doing).value());
    HostKey key = host_key_from(std::string(blob, length));
    if (Result<void> accepted = check_host_key(policy, key); !accepted)
        co_return fail(accepted.error().in(doing));
    co_return key;
}

// What an authentication request asks to be signed with (RFC 4252, section 7); empty when it is none.
std::string_view algorithm_of(std::string_view request) {
    WireReader reader(request);
    reader.string(); // session id
    reader.bytes(1); // SSH_MSG_USERAUTH_REQUEST
    reader.string(); // user
    reader.string(); // service
    reader.string(); // "publickey"
    reader.bytes(1); // TRUE
    const std::string_view algorithm = reader.string();
    return reader.ok() ? algorithm : std::string_view();
}

// libssh2 wants a signature at once. An agent may ask a person first: then what is to be signed is kept, the
// attempt fails on this side alone, and is made again when the signature is there.
struct Signing {
    const PrivateKey* key = nullptr;
    std::string request;
    std::string signature;
};

int sign_request(LIBSSH2_SESSION*, unsigned char** signature, size_t* length, const unsigned char* data,
                 size_t size, void** context) {
    auto* signing = static_cast<Signing*>(*context);
    const std::string_view request(reinterpret_cast<const char*>(data), size);
    std::string blob;
    if (signing->key)
        blob = signing->key->sign(algorithm_of(request), request);
    else if (request == signing->request)
        blob = signing->signature;
    signing->request = request;
    if (blob.empty())
        return -1;
    *signature = static_cast<unsigned char*>(std::malloc(blob.size())); // libssh2 frees it
    if (!*signature)
        return -1;
    std::memcpy(*signature, blob.data(), blob.size());
    *length = blob.size();
    return 0;
}

// The public key as the request shows it. libssh2 1.10 signs RSA keys with SHA-1, which servers of today
// refuse. It takes the algorithm from the blob's first string, and OpenSSH reads this name there as "an RSA
// key" (Dropbear does not). Not needed from 1.11 on.
std::string shown_blob(const Identity& identity) {
    const std::string blob = identity.key ? identity.key->blob(identity.key->type()) : identity.agent_blob;
    WireReader reader(blob);
    const bool is_rsa = reader.string() == "ssh-rsa";
    if (!is_rsa || libssh2_version(kFirstWithRsaSha2))
        return blob;
    std::string renamed;
    put_string(renamed, "rsa-sha2-512");
    renamed += reader.rest();
    return renamed;
}

Async<long> offer(std::shared_ptr<Transport> transport, std::string user, std::string blob,
                  std::shared_ptr<Signing> signing) {
    LIBSSH2_SESSION* session = transport->session();
    auto context = std::make_shared<void*>(signing.get());
    std::function<long()> step = [session, &user, &blob, context]() -> long {
        return libssh2_userauth_publickey(session, user.c_str(),
                                          reinterpret_cast<const unsigned char*>(blob.data()), blob.size(),
                                          sign_request, context.get());
    };
    std::string doing = "log in to " + transport->name();
    Async<long> work = drive(transport, std::move(doing), std::move(step));
    Result<long> code = co_await std::move(work);
    co_return code;
}

// True: logged in. False: the server refused this key. An error: the connection is gone, or nothing could be
// signed.
Async<bool> try_identity(std::shared_ptr<Transport> transport, std::string user, std::string agent_socket,
                         Identity identity) {
    const std::string blob = shown_blob(identity);
    auto signing = std::make_shared<Signing>();
    signing->key = identity.key.get();
    Async<long> offering = offer(transport, user, blob, signing);
    Result<long> code = co_await std::move(offering);
    if (code && *code != 0 && !identity.key && !signing->request.empty() && transport->is_open()) {
        std::string algorithm(algorithm_of(signing->request));
        Async<std::string> asking = agent_sign(transport->loop(), agent_socket, identity.agent_blob,
                                               signing->request, std::move(algorithm));
        Result<std::string> signature = co_await std::move(asking);
        if (!signature)
            co_return fail(signature.error().in("use " + identity.shown));
        signing->signature = std::move(*signature);
        Async<long> again = offer(transport, user, blob, signing);
        code = co_await std::move(again);
    }
    if (!code)
        co_return fail(code.error());
    // The code for "refused" also stands for "no answer": an ended connection shows first.
    if (*code != 0 && transport->failure())
        co_return transport->error("log in to " + transport->name());
    co_return *code == 0;
}

bool is_dropbear(Transport& transport) {
    const char* banner = libssh2_session_banner_get(transport.session());
    return banner && std::string_view(banner).find("dropbear") != std::string_view::npos;
}

tl::unexpected<Error> refused_error(const std::string& doing, const std::vector<std::string>& refused,
                                    const std::string& problem, bool is_old_rsa) {
    if (is_old_rsa)
        return fail(
            Kind::auth, fmt::format("{}: the server refused key {}", doing, fmt::join(refused, ", ")),
            fmt::format("the server is Dropbear, which takes RSA keys from libssh2 1.11 and later (this is "
                        "{}); use an ed25519 or ecdsa key",
                        libssh2_version(0)));
    if (refused.size() == 1)
        return fail(Kind::auth, fmt::format("{}: the server refused key {}", doing, refused[0]),
                    "is its .pub among the pod's PUBLIC_KEY?");
    if (refused.empty())
        return fail(Kind::auth, fmt::format("{}: no key could be used{}", doing, problem),
                    "name one with SSH_PRIVATE_KEY_PATH, or make one: ssh-keygen -t ed25519");
    return fail(Kind::auth,
                fmt::format("{}: the server refused each key: {}", doing, fmt::join(refused, ", ")),
                "is the .pub of one of them among the pod's PUBLIC_KEY?");
}

// sshd counts each key as an attempt and hangs up after a few (MaxAuthTries, usually 6).
tl::unexpected<Error> cut_off_error(const std::string& doing, const std::vector<std::string>& refused,
                                    const Error& error) {
    if (refused.size() < 2)
        return fail(error);
    return fail(Kind::auth,
                fmt::format("{}: the server hung up after it had refused {} keys: {}", doing, refused.size(),
                            fmt::join(refused, ", ")),
                "name the right one with SSH_PRIVATE_KEY_PATH, or leave fewer in the agent (ssh-add -d)");
}

Async<std::string> authenticate(std::shared_ptr<Transport> transport, ConnectRequest request) {
    const std::string doing = "log in to " + transport->name();
    std::vector<std::string> refused;
    std::string problem;
    bool is_old_rsa = false;
    for (const Identity& identity : request.identities) {
        is_old_rsa =
            is_old_rsa || (is_dropbear(*transport) && shown_blob(identity).find("rsa-sha2-512") == 4);
        Async<bool> trying = try_identity(transport, request.user, request.agent_socket, identity);
        Result<bool> accepted = co_await std::move(trying);
        if (accepted && *accepted)
            co_return identity.shown;
        if (accepted)
            refused.push_back(identity.shown);
        else if (!transport->is_open())
            co_return cut_off_error(doing, refused, accepted.error());
        else // the agent would not: another key may do
            problem += " (" + accepted.error().message + ")";
    }
    co_return refused_error(doing, refused, problem, is_old_rsa);
}

Async<HostKey> enter(std::shared_ptr<Transport> transport, ConnectRequest request) {
    std::string doing = "connect to " + transport->name();
    Async<HostKey> greeting = handshake(transport, request.host_key, std::move(doing));
    Result<HostKey> host_key = co_await std::move(greeting);
    if (!host_key)
        co_return host_key;
    Async<std::string> login = authenticate(transport, request);
    Result<std::string> used = co_await std::move(login);
    if (!used)
        co_return fail(used.error());
    log::debug("ssh: logged in to {} with {}, host key {} {}", transport->name(), *used, host_key->type,
               host_key->fingerprint);
    co_return host_key;
}

// The key first: without one nothing else is worth doing. Decrypting it is work for the pool.
Async<void> load_key_file(net::Loop& loop, ConnectRequest* request) {
    if (!request->identities.empty())
        co_return Result<void>();
    std::function<Result<std::shared_ptr<PrivateKey>>()> load =
        [path = loop.system().expand(request->key_file), shown = request->key_file,
         passphrase = request->passphrase] { return load_private_key(path, shown, passphrase); };
    Async<std::shared_ptr<PrivateKey>> loading = loop.offload<std::shared_ptr<PrivateKey>>(std::move(load));
    Result<std::shared_ptr<PrivateKey>> key = co_await std::move(loading);
    if (!key)
        co_return fail(key.error());
    Identity identity;
    identity.key = *key;
    identity.shown = request->key_file;
    request->identities.push_back(std::move(identity));
    co_return Result<void>();
}

void explain_silence(Error& error, const Transport& transport) {
    if (error.kind != Kind::timeout)
        return;
    error.hint = transport.received() == 0
                     ? "the port is open but says nothing: is it the ssh port, and has sshd started?"
                     : "the server began to speak ssh and then stopped: is the machine overloaded, or the "
                       "network bad?";
}

} // namespace

std::string address_of(const ConnectRequest& request) {
    const bool is_v6 = request.host.find(':') != std::string::npos;
    return fmt::format(fmt::runtime(is_v6 ? "{}@[{}]:{}" : "{}@{}:{}"), request.user, request.host,
                       request.port);
}

Async<LoggedIn> log_in(net::Loop& loop, ConnectRequest request) {
    if (Result<void> valid = check_request(request); !valid)
        co_return fail(valid.error());
    const std::string name = address_of(request);
    if (request.host_key.alias.empty())
        request.host_key.alias =
            request.port == 22 ? request.host : fmt::format("[{}]:{}", request.host, request.port);

    Async<void> loading = load_key_file(loop, &request);
    Result<void> loaded = co_await std::move(loading);
    if (!loaded)
        co_return fail(loaded.error());

    std::string connecting = "connect to " + name;
    Async<SocketPtr> dialing = dial(loop, request.host, request.port, connecting);
    Async<SocketPtr> limited =
        net::with_deadline<SocketPtr>(loop, request.connect_timeout, connecting, std::move(dialing));
    Result<SocketPtr> socket = co_await std::move(limited);
    if (!socket) {
        Error error = socket.error();
        if (error.kind == Kind::timeout)
            error.hint = "is the address right, and is the pod running?";
        co_return fail(std::move(error));
    }

    auto transport = std::make_shared<Transport>(loop, std::move(**socket), name);
    transport->start();
    Async<HostKey> entering = enter(transport, request);
    std::string logging_in = "log in to " + name;
    Async<HostKey> bounded =
        net::with_deadline<HostKey>(loop, request.login_timeout, std::move(logging_in), std::move(entering));
    Result<HostKey> host_key = co_await std::move(bounded);
    if (!host_key) {
        Error error = host_key.error();
        explain_silence(error, *transport);
        co_return fail(std::move(error));
    }
    transport->keep_alive(request.keepalive);
    open_ahead(transport, 1);
    co_return LoggedIn{transport, std::move(*host_key)};
}

} // namespace podsmith::ssh
