#pragma once
#include "base/system.hpp"
#include "dataset/files.hpp"
#include "unit/base/scratch.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace podsmith::dataset {

/// Names and contents.
using Files = std::vector<std::pair<std::string, std::string>>;

/// A folder to fill with files.
struct Folder : podsmith::testing::Scratch {
    using Scratch::Scratch;
    explicit Folder(const Files& files) {
        for (const auto& [name, content] : files)
            put(name, content);
    }
    void put(const std::string& name, const std::string& content) const {
        std::filesystem::create_directories((path() / name).parent_path());
        std::ofstream(path() / name, std::ios::binary) << content;
    }
    std::string text() const { return path().string(); }
    std::string at(const std::string& name) const { return (path() / name).string(); }
    std::string read(const std::string& name) const { return read_file(path() / name).value_or(""); }
};

inline std::vector<File> files_of(const Folder& folder) {
    Result<std::vector<File>> files = list_files(folder.text());
    REQUIRE(files);
    return *files;
}

} // namespace podsmith::dataset
