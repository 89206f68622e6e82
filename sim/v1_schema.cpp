#include "sim/v1_schema.hpp"

namespace podsmith::sim {
namespace {

using nlohmann::json;

// The GPU types are those that v1 knew: a newer one is a 400.
const char* const kCreate = R"json({
  "type": "object",
  "properties": {
    "name": {"type": "string"}, "imageName": {"type": "string"}, "templateId": {"type": ["string", "null"]},
    "computeType": {"type": "string", "enum": ["GPU", "CPU"]},
    "cloudType": {"type": "string", "enum": ["SECURE", "COMMUNITY"]},
    "gpuTypeIds": {"type": "array", "items": {"type": "string", "enum": [
      "NVIDIA GeForce RTX 4090", "NVIDIA A40", "NVIDIA RTX A5000", "NVIDIA GeForce RTX 5090",
      "NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 3090", "NVIDIA RTX A4500", "NVIDIA L40S", "NVIDIA H200",
      "NVIDIA L4", "NVIDIA RTX 6000 Ada Generation", "NVIDIA A100-SXM4-80GB", "NVIDIA RTX 4000 Ada Generation",
      "NVIDIA RTX A6000", "NVIDIA A100 80GB PCIe", "NVIDIA RTX 2000 Ada Generation", "NVIDIA RTX A4000",
      "NVIDIA RTX PRO 6000 Blackwell Server Edition", "NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA L40",
      "NVIDIA B200", "NVIDIA GeForce RTX 3080 Ti", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
      "NVIDIA GeForce RTX 3080", "NVIDIA GeForce RTX 3070", "AMD Instinct MI300X OAM",
      "NVIDIA GeForce RTX 4080 SUPER", "Tesla V100-PCIE-16GB", "Tesla V100-SXM2-32GB",
      "NVIDIA RTX 5000 Ada Generation", "NVIDIA GeForce RTX 4070 Ti", "NVIDIA RTX 4000 SFF Ada Generation",
      "NVIDIA GeForce RTX 3090 Ti", "NVIDIA RTX A2000", "NVIDIA GeForce RTX 4080", "NVIDIA A30",
      "NVIDIA GeForce RTX 5080", "Tesla V100-FHHL-16GB", "NVIDIA H200 NVL", "Tesla V100-SXM2-16GB",
      "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "NVIDIA A5000 Ada", "Tesla V100-PCIE-32GB",
      "NVIDIA  RTX A4500", "NVIDIA  A30", "NVIDIA GeForce RTX 3080TI", "Tesla T4", "NVIDIA RTX A30"]}},
    "gpuTypePriority": {"type": "string", "enum": ["availability", "custom"]},
    "gpuCount": {"type": "integer", "minimum": 1},
    "cpuFlavorIds": {"type": "array", "items": {"type": "string"}}, "vcpuCount": {"type": "integer", "minimum": 2},
    "dataCenterIds": {"type": ["array", "null"], "items": {"type": "string"}},
    "countryCodes": {"type": ["array", "null"], "items": {"type": "string"}},
    "containerDiskInGb": {"type": ["integer", "null"]}, "volumeInGb": {"type": ["integer", "null"]},
    "volumeMountPath": {"type": "string"}, "networkVolumeId": {"type": ["string", "null"]},
    "ports": {"type": ["array", "string"], "items": {"type": "string"}},
    "env": {"type": "object", "additionalProperties": {"type": "string"}},
    "dockerEntrypoint": {"type": "array", "items": {"type": "string"}},
    "dockerStartCmd": {"type": "array", "items": {"type": "string"}},
    "interruptible": {"type": "boolean"}, "locked": {"type": "boolean"}, "globalNetworking": {"type": "boolean"},
    "supportPublicIp": {"type": ["boolean", "null"]},
    "allowedCudaVersions": {"type": "array", "items": {"type": "string", "enum": ["11.8", "12.0", "12.1", "12.2",
      "12.3", "12.4", "12.5", "12.6", "12.7", "12.8", "12.9", "13.0"]}},
    "minCudaVersion": {"type": "string"}, "minRAMPerGPU": {"type": "integer"}, "minVCPUPerGPU": {"type": "integer"},
    "containerRegistryAuthId": {"type": ["string", "null"]}
  }})json";

} // namespace

const json& v1_create_schema() {
    static const json schema = json::parse(kCreate);
    return schema;
}

const json& v1_update_schema() {
    static const json schema = [] {
        json all = json::parse(kCreate);
        json out{{"type", "object"}, {"properties", json::object()}};
        for (const char* name :
             {"name", "imageName", "containerDiskInGb", "volumeInGb", "volumeMountPath", "ports", "env",
              "dockerEntrypoint", "dockerStartCmd", "locked", "globalNetworking", "containerRegistryAuthId"})
            out["properties"][name] = all["properties"][name];
        return out;
    }();
    return schema;
}

} // namespace podsmith::sim
