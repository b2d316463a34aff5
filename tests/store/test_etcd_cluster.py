"""What a store on etcd has beyond the contract: members that fail, TLS, users, other writers, one owner, where keys lie."""

from __future__ import annotations

import asyncio
import random
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kctl.apimachinery.resources import BUILT_IN
from kctl.daemon import pki
from kctl.kube_apiserver.etcd_layout import KubernetesLayout
from store.errors import Compacted, KeyExists, KeyNotFound, StoreClosed, StoreError, StoreLost, WriteFailed
from store.etcd_cluster.address import Address, WrongAddress
from store.etcd_cluster.feed import Layout
from store.etcd_cluster.store import EtcdClusterStore
from store.types import Event
from tests.contract.etcd_server import NAMESPACES, PATIENCE, Member, members, program, shared_member


def etcdctl(member: Member, *arguments: str) -> str:
    command = [program("etcdctl"), f"--endpoints={member.url}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30, env={"ETCDCTL_API": "3"}).stdout


def _namespace() -> str:
    return f"/space-{next(NAMESPACES)}"


@asynccontextmanager
async def opened(
    address: str, namespace: str = "", *, owner: str = "", layout: Layout | None = None, patience: float = PATIENCE, **files: str
) -> AsyncIterator[EtcdClusterStore]:
    made = EtcdClusterStore(Address.parse(address, **files), namespace=namespace, owner=owner, layout=layout, patience=patience)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def member() -> Member:
    return shared_member()


@pytest.fixture
def three() -> Iterator[list[Member]]:
    with members(3) as made:
        yield made


# ---- addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("etcd://a:1,b:2", Address(("a:1", "b:2"))),
        ("etcd://a", Address(("a:2379",))),
        ("etcds://[::1]:7,b", Address(("[::1]:7", "b:2379"), tls=True)),
        ("etcd://root:p%40ss:w@a", Address(("a:2379",), user="root", password="p@ss:w")),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    assert Address.parse(text) == expected
    assert "p@ss" not in str(expected)


@pytest.mark.parametrize(
    "text",
    ["", "etcd://", "http://a:1", "etcd:a", "etcd://a:0", "etcd://a:65536", "etcd://a:x", "etcd://a,,b", "etcd://a/b", "etcd://a?x=1",
     "etcd:// ", "etcd://root@a", "etcd://:x@a", "etcd://a b:1", "etcd://" + ",".join(["a"] * 65)],
)  # fmt: skip
def test_wrong_addresses(text: str) -> None:
    with pytest.raises(WrongAddress):
        Address.parse(text)


async def test_a_cluster_that_nobody_answers_for_is_named() -> None:
    made = EtcdClusterStore(Address.parse("etcd://me:secret@127.0.0.1:1"), patience=0.1)
    with pytest.raises(StoreError, match=r"etcd://me@127.0.0.1:1: no connection to 127.0.0.1:1"):
        await made.start()
    with pytest.raises(StoreClosed):
        await made.get("/a")


# ---- others write too


async def test_what_others_write_is_heard_of_without_a_tag(member: Member) -> None:
    namespace = _namespace()
    async with opened(f"etcd://{member.address}", namespace) as mine, opened(f"etcd://{member.address}", namespace) as others:
        heard: list[Event] = []
        mine.listen("/", heard.extend)
        first = await mine.create("/a", b"1", tag="mine")
        second = await others.update("/a", b"2", first, tag="theirs")
        etcdctl(member, "put", f"{namespace}/b", "3")
        third = await mine.create("/c", b"4", tag="mine")
        assert [(event.key_value.key, event.key_value.value, event.tag) for event in heard] == [
            ("/a", b"1", "mine"),
            ("/a", b"2", None),
            ("/b", b"3", None),
            ("/c", b"4", "mine"),
        ]
        assert third == second + 2
        gone = await others.delete("/b")
        with pytest.raises(KeyNotFound):
            await mine.delete("/b")
        assert heard[-1].key_value == ("/b", b"", third - 1, gone, 1)  # told before the refusal


async def test_other_keys_move_the_revision_and_disturb_nobody(member: Member) -> None:
    namespace = _namespace()
    async with opened(f"etcd://{member.address}", namespace) as store:
        first = await store.create("/a", b"1")
        etcdctl(member, "put", f"{namespace}-other/x", "1")
        with pytest.raises(KeyNotFound):
            await store.delete("/b")
        with pytest.raises(KeyExists):
            await store.create("/a", b"")
        etcdctl(member, "put", f"{namespace}-other/x", "2")
        newest = (await store.range("/", "0")).revision
        past = await store.history("/", start_revision=first, end_revision=newest)
        assert [event.key_value.key for event in past] == ["/a"]


async def test_writers_in_several_processes_never_both_win(member: Member) -> None:
    namespace = _namespace()
    address = f"etcd://{member.address}"
    async with opened(address, namespace) as one, opened(address, namespace) as two, opened(address, namespace) as three:
        randomness = random.Random(1)
        won: list[int] = []
        await one.create("/counter", b"0")

        async def count(store: EtcdClusterStore) -> None:
            for _ in range(20):
                while True:
                    found = await store.get("/counter")
                    assert found is not None
                    try:
                        revision = await store.update("/counter", str(int(found.value) + 1).encode(), found.mod_revision)
                    except StoreError:
                        await asyncio.sleep(randomness.random() / 1000)
                        continue
                    won.append(revision)
                    break

        await asyncio.gather(*(count(store) for store in (one, two, three)))
        assert (await two.get("/counter")).value == b"60"  # type: ignore[union-attr]
        assert len(set(won)) == 60


async def test_a_compaction_by_somebody_else_is_learnt(member: Member) -> None:
    with members(1) as (alone,):
        async with opened(f"etcd://{alone.address}") as store:
            revisions = [await store.create(f"/{number}", b"") for number in range(5)]
            etcdctl(alone, "compact", str(revisions[3]))
            with pytest.raises(Compacted) as caught:
                await store.get("/0", revision=revisions[1])
            assert caught.value.compact_revision == store.compact_revision == revisions[3]
        async with opened(f"etcd://{alone.address}") as store:
            assert store.compact_revision == revisions[3]
            with pytest.raises(Compacted):
                await anext(store.watch("/", start_revision=revisions[2]))


async def test_pages_hold_together_a_range_that_is_larger_than_one(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.etcd_cluster.store.PAGE", 3)
    async with opened(f"etcd://{member.address}", _namespace()) as store:
        await asyncio.gather(*(store.create(f"/k/{number:02}", b"") for number in range(10)))
        found = await store.range("/k/", "/k0")
        assert ([stored.key for stored in found.key_values], found.count) == ([f"/k/{number:02}" for number in range(10)], 10)
        found = await store.range("/k/", "/k0", limit=7)
        assert (len(found.key_values), found.more, found.count) == (7, True, 10)
        found = await store.range("/k/", "/k0", limit=10)
        assert (len(found.key_values), found.more) == (10, False)


# ---- members that fail


async def test_any_one_member_may_die(three: list[Member]) -> None:
    """Every acknowledged write is there and was told, in order, whichever member the store was connected to."""
    async with opened("etcd://" + ",".join(member.address for member in three), patience=10) as store:
        heard: list[int] = []
        store.listen("/", lambda events: heard.extend(event.key_value.mod_revision for event in events))
        written: dict[str, int] = {}
        failed = 0
        stop = asyncio.Event()

        async def write(writer: int) -> None:
            nonlocal failed
            for number in range(10_000):
                if stop.is_set():
                    return
                try:
                    written[f"/{writer}-{number}"] = await store.create(f"/{writer}-{number}", b"x")
                except WriteFailed:
                    failed += 1

        async def written_more(than: int) -> None:
            async with asyncio.timeout(PATIENCE):
                while len(written) < than:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        writers = [asyncio.create_task(write(writer)) for writer in range(4)]
        for member in three:
            await written_more(len(written) + 20)
            await asyncio.to_thread(member.kill)
            await written_more(len(written) + 20)
            member.start()
            await asyncio.to_thread(member.wait_healthy)
        stop.set()
        await asyncio.gather(*writers)
        assert heard == sorted(set(heard)) and set(written.values()) <= set(heard)
        found = await store.range("/", "0")
        assert {stored.key: stored.mod_revision for stored in found.key_values}.items() >= written.items()
        assert len(found.key_values) <= len(written) + failed


async def test_without_a_majority_writes_fail_and_go_on_after_it(three: list[Member]) -> None:
    async with opened("etcd://" + ",".join(member.address for member in three), patience=4) as store:
        await store.create("/a", b"")
        for member in three[1:]:
            member.kill()
        with pytest.raises(WriteFailed):
            await store.create("/b", b"")
        assert store.failure
        for member in three[1:]:
            member.start()
        for member in three[1:]:
            await asyncio.to_thread(member.wait_healthy)
        await store.create("/c", b"")
        assert store.failure == ""


# ---- one owner


async def test_there_is_one_owner(member: Member) -> None:
    namespace, address = _namespace(), f"etcd://{member.address}"
    async with opened(address, namespace, owner="one") as first:
        await first.create("/a", b"")
        second = EtcdClusterStore(Address.parse(address), namespace=namespace, owner="two")
        with pytest.raises(StoreError, match=r"in use by process \d+ of one"):
            await second.start()
        await first.create("/b", b"")
        async with opened(address, namespace, owner="one") as heir:
            await heir.create("/c", b"")
            with pytest.raises(StoreLost):
                await first.create("/d", b"")
    async with opened(address, namespace, owner="one") as third:
        assert [stored.key for stored in (await third.range("/", "0")).key_values] == ["/a", "/b", "/c"]


async def test_who_is_no_longer_the_owner_writes_nothing(member: Member) -> None:
    namespace, address = _namespace(), f"etcd://{member.address}"
    async with opened(address, namespace, owner="one") as store:
        first = await store.create("/a", b"")
        etcdctl(member, "del", f"{namespace}/kctl.dev/owner")
        with pytest.raises(StoreLost, match="another process may have taken over"):
            await store.update("/a", b"2", first)
        assert isinstance(await store.lost(), StoreLost)
    async with opened(address, namespace) as store:
        assert (await store.get("/a")).value == b""  # type: ignore[union-attr]


# ---- TLS and users


async def test_tls_with_client_certificates(tmp_path: Path) -> None:
    keys = pki.ensure(tmp_path / "pki", now=datetime.now(UTC), hosts=["127.0.0.1"])
    flags = [
        f"--cert-file={keys['apiserver.crt']}",
        f"--key-file={keys['apiserver.key']}",
        f"--trusted-ca-file={keys['ca.crt']}",
        "--client-cert-auth",
    ]
    with members(1, *flags, scheme="https") as (member,):
        address = f"etcds://{member.address}"
        client = {"ca_file": str(keys["ca.crt"]), "certificate_file": str(keys["admin.crt"]), "key_file": str(keys["admin.key"])}
        async with opened(address, **client) as store:
            assert await store.create("/a", b"") > 0
        with pytest.raises(StoreError, match="no connection"):
            await EtcdClusterStore(Address.parse(address, ca_file=client["ca_file"]), patience=0.1).start()
        with pytest.raises(StoreError, match=r"/nowhere.pem cannot be read"):
            await EtcdClusterStore(Address.parse(address, ca_file="/nowhere.pem")).start()


async def test_users() -> None:
    with members(1) as (member,):
        for command in (("user", "add", "root:secret"), ("user", "grant-role", "root", "root"), ("auth", "enable")):
            etcdctl(member, *command)
        async with opened(f"etcd://root:secret@{member.address}", owner="one") as store:
            heard: list[Event] = []
            store.listen("/", heard.extend)
            await store.create("/a", b"")
            assert len(heard) == 1
            member.kill()  # and with it its tokens
            member.start()
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        await store.create("/b", b"")
                        break
                    except (WriteFailed, KeyExists) as error:
                        if isinstance(error, KeyExists):
                            break
            await store.create("/c", b"")
            assert [event.key_value.key for event in heard] == ["/a", "/b", "/c"]
            assert store._owner is not None
            await store._owner.renew()
        for wrong in ("root:other", ""):
            with pytest.raises(StoreError, match=r"authentication failed|user name is empty"):
                await EtcdClusterStore(Address.parse(f"etcd://{wrong}{'@' if wrong else ''}{member.address}")).start()


# ---- where keys lie


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("/registry/core/pods/default/web", "/registry/pods/default/web"),
        ("/registry/core/nodes/n", "/registry/minions/n"),
        ("/registry/core/services/a/b", "/registry/services/specs/a/b"),
        ("/registry/core/endpoints/a/b", "/registry/services/endpoints/a/b"),
        ("/registry/apps/deployments/a/b", "/registry/deployments/a/b"),
        ("/registry/rbac.authorization.k8s.io/clusterroles/system:node", "/registry/clusterroles/system:node"),
        (
            "/registry/apiextensions.k8s.io/customresourcedefinitions/x.y.z",
            "/registry/apiextensions.k8s.io/customresourcedefinitions/x.y.z",
        ),
        ("/registry/networking.k8s.io/ingresses/a/b", "/registry/ingress/a/b"),
        ("/registry/acme.io/widgets/a/b", "/registry/acme.io/widgets/a/b"),
        ("/registry/acme.io/pods/a/b", "/registry/acme.io/pods/a/b"),
    ],
)
def test_layout(inside: str, outside: str) -> None:
    layout = KubernetesLayout()
    assert layout.outside(inside) == outside
    assert layout.inside(outside) == inside


