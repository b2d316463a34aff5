"""The audit log (audit.k8s.io/v1): who asked what, and what became of it, as a policy says how closely."""
