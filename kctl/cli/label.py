"""kctl label."""

from __future__ import annotations

from kctl.cli import options
from kctl.cli.metadata_edit import MetadataEdit


class Label(MetadataEdit):
    """Update the labels on a resource.

    KEY=VALUE sets, KEY- removes. Existing values are only changed with --overwrite.
    """

    name = "label"
    usage = "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]"

    what = "label"
    field_name = "labels"
    done = "labeled"
    field_manager: str = options.field_manager("kubectl-label")
