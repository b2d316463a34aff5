"""What a kubelet writes for a pod: /etc/hosts, /etc/resolv.conf, its host name. Pure.

The texts are those of kubelet_pods.go and dns.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

CLUSTER_DOMAIN = "cluster.local"
CLUSTER_DNS = "10.96.0.10"
NODE_NAMESERVER = "169.254.169.254"
"""Of a simulated node itself: what dnsPolicy Default gives."""


class NodeResolver(NamedTuple):
    """A node's own /etc/resolv.conf."""

    nameservers: Sequence[str] = (NODE_NAMESERVER,)
    searches: Sequence[str] = ()
    options: Mapping[str, str] = {}


SIMULATED_NODE = NodeResolver()
_LONGEST_HOSTNAME = 63
_MOST_NAMESERVERS, _MOST_SEARCHES, _MOST_SEARCH_CHARACTERS = 3, 32, 2048
_LOCAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def hostname(pod: Object) -> str:
    """What `hostname` prints in the pod."""
    spec = objects.spec(pod)
    if spec.get("hostnameOverride"):
        return str(spec["hostnameOverride"])
    if spec.get("hostNetwork"):
        return str(spec.get("nodeName") or "")
    name = _short_name(pod)
    domain = _domain(pod)
    return f"{name}.{domain}" if domain and spec.get("setHostnameAsFQDN") else name


def _short_name(pod: Object) -> str:
    return str(objects.spec(pod).get("hostname") or objects.name(pod)[:_LONGEST_HOSTNAME].rstrip("-."))


def _domain(pod: Object) -> str:
    subdomain = objects.spec(pod).get("subdomain")
    return f"{subdomain}.{objects.namespace(pod)}.svc.{CLUSTER_DOMAIN}" if subdomain else ""


def hosts(pod: Object, addresses: Sequence[str]) -> str:
    """/etc/hosts."""
    if objects.spec(pod).get("hostNetwork"):
        text = f"# Kubernetes-managed hosts file (host network).\n{_LOCAL}"
    else:
        name, domain = _short_name(pod), _domain(pod)
        names = f"{name}.{domain}\t{name}" if domain else name
        text = f"# Kubernetes-managed hosts file.\n{_LOCAL}" + "".join(f"{address}\t{names}\n" for address in addresses)
    aliases = objects.spec(pod).get("hostAliases") or ()
    if aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join("\t".join([str(alias.get("ip")), *(alias.get("hostnames") or ())]) + "\n" for alias in aliases)
    return text


def resolv_conf(pod: Object, cluster_dns: Sequence[str], node: NodeResolver = SIMULATED_NODE) -> str:
    """/etc/resolv.conf by dnsPolicy and dnsConfig."""
    spec = objects.spec(pod)
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    nameservers, searches, options = list(node.nameservers), list(node.searches), dict(node.options)
    if policy == "None":
        nameservers, searches, options = [], [], {}
    elif policy in ("ClusterFirst", "ClusterFirstWithHostNet") and cluster_dns:
        zone = f"svc.{CLUSTER_DOMAIN}"
        own = [f"{objects.namespace(pod)}.{zone}", zone, CLUSTER_DOMAIN]
        nameservers, searches = list(cluster_dns), [*own, *(each for each in searches if each not in own)]
        options = {"ndots": "5"}
    config = spec.get("dnsConfig") or {}
    nameservers += [each for each in config.get("nameservers") or () if each not in nameservers]
    searches += [each for each in config.get("searches") or () if each not in searches]
    options |= {str(option.get("name")): str(option.get("value") or "") for option in config.get("options") or ()}
    while len(" ".join(searches)) > _MOST_SEARCH_CHARACTERS:
        searches.pop()
    lines = [f"search {' '.join(searches[:_MOST_SEARCHES])}"] if searches else []
    lines += [f"nameserver {each}" for each in nameservers[:_MOST_NAMESERVERS]]
    if options:
        lines.append("options " + " ".join(f"{name}:{value}" if value else name for name, value in options.items()))
    return "".join(f"{line}\n" for line in lines)
