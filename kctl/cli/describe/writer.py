"""The text a description is written to: levels of indentation, tab-separated cells, aligned when it is finished.

`flush` ends an alignment block, as kubectl flushes its tabwriter before the events.
"""

from collections.abc import Mapping

from kctl.printers.elastic_tabs import align

_MAXIMUM_ANNOTATION = 140
_HIDDEN_ANNOTATIONS = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})


class Writer:
    def __init__(self) -> None:
        self._pending: list[str] = []
        self._done: list[str] = []

    def line(self, level: int, text: str) -> None:
        """`level` 0 is the margin, each further one two spaces in."""
        self._pending.append("  " * level + text + "\n")

    def raw(self, text: str) -> None:
        self._pending.append(text)

    def flush(self) -> None:
        if self._pending:
            self._done.append(align("".join(self._pending)))
            self._pending = []

    def unaligned(self) -> str:
        """With the tabs left in."""
        return "".join(self._pending)

    def text(self) -> str:
        self.flush()
        return "".join(self._done)


def write_labels(out: Writer, title: str, pairs: Mapping[str, str] | None, *, indent: str = "", inner: str = "\t") -> None:
    """One pair a line, sorted; <none> where there are none."""
    out.raw(f"{indent}{title}:{inner}")
    if not pairs:
        out.raw("<none>\n")
        return
    for number, key in enumerate(sorted(pairs)):
        if number:
            out.raw(f"{indent}{inner}")
        out.raw(f"{key}={pairs[key]}\n")


def write_annotations(out: Writer, title: str, pairs: Mapping[str, str] | None) -> None:
    """Long or many-line values go below their key; kubectl's own bookkeeping is left out."""
    out.raw(f"{title}:\t")
    keys = sorted(key for key in pairs or {} if key not in _HIDDEN_ANNOTATIONS)
    if not keys or pairs is None:
        out.raw("<none>\n")
        return
    for number, key in enumerate(keys):
        if number:
            out.raw("\t")
        value = pairs[key].removesuffix("\n")
        if len(value) + len(key) + 2 > _MAXIMUM_ANNOTATION or "\n" in value:
            out.raw(f"{key}:\n")
            for part in value.split("\n"):
                out.raw(f"\t  {_shorten(part, _MAXIMUM_ANNOTATION - 2)}\n")
        else:
            out.raw(f"{key}: {value}\n")


def _shorten(text: str, maximum: int) -> str:
    return text if len(text) <= maximum else text[:maximum] + "..."
