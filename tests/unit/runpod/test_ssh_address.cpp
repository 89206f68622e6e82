#include "runpod/ssh_address.hpp"

#include <doctest/doctest.h>

using namespace podsmith::runpod;
using nlohmann::json;

namespace {

std::string told(const char* pod) {
    const auto address = ssh_address(json::parse(pod));
    return address ? address->user + "@" + address->host + ":" + std::to_string(address->port) : "none";
}

} // namespace

TEST_CASE("the direct address wins") {
    CHECK(told(R"({"ssh":{"proxy":null,"direct":{"host":"203.0.113.74","port":35558,"username":"root"}},
                   "runtime":{"ports":[{"private":22,"public":1,"type":"tcp","ip":"198.51.100.1"}]}})") ==
          "root@203.0.113.74:35558");
    CHECK(told(R"({"ssh":{"direct":{"host":"127.0.0.1","port":2200}}})") == "root@127.0.0.1:2200");
}

TEST_CASE("without it, port 22/tcp with a public address does") {
    CHECK(told(R"({"ssh":{"direct":null},"runtime":{"ports":[
        {"private":8888,"public":60822,"type":"http","ip":"100.65.14.155"},
        {"private":22,"public":null,"type":"tcp","ip":"203.0.113.1"},
        {"private":22,"public":60900,"type":"tcp","ip":"100.64.0.1"},
        {"private":22,"public":60900,"type":"http","ip":"203.0.113.2"},
        {"private":22,"public":35558,"type":"tcp","ip":null},
        {"private":22,"public":35559,"type":"tcp","ip":"203.0.113.3"}]}})") == "root@203.0.113.3:35559");
}

TEST_CASE("addresses of 100.64.0.0/10 reach nobody, their neighbours do") {
    const auto with_ip = [](const char* ip) {
        json pod = json::parse(R"({"runtime":{"ports":[{"private":22,"public":5,"type":"tcp","ip":""}]}})");
        pod["runtime"]["ports"][0]["ip"] = ip;
        return ssh_address(pod).has_value();
    };
    CHECK_FALSE(with_ip("100.64.0.0"));
    CHECK_FALSE(with_ip("100.127.255.255"));
    CHECK(with_ip("100.63.255.255"));
    CHECK(with_ip("100.128.0.0"));
    CHECK_FALSE(with_ip(""));
}

TEST_CASE("a pod that is not up, or oddly shaped, has no address") {
    for (const char* pod :
         {"{}", "null", R"({"ssh":null,"runtime":null})", R"({"ssh":{"direct":{"host":"h"}}})",
          R"({"ssh":{"direct":{"host":"h","port":"22"}}})", R"({"ssh":{"direct":{"host":"h","port":99999}}})",
          R"({"ssh":{"proxy":{"host":"ssh.runpod.io","port":22,"username":"x"},"direct":null}})",
          R"({"runtime":{"ports":{}}})", R"({"runtime":{"ports":[1,null,"x"]}})"}) {
        CAPTURE(pod);
        CHECK(told(pod) == "none");
    }
}
