"""What OpenAPI does not say about the Go types of the API: pointers, structs held by value, names of string types.

Go's JSON encoder drops zero values of `omitempty` fields unless the field is a pointer, and always writes structs held by
value. Written by hand; build_hook.py, which cannot import the package, folds it into the bundle, so it imports nothing.
Entries are Type.field, or .field for every type. A field is optional unless OpenAPI lists it as required.
"""

from __future__ import annotations


def table(text: str) -> frozenset[str]:
    """`Type a b | Other c` -> {Type.a, Type.b, Other.c}."""
    found: set[str] = set()
    for row in text.replace("\n", " ").split("|"):
        words = row.split()
        if words:
            found.update(f"{words[0] if words[0] != '*' else ''}.{field}" for field in words[1:])
    return frozenset(found)


def pairs(text: str) -> dict[str, str]:
    """`Type a:x b:y | Other c:z` -> {Type.a: x, Type.b: y, Other.c: z}."""
    return {key: value for key, _, value in (entry.partition(":") for entry in table(text))}


NUMBERS_BY_VALUE = table("""
* readOnly observedGeneration stdin stdinOnce tty chapAuthDiscovery chapAuthSession sslEnabled minReadySeconds
| AWSElasticBlockStoreVolumeSource partition | GCEPersistentDiskVolumeSource partition
| APIServiceSpec insecureSkipTLSVerify | ContainerImage sizeBytes | ContainerPort hostPort
| ContainerStateTerminated signal | CustomResourceColumnDefinition priority
| CustomResourceDefinitionSpec preserveUnknownFields | CustomResourceDefinitionVersion deprecated
| DaemonSetStatus numberAvailable numberUnavailable updatedNumberScheduled
| DeploymentSpec paused
| DeploymentStatus availableReplicas readyReplicas replicas unavailableReplicas updatedReplicas
| DeviceRequest count | DeviceSubRequest count | ExactDeviceRequest count
| Event count deprecatedCount | EventSeries count
| HorizontalPodAutoscalerStatus currentReplicas
| JSONSchemaProps exclusiveMaximum exclusiveMinimum uniqueItems nullable x-kubernetes-embedded-resource
  x-kubernetes-int-or-string
| JobStatus active failed succeeded | ObjectMeta generation | NodeSpec unschedulable
| PodSpec hostIPC hostNetwork hostPID | PriorityClass globalDefault
| Probe failureThreshold initialDelaySeconds periodSeconds successThreshold timeoutSeconds
| ReplicaSetStatus availableReplicas fullyLabeledReplicas readyReplicas
| ReplicationControllerStatus availableReplicas fullyLabeledReplicas readyReplicas
| ScaleSpec replicas | ServicePort nodePort | ServiceSpec healthCheckNodePort publishNotReadyAddresses
| ServiceBackendPort number | StatefulSetStatus currentReplicas readyReplicas updatedReplicas
| Status code | StatusDetails retryAfterSeconds | SubjectAccessReviewStatus denied
| TokenReviewStatus authenticated | ResourcePolicyRule clusterScope
""")
"""Optional integers, booleans and numbers that are no pointers: zero is dropped. All others keep zero."""

NUMBERS_BY_POINTER = table("""
AzureDiskVolumeSource readOnly | CSIVolumeSource readOnly | HorizontalPodAutoscalerStatus observedGeneration
""")
"""Exceptions to the .field entries above."""

