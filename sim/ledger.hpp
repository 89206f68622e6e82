#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace podsmith::sim {

/// Whose bill a charge goes on.
enum class Payer { pod, cluster, volume };

/// USD by component.
struct Amounts {
    double gpu = 0, cpu = 0, disk = 0, standard = 0, high_performance = 0;
    double total() const { return gpu + cpu + disk + standard + high_performance; }
    Amounts& operator+=(const Amounts& other);
    Amounts operator*(double factor) const;
};

/// What the account has spent, by hour: the one source of balance and billing records.
class Ledger {
public:
    struct Line {
        std::int64_t hour; ///< hours since 1970, UTC
        Payer payer;
        std::string id;
        Amounts amounts;
    };

    /// Books `amounts` for the time from `from` to `to` (UTC seconds), spread evenly over the hours it
    /// touches.
    void charge(Payer payer, const std::string& id, double from, double to, const Amounts& amounts);
    /// USD so far.
    double total() const { return total_; }
    /// One line an hour and payer, oldest first.
    std::vector<Line> lines() const;

private:
    std::map<std::tuple<std::int64_t, Payer, std::string>, Amounts> book_;
    double total_ = 0;
};

} // namespace podsmith::sim
