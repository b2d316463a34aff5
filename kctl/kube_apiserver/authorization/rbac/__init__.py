"""RBAC: roles are found by the bindings of a user and their groups."""
