#pragma once
#include <cstdint>
#include <string>

// What runs on the other side during a push: tar, sh and coreutils; python3 does the same faster where it is
// there, since it checks what it gets and places it in one go. In the target folder lies the stage
// `.podsmith-part-ID`; in it a folder for each attempt, so that what is left of a broken one cannot get in
// the way of the next. All of it can be run again at any time.
namespace podsmith::sync {

struct Stage {
    std::string target;  ///< folder on the other side
    std::string name;    ///< ".podsmith-part-ID"
    std::string attempt; ///< folder in it
    bool has_python = false;

    std::string path() const { return name + "/" + attempt; }
};

/// Exit codes of the commands: 4 a command failed, 5 tar failed, 6 the input was cut short, 7 hashes differ
/// (stdout has "bad N", N the line in the list).
inline constexpr int kCutShort = 6;
inline constexpr int kDiffers = 7;

/// Reads a SegmentSource's stream (of records where python3 is there, else of tar), checks and places its
/// files. `is_packed`: it comes as a gzip stream.
std::string segment_command(const Stage& stage, const std::string& number, bool is_packed);
/// Reads the lists alone (a tar stream), checks what an earlier attempt has unpacked, and places it.
std::string adopt_command(const Stage& stage, const std::string& attempt, const std::string& number);
/// Reads a tar stream with the list `obstacles` and removes those.
std::string prepare_command(const Stage& stage);
/// Reads a tar stream with the lists `removed`, `rmdir`, `folders`, the script `modes` and the archive
/// `folders.tar`; does all that and removes the stage.
std::string finish_command(const Stage& stage);

/// A range of a file that is sent in pieces.
struct Piece {
    std::string part; ///< its file in the stage folder
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
};
/// Pieces begin at multiples of this, since dd counts in it.
inline constexpr std::uint64_t kPieceUnit = 1u << 20;
/// Writes its input into the range and prints the range's hash, read again from the file.
std::string write_piece_command(const Stage& stage, const Piece& piece, bool is_packed);
/// Prints the hash of the range as it is.
std::string check_piece_command(const Stage& stage, const Piece& piece);
/// Gives the finished part its mode and time and puts it at `place` in the target.
std::string place_part_command(const Stage& stage, const std::string& part, std::uint64_t size,
                               const std::string& place, unsigned mode, std::int64_t mtime);

} // namespace podsmith::sync
