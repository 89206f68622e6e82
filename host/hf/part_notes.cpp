#include "hf/part_notes.hpp"

#include "base/text.hpp"

#include <charconv>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace podsmith::hf {

using nlohmann::json;

namespace {

void append(int descriptor, const std::string& text) {
    // Notes are a convenience: a full disk costs the resume, not the upload.
    if (::write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return;
}

} // namespace

PartNotes::PartNotes(const std::filesystem::path& folder, const std::string& key) : path_(folder / key) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        return;
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        ::close(descriptor_);
        descriptor_ = -1;
    }
}

PartNotes::~PartNotes() {
    if (descriptor_ >= 0)
        ::close(descriptor_);
}

std::optional<PartNotes::Found> PartNotes::read(std::uint64_t size, double now) const {
    if (descriptor_ < 0)
        return std::nullopt;
    const Result<std::string> text = read_file(path_);
    if (!text || text->empty())
        return std::nullopt;
    const std::vector<std::string> lines = split(*text, '\n');
    const json head = json::parse(lines[0], nullptr, false);
    if (!head.is_object() || !head.value("until", json()).is_number() || head["until"].get<double>() < now ||
        !head.value("parts", json()).is_array() || !head.value("chunk", json()).is_number_unsigned())
        return std::nullopt;
    Found found;
    try {
        found.action.href = head.value("href", "");
        found.action.verify = head.value("verify", "");
        found.action.chunk_size = head["chunk"].get<std::uint64_t>();
        found.action.parts = head["parts"].get<std::vector<std::string>>();
    } catch (const json::exception&) {
        return std::nullopt; // not as we write it
    }
    if (found.action.chunk_size == 0 ||
        found.action.parts.size() != (size + found.action.chunk_size - 1) / found.action.chunk_size)
        return std::nullopt;
    for (std::size_t i = 1; i + 1 < lines.size(); ++i) { // the last one may be cut
        const auto space = lines[i].find(' ');
        std::size_t part = 0;
        std::from_chars(lines[i].data(), lines[i].data() + std::min(space, lines[i].size()), part);
        if (part > 0 && part <= found.action.parts.size() && space != std::string::npos)
            found.etags[part] = lines[i].substr(space + 1);
    }
    return found;
}

void PartNotes::begin(const UploadAction& action, double until) {
    if (descriptor_ < 0 || ::ftruncate(descriptor_, 0) != 0)
        return;
    json head = json::object();
    head["href"] = action.href;
    head["verify"] = action.verify;
    head["chunk"] = action.chunk_size;
    head["parts"] = action.parts;
    head["until"] = until;
    append(descriptor_, head.dump() + "\n");
}

void PartNotes::add(std::size_t part, const std::string& etag) {
    if (descriptor_ >= 0)
        append(descriptor_, fmt::format("{} {}\n", part, etag));
}

void PartNotes::forget() {
    if (descriptor_ < 0)
        return;
    ::unlink(path_.c_str());
    ::close(descriptor_);
    descriptor_ = -1;
}

void PartNotes::remove(const std::filesystem::path& folder, const std::string& key) {
    std::error_code ignored;
    std::filesystem::remove(folder / key, ignored);
}

} // namespace podsmith::hf
