#include "sync/gzip.hpp"

#include "base/descriptor.hpp"

#include <algorithm>
#include <fcntl.h>
#include <new>
#include <unistd.h>
#include <zlib.h>

namespace podsmith::sync {
namespace {

constexpr int kGzipWindow = 15 + 16; // zlib: the largest window, with gzip's header
constexpr std::uint64_t kWorthIt = 256u << 10;
constexpr std::size_t kSamples = 16;
constexpr std::size_t kSample = 64u << 10;
constexpr std::size_t kUnpacked = 256u << 10;

/// One gzip stream, level 1: a core then packs some 100 MB/s, which a line of a Gbit/s does not outrun.
class Gzip {
public:
    Gzip() {
        if (::deflateInit2(&state_, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc();
    }
    ~Gzip() { ::deflateEnd(&state_); }
    Gzip(const Gzip&) = delete;
    Gzip& operator=(const Gzip&) = delete;

    std::string add(std::string_view bytes, int flush) {
        std::string out(::deflateBound(&state_, bytes.size()) + 64, '\0');
        state_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        state_.avail_in = static_cast<uInt>(bytes.size());
        state_.next_out = reinterpret_cast<Bytef*>(out.data());
        state_.avail_out = static_cast<uInt>(out.size());
        // Room for all that this input can become, and for what earlier input has left behind.
        while (::deflate(&state_, flush) == Z_OK && state_.avail_out == 0) {
            const std::size_t before = out.size();
            out.resize(2 * before);
            state_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
            state_.avail_out = static_cast<uInt>(before);
        }
        out.resize(out.size() - state_.avail_out);
        return out;
    }

private:
    z_stream state_{};
};

std::string read_sample(const Extent& extent, std::uint64_t place) {
    const Descriptor file(::open(extent.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(extent.size - place, kSample)), '\0');
    const ssize_t count =
        ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(extent.offset + place));
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
}

} // namespace

std::uint64_t Packed::unpacked(std::uint64_t bytes) const {
    const std::uint64_t became = to.load();
    return became == 0
               ? 0
               : static_cast<std::uint64_t>(static_cast<double>(bytes) * static_cast<double>(from.load()) /
                                            static_cast<double>(became));
}

ssh::Source packed(ssh::Source next, std::shared_ptr<Packed> progress) {
    struct State {
        Gzip gzip;
        bool is_done = false;
    };
    auto state = std::make_shared<State>();
    return [next = std::move(next), progress = std::move(progress), state]() -> Result<std::string> {
        std::string out;
        while (out.empty() && !state->is_done) {
            Result<std::string> piece = next();
            if (!piece)
                return piece;
            state->is_done = piece->empty();
            out = state->gzip.add(*piece, state->is_done ? Z_FINISH : Z_NO_FLUSH);
            progress->from += piece->size();
            progress->to += out.size();
        }
        return out;
    };
}

bool shrinks(const std::vector<Extent>& extents) {
    std::uint64_t all = 0;
    for (const Extent& extent : extents)
        all += extent.size;
    if (all < kWorthIt)
        return false;
    Gzip gzip;
    std::size_t before = 0;
    std::size_t after = 0;
    std::uint64_t passed = 0; // bytes of the extents before this one
    std::uint64_t wanted = 0; // where the next sample begins
    const std::uint64_t step = std::max<std::uint64_t>(all / kSamples, 1);
    for (const Extent& extent : extents) {
        for (; wanted < passed + extent.size; wanted = std::max(wanted + step, wanted + kSample)) {
            const std::string sample = read_sample(extent, wanted - passed);
            before += sample.size();
            after += gzip.add(sample, Z_NO_FLUSH).size();
        }
        passed += extent.size;
    }
    after += gzip.add("", Z_FINISH).size();
    return after * 3 <= before * 2;
}

struct Unpacker::State {
    z_stream stream{};
    bool is_at_end = false;
};

Unpacker::Unpacker() : state_(std::make_unique<State>()) {
    if (::inflateInit2(&state_->stream, kGzipWindow) != Z_OK)
        throw std::bad_alloc();
}

Unpacker::~Unpacker() {
    ::inflateEnd(&state_->stream);
}

Result<void> Unpacker::add(std::string_view bytes, const Take& take) {
    z_stream& stream = state_->stream;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string out(kUnpacked, '\0');
    bool is_full = true;
    while (!state_->is_at_end && (stream.avail_in > 0 || is_full)) {
        stream.next_out = reinterpret_cast<Bytef*>(out.data());
        stream.avail_out = static_cast<uInt>(out.size());
        const int code = ::inflate(&stream, Z_NO_FLUSH);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return fail(Kind::protocol, "what the other side sends is no gzip stream",
                        "is its gzip the usual one? try without compression");
        state_->is_at_end = code == Z_STREAM_END;
        is_full = stream.avail_out == 0;
        const std::size_t made = out.size() - stream.avail_out;
        if (made > 0)
            if (Result<void> taken = take(std::string_view(out).substr(0, made)); !taken)
                return taken;
        if (code == Z_BUF_ERROR)
            break;
    }
    return {};
}

} // namespace podsmith::sync
