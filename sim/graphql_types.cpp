#include "sim/graphql_schema.hpp"

#include <fmt/core.h>

namespace podsmith::sim::graphql {
namespace {

// What clients select and send, with the service's names. `@spot` marks what --spot off takes away.
constexpr std::string_view kDeployFields = R"graphql(
  name: String imageName: String gpuTypeId: String gpuTypeIdList: [String] gpuCount: Int cloudType: CloudTypeEnum
  volumeInGb: Int containerDiskInGb: Int minVcpuCount: Int minMemoryInGb: Int dockerArgs: String ports: String
  volumeMountPath: String env: [EnvironmentVariableInput] templateId: String networkVolumeId: String
  dataCenterId: String countryCode: String supportPublicIp: Boolean startSsh: Boolean startJupyter: Boolean
  minDisk: Int minDownload: Int minUpload: Int allowedCudaVersions: [String] cudaVersion: String
  minCudaVersion: String containerRegistryAuthId: String deployCost: Float stopAfter: DateTime
  terminateAfter: DateTime compliance: [String] volumeKey: String globalNetwork: Boolean aiApiId: String port: Int
)graphql";

constexpr std::string_view kTypes = R"graphql(
scalar Void
scalar DateTime

type Query {
  myself: User
  pod(input: PodFilter): Pod
  gpuTypes(input: GpuTypeFilter): [GpuType]
  dataCenters: [DataCenter]
  podTemplates(input: PodTemplateInput): [PodTemplate]
  podTemplate(id: String!): PodTemplate
  serverlessGpuPools: [ServerlessGpuPool]
}

type Mutation {
  podFindAndDeployOnDemand(input: PodFindAndDeployOnDemandInput): Pod
  podRentInterruptable(input: PodRentInterruptableInput!): Pod @spot
  deployCpuPod(input: DeployCpuPodInput!): Pod
  podResume(input: PodResumeInput!): Pod
  podBidResume(input: PodBidResumeInput!): Pod @spot
  podStop(input: PodStopInput!): Pod
  podTerminate(input: PodTerminateInput!): Void
  podEditJob(input: PodEditJobInput!): Pod
  saveTemplate(input: SaveTemplateInput): PodTemplate
  deleteTemplate(templateName: String): Void
  createNetworkVolume(input: CreateNetworkVolumeInput!): NetworkVolume
  updateNetworkVolume(input: UpdateNetworkVolumeInput!): NetworkVolume
  deleteNetworkVolume(input: DeleteNetworkVolumeInput!): Void
  saveRegistryAuth(input: SaveRegistryAuthInput!): ContainerRegistryAuth
  updateRegistryAuth(input: UpdateRegistryAuthInput!): ContainerRegistryAuth
  deleteRegistryAuth(registryAuthId: String!): Void
  createCluster(input: CreateClusterInput!): Cluster
  deleteCluster(input: DeleteClusterInput!): Boolean
  updateUserSettings(input: UpdateUserSettingsInput): User
}

type User {
  id: String
  authId: String
  email: String
  pubKey: String
  clientBalance: Float
  currentSpendPerHr: Float
  spendLimit: Float
  notifyPodsStale: Boolean
  notifyPodsGeneral: Boolean
  notifyLowBalance: Boolean
  pods: [Pod]
  networkVolumes: [NetworkVolume]
  containerRegistryCreds: [ContainerRegistryAuth]
  podTemplates: [PodTemplate]
  endpoints: [Endpoint]
}

type Pod {
  id: String!
  name: String
  desiredStatus: PodStatus
  imageName: String
  dockerArgs: String
  dockerId: String
  env: [String]
  gpuCount: Int
  costPerHr: Float
  adjustedCostPerHr: Float
  containerDiskInGb: Int
  volumeInGb: Float
  volumeMountPath: String
  memoryInGb: Float
  vcpuCount: Float
  ports: String
  port: Int
  podType: PodType
  lastStatusChange: String
  createdAt: DateTime
  uptimeSeconds: Int
  machineId: String
  machineType: String
  machine: PodMachineInfo
  runtime: PodRuntime
  clusterIp: String
  locked: Boolean
  templateId: String
  networkVolumeId: String
  containerRegistryAuthId: String
  bidPerGpu: Float @spot
}

enum PodStatus { CREATED RUNNING RESTARTING EXITED PAUSED DEAD TERMINATED }
enum PodType { RESERVED INTERRUPTABLE BID BACKGROUND }

type PodMachineInfo {
  podHostId: String
  gpuDisplayName: String
  gpuTypeId: String
  location: String
  dataCenterId: String
  costPerHr: Float
  currentPricePerGpu: Float
  secureCloud: Boolean
  supportPublicIp: Boolean
  gpuType: GpuType
}

type PodRuntime {
  uptimeInSeconds: Int
  ports: [PodRuntimePort]
  gpus: [PodRuntimeGpu]
  container: PodRuntimeContainer
}
type PodRuntimePort { ip: String isIpPublic: Boolean privatePort: Int publicPort: Int type: String }
type PodRuntimeGpu { id: String gpuUtilPercent: Float memoryUtilPercent: Float }
type PodRuntimeContainer { cpuPercent: Float memoryPercent: Float }

type GpuType {
  id: String
  displayName: String
  memoryInGb: Int
  manufacturer: String
  cudaCores: Int
  secureCloud: Boolean
  communityCloud: Boolean
  maxGpuCount: Int
  maxGpuCountSecureCloud: Int
  maxGpuCountCommunityCloud: Int
  securePrice: Float
  communityPrice: Float
  secureSpotPrice: Float @spot
  communitySpotPrice: Float @spot
  oneWeekPrice: Float
  oneMonthPrice: Float
  threeMonthPrice: Float
  sixMonthPrice: Float
  lowestPrice(input: GpuLowestPriceInput): LowestPrice
}

type LowestPrice {
  gpuName: String
  gpuTypeId: String
  minimumBidPrice: Float @spot
  uninterruptablePrice: Float
  minMemory: Int
  minVcpu: Int
  stockStatus: String
  availableGpuCounts: [Int]
  gpuTypeCudaVersions: [GpuTypeCudaVersion]
}
type GpuTypeCudaVersion { cudaVersion: String availability: String }

type DataCenter {
  id: String
  name: String
  location: String
  listed: Boolean
  storageSupport: Boolean
  gpuAvailability(input: GpuAvailabilityInput): [GpuAvailability]
}
type GpuAvailability { id: String gpuTypeId: String displayName: String gpuTypeDisplayName: String available: Boolean stockStatus: String }
input GpuAvailabilityInput { gpuCount: Int secureCloud: Boolean minMemoryInGb: Int minVcpuCount: Int allowedCudaVersions: [String] }

type PodTemplate {
  id: String
  name: String
  imageName: String
  isServerless: Boolean
  isPublic: Boolean
  isRunpod: Boolean
  category: String
  containerDiskInGb: Int
  containerRegistryAuthId: String
  volumeInGb: Int
  volumeMountPath: String
  ports: String
  portsConfig: [PortConfig]
  env: [EnvironmentVariable]
  dockerArgs: String
  startSsh: Boolean
  startJupyter: Boolean
  readme: String
}
type PortConfig { port: String name: String }
type EnvironmentVariable { key: String value: String }

type NetworkVolume { id: String name: String size: Int dataCenterId: String dataCenter: DataCenter }
type ContainerRegistryAuth { id: String name: String }
type ServerlessGpuPool { id: String gpuTypeIds: [String] }
type Endpoint {
  id: String name: String templateId: String gpuIds: String idleTimeout: Int networkVolumeId: String locations: String
  scalerType: String scalerValue: Int type: String userId: String version: Int workersMax: Int workersMin: Int
  workersStandby: Int gpuCount: Int aiKey: String createdAt: DateTime env: [EnvironmentVariable]
  networkVolume: NetworkVolume
}
type Cluster { id: String name: String pods: [Pod] }

input PodFilter { podId: String }
input GpuTypeFilter { id: String ids: [String] }
input PodTemplateInput { isMe: Boolean isPublic: Boolean isRunpod: Boolean isServerless: Boolean }
input GpuLowestPriceInput {
  gpuCount: Int minMemoryInGb: Int minVcpuCount: Int minDisk: Int totalDisk: Int secureCloud: Boolean
  supportPublicIp: Boolean dataCenterId: String countryCode: String allowedCudaVersions: [String]
  cudaVersion: String minDownload: Int minUpload: Int includeAiApi: Boolean compliance: [String]
  globalNetwork: Boolean
}

enum CloudTypeEnum { ALL SECURE COMMUNITY }
input EnvironmentVariableInput { key: String! value: String! }

input DeployCpuPodInput {
  instanceId: String deployCost: Float
  name: String imageName: String cloudType: CloudTypeEnum volumeInGb: Int containerDiskInGb: Int dockerArgs: String
  ports: String volumeMountPath: String env: [EnvironmentVariableInput] templateId: String networkVolumeId: String
  dataCenterId: String countryCode: String supportPublicIp: Boolean startSsh: Boolean startJupyter: Boolean
  minDownload: Int minUpload: Int containerRegistryAuthId: String stopAfter: DateTime terminateAfter: DateTime
  compliance: [String] volumeKey: String globalNetwork: Boolean
}
input PodResumeInput {
  podId: String! gpuCount: Int allowedCudaVersions: [String] syncMachine: Boolean computeType: String
}
input PodBidResumeInput { podId: String! bidPerGpu: Float! gpuCount: Int! }
input PodStopInput { podId: String! incrementVersion: Boolean }
input PodTerminateInput { podId: String! }
input PodEditJobInput {
  podId: String! imageName: String env: [EnvironmentVariableInput] ports: String dockerArgs: String
  containerDiskInGb: Int volumeInGb: Int volumeMountPath: String containerRegistryAuthId: String port: Int
}
input SaveTemplateInput {
  id: String name: String imageName: String dockerArgs: String containerDiskInGb: Int volumeInGb: Int
  volumeMountPath: String ports: String env: [EnvironmentVariableInput] readme: String isServerless: Boolean
  isPublic: Boolean startSsh: Boolean startJupyter: Boolean containerRegistryAuthId: String category: String
}
input CreateNetworkVolumeInput { name: String! size: Int! dataCenterId: String! }
input UpdateNetworkVolumeInput { id: String! name: String size: Int }
input DeleteNetworkVolumeInput { id: String! }
input SaveRegistryAuthInput { name: String! username: String! password: String! }
input UpdateRegistryAuthInput { id: String! username: String! password: String! }
enum ClusterType { APPLICATION TRAINING SLURM RAY }
input CreateClusterInput {
  clusterName: String gpuTypeId: String podCount: Int gpuCountPerPod: Int type: ClusterType deployCost: Float
  imageName: String dockerArgs: String containerDiskInGb: Int volumeInGb: Int volumeMountPath: String ports: String
  env: [EnvironmentVariableInput] templateId: String networkVolumeId: String dataCenterId: String
  containerRegistryAuthId: String startSsh: Boolean startJupyter: Boolean throughput: Int
  allowedCudaVersions: [String] minCudaVersion: String
}
input DeleteClusterInput { id: String! }
input UpdateUserSettingsInput {
  pubKey: String notifyPodsStale: Boolean notifyPodsGeneral: Boolean notifyLowBalance: Boolean
}
)graphql";

} // namespace

std::string runpod_types() {
    // GraphQL has no inheritance: a spot pod's input is an ordinary one's and the bid.
    return fmt::format("{0}\ninput PodFindAndDeployOnDemandInput {{ {1} }}\n"
                       "input PodRentInterruptableInput {{ bidPerGpu: Float! {1} }}\n",
                       kTypes, kDeployFields);
}

} // namespace podsmith::sim::graphql
