#pragma once
#include "base/descriptor.hpp"
#include "dataset/progress.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::dataset {

/// One file of a dataset, by its path below the dataset's folder.
struct File {
    std::string path;
    std::uint64_t size = 0;
    std::int64_t mtime = 0;  ///< nanoseconds since 1970; 0 where it comes from a manifest
    std::string sha256 = {}; ///< 64 hex digits; "" while unknown
};

/// What is wrong with a path that came from somebody else or goes to them: it must be relative, below its
/// folder, UTF-8 without control characters or backslashes, at most 1000 bytes. "" when it is fine.
std::string path_problem(std::string_view path);

/// All files below a folder, sorted by path. Links to files count as files; links to folders, pipes and
/// devices are refused, as are names that path_problem objects to. Kind not_found, invalid, io.
Result<std::vector<File>> list_files(const std::string& folder);

/// Opens for reading and checks that it is still what `list_files` saw. Kind conflict when it was written to.
Result<Descriptor> open_file(const std::string& folder, const File& file);

/// Up to `count` bytes at `offset`, fewer at the file's end only. `name` is for messages. Kind io.
Result<std::size_t> read_at(int file, std::uint64_t offset, char* to, std::size_t count,
                            std::string_view name);
/// Kind io; a full disk says so.
Result<void> write_all(int file, std::string_view bytes, std::string_view name);

/// Reads a file from begin to end in pieces. Kind io, conflict, cancelled, or what `use` fails with.
Result<void> read_through(const std::string& folder, const File& file, Progress& progress,
                          const std::function<Result<void>(std::string_view)>& use);

/// Fills in the hashes of all files, several at a time.
Result<void> hash_files(const std::string& folder, std::vector<File>& files, Progress& progress);

/// Whether a folder holds exactly these files, by size and hash: "" or the first difference.
Result<std::string> difference(const std::string& folder, const std::vector<File>& wanted,
                               Progress& progress);

} // namespace podsmith::dataset
