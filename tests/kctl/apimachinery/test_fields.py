"""Field selectors."""

from __future__ import annotations

import pytest

from kctl.apimachinery import fields
from kctl.apimachinery.status import BadRequest

POD = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "a,b"}}
SELECTABLE = {"spec.nodeName": lambda obj: obj["spec"].get("nodeName", "")}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("metadata.name=p", True),
        ("metadata.name==p,metadata.namespace=n", True),
        ("metadata.name!=p", False),
        ("metadata.name=q", False),
        (r"spec.nodeName=a\,b", True),
        ("spec.nodeName!=", True),
        ("metadata.name=p,metadata.name=p", True),
        ("metadata.name=p,metadata.name=q", False),
        ("metadata.name!=q,metadata.name!=p", False),
        ("metadata.name=p,metadata.name!=q", True),
    ],
)
def test_matching(text: str, matches: bool) -> None:
    getters = fields.getters_for(SELECTABLE, True)
    selector = fields.parse(text)
    fields.check(selector, SELECTABLE, getters)
    assert selector.predicate(getters)(POD) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        ("metadata.name in (a)", "can't understand 'metadata.name in (a)'"),
        ("spec.bogus=1", "field label not supported: spec.bogus"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        fields.check(fields.parse(text), SELECTABLE, fields.getters_for(SELECTABLE, True))
    assert message in caught.value.message


def test_kinds_without_fields_of_their_own_say_what_there_is() -> None:
    with pytest.raises(BadRequest, match=r'"metadata\.uid" is not a known field selector: only "metadata\.name"'):
        fields.check(fields.parse("metadata.uid=x"), {}, fields.getters_for({}, True))
