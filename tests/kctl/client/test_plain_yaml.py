"""Kubeconfig files as kctl and kubectl write them are read without a YAML library, everything else is left to one."""

from __future__ import annotations

import pytest
import yaml

from kctl.client import plain_yaml

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: kctl
  cluster:
    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJmVENDQVNPZ0F3SUJBZ0lVUnE=
    server: https://127.0.0.1:6443
    insecure-skip-tls-verify: true
contexts:
- context:
    cluster: kctl
    user: "kctl"
    namespace: 'team-a'
  name: kctl
current-context: kctl
preferences: {}
users:
- name: kctl
  user:
    exec:
      args:
      - get-token
      - --cluster
      command: aws
      env: null
    token: abc
"""


def test_reads_what_a_yaml_library_reads() -> None:
    assert plain_yaml.read(KUBECONFIG) == yaml.safe_load(KUBECONFIG)


@pytest.mark.parametrize(
    "text",
    [
        "a: {b: c}",
        "a: [b]",
        "a: |\n  b",
        "a: b # c",
        "a: &x b",
        "a: *x",
        "a: !t b",
        "a:\tb",
        "a: 1",
        "a: 1.5",
        "a: yes",
        'a: "b\\n"',
        "a: b\n  c",
        "a: b\na: c",
        "- - a",
        "a: 'it''s'",
        "? a\n: b",
        "---\na: b",
        "a: 2020-01-01",
        "a: ~",
        "a: .5",
    ],
)
def test_leaves_everything_else_to_a_library(text: str) -> None:
    assert plain_yaml.read(text) is None