STRING_POINTERS = table("""
PersistentVolumeClaimSpec storageClassName volumeMode volumeAttributesClassName
| PersistentVolumeSpec volumeMode volumeAttributesClassName
| PersistentVolumeClaimStatus currentVolumeAttributesClassName
| IngressSpec ingressClassName | PodSpec runtimeClassName preemptionPolicy hostnameOverride
| SecurityContext procMount | PodSecurityContext fsGroupChangePolicy supplementalGroupsPolicy seLinuxChangePolicy
| PriorityClass preemptionPolicy | HTTPIngressPath pathType
| ServiceSpec ipFamilyPolicy loadBalancerClass internalTrafficPolicy trafficDistribution | ServicePort appProtocol
| EndpointPort name protocol appProtocol | Endpoint hostname nodeName zone | EndpointAddress nodeName
| TypedLocalObjectReference apiGroup | TypedObjectReference apiGroup namespace | NetworkPolicyPort protocol
| StorageClass reclaimPolicy volumeBindingMode | CSIDriverSpec fsGroupPolicy
| JobSpec completionMode podReplacementPolicy managedBy | CronJobSpec timeZone
| LeaseSpec holderIdentity strategy preferredHolder
| MutatingWebhook failurePolicy matchPolicy sideEffects reinvocationPolicy
| ValidatingWebhook failurePolicy matchPolicy sideEffects
| RuleWithOperations scope | NamedRuleWithOperations scope | ValidatingAdmissionPolicySpec failurePolicy
| MutatingAdmissionPolicySpec failurePolicy | Validation reason | MatchResources matchPolicy
| ParamRef parameterNotFoundAction | ServiceReference path | WebhookClientConfig url
| VolumeMount mountPropagation recursiveReadOnly | VolumeMountStatus recursiveReadOnly
| Container restartPolicy | EphemeralContainer restartPolicy | ContainerStatus stopSignal | Lifecycle stopSignal
| TopologySpreadConstraint nodeAffinityPolicy nodeTaintsPolicy | HPAScalingRules selectPolicy
| IngressClassParametersReference apiGroup scope namespace
| PodResourceClaim resourceClaimName resourceClaimTemplateName | PodResourceClaimStatus resourceClaimName
| CSIVolumeSource fsType | AzureDiskVolumeSource cachingMode fsType kind
| AzureFilePersistentVolumeSource secretNamespace | ISCSIVolumeSource initiatorName
| ISCSIPersistentVolumeSource initiatorName | HostPathVolumeSource type | GRPCAction service
| Preconditions uid resourceVersion | LocalVolumeSource fsType | GlusterfsPersistentVolumeSource endpointsNamespace
| PodFailurePolicyOnExitCodesRequirement containerName | SeccompProfile localhostProfile
| AppArmorProfile localhostProfile
| WindowsSecurityContextOptions gmsaCredentialSpecName gmsaCredentialSpec runAsUserName | PodDNSConfigOption value
| PodDisruptionBudgetSpec unhealthyPodEvictionPolicy | VolumeAttachmentSource persistentVolumeName
| ClusterTrustBundleProjection name signerName | CustomResourceDefinitionVersion deprecationWarning
| CustomResourceSubresourceScale labelSelectorPath
| JSONSchemaProps x-kubernetes-list-type x-kubernetes-map-type | ValidationRule reason
| DeviceAttribute string version | ResourceSliceSpec nodeName | AllocatedDeviceStatus shareID
| DeviceRequestAllocationResult shareID | DeleteOptions propagationPolicy
""")
"""Strings that are pointers: "" is kept."""

STRUCTS_BY_VALUE = table("""
Container resources | EphemeralContainer resources | ContainerStatus state lastState
| DaemonSetSpec updateStrategy | DeploymentSpec strategy | StatefulSetSpec updateStrategy
| Event source regarding deprecatedSource | IngressStatus loadBalancer | IngressServiceBackend port
| ServiceStatus loadBalancer | NodeStatus daemonEndpoints nodeInfo | NodeDaemonEndpoints kubeletEndpoint
| PersistentVolumeClaimSpec resources | NetworkPolicySpec podSelector | PodTemplate template
| ReplicaSetSpec template | ResourceClaimSpec devices | AllocationResult devices | TokenReviewStatus user
| SelfSubjectReviewStatus userInfo | Endpoint conditions | CustomResourceDefinitionStatus acceptedNames
| JobTemplateSpec spec | PodTemplateSpec spec | ResourceClaimTemplateSpec spec
""")
"""Optional structs that are no pointers: always written. Top-level spec and status are too (see build_hook)."""

OMITTED_STRUCTS = table("""
DeploymentSpec selector | DaemonSetSpec selector | StatefulSetSpec selector | ReplicaSetSpec selector
| IPAddressSpec parentRef | CSINode status
""")
"""Required in OpenAPI but pointers, or marked omitzero: not made up when absent."""

