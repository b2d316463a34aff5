"""The volumes of a pod as the kubelet's plugins lay them out: payloads behind `..data`, modes, fsGroup, what follows changes. Pure.

A volume made of API objects looks at them whenever its files are looked at, so a change shows at once where a kubelet takes up to a minute.
"""

from __future__ import annotations

import base64
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controllers.kubelet.commands.programs import images
from controllers.kubelet.environment import field_value, resource_value
from controllers.kubelet.files.tree import Budget, Directory, File, Mount, Node, Symlink
from controllers.kubelet.references import CONFIG_MAP, SECRET, Lookup
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

Payload = dict[str, tuple[bytes, int]]
"""Path > (content, mode)."""

_HOST_HOSTS = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
"""/etc/hosts of a simulated node itself."""
_DATA = "..data"
_MEMORY = "tmpfs"
_DISK = "ext4"
_DEFAULT_MODE = 0o644


class VolumeSources:
    """What volumes are made of. `shared` gives the folder of a name that outlives pods (a claim, a path of the host); `token` the
    ServiceAccount token fetched for (audience, seconds), '' before it is there; `allocatable` what the node of a pod has to give."""

    def __init__(
        self,
        lookup: Lookup,
        shared: Callable[[str], Directory],
        token: Callable[[str, int], str],
        allocatable: Callable[[Object], Mapping[str, Any]],
    ) -> None:
        self.lookup = lookup
        self.shared = shared
        self.token = token
        self.allocatable = allocatable


def mounts(pod: Callable[[], Object], sources: VolumeSources, budget: Budget) -> dict[str, Mount]:
    """Name > volume. `pod` gives the present version, which the downward API shows."""
    made: dict[str, Mount] = {}
    for volume in objects.spec(pod()).get("volumes") or ():
        made[str(volume["name"])] = _mount(volume, pod, sources, budget)
    return made


def _mount(volume: Object, pod: Callable[[], Object], sources: VolumeSources, budget: Budget) -> Mount:
    group = _fs_group(pod())
    if "emptyDir" in volume:
        directory = Directory(mode=0o777)
        _give_to_group(directory, group, 0o660)
        return Mount(directory, _MEMORY if (volume["emptyDir"] or {}).get("medium") == "Memory" else _DISK)
    for kind in _PAYLOADS:
        if kind in volume:
            return Mount(_payload_directory(kind, volume[kind], pod, sources, group), _DISK if kind == "configMap" else _MEMORY)
    return _shared_mount(volume, pod(), sources, group)


def _shared_mount(volume: Object, pod: Object, sources: VolumeSources, group: int | None) -> Mount:
    namespace, node = objects.namespace(pod), objects.spec(pod).get("nodeName")
    if "hostPath" in volume:
        return Mount(_host_node(volume["hostPath"], f"host/{node}", sources.shared), _DISK)
    if "image" in volume:
        return Mount(_image_root(str(volume["image"].get("reference") or "")), _DISK, read_only=True)
    if "persistentVolumeClaim" in volume:
        source = volume["persistentVolumeClaim"]
        directory, read_only = sources.shared(f"claim/{namespace}/{source.get('claimName')}"), bool(source.get("readOnly"))
    elif "ephemeral" in volume:
        directory, read_only = sources.shared(f"claim/{namespace}/{objects.name(pod)}-{volume['name']}"), False
    else:  # a driver's: inline CSI, NFS
        directory, read_only = Directory(mode=0o777), False
    _give_to_group(directory, group, 0o660)
    return Mount(directory, _DISK, read_only)


def _host_node(source: Object, host: str, shared: Callable[[str], Directory]) -> Node:
    """A folder of the node, or a file where the type asks for one."""
    path = str(source.get("path") or "/").strip("/")
    if source.get("type") not in ("File", "FileOrCreate"):
        return shared(f"{host}/{path}")
    folder, _, name = path.rpartition("/")
    return shared(f"{host}/{folder}").entries.setdefault(name, File(_HOST_HOSTS if path == "etc/hosts" else b""))


def _image_root(reference: str) -> Directory:
    root = Directory()
    for path, content in images.files(reference).items():
        *folders, name = path.strip("/").split("/")
        at = root
        for folder in folders:
            below = at.entries.setdefault(folder, Directory())
            assert isinstance(below, Directory), "the data of an image"
            at = below
        at.entries[name] = File(content)
    return root


# ---- volumes made of API objects


def _payload_directory(kind: str, source: Object, pod: Callable[[], Object], sources: VolumeSources, group: int | None) -> Directory:
    directory = Directory(mode=0o777)
    make = _PAYLOADS[kind]
    last: list[Payload] = []

    def refresh() -> None:
        payload = make(source or {}, pod(), sources)
        if not last or last[0] != payload:
            last[:] = [payload]
            _lay_out(directory, payload, group)

    directory.refresh = refresh
    return directory


