#pragma once
#include "base/descriptor.hpp"
#include "base/error.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace podsmith::dataset {

/// The error of an archive that is damaged or not what it should be: Kind protocol, "<archive>: <what>".
tl::unexpected<Error> archive_error(std::string_view archive, std::string_view what);

/// Reads gzip, checking lengths and sums of each member. An end in the middle and bytes behind the end are
/// errors.
class GzipReader {
public:
    GzipReader(Descriptor file, std::string name);
    ~GzipReader();
    GzipReader(const GzipReader&) = delete;
    GzipReader& operator=(const GzipReader&) = delete;

    /// Fills `to` wholly; fewer bytes mean the end of the data.
    Result<std::size_t> read(char* to, std::size_t count);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Reads the members of a tar archive one by one: ustar, GNU's long names, pax paths and sizes. Only files
/// and folders are members that one gets to see: links, devices, pipes and sparse files are errors that name
/// them.
class TarReader {
public:
    struct Member {
        std::string path; ///< as the archive has it, without a slash at the end; not to be trusted
        bool is_folder = false;
        std::uint64_t size = 0;
    };

    TarReader(GzipReader& source, std::string name) : source_(source), name_(std::move(name)) {}

    /// The next member; what is left of the one before is skipped. nullopt at the archive's end mark, behind
    /// which there are only zeros.
    Result<std::optional<Member>> next();
    /// The rest of the present member's content, piece by piece.
    Result<void> content(const std::function<Result<void>(std::string_view)>& use);

private:
    struct Extended; ///< what pax and GNU headers say of the member behind them
    Result<std::string> read_text(std::uint64_t size, std::string_view what);
    Result<void> skip(std::uint64_t count);
    Result<void> read_end();
    Result<void> read_pax(std::string_view records, Extended& extended) const;
    Result<Member> member_from(std::string_view header, char type, std::uint64_t size, Extended& extended);

    GzipReader& source_;
    std::string name_;
    std::uint64_t left_ = 0;    ///< of the present member's content
    std::uint64_t padding_ = 0; ///< behind it
};

} // namespace podsmith::dataset
