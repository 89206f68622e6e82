#include "dataset/gzip_writer.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <zlib.h>

namespace podsmith::dataset {
namespace {

constexpr std::size_t kBlock = 1u << 20;
constexpr std::size_t kWindow = 32u << 10;
constexpr int kLevel = 3;

struct Block {
    std::string dictionary;
    std::string input;
    std::string output;
    std::uint32_t crc = 0;
    bool is_done = false;
};

/// One thread's compressor.
class Compressor {
public:
    Compressor() : stream_(std::make_unique<isal_zstream>()), buffer_(ISAL_DEF_LVL3_DEFAULT) {}

    void run(Block& block) {
        isal_deflate_init(stream_.get());
        stream_->level = kLevel;
        stream_->level_buf = buffer_.data();
        stream_->level_buf_size = static_cast<std::uint32_t>(buffer_.size());
        stream_->gzip_flag = IGZIP_DEFLATE;
        stream_->flush = SYNC_FLUSH;
        stream_->end_of_stream = 0;
        if (!block.dictionary.empty())
            isal_deflate_set_dict(stream_.get(), bytes(block.dictionary),
                                  static_cast<std::uint32_t>(block.dictionary.size()));
        stream_->next_in = bytes(block.input);
        stream_->avail_in = static_cast<std::uint32_t>(block.input.size());
        std::size_t done = 0;
        do { // until it has said everything: the flush too
            block.output.resize(done + block.input.size() / 2 + kWindow);
            stream_->next_out = bytes(block.output) + done;
            stream_->avail_out = static_cast<std::uint32_t>(block.output.size() - done);
            isal_deflate(stream_.get());
            done = block.output.size() - stream_->avail_out;
        } while (stream_->avail_out == 0);
        block.output.resize(done);
        block.crc = crc32_gzip_refl(0, bytes(block.input), block.input.size());
    }

private:
    static std::uint8_t* bytes(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }

    std::unique_ptr<isal_zstream> stream_;
    std::vector<std::uint8_t> buffer_;
};

void put_le32(std::string& out, std::uint32_t value) {
    for (int i = 0; i < 4; ++i, value >>= 8)
        out += static_cast<char>(value & 0xff);
}

} // namespace

struct GzipWriter::State {
    std::function<Result<void>(std::string_view)> sink;
    std::string input;      ///< of the block that is being filled
    std::string dictionary; ///< of that block
    std::uint32_t crc = 0;
    std::uint64_t size = 0;
    bool has_begun = false;

    std::deque<std::shared_ptr<Block>> in_order; ///< handed out and not yet written
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::shared_ptr<Block>> waiting; ///< guarded
    bool is_over = false;                       ///< guarded
    std::vector<std::jthread> workers;          // last: they use the rest

    void work() {
        Compressor compressor;
        while (true) {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return is_over || !waiting.empty(); });
            if (waiting.empty())
                return;
            const std::shared_ptr<Block> block = std::move(waiting.front());
            waiting.pop_front();
            lock.unlock();
            compressor.run(*block);
            lock.lock();
            block->is_done = true;
            changed.notify_all();
        }
    }

    void hand_out() {
        auto block = std::make_shared<Block>();
        block->dictionary = std::move(dictionary);
        block->input = std::move(input);
        dictionary = block->input.substr(block->input.size() - std::min(block->input.size(), kWindow));
        input = {};
        input.reserve(kBlock);
        in_order.push_back(block);
        const std::lock_guard lock(mutex);
        waiting.push_back(std::move(block));
        changed.notify_all();
    }

    /// Writes finished blocks until at most `left` are handed out.
    Result<void> collect(std::size_t left) {
        while (in_order.size() > left) {
            const std::shared_ptr<Block> block = std::move(in_order.front());
            in_order.pop_front();
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return block->is_done; });
            }
            crc = static_cast<std::uint32_t>(
                crc32_combine(crc, block->crc, static_cast<z_off_t>(block->input.size())));
            size += block->input.size();
            if (const Result<void> written = put(block->output); !written)
                return written;
        }
        return {};
    }

    Result<void> put(std::string_view bytes) {
        constexpr std::string_view kHeader("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10); // no name, no time, no system
        if (!has_begun) {
            has_begun = true;
            if (const Result<void> written = sink(kHeader); !written)
                return written;
        }
        return sink(bytes);
    }
};

GzipWriter::GzipWriter(std::function<Result<void>(std::string_view)> sink, unsigned threads)
    : state_(std::make_unique<State>()) {
    state_->sink = std::move(sink);
    state_->input.reserve(kBlock);
    for (unsigned i = 0; i < std::max(threads, 1u); ++i)
        state_->workers.emplace_back([state = state_.get()] { state->work(); });
}

GzipWriter::~GzipWriter() {
    const std::lock_guard lock(state_->mutex);
    state_->is_over = true;
    state_->waiting.clear();
    state_->changed.notify_all();
}

Result<void> GzipWriter::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t count = std::min(kBlock - state_->input.size(), bytes.size());
        state_->input.append(bytes.substr(0, count));
        bytes.remove_prefix(count);
        if (state_->input.size() < kBlock)
            break;
        state_->hand_out();
        if (const Result<void> collected = state_->collect(2 * state_->workers.size()); !collected)
            return collected;
    }
    return {};
}

Result<void> GzipWriter::finish() {
    if (!state_->input.empty())
        state_->hand_out();
    if (const Result<void> collected = state_->collect(0); !collected)
        return collected;
    std::string end("\x03\0", 2); // an empty last block
    put_le32(end, state_->crc);
    put_le32(end, static_cast<std::uint32_t>(state_->size));
    return state_->put(end);
}

} // namespace podsmith::dataset
