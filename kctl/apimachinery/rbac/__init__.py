"""rbac.authorization.k8s.io without a server: what a rule allows, what it takes to hold it, how roles are brought up to date."""
