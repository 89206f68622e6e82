#include "sync/push_scripts.hpp"

#include "base/text.hpp"
#include "sync/entry.hpp"

#include <fmt/format.h>
#include <initializer_list>

namespace podsmith::sync {
namespace {

// $1 the target, $2 the stage, $3 the attempt.
constexpr std::string_view kEnter = R"sh(
LC_ALL=C; export LC_ALL
[ -d "$1" ] || mkdir -p -- "$1" || exit 4
umask 077
cd -- "$1" && mkdir -p "$2/$3/t" && cd "$2/$3" || exit 4
)sh";

constexpr std::string_view kUnpack = R"sh(tar -xpf - || exit 5
[ -f $4.end ] || exit 6
)sh";

// Names with a newline come with a backslash in front of the hash (GNU) or broken over two lines (busybox).
constexpr std::string_view kCheckAndPlace = R"sh(
if [ -s $4.files ]; then
  xargs -0 sha256sum <$4.files | sed -n 's/^\\\{0,1\}\([0-9a-f]\{64\}\)  .*/\1/p' >$4.found || exit 4
  if [ "$(sha256sum <$4.found)" != "$(sha256sum <$4.sums)" ]; then
    n=0
    while read -r want <&3; do
      got=; read -r got <&4
      [ "$want" = "$got" ] || echo "bad $n"
      n=$((n+1))
    done 3<$4.sums 4<$4.found
    exit 7
  fi
fi
if [ -s $4.folders ]; then (cd ../.. && xargs -0 mkdir -p --) <$4.folders || exit 4; fi
. "./$4.moves"
rm -f $4.*
)sh";

// Frames of about a MiB: eight hexadecimal digits of its length, its hash, its bytes. In them records, each a
// line and what it announces: "d N" and a folder's path of N bytes; "l N SIZE MTIME", the path and a link's
// target; "f N SIZE MTIME MODE", the path, the content, and "k", or "x" when the file changed while it was
// read; "end". Only a file's content may go on in the next frame. A frame is checked before anything of it
// is used; a file is written beside the tree and renamed.
constexpr std::string_view kReceivePython = R"py(
import os, sys
from hashlib import sha256
index = 0
def frames(f):
    while True:
        head = f.read(72)
        if len(head) != 72: sys.exit(6)
        data = f.read(int(head[:8], 16))
        if sha256(data).hexdigest().encode() != head[8:]:
            if len(data) != int(head[:8], 16): sys.exit(6)
            print("bad", index)
            sys.exit(7)
        yield data
def move(temp, place):
    try: os.rename(temp, place)
    except OSError as e:
        if e.errno != 18: raise
        import shutil
        beside = os.path.dirname(place) + b"/.podsmith-part-" + os.path.basename(place)[:200]
        shutil.copy2(temp, beside, follow_symlinks=False)
        os.rename(beside, place)
        os.unlink(temp)
def put(out, data):
    while len(data): data = data[os.write(out, data):]
def widen():
    # sshd fills the pipe at one go, instead of moving its backlog about in memory for each 64 KiB.
    try:
        import fcntl
        fcntl.fcntl(0, 1031, 1 << 20) # F_SETPIPE_SZ; 1 MiB is what a user may have
    except (ImportError, OSError): pass
def receive(temp):
    global index
    widen()
    path = b""
    pieces = frames(open(0, "rb"))
    try:
        for data in pieces:
            at = 0
            while at < len(data):
                line = data.index(b"\n", at)
                head = data[at:line].split()
                if head[0] == b"end": return 0
                at = line + 1 + int(head[1])
                path = data[line + 1:at]
                place = b"../../" + path
                if head[0] == b"d":
                    os.makedirs(place, exist_ok=True)
                    continue
                left, mtime = int(head[2]), int(head[3])
                if head[0] == b"l":
                    os.symlink(data[at:at + left], temp)
                    os.utime(temp, ns=(mtime, mtime), follow_symlinks=False)
                    move(temp, place)
                    at += left
                else:
                    out = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                    while left > len(data) - at:
                        left -= len(data) - at
                        put(out, memoryview(data)[at:])
                        data, at = next(pieces), 0
                    put(out, data[at:at + left])
                    at += left + 1
                    if data[at - 1] == 107: # k
                        os.fchmod(out, int(head[4], 8))
                        os.utime(out, ns=(mtime, mtime))
                        os.close(out)
                        move(temp, place)
                    else:
                        os.close(out)
                        os.unlink(temp)
                index += 1
    except OSError as e:
        sys.stderr.write("%s: %s\n" % (os.fsdecode(path), e.strerror))
        return 4
sys.exit(receive(sys.argv[1].encode()))
)py";

constexpr std::string_view kPrepare = R"sh(
tar -xf - || exit 5
[ -f end ] || exit 6
cd ../..
[ ! -s "$2/$3/obstacles" ] || xargs -0 rm -rf -- <"$2/$3/obstacles" || exit 4
)sh";

constexpr std::string_view kFinish = R"sh(
tar -xf - || exit 5
[ -f end ] || exit 6
cd ../..
s=$2/$3
[ ! -s "$s/removed" ] || xargs -0 rm -f -- <"$s/removed" || exit 4
[ ! -s "$s/rmdir" ] || xargs -0 rmdir -- <"$s/rmdir" 2>/dev/null
[ ! -s "$s/folders" ] || xargs -0 mkdir -p -- <"$s/folders" || exit 4
. "./$s/modes"
[ ! -s "$s/folders.tar" ] || tar -xpf "$s/folders.tar" || exit 4
rm -rf -- "$2"
)sh";

