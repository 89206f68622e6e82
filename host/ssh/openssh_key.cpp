// OpenSSH's own private key format ("openssh-key-v1", described in OpenSSH's PROTOCOL.key).
#include "base/text.hpp"
#include "ssh/bcrypt.hpp"
#include "ssh/keys.hpp"
#include "ssh/wire.hpp"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <optional>

namespace podsmith::ssh {
namespace {

constexpr std::string_view kMagic("openssh-key-v1\0", 15);
constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----";
constexpr std::uint32_t kMostRounds = 4096; // a hostile file must not keep a pool thread for hours

// A string that is wiped at its end.
struct Wiped {
    std::string text;
    ~Wiped() { wipe(text); }
};

struct BignumDeleter {
    void operator()(BIGNUM* number) const { BN_clear_free(number); }
};
using Bignum = std::unique_ptr<BIGNUM, BignumDeleter>;

struct BuilderDeleter {
    void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
};
using Builder = std::unique_ptr<OSSL_PARAM_BLD, BuilderDeleter>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

Bignum number_from(std::string_view mpint) {
    // Private numbers go through OpenSSL's constant-time code.
    Bignum number(BN_secure_new());
    BN_bin2bn(bytes_of(mpint), static_cast<int>(mpint.size()), number.get());
    BN_set_flags(number.get(), BN_FLG_CONSTTIME);
    return number;
}

tl::unexpected<Error> broken(std::string_view what) {
    return fail(Kind::invalid, fmt::format("the file is damaged ({})", what),
                "restore it from a copy, or make a new key");
}

Result<PkeyPtr> from_parameters(const char* algorithm, OSSL_PARAM_BLD* builder) {
    OSSL_PARAM* parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, algorithm, nullptr);
    EVP_PKEY* key = nullptr;
    const bool made = parameters && context && EVP_PKEY_fromdata_init(context) > 0 &&
                      EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) > 0;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    if (!made)
        return broken("its numbers make no key");
    return PkeyPtr(key);
}

Result<PkeyPtr> read_ed25519(WireReader& reader) {
    reader.string(); // public half: OpenSSL computes it
    const std::string_view secret = reader.string();
    if (!reader.ok() || secret.size() != 64)
        return broken("ed25519 key of a wrong length");
    PkeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes_of(secret), 32));
    if (!key)
        return broken("ed25519 key");
    return key;
}

Result<PkeyPtr> read_ecdsa(WireReader& reader) {
    const std::string curve(reader.string());
    const std::string_view point = reader.string();
    const Bignum secret = number_from(reader.string());
    const char* group = nullptr;
    if (curve == "nistp256")
        group = "prime256v1";
    else if (curve == "nistp384")
        group = "secp384r1";
    else if (curve == "nistp521")
        group = "secp521r1";
    if (!reader.ok() || !group)
        return broken("ecdsa key");
    const Builder builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret.get());
    return from_parameters("EC", builder.get());
}

Result<PkeyPtr> read_rsa(WireReader& reader) {
    const Bignum n = number_from(reader.string());
    const Bignum e = number_from(reader.string());
    const Bignum d = number_from(reader.string());
    const Bignum coefficient = number_from(reader.string());
    const Bignum p = number_from(reader.string());
    const Bignum q = number_from(reader.string());
    if (!reader.ok() || BN_is_zero(p.get()) || BN_is_zero(q.get()))
        return broken("RSA key");
    // The format leaves out d mod p-1 and d mod q-1.
    const Bignum exponent1(BN_secure_new());
    const Bignum exponent2(BN_secure_new());
    const Bignum less(BN_secure_new());
    BN_CTX* context = BN_CTX_secure_new();
    BN_sub(less.get(), p.get(), BN_value_one());
    bool done = BN_mod(exponent1.get(), d.get(), less.get(), context) == 1;
    BN_sub(less.get(), q.get(), BN_value_one());
    done = BN_mod(exponent2.get(), d.get(), less.get(), context) == 1 && done;
    BN_CTX_free(context);
    if (!done)
        return broken("RSA key");
    const Builder builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_D, d.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_FACTOR1, p.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_FACTOR2, q.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_EXPONENT1, exponent1.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_EXPONENT2, exponent2.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_COEFFICIENT1, coefficient.get());
    return from_parameters("RSA", builder.get());
}

Result<PkeyPtr> read_private(std::string_view plain) {
    WireReader reader(plain);
    reader.bytes(8); // the two equal check numbers
    const std::string type(reader.string());
    if (type == "ssh-ed25519")
        return read_ed25519(reader);
    if (type.starts_with("ecdsa-sha2-"))
        return read_ecdsa(reader);
    if (type == "ssh-rsa")
        return read_rsa(reader);
    return fail(Kind::invalid, fmt::format("a key of type \"{}\" cannot be used here", type),
                "use an ed25519 key: ssh-keygen -t ed25519");
}

