#include "sync/transfer.hpp"
namespace podsmith::sync {
Async<Summary> pull(net::Loop&, std::shared_ptr<ssh::Session>, Options, std::shared_ptr<Progress>) {
    co_return fail(Kind::unsupported, "wip");
}
}
