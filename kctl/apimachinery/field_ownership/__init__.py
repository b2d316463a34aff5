"""Who owns which field of an object: metadata.managedFields and server-side apply (structured-merge-diff, apimachinery's managedfields).

Pure functions on plain JSON data. `managers` is where a write begins; `field_schema` is what a kind must know of itself.
"""