const EVP_CIPHER* cipher_from(const std::string& name) {
    if (name == "aes256-ctr")
        return EVP_aes_256_ctr();
    if (name == "aes192-ctr")
        return EVP_aes_192_ctr();
    if (name == "aes128-ctr")
        return EVP_aes_128_ctr();
    if (name == "aes256-cbc")
        return EVP_aes_256_cbc();
    if (name == "aes128-cbc")
        return EVP_aes_128_cbc();
    return nullptr;
}

bool decrypt(const EVP_CIPHER* cipher, const std::string& key_and_iv, std::string_view closed,
             std::string& plain) {
    const auto key_length = static_cast<std::size_t>(EVP_CIPHER_get_key_length(cipher));
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    plain.resize(closed.size());
    int written = 0;
    const bool done = EVP_DecryptInit_ex(context, cipher, nullptr, bytes_of(key_and_iv),
                                         bytes_of(key_and_iv) + key_length) == 1 &&
                      EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
                      EVP_DecryptUpdate(context, reinterpret_cast<unsigned char*>(plain.data()), &written,
                                        bytes_of(closed), static_cast<int>(closed.size())) == 1;
    EVP_CIPHER_CTX_free(context);
    return done && static_cast<std::size_t>(written) == closed.size();
}

struct Envelope {
    std::string cipher;
    std::string derivation;
    std::string_view derivation_options;
    std::string_view public_blob;
    std::string_view closed;
};

std::optional<Envelope> read_envelope(std::string_view bytes) {
    WireReader reader(bytes);
    if (reader.bytes(kMagic.size()) != kMagic)
        return std::nullopt;
    Envelope envelope;
    envelope.cipher = std::string(reader.string());
    envelope.derivation = std::string(reader.string());
    envelope.derivation_options = reader.string();
    const std::uint32_t count = reader.number();
    envelope.public_blob = reader.string();
    envelope.closed = reader.string();
    if (!reader.ok() || count != 1)
        return std::nullopt;
    return envelope;
}

Result<void> open_envelope(const Envelope& envelope, const Secret& passphrase, std::string& plain) {
    if (envelope.cipher == "none") {
        plain = std::string(envelope.closed);
        return {};
    }
    if (passphrase.empty())
        return fail(Kind::invalid, "the key is protected by a passphrase and none was given",
                    "give its passphrase");
    const EVP_CIPHER* cipher = cipher_from(envelope.cipher);
    WireReader options(envelope.derivation_options);
    const std::string_view salt = options.string();
    const std::uint32_t rounds = options.number();
    if (!cipher || envelope.derivation != "bcrypt")
        return fail(Kind::invalid,
                    fmt::format("it is encrypted with {} and {}, which is not supported", envelope.cipher,
                                envelope.derivation),
                    "encrypt it the usual way: ssh-keygen -p -Z aes256-ctr -f FILE");
    if (!options.ok() || salt.empty() || rounds == 0 || rounds > kMostRounds)
        return broken("key derivation");
    const int length = EVP_CIPHER_get_key_length(cipher) + EVP_CIPHER_get_iv_length(cipher);
    const Wiped key{bcrypt_pbkdf(passphrase.reveal(), salt, rounds, static_cast<std::size_t>(length))};
    if (!decrypt(cipher, key.text, envelope.closed, plain))
        return broken("encrypted part");
    return {};
}

// The bytes between the lines that begin and end the key; empty without both.
std::string body_of(std::string_view text) {
    const auto begin = text.find(kBegin);
    const auto end = text.find(kEnd);
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin)
        return {};
    Wiped body;
    for (const char c : text.substr(begin + kBegin.size(), end - begin - kBegin.size()))
        if (c > ' ')
            body.text += c;
    return base64_decode(body.text);
}

} // namespace

Result<KeyFacts> look_at_openssh_key(std::string_view text) {
    const Wiped bytes{body_of(text)};
    const std::optional<Envelope> envelope = read_envelope(bytes.text);
    if (!envelope)
        return broken("not one OpenSSH key");
    return KeyFacts{envelope->cipher != "none", std::string(envelope->public_blob)};
}

Result<PkeyPtr> parse_openssh_key(std::string_view text, const Secret& passphrase) {
    const Wiped bytes{body_of(text)};
    if (bytes.text.empty())
        return broken("no end line");
    const std::optional<Envelope> envelope = read_envelope(bytes.text);
    if (!envelope)
        return broken("not one OpenSSH key");
    Wiped plain;
    if (auto opened = open_envelope(*envelope, passphrase, plain.text); !opened)
        return fail(opened.error());
    WireReader check(plain.text);
    const std::uint32_t first = check.number();
    if (first != check.number() || !check.ok()) {
        if (envelope->cipher == "none")
            return broken("check numbers");
        return fail(Kind::auth, "the passphrase is wrong",
                    "check the passphrase: ssh-keygen -y -f FILE asks for it too");
    }
    return read_private(plain.text);
}

} // namespace podsmith::ssh
