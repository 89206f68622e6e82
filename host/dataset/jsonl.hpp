#pragma once
#include "dataset/files.hpp"
#include "dataset/row_format.hpp"

namespace podsmith::dataset {

/// One thing that is wrong, and where.
struct Defect {
    std::string file;
    std::uint64_t line = 0;   ///< from 1; 0 where the whole file is meant
    std::uint64_t column = 0; ///< from 1, in characters; 0 where the whole row is meant
    std::string what;
    /// "train.jsonl:3:7: what"
    std::string text() const;
};

struct JsonlOptions {
    std::optional<RowFormat> format; ///< nullopt: that of the first row
    std::size_t most_defects = 20;   ///< to describe; all are counted
    unsigned threads = 0;            ///< 0: one a processor
};

struct JsonlReport {
    std::uint64_t rows = 0;
    std::uint64_t blank_lines = 0;
    std::uint64_t defect_count = 0;
    std::vector<Defect> defects; ///< the first ones, by line
    RowFormat format = RowFormat::any;
    std::vector<std::string> first_keys; ///< of the first row
    RowLengths lengths;                  ///< summed over all rows
    std::uint64_t duplicates = 0;        ///< rows whose bytes came before
    std::vector<std::uint64_t> hashes;   ///< of all rows, sorted; empty for files over 2 GiB
};

/// Checks a file of one JSON object a line: UTF-8, JSON, an object, and what its format asks. Blank lines are
/// counted, not refused. Reads in pieces of 4 MiB, on several threads; a row may have 64 MiB. Errors are for
/// what keeps the file from being read (io, conflict, cancelled); defects are part of the report.
Result<JsonlReport> check_jsonl(const std::string& folder, const File& file, const JsonlOptions& options,
                                Progress& progress);

} // namespace podsmith::dataset
