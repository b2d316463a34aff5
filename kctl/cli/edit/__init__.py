"""kctl edit, and what else opens an editor: `create --edit`, `apply edit-last-applied`."""
