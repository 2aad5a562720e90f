"""Where large files lie, and the containers that Xet sends them in."""

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx2
import lz4.frame
import pytest
from huggingface_hub import HfApi, hf_hub_download

from tests.hub.server.running import bearer, serve
from zoo.hub.server import Hub
from zoo.hub.server.errors import NoSpaceError, UnprocessableError
from zoo.hub.server.objects import FolderStore, ObjectStore
from zoo.hub.server.routing import Call
from zoo.hub.server.xet import _make
from zoo.hub.server.xorb import (
    Chunk,
    Segment,
    XetFile,
    chunk_table,
    materialise,
    parse_shard,
    unpack,
)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket service of moto's in this process."""
    pytest.importorskip("s3fs", reason="the bucket is an optional extra")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "lfs")
    return bucket(request.getfixturevalue("s3"), "unit")


def bucket(url: str, name: str) -> ObjectStore:
    import s3fs  # type: ignore[import-untyped]

    from zoo.hub.server.bucket import BucketStore

    options = {"endpoint_url": url, "key": "k", "secret": "s"}
    s3fs.S3FileSystem(**options).mkdir(name, exist_ok=True)
    return BucketStore(f"s3://{name}/prefix", **options)


def test_object_store(objects: ObjectStore, tmp_path: Path) -> None:
    content = os.urandom(20_000_000)
    oid = hashlib.sha256(content).hexdigest()
    assert objects.size(oid) is None
    for _ in range(2):  # the second time it is there already
        (tmp_path / "new").write_bytes(content)
        objects.put_file(oid, tmp_path / "new")
        assert not (tmp_path / "new").exists()
    assert objects.size(oid) == len(content)
    assert b"".join(objects.open_range(oid, 0, len(content))) == content
    assert b"".join(objects.open_range(oid, 9_000_001, 9_000_000)) == content[9_000_001:18_000_001]
    assert [(name, size) for name, size, _ in objects.list()] == [(oid, len(content))]
    objects.delete(oid)
    objects.delete(oid)
    assert objects.size(oid) is None
    for wrong in ("../../etc/passwd", "", "A" * 64):
        with pytest.raises(ValueError, match="not a sha256"):
            objects.size(wrong)


def test_hub_over_a_bucket(s3: str, tmp_path: Path, client: None) -> None:
    """Downloads are sent on to the bucket; what the client needs to know is on the redirect."""
    hub = Hub(tmp_path / "data", objects=bucket(s3, "hub"))
    token = hub.create_token("alice", "t")
    content = os.urandom(300_000)
    with serve(hub) as url:
        api = HfApi(endpoint=url, token=token)
        repo = api.create_repo("alice/in-a-bucket").repo_id
        api.upload_file(path_or_fileobj=content, path_in_repo="a.bin", repo_id=repo)
        got = hf_hub_download(repo, "a.bin", endpoint=url, token=token, cache_dir=tmp_path / "c")
        assert Path(got).read_bytes() == content
        head = httpx2.head(f"{url}/{repo}/resolve/main/a.bin")
        assert head.status_code == 302
        assert head.headers["x-linked-size"] == str(len(content))
        assert head.headers["location"].startswith(s3)
    hub.close()


@pytest.mark.usefixtures("client")
def test_upload_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For proxies that limit a request's body."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    hub = Hub(tmp_path / "data", part_bytes=100_000)
    token = hub.create_token("alice", "t")
    content = os.urandom(350_001)
    with serve(hub) as url:
        api = HfApi(endpoint=url, token=token)
        repo = api.create_repo("alice/in-parts").repo_id
        api.upload_file(path_or_fileobj=content, path_in_repo="a.bin", repo_id=repo)
        got = hf_hub_download(repo, "a.bin", endpoint=url, token=token, cache_dir=tmp_path / "c")
        assert Path(got).read_bytes() == content
        objects = [{"oid": "0" * 64, "size": 250_000}, {"oid": "1" * 64, "size": 10**15}]
        batch = {"operation": "upload", "transfers": ["multipart"], "objects": objects}
        answer = httpx2.post(
            f"{url}/{repo}.git/info/lfs/objects/batch", json=batch, headers=bearer(token)
        )
        assert "parts" in answer.json()["objects"][1]["error"]["message"]
        upload = answer.json()["objects"][0]["actions"]["upload"]
        assert upload["header"]["chunk_size"] == "100000"
        assert httpx2.put(upload["header"]["00001"], content=b"x" * 100_001).status_code == 413
        assert httpx2.put(upload["header"]["00001"], content=b"x" * 100_000).status_code == 200
        assert httpx2.post(upload["href"], json={}).status_code == 422  # parts are missing
    hub.close()
    assert not list((tmp_path / "data" / "tmp").glob("[!p]*"))


def chunk(raw: bytes, scheme: int = 0, payload: bytes | None = None) -> bytes:
    payload = raw if payload is None else payload
    packed, unpacked = (len(part).to_bytes(3, "little") for part in (payload, raw))
    return b"\x00" + packed + bytes([scheme]) + unpacked + payload


def grouped(raw: bytes) -> bytes:
    return b"".join(raw[phase::4] for phase in range(4))


