"""Small files of the formats, cut at many bytes and with many bytes changed: refused, or read as they were."""

from __future__ import annotations

import json
import pickle
import random
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.checkpoint import damage, layouts
from safetensors.numpy import save_file

from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.formats.archive import open_archive
from trtnet.support.errors import CheckpointError

SOME = ("safetensors", "npz", "torch", "torchscript", "ctranslate2", "wts")


@pytest.mark.parametrize("name", SOME)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_refused_or_read_right(name: str, tmp_path: Path) -> None:
    path = layouts.FILES[name](tmp_path)
    wanted, content, rng = damage.read(path), path.read_bytes(), random.Random(1)
    places = range(0, len(content), 1 if len(content) < 500 else 13)
    whole = damage.compared(wanted, False)
    changed = damage.compared(wanted, name not in layouts.CHECKED, 300)
    counts, cut = damage.hurt(
        path, damage.cuts(content, 17 if len(content) > 500 else 1), lambda: damage.read(path), whole
    )
    _, flipped = damage.hurt(path, damage.flips(content, rng, 1, places), lambda: damage.read(path), changed)
    assert counts["refused"] and not cut and not flipped


def test_a_directory_that_lacks_its_last_entries(tmp_path: Path) -> None:
    """The length of an entry's comment, changed, takes in the entries behind it."""
    path = layouts.write_npz(tmp_path)
    content = path.read_bytes()
    last = content.rindex(b"PK\1\2")
    entry = content.rindex(b"PK\1\2", 0, last)
    damaged = [("a long comment", content[: entry + 33] + b"\x08" + content[entry + 34 :])]
    judge = damage.compared(damage.read(path), False)
    counts, found = damage.hurt(path, damaged, lambda: damage.read(path), judge)
    assert counts["refused"] == 1 and not found


def test_old_files_with_float8(tmp_path: Path) -> None:
    path = layouts.write_old(tmp_path)
    assert open_checkpoint(path)["of.float8_e5m2"].astype("float32").tolist() == [1, 2, 3]


def test_an_archive_of_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w"):
        pass
    with open_archive(tmp_path / "x.npz") as archive:
        assert archive.namelist() == []


@pytest.fixture
def without_checksums() -> Iterator[None]:
    torch.serialization.set_crc32_options(False)
    yield
    torch.serialization.set_crc32_options(True)


@pytest.mark.usefixtures("without_checksums")
def test_an_archive_without_checksums(tmp_path: Path) -> None:
    """It is read. A header of a member that is said to be longer or shorter would move what is read of it."""
    torch.save({"a": torch.ones(2), "b": torch.arange(9)}, tmp_path / "x.pth")
    assert open_checkpoint(tmp_path / "x.pth")["a"].tolist() == [1, 1]
    content = (tmp_path / "x.pth").read_bytes()
    begin = content.index(b"data/0") - 30 - len("x/") + 28
    (length,) = struct.unpack_from("<H", content, begin)
    for change in (-4, -1, 1, 4, 8, 16):
        moved = struct.pack("<H", length + change)
        (tmp_path / "y.pth").write_bytes(content[:begin] + moved + content[begin + 2 :])
        with pytest.raises(CheckpointError, match="does not end where the next one begins"):
            dict(open_checkpoint(tmp_path / "y.pth"))


def rewritten(path: Path, how: str) -> Path:
    """A file of torch.save written again: compressed, with sizes of 64 bits, or as a big-endian machine does."""
    new = path.with_name(f"{how}.pth")
    packing = zipfile.ZIP_DEFLATED if how == "compressed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w", packing) as archive:
        for info in old.infolist():
            content = old.read(info)
            if how == "big" and info.filename.endswith("byteorder"):
                content = b"big"
            elif how == "big" and "/data/" in info.filename:
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            with archive.open(info.filename, "w", force_zip64=how == "zip64") as member:
                member.write(content)
    return new


