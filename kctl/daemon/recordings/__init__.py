"""Recordings: what happened in a cluster, in one file for a bug report, and the cluster that it is played back into."""
