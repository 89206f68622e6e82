# Every library the program links, found once. All are Debian 12 packages; docs/decisions.md says why each is here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED) # headers only: asio and (for the simulator's server) beast
find_package(tl-expected REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(doctest REQUIRED)
# The C++ build of Lua unwinds with exceptions, so destructors run when a Lua error passes through our frames.
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET lua5.4-c++)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(SSH2 REQUIRED IMPORTED_TARGET libssh2)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(FMT REQUIRED IMPORTED_TARGET fmt)
pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)

# Boost.Asio and Beast are compiled once (host/net/asio.cpp, sim/beast.cpp) instead of in every file that includes them.
add_library(podsmith_asio INTERFACE)
target_link_libraries(podsmith_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(podsmith_asio INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
