#include "hf/weights.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace podsmith::hf {
namespace {

using nlohmann::json;

constexpr std::int64_t kStrayShare = 20;
constexpr std::int64_t kLargestFile = std::int64_t{1}
                                      << 50; // more is no size, and sums stay far from overflow

struct File {
    std::string path;
    std::int64_t size = 0;
};

std::int64_t size_of(const json& sibling) {
    if (const auto size = sibling.find("size"); size != sibling.end() && size->is_number_integer())
        return size->get<double>() > 0 && size->get<double>() <= kLargestFile ? size->get<std::int64_t>() : 0;
    if (const auto lfs = sibling.find("lfs"); lfs != sibling.end() && lfs->is_object())
        return size_of(*lfs);
    return 0;
}

std::vector<File> files_of(const json& info) {
    std::vector<File> files;
    const auto siblings = info.is_object() ? info.find("siblings") : info.end();
    if (!info.is_object() || siblings == info.end() || !siblings->is_array())
        return files;
    for (const json& sibling : *siblings) {
        if (!sibling.is_object())
            continue;
        const auto name = sibling.find("rfilename");
        if (name != sibling.end() && name->is_string())
            files.push_back(File{name->get<std::string>(), size_of(sibling)});
    }
    return files;
}

std::string base_name(const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

/// "unet/model.fp16.safetensors" -> "unet/model.safetensors"; "" when the name has no variant.
std::string without_variant(const std::string& path, const std::string& ending) {
    const std::string stem = path.substr(0, path.size() - ending.size());
    for (const char* variant : {".fp16", ".bf16", ".fp32", ".non_ema"})
        if (stem.ends_with(variant))
            return stem.substr(0, stem.size() - std::string(variant).size()) + ending;
    return "";
}

bool is_trainer_state(const std::string& path) {
    static const std::set<std::string> names{"training_args.bin", "optimizer.bin", "scheduler.bin",
                                             "optimizer.pt",      "scheduler.pt",  "rng_state.pth",
                                             "scaler.pt"};
    return names.count(base_name(path)) > 0;
}

std::int64_t sum_of(const std::vector<File>& files) {
    std::int64_t sum = 0;
    for (const File& file : files)
        sum += file.size;
    return sum;
}

/// The bytes of one format, each set of weights once.
std::int64_t bytes_of(const std::vector<File>& files, const std::vector<std::string>& endings) {
    std::set<std::string> names;
    bool has_model =
        false; // beside which a "consolidated" file is the same weights in the authors' own layout
    for (const File& file : files) {
        names.insert(file.path);
        for (const std::string& ending : endings)
            has_model = has_model || (file.path.ends_with(ending) &&
                                      (file.path.starts_with("model.") || file.path.starts_with("model-")));
    }
    std::int64_t sum = 0;
    for (const File& file : files)
        for (const std::string& ending : endings) {
            if (!file.path.ends_with(ending) || is_trainer_state(file.path))
                continue;
            if (names.count(without_variant(file.path, ending)) > 0)
                continue;
            if (has_model && file.path.starts_with("consolidated"))
                continue;
            sum += file.size;
        }
    return sum;
}

} // namespace

std::int64_t weights_bytes(const json& info) {
    static const std::vector<std::vector<std::string>> formats{
        {".safetensors"}, {".bin"}, {".pt", ".pth"}, {".gguf"}, {".ckpt"}};
    const std::vector<File> files = files_of(info);
    std::int64_t largest = 0;
    for (const auto& endings : formats)
        largest = std::max(largest, bytes_of(files, endings));
    if (largest == 0)
        return sum_of(files);
    for (const auto& endings : formats)
        if (const std::int64_t bytes = bytes_of(files, endings); bytes > 0 && bytes >= largest / kStrayShare)
            return bytes;
    return largest;
}

} // namespace podsmith::hf
