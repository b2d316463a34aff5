"""kctl annotate."""

from __future__ import annotations

from kctl.cli import options
from kctl.cli.metadata_edit import MetadataEdit


class Annotate(MetadataEdit):
    """Update the annotations on a resource.

    KEY=VALUE sets, KEY- removes. Existing values are only changed with --overwrite.
    """

    name = "annotate"
    usage = "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]"

    what = "annotation"
    field_name = "annotations"
    done = "annotated"
    recursive: bool = options.recursive(default=True)
    field_manager: str = options.field_manager("kubectl-annotate")
