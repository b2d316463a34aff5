"""awk of simulated containers against the machine's own: the same programs over the same files give the same output and exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.controllers.kubelet.commands.container import Container
from tests.controllers.kubelet.commands.test_programs_like_the_machines import FILES

PROGRAM = "function double(n) { return 2 * n }\n/o/ { print double(NR), $0 }\n"
COMMANDS = r"""
awk '{print $1}' words
awk 'END{print NR}' plain
awk -F: '{print $1, $NF}' table
awk -F: '$3 > 0 {print $1}' table
awk -F: -v OFS=- '{$1=$1; print}' table
awk 'NR==2' plain
awk 'NR>1 && NR<4' plain
awk '/two/,/four/' plain
awk '{s+=$1} END {print s, s/NR}' numbers
awk '{print length, length($0)}' words
awk '{print toupper($1), substr($0, 2, 3)}' words
awk 'BEGIN{printf "%5.2f|%-5s|%05d|%x|%c|%c|%%\n", 3.14159, "ab", 42, 255, 65, "hello"}'
awk '{count[$1]++} END {for (k in count) print k, count[k]}' repeated | sort
awk 'BEGIN{x["a"]=1; if ("a" in x) print "yes"; if (!("b" in x)) print "no"; delete x["a"]; print length(x)}'
awk '{n=split($0, parts, " "); for (i=n; i>0; i--) printf "%s%s", parts[i], (i>1 ? " " : "\n")}' words
awk '{gsub(/o/, "0"); print}' plain
awk '{sub(/e$/, "[&]"); print}' plain
awk '{print index($0, "e"), match($0, /[aeiou]+/), RSTART, RLENGTH}' words
awk 'function f(n) {return n<2 ? n : f(n-1)+f(n-2)} BEGIN{print f(15)}'
awk 'function fill(a, n,  i) {for (i=0;i<n;i++) a[i]=i*i} BEGIN{fill(q, 4); for(i=0;i<4;i++) print q[i]}'
awk 'BEGIN{while (i<3) {i++; if (i==2) continue; print i}; do {i--} while (i>0); print i}'
awk 'BEGIN{exit 3} END{print "end"}'
awk '{exit} END{print NR}' plain
awk 'BEGIN{print 1e6, 1000000, 0.1+0.2, 1/3, 1000*1000, 2^10, 7%3, -7%3}'
awk 'BEGIN{print 1==1.0, "a"<"b", "10"<"9", 10<9, "abc" ~ /b/, "abc" !~ "^b"}'
awk '{print ($1 > 5 ? "big" : "small")}' numbers
awk 'BEGIN{print length("hello") length("x"), 1 " " 2, 3 4}'
awk '!seen[$0]++' repeated
awk 'BEGIN { while ((getline line < "plain") > 0) n++; print n, line }'
awk 'BEGIN { "echo hi; echo there" | getline x; print x; close("echo hi; echo there") }'
awk '{print | "sort"}' plain
awk '{print $1 > "out1"} END {close("out1"); while ((getline l < "out1") > 0) print "got", l}' plain
awk 'BEGIN{system("echo from system")}'
awk 'BEGIN{RS=""; FS="\n"} {print NR ": " $1 "," NF}' blanks
awk 'BEGIN{FS=","} {print NF}' plain
awk 'NF' blanks
awk '{$3=""; print NF ":" $0}' words
awk '{NF=2; print}' words
awk '{$6="six"; print}' words
awk 'BEGIN{OFS="-"} {$1=$1} 1' words
awk '{print FILENAME, FNR, NR}' plain open
awk '{print v}' v=7 plain
awk -v 'a=x\ty' 'BEGIN{print a}'
awk 'BEGIN{print ARGC, ARGV[1]}' plain open
awk 'BEGIN{printf "%s %s %s\n", "a", "b", "c"; printf("%d-%d\n", 1, 2)}'
awk 'BEGIN{print substr("hello", 0), substr("hello", 2), substr("hello", 4, 100)}'
awk 'BEGIN{print int(3.9), int(-3.9), int("12abc"), sqrt(16), exp(0), log(1)}'
awk 'BEGIN{print tolower("ABC") "" toupper("xyz")}'
awk 'BEGIN{a="A"; b=a++; print a, b; print -2^2, !0, !1, 1 - -1}'
awk 'BEGIN { if (!(3 in x)) print "none"; x[1,2]=3; for (k in x) {split(k, p, SUBSEP); print p[1], p[2]} }'
awk 'NR%2{next} {print}' plain
awk 'END{print $0}' plain
awk '/^[[:upper:]]/{print NR": "$0}' words
awk -F'[:/]' '{print $2, NF}' table
awk -F '|' '{print $1}' plain
awk -f prog.awk plain
awk 'BEGIN{x; print x+0, x "", length(x)}'
awk '{a[NR]=$0} END{for(i=NR;i>0;i--) print a[i]}' plain
awk 'BEGIN{s="aaa"; n=gsub(/a/,"b",s); print n, s; t="a.b.c"; gsub("\\.", "-", t); print t}'
awk 'BEGIN{s="hello"; gsub(/l*/, "x", s); print s}'
awk 'BEGIN{print "a\tb\\n\"q\""; print "x" > "/dev/stderr"}'
awk '$1 ~ "^t" || $1 == "one" {print "m", $1}' plain
awk '{ printf("%-10s %s\n", $1, $2) }' words
awk 'BEGIN{for(;;){if(++i>4)break}; print i}'
awk 'BEGIN{$0="a b c"; print NF, $2; $5="e"; print; print NF}'
awk '{print $(NF-1)}' words
awk '{print $NF-1, $1+$2}' numbers
awk 'BEGIN{print length()}' plain
awk {'print $1'} words
awk nothere.awk plain
awk '{print}' nothere
awk '{print $1' plain
""".strip().splitlines()
SEVERAL_LINES = r"""awk '
# comment
BEGIN { x = 1; y = 2 }   # more
{ if (x == 1) print "one"
  else print "other" }
