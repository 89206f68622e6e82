#include "sync/transfer.hpp"
#include "unit/ssh/world.hpp"
