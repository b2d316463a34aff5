"""How Go prints kube-apiserver's internal pod types.

Some messages of the API carry whole structures: the diff of a forbidden pod update, a Job's immutable template. Upstream prints
the internal Go struct (pkg/apis/core): its field names and order, null for what is unset. This table is that
struct, one line for each: `GoName` is text, `GoName:i` a number, `GoName:b` a boolean, `GoName:?` a pointer, map or list of plain
values; `GoName:*Type` a pointer, `GoName:Type` a struct, `GoName:[Type` a list; `=name` follows where the JSON name is not the Go name
with a small initial.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from kctl.kube_apiserver.registry.go_diff import unified_diff

_TABLE = """
PodSpec Volumes:[Volume InitContainers:[Container Containers:[Container EphemeralContainers:[EphemeralContainer RestartPolicy TerminationGracePeriodSeconds:? ActiveDeadlineSeconds:? DNSPolicy NodeSelector:? ServiceAccountName AutomountServiceAccountToken:? NodeName SecurityContext:PodSecurityContext ImagePullSecrets:[LocalObjectReference Hostname Subdomain SetHostnameAsFQDN:? Affinity:*Affinity SchedulerName Tolerations:[Toleration HostAliases:[HostAlias PriorityClassName Priority:? PreemptionPolicy:? DNSConfig:*PodDNSConfig ReadinessGates:[PodReadinessGate RuntimeClassName:? Overhead:? EnableServiceLinks:? TopologySpreadConstraints:[TopologySpreadConstraint OS:*Name SchedulingGates:[Name ResourceClaims:[PodResourceClaim Resources:*ResourceRequirements HostnameOverride:? SchedulingGroup:*SchedulingGroup
SchedulingGroup PodGroupName:?
Name Name
LocalObjectReference Name
PodSecurityContext HostNetwork:b HostPID:b HostIPC:b ShareProcessNamespace:? HostUsers:? SELinuxOptions:*SELinuxOptions WindowsOptions:*WindowsOptions RunAsUser:? RunAsGroup:? RunAsNonRoot:? SupplementalGroups:? SupplementalGroupsPolicy:? FSGroup:? FSGroupChangePolicy:? Sysctls:[Sysctl SeccompProfile:*SeccompProfile AppArmorProfile:*SeccompProfile SELinuxChangePolicy:?
Sysctl Name Value
SELinuxOptions User Role Type Level
WindowsOptions GMSACredentialSpecName:? GMSACredentialSpec:? RunAsUserName:? HostProcess:?
SeccompProfile Type LocalhostProfile:?
SecurityContext Capabilities:*Capabilities Privileged:? SELinuxOptions:*SELinuxOptions WindowsOptions:*WindowsOptions RunAsUser:? RunAsGroup:? RunAsNonRoot:? ReadOnlyRootFilesystem:? AllowPrivilegeEscalation:? ProcMount:? SeccompProfile:*SeccompProfile AppArmorProfile:*SeccompProfile
Capabilities Add:? Drop:?
Container Name Image Command:? Args:? WorkingDir Ports:[ContainerPort EnvFrom:[EnvFromSource Env:[EnvVar Resources:ResourceRequirements ResizePolicy:[ResizePolicy RestartPolicy:? RestartPolicyRules:[RestartRule VolumeMounts:[VolumeMount VolumeDevices:[VolumeDevice LivenessProbe:*Probe ReadinessProbe:*Probe StartupProbe:*Probe Lifecycle:*Lifecycle TerminationMessagePath TerminationMessagePolicy ImagePullPolicy SecurityContext:*SecurityContext Stdin:b StdinOnce:b TTY:b
EphemeralContainer Name Image Command:? Args:? WorkingDir Ports:[ContainerPort EnvFrom:[EnvFromSource Env:[EnvVar Resources:ResourceRequirements ResizePolicy:[ResizePolicy RestartPolicy:? RestartPolicyRules:[RestartRule VolumeMounts:[VolumeMount VolumeDevices:[VolumeDevice LivenessProbe:*Probe ReadinessProbe:*Probe StartupProbe:*Probe Lifecycle:*Lifecycle TerminationMessagePath TerminationMessagePolicy ImagePullPolicy SecurityContext:*SecurityContext Stdin:b StdinOnce:b TTY:b TargetContainerName
ContainerPort Name HostPort:i ContainerPort:i Protocol HostIP
EnvFromSource Prefix ConfigMapRef:*OptionalName SecretRef:*OptionalName
OptionalName Name Optional:?
EnvVar Name Value ValueFrom:*EnvVarSource
EnvVarSource FieldRef:*FieldRef ResourceFieldRef:*ResourceFieldRef ConfigMapKeyRef:*KeyRef SecretKeyRef:*KeyRef FileKeyRef:*FileKeyRef
FieldRef APIVersion FieldPath
ResourceFieldRef ContainerName Resource Divisor
KeyRef Name Key Optional:?
FileKeyRef VolumeName Path Key Optional:?
ResourceRequirements Limits:? Requests:? Claims:[ResourceClaim
ResourceClaim Name Request
ResizePolicy ResourceName RestartPolicy
RestartRule Action ExitCodes:*ExitCodes
ExitCodes Operator Values:?
VolumeMount Name ReadOnly:b RecursiveReadOnly:? MountPath SubPath MountPropagation:? SubPathExpr
VolumeDevice Name DevicePath
Probe Exec:*Exec HTTPGet:*HTTPGet TCPSocket:*TCPSocket GRPC:*GRPC InitialDelaySeconds:i TimeoutSeconds:i PeriodSeconds:i SuccessThreshold:i FailureThreshold:i TerminationGracePeriodSeconds:?
Exec Command:?
HTTPGet Path Port:i Host Scheme HTTPHeaders:[Header
Header Name Value
TCPSocket Port:i Host
GRPC Port:i Service:?
Lifecycle PostStart:*Handler PreStop:*Handler StopSignal:?
Handler Exec:*Exec HTTPGet:*HTTPGet TCPSocket:*TCPSocket Sleep:*Sleep
Sleep Seconds:i
Affinity NodeAffinity:*NodeAffinity PodAffinity:*PodAffinity PodAntiAffinity:*PodAffinity
NodeAffinity RequiredDuringSchedulingIgnoredDuringExecution:*NodeSelector PreferredDuringSchedulingIgnoredDuringExecution:[PreferredTerm
NodeSelector NodeSelectorTerms:[NodeSelectorTerm
NodeSelectorTerm MatchExpressions:[NodeRequirement MatchFields:[NodeRequirement
NodeRequirement Key Operator Values:?
PreferredTerm Weight:i Preference:NodeSelectorTerm
PodAffinity RequiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm PreferredDuringSchedulingIgnoredDuringExecution:[WeightedTerm
WeightedTerm Weight:i PodAffinityTerm:PodAffinityTerm
PodAffinityTerm LabelSelector:? Namespaces:? TopologyKey NamespaceSelector:? MatchLabelKeys:? MismatchLabelKeys:?
Toleration Key Operator Value Effect TolerationSeconds:?
HostAlias IP Hostnames:?
PodDNSConfig Nameservers:? Searches:? Options:[DNSOption
DNSOption Name Value:?
PodReadinessGate ConditionType
TopologySpreadConstraint MaxSkew:i TopologyKey WhenUnsatisfiable LabelSelector:? MinDomains:? NodeAffinityPolicy:? NodeTaintsPolicy:? MatchLabelKeys:?
PodResourceClaim Name ResourceClaimName:? ResourceClaimTemplateName:?
Volume Name HostPath:*HostPath EmptyDir:*EmptyDir GCEPersistentDisk:*GCE AWSElasticBlockStore:*AWS GitRepo:*GitRepo Secret:*Secret NFS:*NFS ISCSI:*ISCSI Glusterfs:*Glusterfs PersistentVolumeClaim:*Claim RBD:*RBD Quobyte:*Quobyte FlexVolume:*Flex Cinder:*Cinder CephFS:*CephFS=cephfs Flocker:*Flocker DownwardAPI:*DownwardAPI FC:*FC AzureFile:*AzureFile ConfigMap:*ConfigMap VsphereVolume:*Vsphere AzureDisk:*AzureDisk PhotonPersistentDisk:*Photon Projected:*Projected PortworxVolume:*Portworx ScaleIO:*ScaleIO StorageOS:*StorageOS=storageos CSI:*CSI Ephemeral:*Ephemeral Image:*Image
HostPath Path Type:?
EmptyDir Medium SizeLimit:?
GCE PDName FSType Partition:i ReadOnly:b
AWS VolumeID FSType Partition:i ReadOnly:b
GitRepo Repository Revision Directory
Secret SecretName Items:[KeyToPath DefaultMode:? Optional:?
KeyToPath Key Path Mode:?
NFS Server Path ReadOnly:b
ISCSI TargetPortal IQN Lun:i ISCSIInterface FSType ReadOnly:b Portals:? DiscoveryCHAPAuth:b=chapAuthDiscovery SessionCHAPAuth:b=chapAuthSession SecretRef:*LocalObjectReference InitiatorName:?
Glusterfs EndpointsName=endpoints Path ReadOnly:b
Claim ClaimName ReadOnly:b
RBD CephMonitors:?=monitors RBDImage=image FSType RBDPool=pool RadosUser=user Keyring SecretRef:*LocalObjectReference ReadOnly:b
Quobyte Registry Volume ReadOnly:b User Group Tenant
Flex Driver FSType SecretRef:*LocalObjectReference ReadOnly:b Options:?
Cinder VolumeID FSType ReadOnly:b SecretRef:*LocalObjectReference
CephFS Monitors:? Path User SecretFile SecretRef:*LocalObjectReference ReadOnly:b
Flocker DatasetName DatasetUUID
DownwardAPI Items:[DownwardFile DefaultMode:?
DownwardFile Path FieldRef:*FieldRef ResourceFieldRef:*ResourceFieldRef Mode:?
FC TargetWWNs:? Lun:? FSType ReadOnly:b WWIDs:?=wwids
AzureFile SecretName ShareName ReadOnly:b
ConfigMap Name Items:[KeyToPath DefaultMode:? Optional:?
Vsphere VolumePath FSType StoragePolicyName StoragePolicyID
AzureDisk DiskName DataDiskURI=diskURI CachingMode:? FSType:? ReadOnly:? Kind:?
Photon PdID FSType
Projected Sources:[Projection DefaultMode:?
Projection Secret:*KeyProjection DownwardAPI:*DownwardProjection ConfigMap:*KeyProjection ServiceAccountToken:*TokenProjection ClusterTrustBundle:*TrustProjection PodCertificate:*CertificateProjection
KeyProjection Name Items:[KeyToPath Optional:?
DownwardProjection Items:[DownwardFile
TokenProjection Audience ExpirationSeconds:i Path
TrustProjection Name:? SignerName:? LabelSelector:? Optional:? Path
CertificateProjection SignerName KeyType MaxExpirationSeconds:? CredentialBundlePath KeyPath CertificateChainPath UserAnnotations:?
Portworx VolumeID FSType ReadOnly:b
ScaleIO Gateway System SecretRef:*LocalObjectReference SSLEnabled:b ProtectionDomain StoragePool StorageMode VolumeName FSType ReadOnly:b
StorageOS VolumeName VolumeNamespace FSType ReadOnly:b SecretRef:*LocalObjectReference
CSI Driver ReadOnly:? FSType:? VolumeAttributes:? NodePublishSecretRef:*LocalObjectReference
Ephemeral VolumeClaimTemplate:*ClaimTemplate
ClaimTemplate +metadata Spec:ClaimSpec
ClaimSpec AccessModes:? Selector:? Resources:VolumeResources VolumeName StorageClassName:? VolumeMode:? DataSource:*DataSource DataSourceRef:*DataSourceRef VolumeAttributesClassName:?
VolumeResources Limits:? Requests:?
DataSource APIGroup:? Kind Name
DataSourceRef APIGroup:? Kind Name Namespace:?
Image Reference PullPolicy
PodTemplateSpec +metadata Spec:PodSpec
VolumeNodeAffinity Required:*NodeSelector
PersistentVolumeSource GCEPersistentDisk:*GCE AWSElasticBlockStore:*AWS HostPath:*HostPath Glusterfs:*GlusterfsPV NFS:*NFS RBD:*RBDPV Quobyte:*Quobyte ISCSI:*ISCSIPV FlexVolume:*FlexPV Cinder:*CinderPV CephFS:*CephFSPV=cephfs FC:*FC Flocker:*Flocker AzureFile:*AzureFilePV VsphereVolume:*Vsphere AzureDisk:*AzureDisk PhotonPersistentDisk:*Photon PortworxVolume:*Portworx ScaleIO:*ScaleIOPV Local:*Local StorageOS:*StorageOSPV=storageos CSI:*CSIPV
SecretReference Name Namespace
ObjectReference Kind Namespace Name UID APIVersion ResourceVersion FieldPath
GlusterfsPV EndpointsName=endpoints Path ReadOnly:b EndpointsNamespace:?
RBDPV CephMonitors:?=monitors RBDImage=image FSType RBDPool=pool RadosUser=user Keyring SecretRef:*SecretReference ReadOnly:b
ISCSIPV TargetPortal IQN Lun:i ISCSIInterface FSType ReadOnly:b Portals:? DiscoveryCHAPAuth:b=chapAuthDiscovery SessionCHAPAuth:b=chapAuthSession SecretRef:*SecretReference InitiatorName:?
FlexPV Driver FSType SecretRef:*SecretReference ReadOnly:b Options:?
CinderPV VolumeID FSType ReadOnly:b SecretRef:*SecretReference
CephFSPV Monitors:? Path User SecretFile SecretRef:*SecretReference ReadOnly:b
AzureFilePV SecretName ShareName ReadOnly:b SecretNamespace:?
ScaleIOPV Gateway System SecretRef:*SecretReference SSLEnabled:b ProtectionDomain StoragePool StorageMode VolumeName FSType ReadOnly:b
Local Path FSType:?
StorageOSPV VolumeName VolumeNamespace FSType ReadOnly:b SecretRef:*ObjectReference
CSIPV Driver VolumeHandle ReadOnly:b FSType VolumeAttributes:? ControllerPublishSecretRef:*SecretReference NodeStageSecretRef:*SecretReference NodePublishSecretRef:*SecretReference ControllerExpandSecretRef:*SecretReference NodeExpandSecretRef:*SecretReference
PodFailurePolicy Rules:[PodFailureRule
PodFailureRule Action OnExitCodes:*OnExitCodes OnPodConditions:[PodCondition
OnExitCodes ContainerName:? Operator Values:?
PodCondition Type Status:?
SuccessPolicy Rules:[SuccessRule
SuccessRule SucceededIndexes:? SucceededCount:?
"""  # noqa: E501

Fields = list[tuple[str, str, str]]
_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")


@cache
def _types() -> dict[str, Fields]:
    found: dict[str, Fields] = {}
    for line in _TABLE.strip().splitlines():
        name, *fields = line.split()
        found[name] = [_field(text) for text in fields]
    return found


def _field(text: str) -> tuple[str, str, str]:
    """(Go name, JSON name, kind)"""
    if text.startswith("+"):
        return text, text[1:], "+"
    text, _, json_name = text.partition("=")
    go_name, _, kind = text.partition(":")
    return go_name, json_name or _json_name(go_name), kind


def _json_name(go_name: str) -> str:
    """fooBar of FooBar, dnsPolicy of DNSPolicy, os of OS."""
    run = re.match(r"[A-Z]+", go_name)
    assert run is not None
    length = run.end()
    if 1 < length < len(go_name):
        length -= 1
    return go_name[:length].lower() + go_name[length:]


def internal_form(kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """The struct `kind` as Go would marshal it."""
    result: dict[str, Any] = {}
    if kind == "PodSpec":
        context = {**(value.get("securityContext") or {}), **{f: value[f] for f in _HOST_FIELDS if f in value}}
        value = {**value, "securityContext": context}
    for go_name, json_name, form in _types()[kind]:
        if form == "+":
            result.update({key: _sorted(part) for key, part in (value.get(json_name) or {}).items()})
        else:
            result[go_name] = _value(form, value.get(json_name))
    return result


_ZERO: dict[str, Any] = {"": "", "i": 0, "b": False}


def _value(form: str, value: Any) -> Any:
    if form in _ZERO:
        return _ZERO[form] if value is None else value
    if form == "?":
        return _sorted(value)
    if form.startswith("*"):
        return None if value is None else internal_form(form[1:], value)
    if form.startswith("["):
        return [internal_form(form[1:], entry) for entry in value] if value else None
    return internal_form(form, value or {})


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: value[key] for key in sorted(value)}
    return value


def diff(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The unified diff of two structs, as upstream appends it to a message."""
    return unified_diff(internal_form(kind, old), internal_form(kind, new))