ALWAYS = table("""
Event firstTimestamp lastTimestamp eventTime reportingComponent reportingInstance deprecatedFirstTimestamp
  deprecatedLastTimestamp
| PodDisruptionBudgetStatus currentHealthy desiredHealthy disruptionsAllowed expectedPods
| ClusterRole rules | Role rules | HorizontalPodAutoscalerStatus currentMetrics | StatefulSetSpec serviceName
| StatefulSetStatus availableReplicas | StatefulSetOrdinals start | PriorityClass value | ControllerRevision revision
| FlowSchemaSpec matchingPrecedence | QueuingConfiguration handSize queueLengthLimit queues
| CustomResourceDefinitionStatus conditions storedVersions acceptedNames
""")
"""Written even when zero although OpenAPI calls them optional."""

KEPT_LISTS = table("""
HPAScalingRules policies
""")
"""Lists whose emptiness is an answer: defaulting fills in what is absent, validation refuses what is empty."""

NULL_WHEN_ABSENT = table("""
TypedLocalObjectReference apiGroup | TypedObjectReference apiGroup | TokenRequestSpec boundObjectRef
""")
"""Pointers that are written as null."""

TIMES_BY_VALUE = table("""
* lastTransitionTime lastProbeTime lastHeartbeatTime lastUpdateTime startedAt finishedAt lastObservedTime
| VolumeError time | TokenRequestStatus expirationTimestamp
""")
"""Times that are no pointers: written as null when unset."""

NEVER_ALWAYS = table("""
EventSeries lastObservedTime | ValidatingAdmissionPolicyBindingSpec validationActions
| events.v1.Event reportingController reportingInstance
""")
"""Exceptions: required or by value but not written when unset."""

STRING_TYPES = {
    "PodSpec.restartPolicy": "v1.RestartPolicy",
    "PodSpec.dnsPolicy": "v1.DNSPolicy",
    "PodSpec.preemptionPolicy": "v1.PreemptionPolicy",
    "Container.imagePullPolicy": "v1.PullPolicy",
    "EphemeralContainer.imagePullPolicy": "v1.PullPolicy",
    "Container.restartPolicy": "v1.ContainerRestartPolicy",
    "Container.terminationMessagePolicy": "v1.TerminationMessagePolicy",
    "EphemeralContainer.terminationMessagePolicy": "v1.TerminationMessagePolicy",
    "ContainerPort.protocol": "v1.Protocol",
    "ServicePort.protocol": "v1.Protocol",
    "EndpointPort.protocol": "v1.Protocol",
    "NetworkPolicyPort.protocol": "v1.Protocol",
    "ServiceSpec.type": "v1.ServiceType",
    "ServiceSpec.sessionAffinity": "v1.ServiceAffinity",
    "ServiceSpec.externalTrafficPolicy": "v1.ServiceExternalTrafficPolicy",
    "ServiceSpec.internalTrafficPolicy": "v1.ServiceInternalTrafficPolicy",
    "ServiceSpec.ipFamilyPolicy": "v1.IPFamilyPolicy",
    "ServiceSpec.ipFamilies": "v1.IPFamily",
    "PersistentVolumeClaimSpec.accessModes": "v1.PersistentVolumeAccessMode",
    "PersistentVolumeClaimStatus.accessModes": "v1.PersistentVolumeAccessMode",
    "PersistentVolumeSpec.accessModes": "v1.PersistentVolumeAccessMode",
    "PersistentVolumeClaimSpec.volumeMode": "v1.PersistentVolumeMode",
    "PersistentVolumeSpec.volumeMode": "v1.PersistentVolumeMode",
    "PersistentVolumeSpec.persistentVolumeReclaimPolicy": "v1.PersistentVolumeReclaimPolicy",
    "StorageClass.reclaimPolicy": "v1.PersistentVolumeReclaimPolicy",
    "StorageClass.volumeBindingMode": "v1.VolumeBindingMode",
    "StorageClass.mountOptions": "string",
    "DeploymentStrategy.type": "v1.DeploymentStrategyType",
    "DaemonSetUpdateStrategy.type": "v1.DaemonSetUpdateStrategyType",
    "StatefulSetUpdateStrategy.type": "v1.StatefulSetUpdateStrategyType",
    "StatefulSetSpec.podManagementPolicy": "v1.PodManagementPolicyType",
    "JobSpec.completionMode": "v1.CompletionMode",
    "JobSpec.podReplacementPolicy": "v1.PodReplacementPolicy",
    "CronJobSpec.concurrencyPolicy": "v1.ConcurrencyPolicy",
    "NetworkPolicySpec.policyTypes": "v1.PolicyType",
    "HTTPIngressPath.pathType": "v1.PathType",
    "Taint.effect": "v1.TaintEffect",
    "Toleration.effect": "v1.TaintEffect",
    "Toleration.operator": "v1.TolerationOperator",
    "NodeSelectorRequirement.operator": "v1.NodeSelectorOperator",
    "LabelSelectorRequirement.operator": "v1.LabelSelectorOperator",
    "Secret.type": "v1.SecretType",
    "LimitRangeItem.type": "v1.LimitType",
    "ResourceQuotaSpec.scopes": "v1.ResourceQuotaScope",
    "Capabilities.add": "v1.Capability",
    "Capabilities.drop": "v1.Capability",
    "ObjectMeta.uid": "types.UID",
    "OwnerReference.uid": "types.UID",
    "ObjectReference.uid": "types.UID",
    "Preconditions.uid": "types.UID",
    "CertificateSigningRequestSpec.usages": "v1.KeyUsage",
    "Condition.status": "v1.ConditionStatus",
    "PodCondition.status": "v1.ConditionStatus",
    "PodCondition.type": "v1.PodConditionType",
    "NamespaceSpec.finalizers": "v1.FinalizerName",
    "PodStatus.phase": "v1.PodPhase",
    "TopologySpreadConstraint.whenUnsatisfiable": "v1.UnsatisfiableConstraintAction",
    "HTTPGetAction.scheme": "v1.URIScheme",
    "EmptyDirVolumeSource.medium": "v1.StorageMedium",
    "EndpointSlice.addressType": "v1.AddressType",
    "DeleteOptions.propagationPolicy": "v1.DeletionPropagation",
}
"""Go names of string types, by field (for lists: of the element); `string` where absent."""

