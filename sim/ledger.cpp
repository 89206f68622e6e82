#include "sim/ledger.hpp"

#include <algorithm>
#include <cmath>

namespace podsmith::sim {

Amounts& Amounts::operator+=(const Amounts& other) {
    gpu += other.gpu;
    cpu += other.cpu;
    disk += other.disk;
    standard += other.standard;
    high_performance += other.high_performance;
    return *this;
}

Amounts Amounts::operator*(double factor) const {
    return {gpu * factor, cpu * factor, disk * factor, standard * factor, high_performance * factor};
}

void Ledger::charge(Payer payer, const std::string& id, double from, double to, const Amounts& amounts) {
    total_ += amounts.total();
    const auto hour_of = [](double time) { return static_cast<std::int64_t>(std::floor(time / 3600)); };
    if (to <= from) {
        book_[{hour_of(from), payer, id}] += amounts;
        return;
    }
    for (std::int64_t hour = hour_of(from); hour <= hour_of(to); ++hour) {
        const double start = std::max(from, static_cast<double>(hour) * 3600);
        const double end = std::min(to, static_cast<double>(hour + 1) * 3600);
        if (end > start)
            book_[{hour, payer, id}] += amounts * ((end - start) / (to - from));
    }
}

std::vector<Ledger::Line> Ledger::lines() const {
    std::vector<Line> out;
    for (const auto& [key, amounts] : book_)
        out.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), amounts});
    return out;
}

} // namespace podsmith::sim
