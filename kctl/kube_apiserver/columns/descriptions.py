"""Texts of columns that the API's published documentation words otherwise; all others come from there (`columns.described`)."""

from __future__ import annotations

OTHERWISE: dict[str, str] = {
    "CertificateSigningRequestSpec.request": ("Base64-encoded PKCS#10 CSR data"),
    "CertificateSigningRequestSpec.signerName": (
        "Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. If empty, it will be "
        "defaulted:\n 1. If it's a kubelet client certificate, it is assigned\n    "
        '"kubernetes.io/kube-apiserver-client-kubelet".\n 2. If it\'s a kubelet serving certificate, it is assigned\n    '
        '"kubernetes.io/kubelet-serving".\n 3. Otherwise, it is assigned "kubernetes.io/legacy-unknown".\nDistribution of trust '
        "for signers happens out of band. You can select on this field using `spec.signerName`."
    ),
    "CertificateSigningRequestStatus.conditions": ("Conditions applied to the request, such as approval or denial."),
    "ClusterRoleBinding.roleRef": (
        "RoleRef can only reference a ClusterRole in the global namespace. If the RoleRef cannot be resolved, the Authorizer must "
        "return an error."
    ),
    "EndpointSlice.addressType": (
        "addressType specifies the type of address carried by this EndpointSlice. All addresses in this slice must be the same "
        "type. This field is immutable after creation. The following address types are currently supported: * IPv4: Represents an "
        "IPv4 Address. * IPv6: Represents an IPv6 Address. * FQDN: Represents a Fully Qualified Domain Name."
    ),
    "EndpointSlice.ports": (
        "ports specifies the list of network ports exposed by each endpoint in this slice. Each port must have a unique name. When "
        "ports is empty, it indicates that there are no defined ports. When a port is defined with a nil port value, it indicates "
        '"all ports". Each slice may include a maximum of 100 ports.'
    ),
    "NetworkPolicySpec.podSelector": (
        "Selects the pods to which this NetworkPolicy object applies.  The array of ingress rules is applied to any pods selected "
        "by this field. Multiple network policies can select the same set of pods.  In this case, the ingress rules for each are "
        "combined additively. This field is NOT optional and follows standard label selector semantics. An empty podSelector "
        "matches all pods in this namespace."
    ),
    "ResourcePool.name": (
        "Name is used to identify the pool. For node-local devices, this is often the node name, but this is not required.\n\nIt "
        "must not be longer than 253 characters and must consist of one or more DNS sub-domains separated by slashes. This field "
        "is immutable."
    ),
    "RoleBinding.roleRef": (
        "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace. If the RoleRef cannot be "
        "resolved, the Authorizer must return an error."
    ),
    "ServiceCIDRSpec.cidrs": (
        'CIDRs defines the IP blocks in CIDR notation (e.g. "192.168.0.0/24" or "2001:db8::/64") from which to assign service '
        "cluster IPs. Max of two CIDRs is allowed, one of each IP family. This field is immutable."
    ),
}
