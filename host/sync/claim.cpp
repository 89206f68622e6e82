#include "sync/claim.hpp"

#include "base/system.hpp"
#include "base/text.hpp"
#include "sync/hash.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

namespace podsmith::sync {
namespace {

// Tells this machine and user apart from others that push to the same place.
Result<std::string> own_name(const std::filesystem::path& file, const std::string& random) {
    Result<std::string> name = read_file(file);
    if (name && !name->empty())
        return name;
    if (Result<void> written = write_file(file, random, 0600); !written)
        return fail(written.error());
    return read_file(file); // another process's, if that came last
}

} // namespace

Result<Claim> claim(const std::filesystem::path& state, const std::string& words, const std::string& random) {
    const Result<std::string> name = own_name(state / "transfers" / "name", random);
    if (!name)
        return fail(name.error());
    Claim claim;
    claim.id = sha256_hex(*name + "\n" + words).substr(0, 12);
    const std::filesystem::path path = state / "transfers" / (claim.id + ".lock");
    claim.lock.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (claim.lock.get() < 0)
        return fail(Kind::io, fmt::format("open {}: {}", path.string(), std::strerror(errno)));
    if (::flock(claim.lock.get(), LOCK_EX | LOCK_NB) != 0)
        return fail(Kind::conflict, "the same transfer is under way already",
                    "wait for its end, or stop the other podsmith");
    return claim;
}

} // namespace podsmith::sync
