#pragma once
#include "dataset/files.hpp"

namespace podsmith::dataset {

/// The folder at the top of a dataset's archive.
inline constexpr std::string_view kTop = "dataset";

struct Packed {
    std::uint64_t size = 0; ///< bytes of the archive
    std::string sha256;     ///< of the archive
};

/// Writes a tar.gz of the files below the top folder "dataset", and fills in their hashes while they are
/// read. The same files give the same archive: no owners, times or modes of this machine. Kind io, conflict
/// when a file is written to meanwhile, cancelled; then nothing is left at `archive`.
Result<Packed> pack(const std::string& folder, std::vector<File>& files, const std::string& archive,
                    Progress& progress);

} // namespace podsmith::dataset
