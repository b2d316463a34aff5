"""The language in which a kind declares what its fields must be: docs/decisions/0004-rules-hang-on-types.md."""
