#pragma once
#include "dataset/files.hpp"

namespace podsmith::dataset {

/// Copies the listed files from below `from` into `target`, a new folder that it makes, checking sizes and
/// hashes on the way. After an error `target` is gone. Kind protocol for a file that is not as listed,
/// conflict when `target` is there, io, cancelled.
Result<void> copy_files(const std::string& from, const std::string& target, const std::vector<File>& wanted,
                        Progress& progress);

/// Copies one file, which appears whole. Kind io, not_found, cancelled.
Result<void> copy_file(const std::string& from, const std::string& to, Progress& progress);

/// A new file at `path` that is written in pieces, and its folder. Kind io.
Result<Descriptor> create_file(const std::string& path);

/// A new folder and those above it. Kind conflict when it is there, io.
Result<void> make_folder(const std::string& path);

} // namespace podsmith::dataset