@pytest.mark.parametrize("how", ["compressed", "zip64", "big"])
def test_other_archives_of_torch(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch itself takes compressed members for elements."""
    torch.save({"a": torch.arange(3.0), "b": torch.zeros(500)}, tmp_path / "x.pth")
    if how == "zip64":
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)  # writes its other record behind the directory
    found = dict(open_checkpoint(rewritten(tmp_path / "x.pth", how)))
    assert found["a"].tolist() == [0, 1, 2] and found["b"].shape == (500,)


def test_a_number_that_changed_in_a_torch_file(tmp_path: Path) -> None:
    """torch maps the file and looks at no checksum."""
    torch.save({"a": torch.zeros(3), "b": torch.full((4,), 1.5)}, tmp_path / "x.pth")
    content = (tmp_path / "x.pth").read_bytes()
    at = content.index(np.full(4, 1.5, np.float32).tobytes())
    (tmp_path / "x.pth").write_bytes(content[:at] + b"\1" + content[at + 1 :])
    opened = open_checkpoint(tmp_path / "x.pth")
    assert opened["a"].tolist() == [0, 0, 0]
    with pytest.raises(CheckpointError, match="b cannot be read: its storage has another checksum"):
        opened["b"]


def gguf(folder: Path, place: bytes, behind: int, number: int) -> Path:
    """A GGUF file with another 8-byte number behind the first place of some bytes."""
    path = layouts.write_gguf(folder)
    content = path.read_bytes()
    at = content.index(place) + len(place) + behind
    (folder / "damaged.gguf").write_bytes(content[:at] + struct.pack("<Q", number) + content[at + 8 :])
    return folder / "damaged.gguf"


@pytest.mark.parametrize(("name", "count"), [("tokens", 1 << 60), ("types", 1 << 60), ("types", 500)])
def test_counts_in_a_gguf_that_are_too_large(name: str, count: int, tmp_path: Path) -> None:
    """The package would go on for as long as they say."""
    path = gguf(tmp_path, name.encode(), 8, count)
    with pytest.raises(CheckpointError, match="is not a readable GGUF file: it is damaged"):
        open_checkpoint(path)


@pytest.mark.parametrize("count", [0, 8])
def test_counts_in_a_gguf_that_are_too_small(count: int, tmp_path: Path) -> None:
    """The tensors that are left would begin where the header of the others does."""
    path = gguf(tmp_path, b"GGUF\3\0\0\0", 0, count)
    with pytest.raises(CheckpointError, match=r"is damaged: it goes on for .* bytes behind"):
        open_checkpoint(path)


def test_a_gap_between_tensors_of_a_gguf(tmp_path: Path) -> None:
    path = gguf(tmp_path, b"float64", 4 + 2 * 8 + 4, 96)
    with pytest.raises(CheckpointError, match="the data of float16 begins 72 bytes behind float32"):
        open_checkpoint(path)


class Distributed:
    """A folder of torch.distributed.checkpoint with one tensor in two chunks, and its metadata, to be changed."""

    def __init__(self, folder: Path, metadata: Any) -> None:
        self.folder, self.metadata = folder, metadata
        self.written = pickle.dumps(metadata)

    def read(self) -> dict[str, Any]:
        (self.folder / ".metadata").write_bytes(pickle.dumps(self.metadata))
        return dict(open_checkpoint(self.folder))

    def move(self, first: int, second: int, size: int) -> None:
        """Another size of "a", and other places of its chunks in it, of 1 and of 3 elements."""
        from torch.distributed.checkpoint.metadata import ChunkStorageMetadata

        tensor, places = self.metadata.state_dict_metadata["a"], self.metadata.storage_data
        tensor.size = torch.Size([size])
        wanted = {torch.Size([0]): torch.Size([first]), torch.Size([1]): torch.Size([second])}
        tensor.chunks[:] = [ChunkStorageMetadata(wanted[chunk.offsets], chunk.sizes) for chunk in tensor.chunks]
        own = {index: places.pop(index) for index in list(places) if index.fqn == "a"}
        places.update({replace(index, offset=wanted[index.offset]): place for index, place in own.items()})


@pytest.fixture
def distributed(tmp_path: Path) -> Distributed:
    """ "a" of 4 elements as a chunk of 1 at 0 and one of 3 at 1, and "b"."""
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.metadata import ChunkStorageMetadata

    dcp.save(
        {"a": torch.tensor([1.0]), "a2": torch.tensor([2.0, 3, 4]), "b": torch.ones(1)}, checkpoint_id=tmp_path / "dcp"
    )
    metadata = pickle.loads((tmp_path / "dcp" / ".metadata").read_bytes())
    tensors, places = metadata.state_dict_metadata, metadata.storage_data
    tensors["a"].size = torch.Size([4])
    tensors["a"].chunks.append(ChunkStorageMetadata(torch.Size([1]), tensors.pop("a2").chunks[0].sizes))
    index = next(index for index in places if index.fqn == "a2")
    places[replace(index, fqn="a", offset=torch.Size([1]))] = places.pop(index)
    found = Distributed(tmp_path / "dcp", metadata)
    assert found.read()["a"].tolist() == [1, 2, 3, 4]
    return found


@pytest.mark.parametrize(
    ("first", "second", "size", "why"),
    [
        (0, 2, 4, "is outside of [4]"), (0, -3, 4, "is outside of [4]"),
        # numpy writes one element to no place at all without a word
        (4, 0, 4, "is outside of [4]"), (-1, 0, 4, "is outside of [4]"),
        (1, 0, 4, "its chunks at [0] and [1] overlap"), (4, 0, 5, "cover 4 of 5 elements"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_chunks_that_are_not_side_by_side(
    first: int, second: int, size: int, why: str, distributed: Distributed
) -> None:
    distributed.move(3, 0, 4)
    assert distributed.read()["a"].tolist() == [2, 3, 4, 1]
    distributed.metadata = pickle.loads(distributed.written)
    distributed.move(first, second, size)
    with pytest.raises(CheckpointError, match=re.escape(why)):
        distributed.read()


@pytest.mark.filterwarnings("ignore")
def test_a_chunk_that_is_missing(distributed: Distributed) -> None:
    distributed.metadata.state_dict_metadata["a"].chunks.pop()
    with pytest.raises(CheckpointError, match="its chunks cover 1 of 4 elements"):
        distributed.read()


@pytest.mark.filterwarnings("ignore")
def test_two_tensors_at_one_place(distributed: Distributed) -> None:
    """The one would be read as the other."""
    places = distributed.metadata.storage_data
    of = {index.fqn: index for index in places if index.offset == torch.Size([0])}
    places[of["b"]] = places[of["a"]]
    with pytest.raises(CheckpointError, match=r"it places b at \d+ of __0_0.distcp, [\d,]+ bytes long, within a"):
        distributed.read()


@pytest.mark.filterwarnings("ignore")
def test_a_tensor_of_which_nothing_is_said(distributed: Distributed) -> None:
    del distributed.metadata.state_dict_metadata["b"]
    with pytest.raises(CheckpointError, match="it places b, and does not say what that is"):
        distributed.read()


def test_names_that_a_file_has_twice(tmp_path: Path) -> None:
    entry = '"a":{"dtype":"F32","shape":[%s],"data_offsets":[0,%s]}'
    header = ("{" + entry % (1, 4) + "," + entry % (2, 8) + "}").encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(CheckpointError, match="it has 'a' twice in its header"):
        open_checkpoint(tmp_path / "x.safetensors")
    folder = layouts.write_sharded(tmp_path)
    index = folder / "model.safetensors.index.json"
    text = index.read_text()
    index.write_text(text.replace('"a":', '"a": "model-00002-of-00002.safetensors", "a":'))
    with pytest.raises(CheckpointError, match="it has 'a' twice"):
        open_checkpoint(folder)
    content = layouts.write_ctranslate2(tmp_path).read_bytes()
    for old, new in ((b"b/weight\0", b"a/weight\0"), (b"e/weight\0", b"b/weight\0")):
        (tmp_path / "model.bin").write_bytes(content.replace(old, new, 1))
        with pytest.raises(CheckpointError, match=r"it has ./weight twice"):
            open_checkpoint(tmp_path / "model.bin")


def test_what_an_index_does_not_name(tmp_path: Path) -> None:
    """transformers reads every tensor of the shards that are named."""
    folder = layouts.write_sharded(tmp_path)
    index = folder / "model.safetensors.index.json"
    document = json.loads(index.read_text())
    first, second = sorted(set(document["weight_map"].values()))
    index.write_text(json.dumps({"weight_map": {"a": first, "b": second}}))
    assert sorted(open_checkpoint(folder)) == ["a", "b", "e", "z"]
    index.write_text(json.dumps({"weight_map": {"a": first, "e": first}}))
    with pytest.raises(CheckpointError, match=f"names {first}, not {second} beside it"):
        open_checkpoint(folder)
    save_file({"b": np.ones(1), "e": np.ones(1)}, folder / second)
    index.write_text(json.dumps({"weight_map": {"a": first, "b": second}}))
    with pytest.raises(CheckpointError, match=f"does not name e, which is in .*{first} and in .*{second}. Down"):
        open_checkpoint(folder)
    index.write_text(json.dumps({"weight_map": {"a": first, "b": second, "e": second}}))
    assert open_checkpoint(folder)["e"].tolist() == [1]
