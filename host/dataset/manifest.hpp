#pragma once
#include "dataset/check.hpp"

namespace podsmith::dataset {

/// What a published version says of itself beyond what its files do.
struct ManifestFacts {
    std::string name;
    std::string version;
    std::string source_dir;   ///< the folder's own name: a path of this machine is nobody else's business
    double created_at = 0;    ///< seconds since 1970
    std::string archive_name; ///< "" where the files themselves are published
};

/// The manifest of a checked dataset whose files have their hashes, every field of it.
nlohmann::ordered_json make_manifest(const Report& report, const std::vector<File>& files,
                                     const ManifestFacts& facts);
/// A line a file: sha256, two spaces, path.
std::string make_checksums(const std::vector<File>& files);

/// A manifest that somebody published.
struct Manifest {
    nlohmann::ordered_json json;
    std::vector<File> files;
    std::string format;
    std::string archive_name; ///< "" in mode "files"
    bool has_stats = false;
};

/// Reads a manifest and checks all that a fetch relies on: kind and version of its schema, paths that stay in
/// their folder and come once, sizes, hashes, sums, the archive's name. With `checksums` (the text of
/// checksums.sha256) that they agree. Kind protocol, "<file>: files[2]: the path ...".
Result<Manifest> read_manifest(const std::string& text, const std::optional<std::string>& checksums,
                               const std::string& file);

} // namespace podsmith::dataset
