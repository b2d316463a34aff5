"""Defaulting and validation say of thousands of random objects exactly what they said when recorded: texts, paths and order.

A difference that is meant is recorded anew: `python -m tests.kctl.kube_apiserver.registry.corpus.golden Kind`.
"""

from __future__ import annotations

import pytest

from tests.kctl.kube_apiserver.registry.corpus import golden
from tests.kctl.kube_apiserver.registry.corpus.answers import answers, digest, resources

RESOURCES = {golden.name_of(resource): resource for resource in resources()}


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_answers_are_the_recorded_ones(name: str) -> None:
    want = golden.digests(name)
    got = list(answers(RESOURCES[name], golden.generator_for(RESOURCES[name]), golden.OBJECTS))
    assert len(got) == len(want)
    different = [(obj, said) for (obj, said), expected in zip(got, want, strict=True) if digest(said) != expected]
    assert not different, f"{len(different)} of {len(got)} objects are answered differently, the first: {different[0]}"


def test_a_changed_answer_is_noticed() -> None:
    said = ["create: spec: Required value", "change: spec.a: Forbidden"]
    assert len({digest(said), digest(said[::-1]), digest(said[:1]), digest([said[0].replace("spec", "Spec"), said[1]])}) == 4