def _lay_out(directory: Directory, payload: Payload, group: int | None) -> None:
    """The atomic writer's: files in a folder of their own, links to them by way of `..data`, which is exchanged as a whole."""
    data = Directory(mode=0o755)
    for path, (content, mode) in sorted(payload.items()):
        at = data
        *folders, name = path.split("/")
        for folder in folders:
            below = at.entries.setdefault(folder, Directory(mode=0o755))
            if not isinstance(below, Directory):
                break
            at = below
        else:
            at.entries[name] = File(content, mode)
    number = int(_number_of(directory)) + 1
    name = f"..{number:010d}"
    entries: dict[str, Node] = {name: data, _DATA: Symlink(name)}
    entries |= {top: Symlink(f"{_DATA}/{top}") for top in data.entries}
    directory.entries = entries
    _give_to_group(directory, group, 0o440)


def _number_of(directory: Directory) -> str:
    link = directory.entries.get(_DATA)
    return link.target[2:] if isinstance(link, Symlink) else "0"


def _fs_group(pod: Object) -> int | None:
    group = (objects.spec(pod).get("securityContext") or {}).get("fsGroup")
    return None if group is None else int(group)


def _give_to_group(node: Node, group: int | None, bits: int) -> None:
    """fsGroup: all of a volume belongs to the group, which may read (and write) it; folders hand the group on."""
    if group is None:
        return
    node.gid = group
    if isinstance(node, Directory):
        node.mode |= bits | 0o110 | stat.S_ISGID
        for child in node.entries.values():
            _give_to_group(child, group, bits)
    elif not isinstance(node, Symlink):
        node.mode |= bits


def _mode(source: Object, item: Object) -> int:
    mode = item.get("mode")
    if mode is None:
        mode = source.get("defaultMode")
    return _DEFAULT_MODE if mode is None else int(mode) & 0o777


def _config_map(source: Object, pod: Object, sources: VolumeSources) -> Payload:
    obj = sources.lookup(CONFIG_MAP, f"{objects.namespace(pod)}/{source.get('name')}")
    return _keyed(source, _config_map_data(obj))


def _secret(source: Object, pod: Object, sources: VolumeSources) -> Payload:
    obj = sources.lookup(SECRET, f"{objects.namespace(pod)}/{source.get('secretName') or source.get('name')}")
    return _keyed(source, _secret_data(obj))


def _config_map_data(obj: Object | None) -> dict[str, bytes]:
    if obj is None:
        return {}
    data = {key: str(value).encode() for key, value in (obj.get("data") or {}).items()}
    return data | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def _secret_data(obj: Object | None) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in ((obj or {}).get("data") or {}).items()}


def _keyed(source: Object, data: Mapping[str, bytes]) -> Payload:
    items = source.get("items")
    if items:
        return {str(item["path"]): (data[item["key"]], _mode(source, item)) for item in items if item.get("key") in data}
    return {key: (content, _mode(source, {})) for key, content in data.items()}


def _downward(source: Object, pod: Object, sources: VolumeSources) -> Payload:
    payload: Payload = {}
    for item in source.get("items") or ():
        if "fieldRef" in item:
            text: str | None = _field(pod, str(item["fieldRef"].get("fieldPath") or ""))
        else:
            text = resource_value(pod, {}, item.get("resourceFieldRef") or {}, sources.allocatable(pod))
        payload[str(item["path"])] = ((text or "").encode(), _mode(source, item))
    return payload


def _field(pod: Object, path: str) -> str:
    if path in ("metadata.labels", "metadata.annotations"):
        values = objects.metadata(pod).get(path.partition(".")[2]) or {}
        return "".join(f"{key}={_quoted(str(value))}\n" for key, value in sorted(values.items()))
    return field_value(pod, path, str(objects.status(pod).get("podIP") or ""))


def _quoted(text: str) -> str:
    """Go's %q."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'


def _projected(source: Object, pod: Object, sources: VolumeSources) -> Payload:
    payload: Payload = {}
    for each in source.get("sources") or ():
        for path, (content, mode) in _projection(each, pod, sources, source):
            payload[path] = content, mode
    return payload


def _projection(each: Object, pod: Object, sources: VolumeSources, whole: Object) -> Iterator[tuple[str, tuple[bytes, int]]]:
    for kind, make in (("configMap", _config_map), ("secret", _secret), ("downwardAPI", _downward)):
        if kind in each:
            inner = {**each[kind], "defaultMode": whole.get("defaultMode")}
            yield from make(inner, pod, sources).items()
    if "serviceAccountToken" in each:
        wanted = each["serviceAccountToken"]
        token = sources.token(str(wanted.get("audience") or ""), int(wanted.get("expirationSeconds") or 3600))
        if token:
            yield str(wanted["path"]), (token.encode(), _token_mode(pod, whole))


def _token_mode(pod: Object, whole: Object) -> int:
    """Readable by its group alone with an fsGroup, else as the volume says."""
    return 0o600 if _fs_group(pod) is not None else _mode(whole, {})


_PAYLOADS: Mapping[str, Callable[[Object, Object, VolumeSources], Payload]] = {
    "configMap": _config_map,
    "secret": _secret,
    "downwardAPI": _downward,
    "projected": _projected,
}
