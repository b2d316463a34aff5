"""Commands that open an editor: kctl and kubectl show it the same text, say the same of what it made, and send the same.

The editor is a script: the n-th time it is opened it keeps a copy of what it was given and runs the n-th sed expression of a line
below. Each program works in a namespace of its own.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest

from tests.e2e.differential import Outcome, Pair, difference, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

_EDITOR = r"""#!/bin/bash
n=$(($(cat "$STATE/count" 2>/dev/null || echo 0) + 1))
echo $n > "$STATE/count"
cat "$1" >> "$STATE/shown"
if [ -f "$STATE/meanwhile" ]; then . "$STATE/meanwhile"; fi
sed -n "${n}p" "$STATE/edits" > "$STATE/now"
sed -i -f "$STATE/now" "$1"
"""
NGINX = "manifests/examples/nginx.yaml"

STORIES = {
    "edit": r"""
        create deploy web --image=nginx
        create cm a --from-literal=x=1
        create cm b --from-literal=x=1
        edit cm a
        edit cm a | s/x: "1"/x: "2"/
        edit cm a | s/x: "2"/x: 2/
        edit cm a | s/x: "2"/x: [/
        edit cm a | s/x: "2"/x: [/ | s/x: \[/x: "3"/
        edit cm a b | s/x: "3"/x: "4"/
        edit cm | s/x: "4"/x: "5"/
        edit deploy web | s/replicas: 1/replicas: -1/ | s/replicas: -1/replicas: 3/
        edit deploy web | s/replicas: 3/replicas: -1/
        edit deploy web | s/name: web/name: foo/
        edit deploy web --output-patch | s/name: nginx/name: other/
        edit deploy web | s/replicas: 3/replicaz: 3/
        edit deploy web --validate=ignore | s/replicas: 3/replicaz: 3/
        edit cm a | s/.*//
        edit cm a --validate=false | s/.*//
        edit cm a | s/kind: ConfigMap/kindx: ConfigMap/
        edit cm a | s/apiVersion.*/apiVersion: foo/
        edit cm a | s/namespace: .*/namespace: other/
        edit cm a | s/name: a/name: b/
        edit cm a | s/uid: .*/uid: other/
        edit cm a | s/resourceVersion: .*/resourceVersion: "1"/
        edit cm a -o json | s/"x": ".*"/"x": "6"/
        edit cm a -o json | s/"x": ".*"/"x": 6/ | s/"x": 6/"x": "7"/
        edit cm a -o kyaml | s/x: ".*"/x: "8"/
        edit cm a -o name
        edit cm a -o yaml --output-patch | s/x: ".*"/x: "9"/
        edit cm a --windows-line-endings | s/x: ".*"/x: "10"/
        edit cm nosuch
        edit cm a nosuch
        edit
        edit nosuch x
        edit pods
        edit cm a --subresource=nosuch
        edit deploy web --subresource=status | s/availableReplicas: .*/availableReplicas: 7/
        edit deploy web --subresource=scale | s/replicas: .*/replicas: 2/
        edit cm a --validate=nope
        edit crd
        """,
    "create": f"""
        create -f {NGINX} --edit
        create -f {NGINX} --edit | s/replicas: .*/replicas: 2/
        create -f {NGINX} --edit -o name
        create -f {NGINX} --edit | s/replicas: .*/replicas: 3/
        create -f {NGINX} --edit -o json
        create -f {NGINX} --edit --raw /x
        create --raw /x -f a -f b
        create --raw /x -f http://a
        create --raw /x -f a -l x=y
        create --raw /x -f a -R
        create --raw /x -f a -o name
        get deploy,svc -o name
        """,
    "last-applied": f"""
        create -f {NGINX}
        apply view-last-applied deploy/nginx
        apply edit-last-applied deploy/nginx
        apply set-last-applied -f {NGINX}
        apply set-last-applied -f {NGINX} --create-annotation --dry-run=client
        apply set-last-applied -f {NGINX} --create-annotation --dry-run=server
        apply set-last-applied -f {NGINX} --create-annotation
        apply set-last-applied -f {NGINX} --create-annotation -o name
        apply set-last-applied -f {NGINX} -o yaml
        apply set-last-applied -f manifests/examples/job.yaml --create-annotation
        apply set-last-applied
        apply set-last-applied -f nosuch.yaml
        apply edit-last-applied deploy/nginx
        apply edit-last-applied -f {NGINX} | s/replicas: .*/replicas: 7/
        apply edit-last-applied -f {NGINX} -o yaml | s/replicas: .*/replicas: 8/
        apply edit-last-applied deploy/nginx -o json | s/"replicas": .*/"replicas": 9/
        apply edit-last-applied deploy/nginx | s/name: nginx/name: nginy/
        apply edit-last-applied deploy | s/replicas: .*/replicas: 5/
        apply edit-last-applied cm/a
        apply edit-last-applied
        apply view-last-applied -f {NGINX}
        apply -f {NGINX}
        """,
}
_ACCIDENTAL = (
    (re.compile(r"/\S*/k(?:ubec|c)tl-edit-\w+"), "FILE"),
    (re.compile(r"k(?:ubec|c)tl replace"), "PROGRAM replace"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UID"),
    (re.compile(r'(resourceVersion\\?"?: ?\\?")\d+'), r"\1N"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\b10\.96(?:\.\d+){2}\b"), "ADDRESS"),
)


class _Desk:
    """A program, its namespace and its editor."""

    def __init__(self, pair: Pair, program: str, namespace: str, folder: Path) -> None:
        self.run_program = getattr(pair, program)
        self.namespace = namespace
        self.folder = folder
        folder.mkdir()
        self.editor = folder / "editor"
        self.editor.write_text(_EDITOR)
        self.editor.chmod(0o755)

    def run(self, words: list[str], edits: list[str], editor: str = "") -> tuple[Outcome, str]:
        """(what the program said, what it showed in the editor)"""
        (self.folder / "count").unlink(missing_ok=True)
        (self.folder / "edits").write_text("".join(f"{edit}\n" for edit in edits))
        (self.folder / "shown").write_text("")
        variables = {"KUBE_EDITOR": editor or str(self.editor), "STATE": str(self.folder), "TMPDIR": str(self.folder), "SHELL": ""}
        outcome = self.run_program("-n", self.namespace, *words, variables=variables)
        texts = [self._plain(text) for text in (outcome.out, outcome.err, (self.folder / "shown").read_bytes().decode())]
        return Outcome(outcome.code, *texts[:2]), texts[2]

    def _plain(self, text: str) -> str:
        text = text.replace(self.namespace, "NAMESPACE").replace(str(self.folder), "/FOLDER")
        for pattern, shown in _ACCIDENTAL:
            text = pattern.sub(shown, text)
        return text

    def left_behind(self) -> int:
        """How many files of unsent changes there are."""
        return sum(1 for path in self.folder.iterdir() if "-edit-" in path.name)


@pytest.fixture
def desks(pair: Pair, tmp_path: Path, request: pytest.FixtureRequest) -> list[_Desk]:
    name = f"desk-{zlib.crc32(request.node.name.encode()):x}"
    made = [_Desk(pair, program, f"{name}-{number}", tmp_path / number) for program, number in (("kubectl", "one"), ("kctl", "two"))]
    for desk in made:
        pair.kctl("create", "namespace", desk.namespace)
        pair.kctl("delete", "cm", "kube-root-ca.crt", "-n", desk.namespace)
    return made


@pytest.mark.parametrize("name", STORIES)
def test_same_story(desks: list[_Desk], name: str) -> None:
    differences = []
    for line in STORIES[name].strip().splitlines():
        command, *edits = line.strip().split(" | ")
        words = command.split()
        (expected, expected_text), (actual, actual_text) = (desk.run(words, edits) for desk in desks)
        if (expected, expected_text) != (actual, actual_text):
            seen = (
                Outcome(expected.code, expected.out + expected_text, expected.err),
                Outcome(actual.code, actual.out + actual_text, actual.err),
            )
            differences.append(difference([line], *seen))
    if differences:
        pytest.fail("\n\n".join(differences), pytrace=False)
    assert desks[0].left_behind() == desks[1].left_behind()


@pytest.mark.parametrize("editor", ["nosuch", "false", "false x", 'bash -c "exit 3"', "sed -i -e s/x:.*/x:\\ y/"])
def test_editors(desks: list[_Desk], editor: str) -> None:
    for desk in desks:
        desk.run(["create", "cm", "a", "--from-literal=x=1"], [])
    kubectl, kctl = (desk.run(["edit", "cm", "a"], [], editor) for desk in desks)
    assert kctl == kubectl


def test_object_deleted_or_changed_meanwhile(desks: list[_Desk], pair: Pair) -> None:
    """Both keep the user's version in a file and say what can be done with it."""
    for what in ("delete cm a", "annotate cm a y=z"):
        heard = []
        for desk in desks:
            desk.run(["create", "cm", "a", "--from-literal=x=1"], [])
            (desk.folder / "meanwhile").write_text(f"{pair.binary} -n {desk.namespace} {what} > /dev/null\n")
            heard.append(desk.run(["edit", "cm", "a"], ["s/x: .*/x: z/"]))
        assert heard[0] == heard[1]
