#include "dataset/jsonl.hpp"

#include "config/json_text.hpp"
#include "config/place.hpp"
#include "config/utf8.hpp"
#include "dataset/parallel.hpp"
#include "dataset/row_rules.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/core.h>
#include <memory>
#include <mutex>

namespace podsmith::dataset {
namespace {

constexpr std::uint64_t kSegment = 4u << 20;
constexpr std::size_t kStep = 1u << 20;
constexpr std::uint64_t kLargestFirst = 16u << 20; // of the first row, to look at
constexpr std::size_t kLongestRow = 64u << 20;
constexpr std::uint64_t kLargestHashed = 2ull << 30; // eight bytes a row are kept for it
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// What one piece of the file gave; lines are counted from the piece's first.
struct Segment {
    std::uint64_t lines = 0;
    std::uint64_t rows = 0;
    std::uint64_t blank_lines = 0;
    std::uint64_t defect_count = 0;
    std::vector<Defect> defects;
    RowLengths lengths;
    std::vector<std::uint64_t> hashes;
};

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// Where the bytes stop being UTF-8.
std::size_t invalid_byte(std::string_view text) {
    std::string_view rest = text;
    while (!rest.empty() && config::take_utf8(rest)) {
    }
    return text.size() - rest.size();
}

/// Parses rows. One for each thread: simdjson's parser keeps its memory.
class RowChecker {
public:
    RowChecker(RowFormat format, std::size_t most_defects, bool is_hashed)
        : format_(format), most_defects_(most_defects), is_hashed_(is_hashed) {}

    /// `line` stands in a buffer with SIMDJSON_PADDING readable bytes behind it.
    void check(std::string_view line, Segment& segment) {
        ++segment.lines;
        if (is_blank(line)) {
            ++segment.blank_lines;
            return;
        }
        ++segment.rows;
        if (is_hashed_)
            segment.hashes.push_back(std::hash<std::string_view>{}(line));
        simdjson::dom::element row;
        const simdjson::error_code code = parser_.parse(line.data(), line.size(), false).get(row);
        if (code != simdjson::SUCCESS)
            return add_broken(line, code, segment);
        std::string problem = row_problem(row, format_, segment.lengths);
        if (!problem.empty())
            add(segment, 0, std::move(problem));
    }

private:
    void add(Segment& segment, std::uint64_t column, std::string what) const {
        ++segment.defect_count;
        if (segment.defects.size() < most_defects_)
            segment.defects.push_back({{}, segment.lines, column, std::move(what)});
    }

    /// Tells what is wrong. simdjson is fast but terse, and refuses whole numbers of more than 64 bits, which
    /// JSON allows: a slower parser has the last word there.
    void add_broken(std::string_view line, simdjson::error_code code, Segment& segment) const {
        if (code == simdjson::DEPTH_ERROR)
            return add(segment, 0, "nested deeper than 1024");
        if (code != simdjson::NUMBER_ERROR && segment.defects.size() >= most_defects_)
            return add(segment, 0, {});
        if (line.starts_with(kByteOrderMark))
            return add(segment, 1, "begins with a byte order mark");
        const auto column = [&](std::size_t offset) { return config::place_of(line, offset).column; };
        if (code == simdjson::UTF8_ERROR)
            return add(segment, column(invalid_byte(line)), "invalid UTF-8");
        const auto value = config::read_json(line);
        if (!value)
            return add(segment, column(value.error().offset), value.error().reason);
        if (!value->is_object())
            return add(segment, 0, "the row is no object");
    }

    simdjson::dom::parser parser_;
    RowFormat format_;
    std::size_t most_defects_;
    bool is_hashed_;
};

/// Reads the lines that begin in [begin, end) of the file, the last one to its own end.
class SegmentReader {
public:
    /// `buffer` keeps its memory from piece to piece.
    SegmentReader(int file, const File& facts, std::uint64_t begin, std::string& buffer)
        : file_(file),
          facts_(facts),
          begin_(begin),
          end_(std::min(begin + kSegment, facts.size)),
          text_(buffer) {
        text_.clear();
    }