def test_every_built_in_resource_has_a_place_of_its_own() -> None:
    layout = KubernetesLayout()
    keys = {f"/registry/{resource.group or 'core'}/{resource.plural}/a/b" for resource in BUILT_IN}
    places = {layout.outside(key) for key in keys}
    assert len(places) == len(keys)
    assert {layout.inside(place) for place in places} == keys


@pytest.mark.parametrize(
    "key", ["/registry/masterleases/1.2.3.4", "/registry/ranges/serviceips", "/registry/", "/other/pods/a", "/registry/x"]
)
def test_keys_that_are_none_of_ours(key: str) -> None:
    assert KubernetesLayout().inside(key) == ""


async def test_ranges_and_watches_of_a_layout(member: Member) -> None:
    namespace = _namespace()
    async with opened(f"etcd://{member.address}", namespace, layout=KubernetesLayout()) as store:
        heard: list[Sequence[Event]] = []
        store.listen("/registry/core/nodes/", heard.append)
        first = await store.create("/registry/core/nodes/n", b"1")
        await store.create("/registry/core/pods/default/web", b"2")
        etcdctl(member, "put", f"{namespace}/registry/masterleases/1.2.3.4", "x")
        assert etcdctl(member, "get", "--prefix", "--keys-only", f"{namespace}/registry").split() == [
            f"{namespace}/registry/masterleases/1.2.3.4",
            f"{namespace}/registry/minions/n",
            f"{namespace}/registry/pods/default/web",
        ]
        found = await store.range("/registry/core/nodes/", "/registry/core/nodes0")
        assert [stored.key for stored in found.key_values] == ["/registry/core/nodes/n"]
        found = await store.range("/registry/", "/registry0")
        assert [stored.key for stored in found.key_values] == ["/registry/core/nodes/n", "/registry/core/pods/default/web"]
        past = await store.history("/registry/core/", start_revision=first, end_revision=found.revision)
        assert [event.key_value.key for event in past] == ["/registry/core/nodes/n", "/registry/core/pods/default/web"]
        assert len(heard) == 1