_CONTAINER = (
    "name image command args workingDir ports envFrom env resources resizePolicy restartPolicy restartPolicyRules "
    "volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath "
    "terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty"
)
_WEBHOOK = "failurePolicy matchPolicy namespaceSelector objectSelector sideEffects timeoutSeconds admissionReviewVersions"
ORDER = {
    "ReplicaSetSpec": "replicas minReadySeconds",
    "ReplicationControllerSpec": "replicas minReadySeconds",
    "IngressSpec": "- ingressClassName defaultBackend tls rules",
    "HTTPIngressPath": "path pathType backend",
    "Container": _CONTAINER,
    "EphemeralContainer": _CONTAINER + " targetContainerName",
    "PersistentVolumeClaimSpec": "accessModes selector resources",
    "CertificateSigningRequestSpec": "request signerName expirationSeconds usages",
    "OwnerReference": "apiVersion kind name uid",
    "JobSpec": "activeDeadlineSeconds podFailurePolicy successPolicy backoffLimit backoffLimitPerIndex maxFailedIndexes selector",
    "CustomResourceDefinitionVersion": "storage deprecated deprecationWarning schema",
    "HPAScalingRules": "stabilizationWindowSeconds selectPolicy policies",
    "TokenRequestSpec": "audiences expirationSeconds boundObjectRef",
    "PodSpec": "volumes initContainers | containers ephemeralContainers | serviceAccount automountServiceAccountToken nodeName | "
    "topologySpreadConstraints setHostnameAsFQDN os",
    "ServiceSpec": "ports selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP loadBalancerSourceRanges "
    "externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses sessionAffinityConfig ipFamilies "
    "ipFamilyPolicy allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy trafficDistribution",
    "DeploymentStatus": "replicas updatedReplicas readyReplicas availableReplicas unavailableReplicas terminatingReplicas "
    "conditions collisionCount",
    "DeploymentCondition": "type status lastUpdateTime lastTransitionTime reason message",
    "Secret": "metadata immutable data stringData type",
    "ConfigMap": "metadata immutable data binaryData",
    "MutatingWebhook": _WEBHOOK + " reinvocationPolicy matchConditions",
    "ValidatingWebhook": _WEBHOOK + " matchConditions",
    "NodeSpec": "podCIDR podCIDRs",
    "PodStatus": "podIP podIPs | hostIP hostIPs",
}
"""Where Go's order of fields is not that of the protobuf numbers: these follow one another."""