// $4 the part, $5 the offset and $6 the size in MiB. "%": where what unpacks comes.
constexpr std::string_view kWritePiece = R"sh(
cd .. || exit 4
said=$(%dd of="$4" bs=1048576 seek="$5" conv=notrunc 2>&1 >/dev/null) || { echo "$said" >&2; exit 4; }
)sh";
constexpr std::string_view kCheckPiece = R"sh(
cd -- "$1/$2" || exit 4
)sh";
constexpr std::string_view kHashPiece = R"sh(
dd if="$4" bs=1048576 skip="$5" count="$6" 2>/dev/null | sha256sum
)sh";

// The range in bytes: part, offset, size; "-" reads nothing.
constexpr std::string_view kPiecePython = R"py(
import hashlib, os, sys
part, offset, size, mode = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
try:
    f = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
    place = offset
    while mode == "write":
        b = os.read(0, 1 << 20)
        if not b: break
        v = memoryview(b)
        while v:
            n = os.pwrite(f, v, place)
            place += n
            v = v[n:]
    h, place, end = hashlib.sha256(), offset, offset + size
    while place < end:
        b = os.pread(f, min(1 << 20, end - place), place)
        if not b: break
        h.update(b)
        place += len(b)
    print(h.hexdigest())
except OSError as e:
    sys.stderr.write("%s\n" % e.strerror)
    sys.exit(4)
)py";

// $4 the part, $5 its size, $6 the place, $7 the mode, $8 the time, $9 without fraction, ${10} its folder.
constexpr std::string_view kPlacePart = R"sh(
LC_ALL=C; export LC_ALL
umask 077
cd -- "$1/$2" || exit 4
[ "$(($(wc -c <"$4")))" -eq "$5" ] || { echo "it has the wrong size" >&2; exit 4; }
mkdir -p -- "../${10}" && chmod "$7" "$4" || exit 4
touch -d "$8" "$4" 2>/dev/null || touch -d "$9" "$4" || exit 4
mv -f -- "$4" "../$6"
)sh";

std::string command(const Stage& stage, const std::string& attempt, std::string_view first,
                    std::string_view second, std::initializer_list<std::string> arguments) {
    std::string line =
        fmt::format("exec sh -c {} sh {} {} {}", shell_quote(std::string(first) + std::string(second)),
                    shell_quote(stage.target), shell_quote(stage.name), shell_quote(attempt));
    for (const std::string& argument : arguments)
        line += " " + shell_quote(argument);
    return line;
}

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string((bytes + kPieceUnit - 1) / kPieceUnit);
}

// When the packed stream is cut short gzip fails, which shows in what it has given.
constexpr std::string_view unpacking(bool is_packed) {
    return is_packed ? "gzip -dc | " : "";
}

std::string python_line(std::string_view arguments, bool is_packed = false) {
    return fmt::format("\n{}exec python3 -I -S -c \"${{{}}}\" {}\n", unpacking(is_packed),
                       arguments.substr(0, 1), arguments.substr(2));
}

} // namespace

std::string segment_command(const Stage& stage, const std::string& number, bool is_packed) {
    if (stage.has_python)
        return command(stage, stage.attempt, kEnter, python_line("5 \"$4\"", is_packed),
                       {number, std::string(kReceivePython)});
    const std::string begin = fmt::format("{}{}{}", kEnter, unpacking(is_packed), kUnpack);
    return command(stage, stage.attempt, begin, kCheckAndPlace, {number});
}

std::string adopt_command(const Stage& stage, const std::string& attempt, const std::string& number) {
    return command(stage, attempt, std::string(kEnter) + std::string(kUnpack), kCheckAndPlace, {number});
}

std::string prepare_command(const Stage& stage) {
    return command(stage, stage.attempt, kEnter, kPrepare, {});
}

std::string finish_command(const Stage& stage) {
    return command(stage, stage.attempt, kEnter, kFinish, {});
}

std::string write_piece_command(const Stage& stage, const Piece& piece, bool is_packed) {
    if (stage.has_python)
        return command(stage, stage.attempt, std::string(kEnter) + "cd .. || exit 4",
                       python_line("7 \"$4\" \"$5\" \"$6\" write", is_packed),
                       {piece.part, std::to_string(piece.offset), std::to_string(piece.size),
                        std::string(kPiecePython)});
    std::string script(kWritePiece);
    script.replace(script.find('%'), 1, unpacking(is_packed));
    return command(stage, stage.attempt, kEnter, script + std::string(kHashPiece),
                   {piece.part, std::to_string(piece.offset / kPieceUnit), mebibytes(piece.size)});
}

std::string check_piece_command(const Stage& stage, const Piece& piece) {
    if (stage.has_python)
        return command(stage, stage.attempt, kCheckPiece, python_line("7 \"$4\" \"$5\" \"$6\" check"),
                       {piece.part, std::to_string(piece.offset), std::to_string(piece.size),
                        std::string(kPiecePython)});
    return command(stage, stage.attempt, kCheckPiece, kHashPiece,
                   {piece.part, std::to_string(piece.offset / kPieceUnit), mebibytes(piece.size)});
}

std::string place_part_command(const Stage& stage, const std::string& part, std::uint64_t size,
                               const std::string& place, unsigned mode, std::int64_t mtime) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    const std::int64_t fraction = ((mtime % kSecond) + kSecond) % kSecond;
    const std::int64_t seconds = (mtime - fraction) / kSecond;
    return command(stage, stage.attempt, kPlacePart, "",
                   {part, std::to_string(size), place, fmt::format("{:04o}", mode & 07777),
                    fmt::format("@{}.{:09}", seconds, fraction), fmt::format("@{}", seconds),
                    std::string(parent_of(place))});
}

} // namespace podsmith::sync