END { print x,
        y }' plain"""


def real(tmp_path: Path, command: str) -> tuple[int, str, str]:
    for name, content in {**FILES, "prog.awk": PROGRAM}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20
    )
    return done.returncode, done.stdout, done.stderr


def simulated(command: str) -> tuple[int | None, str, str]:
    files = {**FILES, "prog.awk": PROGRAM}
    container = Container("debian", {f"/work/{name}": content for name, content in files.items()})
    running = container.start(["sh", "-c", command], cwd="/work")
    container.clock.advance(0.1)  # what computes for long waits for its turn
    result = running.result
    return result.code, result.out, result.error


@pytest.mark.parametrize("command", [*COMMANDS, SEVERAL_LINES])
def test_awk_does_what_the_machines_does(command: str, tmp_path: Path) -> None:
    if Path(os.path.realpath(shutil.which("awk") or "")).name != "mawk":
        pytest.skip("what is compared is mawk's")
    code, out, error = real(tmp_path, command)
    made = simulated(command)
    assert made[:2] == (code, out), made
    if "line " not in error and "awk: 1:" not in error:  # of syntax errors every awk has its own words
        assert made[2] == error


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("BEGIN{while(1) i++}", "a command that computes for that long"),
        ('BEGIN{print gensub(/a/, "b", 1)}', "awk's gensub()"),
        ('BEGIN{"sleep 3; echo x" | getline y}', "an awk program that waits for a command"),
        ('BEGIN{s = "x"; while (1) s = s s}', "an awk program with strings that long"),
        ("function f(n) {return f(n+1)} BEGIN{f(1)}", "an awk program with functions that deep"),
    ],
)
def test_what_awk_does_not_do_says_so(script: str, why: str) -> None:
    code, _, error = simulated(f"awk '{script}'")
    assert code == 127 and why in error
