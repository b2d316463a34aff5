"""The programs of simulated containers against the real ones of this machine: the same words, input and files give the same output, exit
code and, but for the program's own path, messages. Each real program runs in a folder of its own and writes only there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.controllers.kubelet.commands.container import Container

FILES = {
    "plain": "one\ntwo\nthree\nfour\nfive\n",
    "numbers": "10\n9\n2\n33\n2\n-4\n",
    "table": "root:x:0:0:root:/root:/bin/sh\nbin:x:1:1:bin:/bin:/sbin/nologin\nnobody:x:65534:65534:Nobody:/:/bin/false\n",
    "blanks": "a\n\n\nb\n\tc\n\n",
    "open": "no end",
    "empty": "",
    "repeated": "a\na\nb\nA\na\n",
    "words": "The quick brown fox\njumps over the lazy dog\nThe end, the END\n",
    "sub/one.txt": "1\n",
    "sub/deep/two.md": "22\n",
}

COMMANDS = """
cat plain
cat plain empty open
cat nothere plain
cat -n blanks
cat -b blanks
cat -s blanks
cat -A blanks
cat -E open
tac plain
head -n 2 plain
head -2 plain
head -n -2 plain
head -c 5 plain
head plain open
head -q plain open
head nothere
tail -n 2 plain
tail -2 plain
tail -n +3 plain
tail -c 4 plain
tail plain open
tail nothere
wc plain
wc -l plain
wc -w words
wc -c plain open
wc -lw plain words
wc nothere
cut -d : -f 1 table
cut -d: -f1,3- table
cut -d: -f 2 -s plain
cut -c 1-3 words
cut -c 2 words
cut -b -4 words
cut plain
cut --complement -d: -f1 table
tr a-z A-Z < words
tr -d aeiou < words
tr -s ' ' < words
tr '[:upper:]' '[:lower:]' < words
tr -dc '[:alnum:]' < words
tr '\\n' , < plain
tr -cs A-Za-z '\\n' < words
sort plain
sort -r plain
sort -n numbers
sort -nr numbers
sort -u repeated
sort -f repeated
sort -t : -k 3 -n table
sort -t: -k1,1 table
sort -k 2 words
sort nothere
uniq repeated
uniq -c repeated
uniq -d repeated
uniq -u repeated
uniq -i repeated
seq 5
seq 2 4
seq 10 -3 1
seq 1 0.5 3
seq -w 8 11
seq -s , 3
seq x
paste plain numbers
paste -d , plain numbers
paste -s -d + numbers
grep o plain
grep -n o plain
grep -v o plain
grep -c o plain
grep -i THE words
grep -io the words
grep -E 'quick|lazy' words
grep -E '^T.*d$' words
grep -q two plain
grep nothing plain
grep -l o plain words
grep -L o plain words numbers
grep o plain words
grep -h o plain words
grep -w the words
grep -x two plain
grep -F . plain
grep -e one -e two plain
grep -A 1 two plain
grep -B 1 two plain
grep -C 1 three plain
grep -m 1 o plain
grep -r 2 sub
grep o nothere
grep -s o nothere
grep '[[:digit:]]\\+' numbers
grep '\\(e\\)' plain
sed s/o/0/ plain
sed s/o/0/g words
sed -n 2p plain
sed -n '2,4p' plain
sed '2d' plain
sed '/two/d' plain
sed '/two/,/four/d' plain
sed '$d' plain
sed -n '$p' plain
sed -n '/e$/p' plain
sed 's/\\(t\\)\\(.*\\)/\\2\\1/' plain
sed -E 's/(t)(.*)/\\2\\1/' plain
sed 's/t/[&]/' plain
sed 's|o|/|' plain
sed '2i inserted' plain
sed '2a appended' plain
sed '2c changed' plain
sed '2,3c changed' plain
sed y/abc/xyz/ words
sed -n '2{p;q}' plain
sed '3q' plain
sed '2!d' plain
sed -n '/two/=' plain
sed 'N;s/\\n/ /' plain
sed -e 1d -e 's/t/T/' plain
sed 's/o/0/2' words
sed 's/THE/X/I' words
sed '1~2d' plain
sed G plain
sed -n '1!G;h;$p' plain
sed ':a;N;$!ba;s/\\n/,/g' plain
sed s/x/y/ open
sed 's/e/E/;ta;s/^/-/;:a' plain
sed s/a plain
sed 0 plain
find sub | sort
find sub -type f | sort
find sub -name '*.md'
find sub -maxdepth 1 | sort
find sub -type d -name deep
find sub ! -name '*.txt' -type f
find sub -name '*.txt' -o -name '*.md' | sort
find nothere
xargs < plain
xargs -n 2 < plain
xargs -I {} echo item={} < plain
xargs -n 1 echo go < plain
md5sum plain
sha1sum plain
sha256sum plain open
sha512sum empty
sha256sum nothere
base64 words
base64 -w 0 words
base64 -d open | od -c
basename /usr/lib/x.so .so
basename /usr/lib/
basename -s .md sub/deep/two.md
dirname /usr/lib/x.so
dirname x
dirname /x
readlink plain
readlink -f sub/../plain
ls
ls -1 sub
ls -a sub
ls -A sub
ls -d sub
ls -R sub
ls nothere
ls plain sub
ls -r
stat -c %s plain
stat -c %a:%F plain
stat -c %F sub
stat -c '%n %s' plain open
stat nothere
mkdir new && ls
mkdir sub
mkdir -p a/b/c && find a
mkdir nothere/x
rmdir sub
rm plain && ls
rm nothere
rm -f nothere
rm sub
rm -r sub && ls
cp plain copy && cat copy
cp plain sub && ls sub
cp sub copy
cp -r sub copy && find copy | sort
cp nothere copy
cp plain
mv plain moved && ls
mv plain sub && ls sub
mv nothere x
ln -s plain link && readlink link && cat link
ln -s plain plain
ln plain hard && cat hard
touch fresh && wc -c fresh
touch nothere/x
chmod 600 plain && stat -c %a plain
chmod u+x,go-r plain && stat -c %A plain
chmod a=r plain && stat -c %A plain
chmod +x plain && stat -c %a plain
chmod zzz plain
chmod 600 nothere
dd if=plain bs=4 count=2 status=none
dd if=/dev/zero of=zeros bs=10 count=3 status=none && wc -c zeros
dd if=plain bs=1 skip=4 status=none
tee copy < plain && cat copy
printf '%s-%d\\n' a 1 b 2
printf '%05.1f|%x|%c\\n' 3.14159 255 hello
expr 3 + 4
expr 3 '*' '(' 2 + 1 ')'
expr 7 / 2
expr -7 % 3
expr a = a
expr 1 '>' 2
expr length hello
expr substr hello 2 3
expr abc : 'a\\(.*\\)'
expr abc : 'ab'
expr 1 / 0
test -f plain
test -d plain
test 3 -gt 2
nl plain
fold -w 3 words
rev plain
truncate -s 3 plain && cat plain
od -c plain
od -A n -t x1 open
id -u
env -i A=b env
env -i A=b B=c printenv A
printenv NOTHING
date -d @0 -u
date -u -d @1700000000 +%Y-%m-%dT%H:%M:%SZ
date -u -d 2024-02-29 +%j
timeout 5 echo done
true
false
yes | head -n 3
tar cf - sub/one.txt | tar tf -
tar cf x.tar sub && tar tf x.tar | sort
gzip plain && gunzip plain.gz && cat plain
gzip -c plain | zcat
sort numbers | uniq -c | sort -rn | head -1
cat words | tr ' ' '\\n' | sort -f | uniq -ci | sort -k1,1nr -k2
""".strip().splitlines()


def _real(tmp_path: Path, command: str) -> tuple[int, str, str]:
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20
    )
    return done.returncode, done.stdout, done.stderr


def _words(command: str) -> list[str]:
    return [word for word in command.replace("|", " ").replace("&&", " ").split() if word.isalnum()]


def _differs(message: str) -> str:
    """The words of quoting and paths that builds differ in."""
    lines = [
        line for line in message.replace("‘", "'").replace("’", "'").splitlines() if "--help" not in line and not line.startswith("Usage:")
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_program_does_what_the_machines_does(command: str, tmp_path: Path) -> None:
    program = command.split()[0]
    if shutil.which(program) is None:
        pytest.skip(f"this machine has no {program}")
    if "awk" not in program and Path(os.path.realpath(shutil.which(program) or "")).name in ("busybox", "toybox"):
        pytest.skip("this machine has not the GNU tools")
    code, out, error = _real(tmp_path, command)
    container = Container("debian", {f"/work/{name}": content for name, content in FILES.items()})
    result = container.run("sh", "-c", command, cwd="/work")
    place = str(tmp_path)
    assert result.out == out.replace(place, "/work")
    assert result.code == code
    assert _differs(result.error) == _differs(error.replace(place, "/work"))
