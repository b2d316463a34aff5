"""What asks for names: dig, nslookup (busybox's and BIND's), host, getent."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs import images
from controllers.kubelet.commands.programs.call import Applet, Call, programs
from controllers.kubelet.commands.programs.resolver import (
    NoServer,
    Record,
    candidates,
    configuration,
    hosts,
    is_address,
    lookup,
    query,
    said_of,
)

Waits = float | None
_TYPES = ("A", "AAAA", "CNAME", "PTR", "SRV", "TXT", "ANY", "MX", "NS", "SOA")
_KNOWN = ("A", "AAAA", "CNAME", "PTR", "SRV", "TXT")
_TTL = 30
"""As kubeadm sets CoreDNS up."""
_TRIES, _SECONDS = 3, 5.0


def reverse_name(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer


def _servers(call: Call, server: str) -> list[str]:
    return [server] if server else list(configuration(call.process).nameservers) or ["127.0.0.1"]


def _server_address(call: Call, text: str) -> str:
    """Of @server. Raises socket.gaierror."""
    return lookup(call.process, text)[0] if text else ""


def _ask(call: Call, name: str, type: str, server: str) -> list[Record]:
    if type in _KNOWN:
        return query(call.process, name, type, server)
    query(call.process, name, "A", server)  # who answers nothing is noticed
    return [record for each in _KNOWN for record in query(call.process, name, each, server)] if type == "ANY" else []


def _exists(call: Call, name: str, server: str) -> bool:
    return any(query(call.process, name, type, server) for type in _KNOWN)


# ---- dig

_SECTIONS = ("cmd", "comments", "question", "answer", "authority", "additional", "stats")


@dataclass
class _Question:
    name: str = ""
    type: str = "A"
    server: str = ""
    search: bool = False
    short: bool = False
    tcp: bool = False
    shown: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(_SECTIONS, True))
    seconds: float = _SECONDS
    tries: int = _TRIES


_WITHOUT_MEANING = {"recurse", "edns", "cookie", "dnssec", "adflag", "ednsflags", "ttlid", "class", "rrcomments", "multiline", "keepopen"}


def _dig_words(call: Call) -> _Question:
    asked = _Question()
    words = list(call.arguments)
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word.startswith("@"):
            asked.server = word[1:]
        elif word.startswith("+"):
            _dig_option(call, asked, word[1:])
        elif word in ("-x", "-t", "-q", "-p", "-c", "-b"):
            value = words[at] if at < len(words) else ""
            at += 1
            if word == "-x":
                asked.name, asked.type = reverse_name(value) if is_address(value) else value, "PTR"
            elif word == "-t":
                asked.type = value.upper()
            elif word == "-q":
                asked.name = value
        elif word.startswith("-") and word not in ("-4", "-6"):
            raise NotInterpreted(f'"dig {word}"')
        elif word.upper() in _TYPES and (asked.name or at < len(words)):
            asked.type = word.upper()
        elif word.upper() not in ("IN", "-4", "-6"):
            asked.name = word
    return asked


def _dig_option(call: Call, asked: _Question, option: str) -> None:
    on = not option.startswith("no")
    name, _, value = option.removeprefix("no").partition("=")
    if name == "all":
        asked.shown = dict.fromkeys(_SECTIONS, on)
    elif name in _SECTIONS:
        asked.shown[name] = on
    elif name in ("search", "defname"):
        asked.search = on
    elif name == "short":
        asked.short = on
    elif name in ("tcp", "vc"):
        asked.tcp = on
    elif name in ("time", "timeout") and value.isdigit():
        asked.seconds = float(int(value[:4]) or 1)
    elif name in ("tries", "retry") and value.isdigit():
        asked.tries = min(int(value[:3]) + (name == "retry"), 50) or 1
    elif name in ("ndots", "domain", "bufsize") or name in _WITHOUT_MEANING:
        return
    else:
        raise NotInterpreted(f'"dig +{option}"')


def _dig(call: Call) -> Run:
    asked = _dig_words(call)
    try:
        server = _server_address(call, asked.server)
    except socket.gaierror:
        call.process.print(f"dig: couldn't get address for '{asked.server}': not found\n")
        return 10
    name, records = asked.name or ".", list[Record]()
    names = candidates(configuration(call.process), name) if asked.search else [name.rstrip(".")]
    full = name.rstrip(".")
    try:
        for full in names:
            records = _ask(call, full, asked.type, server)
            if records:
                break
    except NoServer:
        return (yield from _no_answer(call, asked, server))
    if asked.short:
        call.print("".join(f"{value}\n" for _, _, value in records))
        return 0
    call.print(_dig_answer(call, asked, full, records, server))
    return 0


def _no_answer(call: Call, asked: _Question, server: str) -> Run:
    for each in _servers(call, server):
        for _ in range(asked.tries):
            yield asked.seconds
            call.print(f";; communications error to {each}#53: timed out\n")
    call.print(f"\n; <<>> DiG 9.18.24 <<>> {' '.join(call.arguments)}\n;; global options: +cmd\n" if asked.shown["cmd"] else "")
    call.print(";; no servers could be reached\n")
    return 9


def _columns(owner: str, type: str, value: str) -> str:
    shown = f"{owner}."
    tabs = "\t" * max((31 - len(shown)) // 8, 0) or " "
    return f"{shown}{tabs}{_TTL}\tIN\t{type}\t{value}\n" if tabs != " " else f"{shown} {_TTL} IN {type}\t{value}\n"


def _dig_answer(call: Call, asked: _Question, full: str, records: Sequence[Record], server: str) -> str:
    shown, text = asked.shown, ""
    if shown["cmd"]:
        text += f"\n; <<>> DiG 9.18.24 <<>> {' '.join(call.arguments)}\n;; global options: +cmd\n"
    if shown["comments"]:
        status = "NOERROR" if records or _exists(call, full, server) else "NXDOMAIN"
        text += f";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: {status}, id: {call.process.world.random.randrange(65536)}\n"
        text += f";; flags: qr aa rd; QUERY: 1, ANSWER: {len(records)}, AUTHORITY: 0, ADDITIONAL: 1\n"
        text += ";; WARNING: recursion requested but not available\n\n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n"
    if shown["question"]:
        text += f"{';; QUESTION SECTION:' if shown['comments'] else ''}\n;{full}.\t\tIN\t{asked.type}\n\n".lstrip("\n")
    if shown["answer"] and records:
        text += (";; ANSWER SECTION:\n" if shown["comments"] else "") + "".join(_columns(*record) for record in records)
        text += "\n" if shown["comments"] else ""
    if shown["stats"]:
        used, now = _servers(call, server)[0], call.process.world.clock.now()
        text += f";; Query time: 0 msec\n;; SERVER: {used}#53({used}) ({'TCP' if asked.tcp else 'UDP'})\n"
        text += f";; WHEN: {now:%a %b %d %H:%M:%S} UTC {now:%Y}\n;; MSG SIZE  rcvd: {40 + 40 * len(records)}\n\n"
    return text


# ---- nslookup


def _is_bind(call: Call) -> bool:
    return call.gnu or images.family(call.process.world.image) in ("agnhost", "jessie-dnsutils")


def _nslookup(call: Call) -> Run:
    type, words = "", []
    for word in call.arguments:
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and equals and name in ("type", "query", "querytype", "q"):
            type = value.upper()
        elif not word.startswith("-"):
            words.append(word)
    if not words:
        raise NotInterpreted("an interactive nslookup")
    bind = _is_bind(call)
    try:
        server = _server_address(call, words[1] if len(words) > 1 else "")
    except socket.gaierror:
        call.process.complain(f"nslookup: couldn't get address for '{words[1]}': not found\n")
        return 1
    used = _servers(call, server)[0]
    name, wanted = words[0], [type] if type else ["A", "AAAA"]
    if is_address(name):
        name, wanted = reverse_name(name) + ".", ["PTR"]
    try:
        full, found = _first(call, name, wanted, server)
    except NoServer:
        yield from _silence(call, server, ";; connection timed out; no servers could be reached\n")
        call.print("\n")
        return 1
    call.print(f"Server:\t\t{used}\nAddress:\t{used}{'#53' if bind else ':53'}\n\n")
    if not found:
        missing = "NXDOMAIN" if not _exists(call, full, server) else "No answer"
        words_of = f"** server can't find {full}: NXDOMAIN" if missing == "NXDOMAIN" else f"*** Can't find {full}: No answer"
        call.print(f"{words_of}\n\n")
        return 1 if missing == "NXDOMAIN" or not bind else 0
    for owner, kind, value in dict.fromkeys(found):
        call.print(_nslookup_record(owner, kind, value))
    call.print("\n")
    return 0


def _nslookup_record(owner: str, kind: str, value: str) -> str:
    if kind in ("A", "AAAA"):
        return f"Name:\t{owner}\nAddress: {value}\n"
    if kind == "CNAME":
        return f"{owner}\tcanonical name = {value}\n"
    if kind == "SRV":
        return f"{owner}\tservice = {value}\n"
    return f"{owner}\t{'name' if kind == 'PTR' else 'text'} = {value}\n"


def _first(call: Call, name: str, types: Sequence[str], server: str) -> tuple[str, list[Record]]:
    """(the last full name that was asked for, its records)"""
    full = name
    for full in candidates(configuration(call.process), name):
        found = [record for type in types for record in _ask(call, full, type, server)]
        if found:
            return full, found
    return name.rstrip("."), []


def _silence(call: Call, server: str, words: str) -> Generator[Waits, None, None]:
    yield _SECONDS * 2 * len(_servers(call, server))
    call.print(words)


# ---- host


def _host(call: Call) -> Run:
    given, words = call.options("4avT", "tWR")
    if not words:
        raise call.usage("Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time] name [server]")
    name, wanted = words[0], [given["t"].upper()] if "t" in given else ["A", "AAAA"]
    if is_address(name):
        name, wanted = reverse_name(name) + ".", ["PTR"]
    try:
        server = _server_address(call, words[1] if len(words) > 1 else "")
        full, found = _first(call, name, wanted, server)
    except NoServer:
        yield from _silence(call, "", ";; connection timed out; no servers could be reached\n")
        return 1
    except socket.gaierror:
        call.process.complain(f"host: couldn't get address for '{words[1]}': not found\n")
        return 1
    if not found:
        exists = _exists(call, full, server)
        call.print(f"{full} has no {wanted[0]} record\n" if exists else f"Host {full} not found: 3(NXDOMAIN)\n")
        return 0 if exists else 1
    said = {"A": "has address", "AAAA": "has IPv6 address", "CNAME": "is an alias for", "PTR": "domain name pointer"}
    for owner, kind, value in dict.fromkeys(found):
        call.print(f"{owner} {said.get(kind, f'has {kind} record' if kind != 'TXT' else 'descriptive text')} {value}\n")
    return 0


# ---- getent


def _getent(call: Call) -> int:
    words = [word for word in call.arguments if word not in ("-i", "--no-idn")]
    if not words:
        call.process.complain("getent: wrong number of arguments\n")
        return 1
    database, keys = words[0], words[1:]
    if database in ("passwd", "group", "hosts") and not keys:
        call.print(call.process.read(f"/etc/{database}").decode("utf-8", "replace"))
        return 0
    if database in ("passwd", "group"):
        return _getent_file(call, f"/etc/{database}", keys)
    if database not in ("hosts", "ahosts", "ahostsv4", "ahostsv6"):
        raise NotInterpreted(f'"getent {database}"')
    code = 0
    for key in keys:
        lines = _host_lines(call, key) if database == "hosts" else _socket_lines(call, key, database)
        call.print("".join(f"{line}\n" for line in lines))
        code = code if lines else 2
    return code


def _getent_file(call: Call, path: str, keys: Sequence[str]) -> int:
    lines = call.process.read(path).decode("utf-8", "replace").splitlines()
    code = 0
    for key in keys:
        found = [line for line in lines if line.split(":")[0] == key or (key.isdigit() and line.split(":")[2:3] == [key])]
        call.print(f"{found[0]}\n" if found else "")
        code = code if found else 2
    return code


def _host_lines(call: Call, key: str) -> list[str]:
    if is_address(key):
        names = said_of(call.process, key)
        if not names:
            try:
                names = [value.rstrip(".") for _, _, value in query(call.process, reverse_name(key), "PTR")]
            except NoServer:
                names = []
        return [f"{key:<15} {' '.join(names)}"] if names else []
    known = hosts(call.process, key)
    if known:
        return [f"{address:<15} {' '.join(said_of(call.process, address))}" for address in known]
    try:
        found = _first(call, key, ["AAAA"], "")[1] or _first(call, key, ["A"], "")[1]
    except NoServer:
        return []
    return [f"{value:<15} {owner}" for owner, kind, value in found if kind in ("A", "AAAA")]


def _socket_lines(call: Call, key: str, database: str) -> list[str]:
    try:
        addresses = lookup(call.process, key)
    except socket.gaierror:
        return []
    wanted = [each for each in addresses if database == "ahosts" or (":" in each) is (database == "ahostsv6")]
    return [
        f"{address:<15} {kind}{f' {key}' if kind == 'STREAM' and index == 0 else ''}"
        for index, address in enumerate(wanted)
        for kind in ("STREAM", "DGRAM ", "RAW   ")
    ]


_APPLETS: dict[str, Applet] = {"dig": _dig, "nslookup": _nslookup, "host": _host, "getent": _getent}
program = programs(_APPLETS)
