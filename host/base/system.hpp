#pragma once
#include "base/error.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace podsmith {

/// The outside world that is not the network: wall clock, randomness, environment, folders. Passed by
/// reference, so tests stand in their own.
class System {
public:
    virtual ~System() = default;

    /// Seconds since 1970-01-01 UTC.
    virtual double utc() const;
    /// Seconds from an arbitrary start; never goes back.
    virtual double monotonic() const;
    /// The variable from `set_env`, else from the process environment.
    virtual std::optional<std::string> env(const std::string& name) const;
    /// Lays a value over the process environment (.env file, simulator) for this process only: children do
    /// not see it.
    void set_env(const std::string& name, std::string value) { overlay_[name] = std::move(value); }
    /// $HOME, else the password file.
    virtual std::filesystem::path home() const;
    /// `count` characters of [a-z0-9] from the kernel's random source.
    virtual std::string random_tag(std::size_t count) const;

    /// $PODSMITH_STATE, else $XDG_STATE_HOME/podsmith, else ~/.local/state/podsmith.
    std::filesystem::path state_dir() const;
    /// Expands a leading ~ .
    std::filesystem::path expand(const std::string& path) const;

private:
    std::map<std::string, std::string> overlay_;
};

/// "2026-11-22T09:00:00Z" for seconds since 1970.
std::string utc_text(double seconds);
/// The reverse (fractions and "Z" accepted); nullopt when it is no RFC 3339 UTC time.
std::optional<double> utc_from(const std::string& text);

/// Reads a whole file. Kind not_found or io.
Result<std::string> read_file(const std::filesystem::path& path);
/// Writes beside and renames, so readers see the old or the new file, never half of one. Creates the folder
/// (0700). `mode` is the permission bits of the new file. Kind io; a full disk says so.
Result<void> write_file(const std::filesystem::path& path, const std::string& content, unsigned mode = 0644);

} // namespace podsmith