    Result<Segment> read(RowChecker& checker) {
        Segment segment;
        // With the byte before: where that is a newline, a line begins at `begin`.
        const std::uint64_t from = begin_ > 0 ? begin_ - 1 : 0;
        if (const Result<void> got = extend(from, end_ - from); !got)
            return fail(got.error());
        std::size_t at = 0;
        if (begin_ > 0) {
            const std::size_t newline = text_.find('\n');
            if (newline == std::string::npos || from + newline + 1 >= end_)
                return segment; // the whole piece belongs to a line that began before
            at = newline + 1;
        }
        while (from + at < end_) {
            std::size_t newline = text_.find('\n', at);
            while (newline == std::string::npos && from + text_.size() < facts_.size) {
                const std::size_t searched = text_.size();
                if (searched - at > kLongestRow) {
                    ++segment.lines, ++segment.rows, ++segment.defect_count;
                    segment.defects.push_back({{}, segment.lines, 0, "the row is longer than 64 MiB"});
                    return segment;
                }
                if (const Result<void> got = extend(from + searched, kStep); !got)
                    return fail(got.error());
                newline = text_.find('\n', searched);
            }
            const std::size_t line_end = newline == std::string::npos ? text_.size() : newline;
            text_.reserve(text_.size() + simdjson::SIMDJSON_PADDING);
            checker.check(std::string_view(text_).substr(at, line_end - at), segment);
            at = line_end + 1;
        }
        return segment;
    }

private:
    Result<void> extend(std::uint64_t offset, std::uint64_t count) {
        const std::size_t before = text_.size();
        const auto wanted = static_cast<std::size_t>(std::min(count, facts_.size - offset));
        text_.reserve(before + wanted + simdjson::SIMDJSON_PADDING);
        text_.resize(before + wanted);
        const Result<std::size_t> got = read_at(file_, offset, text_.data() + before, wanted, facts_.path);
        if (!got)
            return fail(got.error());
        if (*got != wanted)
            return fail(Kind::conflict, facts_.path + " was written to meanwhile",
                        "start again when nothing writes to it");
        return {};
    }

    int file_;
    const File& facts_;
    std::uint64_t begin_, end_;
    std::string& text_;
};

/// What one thread keeps.
struct Worker {
    RowChecker checker;
    std::string buffer = {};
};

/// The format and the keys of the first row that is an object.
void look_at_first_row(int file, const File& facts, JsonlReport& report) {
    std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(facts.size, kLargestFirst)), '\0');
    const Result<std::size_t> count = read_at(file, 0, text.data(), text.size(), facts.path);
    if (!count)
        return;
    simdjson::dom::parser parser;
    std::string_view rest(text);
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (is_blank(line))
            continue;
        simdjson::dom::object row;
        if (parser.parse(line.data(), line.size(), true).get(row) != simdjson::SUCCESS)
            return;
        report.format = detect_row(row);
        for (const auto field : row)
            report.first_keys.emplace_back(field.key);
        return;
    }
}

void count_duplicates(std::vector<Segment>& segments, JsonlReport& report) {
    report.hashes.reserve(report.rows);
    for (Segment& segment : segments) {
        report.hashes.insert(report.hashes.end(), segment.hashes.begin(), segment.hashes.end());
        segment.hashes = {};
    }
    std::sort(report.hashes.begin(), report.hashes.end());
    for (std::size_t i = 1; i < report.hashes.size(); ++i)
        report.duplicates += report.hashes[i] == report.hashes[i - 1];
}

void join(std::vector<Segment>& segments, const JsonlOptions& options, const std::string& name,
          JsonlReport& report) {
    std::uint64_t lines_before = 0;
    for (Segment& segment : segments) {
        for (Defect& defect : segment.defects) {
            if (report.defects.size() >= options.most_defects)
                break;
            defect.file = name;
            defect.line += lines_before;
            report.defects.push_back(std::move(defect));
        }
        lines_before += segment.lines;
        report.rows += segment.rows;
        report.blank_lines += segment.blank_lines;
        report.defect_count += segment.defect_count;
        report.lengths.input += segment.lengths.input;
        report.lengths.output += segment.lengths.output;
    }
    count_duplicates(segments, report);
}

} // namespace

std::string Defect::text() const {
    if (line == 0)
        return fmt::format("{}: {}", file, what);
    if (column == 0)
        return fmt::format("{}:{}: {}", file, line, what);
    return fmt::format("{}:{}:{}: {}", file, line, column, what);
}

Result<JsonlReport> check_jsonl(const std::string& folder, const File& file, const JsonlOptions& options,
                                Progress& progress) {
    const Result<Descriptor> opened = open_file(folder, file);
    if (!opened)
        return fail(opened.error());
    JsonlReport report;
    look_at_first_row(opened->get(), file, report);
    if (options.format)
        report.format = *options.format;

    std::vector<Segment> segments((file.size + kSegment - 1) / kSegment);
    std::mutex mutex;
    Result<void> outcome;
    const unsigned threads = options.threads > 0 ? options.threads : worker_count();
    std::vector<std::unique_ptr<Worker>> workers(threads);
    parallel_for(segments.size(), threads, [&](std::size_t i, unsigned thread) {
        {
            const std::lock_guard lock(mutex);
            if (!outcome)
                return;
        }
        const std::uint64_t begin = i * kSegment;
        if (!workers[thread])
            workers[thread] = std::make_unique<Worker>(
                Worker{RowChecker(report.format, options.most_defects, file.size <= kLargestHashed)});
        Worker& worker = *workers[thread];
        Result<Segment> segment =
            progress.is_cancelled
                ? Result<Segment>(cancelled())
                : SegmentReader(opened->get(), file, begin, worker.buffer).read(worker.checker);
        progress.bytes += std::min(kSegment, file.size - begin);
        const std::lock_guard lock(mutex);
        if (segment)
            segments[i] = std::move(*segment);
        else if (outcome)
            outcome = fail(segment.error());
    });
    if (!outcome)
        return fail(outcome.error());
    join(segments, options, file.path, report);
    return report;
}

} // namespace podsmith::dataset