def shard(sha256: str | None, segments: list[tuple[str, int, int, int]]) -> bytes:
    def packed(text: str) -> bytes:
        return struct.pack("<4Q", *(int(text[i : i + 16], 16) for i in range(0, 64, 16)))

    flags = (1 << 31) | ((1 << 30) if sha256 else 0)
    out = b"HFRepoMetaData".ljust(48, b"\x00")
    out += struct.pack("<32sIIQ", b"f" * 32, flags, len(segments), 0)
    for xorb, size, first, end in segments:
        out += struct.pack("<32sIIII", packed(xorb), 0, size, first, end)
    out += b"v" * 48 * len(segments)
    if sha256:
        out += packed(sha256).ljust(48, b"\x00")
    return out + b"\xff" * 32 + b"\x00" * 16


def test_a_file_from_its_chunks(tmp_path: Path) -> None:
    parts = [os.urandom(1001), b"abcd" * 5000 + b"xyz", bytes(range(256)) * 300, b"end"]
    one = chunk(parts[0]) + chunk(parts[1], 1, lz4.frame.compress(parts[1]))
    other = chunk(parts[2], 2, lz4.frame.compress(grouped(parts[2]))) + chunk(parts[3])
    names = ("1" * 64, "2" * 64)
    (tmp_path / names[0]).write_bytes(one + b"XETBLOB and a footer")
    (tmp_path / names[1]).write_bytes(other)
    whole = b"".join([*parts, parts[1]])
    sha256 = hashlib.sha256(whole).hexdigest()
    sizes = [len(part) for part in parts]
    segments = [
        (names[0], sizes[0] + sizes[1], 0, 2),
        (names[1], sizes[2] + sizes[3], 0, 2),
        (names[0], sizes[1], 1, 2),
    ]
    (file,) = parse_shard(shard(sha256, segments))
    assert file.sha256 == sha256
    assert parse_shard(shard(None, segments))[0].sha256 is None
    found = materialise(file, lambda name: tmp_path / name, tmp_path / "out")
    assert found == (sha256, len(whole))
    assert (tmp_path / "out").read_bytes() == whole


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\x01" + chunk(b"abc")[1:],
        chunk(b"abc")[:-1],
        chunk(b"abc", scheme=7),
        chunk(b"x" * 200_000),
    ],
)
def test_damaged_xorbs_are_refused(damaged: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(damaged)
    with pytest.raises(UnprocessableError):
        chunk_table(tmp_path / "x")


def test_damaged_chunks_are_refused() -> None:
    bomb = lz4.frame.compress(b"\x00" * 50_000_000)
    for payload, scheme, size in ((bomb, 1, 100), (b"no lz4", 1, 9), (b"abc", 0, 4), (bomb, 2, 8)):
        with pytest.raises(UnprocessableError):
            unpack(payload, Chunk(0, len(payload), scheme, size))


def test_damaged_shards_are_refused(tmp_path: Path) -> None:
    good = shard("a" * 64, [("1" * 64, 3, 0, 1)])
    for cut in range(0, len(good), 13):
        with pytest.raises(UnprocessableError):
            parse_shard(good[:cut])
    (tmp_path / ("1" * 64)).write_bytes(chunk(b"abc"))
    for number, segment in enumerate(
        (
            Segment("1" * 64, 0, 2, 3),
            Segment("1" * 64, 0, 1, 4),
            Segment("1" * 64, 0, 0, 0),
            Segment("2" * 64, 0, 1, 3),
        )
    ):
        with pytest.raises(UnprocessableError):
            materialise(
                XetFile(None, [segment]), lambda name: tmp_path / name, tmp_path / str(number)
            )


def test_no_shard_writes_more_than_it_says_and_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ("1" * 64)).write_bytes(chunk(b"abc" * 1000) * 100)
    file = XetFile(None, [Segment("1" * 64, 0, 100, 10)])
    with pytest.raises(UnprocessableError):
        materialise(file, lambda name: tmp_path / name, tmp_path / "out")
    assert (tmp_path / "out").stat().st_size == 3000
    hub = Hub(tmp_path / "data")
    call = cast("Call", SimpleNamespace(hub=hub, params={"uid": "0" * 24}))
    usage = SimpleNamespace(free=299_999)
    monkeypatch.setattr("zoo.hub.server.xet.shutil.disk_usage", lambda _: usage)
    with pytest.raises(NoSpaceError):
        _make(call, tmp_path, XetFile(None, [Segment("1" * 64, 0, 100, 300_000)]))
    hub.close()


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    hub = Hub(tmp_path / "data")
    token = hub.create_token("alice", "t")
    hub.create_repo("alice/m")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with serve(hub) as url:
        oid = hashlib.sha256(b"x").hexdigest()
        batch = {"operation": "upload", "objects": [{"oid": oid, "size": 1}]}
        answer = httpx2.post(
            f"{url}/alice/m.git/info/lfs/objects/batch", json=batch, headers=bearer(token)
        )
        monkeypatch.setattr(FolderStore, "put_file", full)
        put: Callable[..., httpx2.Response] = httpx2.put
        answer = put(answer.json()["objects"][0]["actions"]["upload"]["href"], content=b"x")
        assert answer.status_code == 507
        assert "disk is full" in answer.headers["x-error-message"]
    hub.close()
    assert not list((tmp_path / "data" / "tmp").iterdir())
