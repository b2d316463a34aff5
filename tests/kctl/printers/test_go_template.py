"""Go templates as -o go-template runs them."""

from __future__ import annotations

import pytest

from kctl.printers import go_template

DATA = {
    "name": "web",
    "n": 3,
    "labels": {"b": "2", "a": "1"},
    "items": [{"x": 1}, {"x": 2}],
    "empty": [],
    "b64": "aGk=",
    "t": True,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.name}}", "web"),
        ("{{.nope}}", "<no value>"),
        ("{{.labels}}", "map[a:1 b:2]"),
        ("{{range .items}}{{.x}},{{end}}", "1,2,"),
        ("{{range.items}}{{.x}},{{end}}", "1,2,"),
        ("{{if(eq 1 2)}}a{{else if.items}}b{{end}}", "b"),
        ("{{range $i, $e := .items}}{{$i}}={{$e.x}} {{end}}", "0=1 1=2 "),
        ("{{range $k, $v := .labels}}{{$k}}{{$v}}{{end}}", "a1b2"),
        ("{{range .empty}}x{{else}}none{{end}}", "none"),
        ("{{if .empty}}x{{else if .t}}yes{{else}}no{{end}}", "yes"),
        ("{{with .labels}}{{.a}}{{end}}", "1"),
        ("{{$x := .n}}{{range .items}}{{$x}}{{end}}", "33"),
        ("{{$x := 1}}{{range .items}}{{$x = .x}}{{end}}{{$x}}", "2"),
        ("{{range .items}}{{if eq .x 2}}{{break}}{{end}}{{.x}}{{end}}", "1"),
        ("{{range .items}}{{if eq .x 1}}{{continue}}{{end}}{{.x}}{{end}}", "2"),
        ("a {{- .name -}} b", "awebb"),
        ("{{/* note */}}x", "x"),
        ('{{printf "%s-%d|%5s|%-5s|%q|%v" .name .n .name .name .name .t}}', 'web-3|  web|web  |"web"|true'),
        ('{{len .items}}{{index .items 1}}{{index .labels "a"}}', "2map[x:2]1"),
        ("{{(index .items 0).x}}", "1"),
        ('{{.b64 | base64decode | printf "%s!"}}', "hi!"),
        ("{{and .t .name}}{{or .empty .name}}{{not .t}}", "webwebfalse"),
        ('{{eq .n 3}}{{ne .name "x"}}{{lt .n 4}}{{ge .n 4}}', "truetruetruefalse"),
        ('{{define "T"}}<{{.}}>{{end}}{{template "T" .name}}', "<web>"),
        ('{{exists . "labels" "a"}}{{exists . "labels" "z"}}', "truefalse"),
        ('{{html "<a>"}}{{urlquery "a b"}}', "&lt;a&gt;a+b"),
        ('{{`raw`}}{{"q\\n"}}{{1.5}}{{nil | printf "%v"}}', "rawq\n1.5<nil>"),
    ],
)
def test_render(template: str, text: str) -> None:
    assert go_template.parse(template).render(DATA) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{.name",
        "{{nosuch .}}",
        "{{if .t}}",
        "{{end}}",
        "{{.name.x}}",
        "{{index .items 9}}",
        '{{eq .n "3"}}',
        "{{$nope}}",
        '{{template "T"}}',
    ],
)
def test_errors(template: str) -> None:
    with pytest.raises(go_template.TemplateError):
        go_template.parse(template).render(DATA)
