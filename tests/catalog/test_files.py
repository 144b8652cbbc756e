"""Files are published whole, folders too; the bytes of a picture and the hash of data follow from their options."""

import base64
import hashlib
import io
import json
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import data_uri, jpeg_bytes, json_sha256, png_bytes, publish_bytes, publish_text, whole_folder

PIXELS = np.random.default_rng(3).integers(0, 256, (12, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path, sync: bool) -> None:
    file = tmp_path / "new" / "file"
    for content in (b"first", b"second"):
        publish_bytes(content, file, sync=sync)
        assert file.read_bytes() == content
        assert list(file.parent.iterdir()) == [file]


def test_a_private_file_and_its_new_folder_are_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "token"
    for content in ("first\n", "second\n"):
        publish_text(content, file, private=True)
        assert file.read_text() == content
        assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]
        assert list(file.parent.iterdir()) == [file]


def test_a_write_cut_short_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    publish_bytes(b"old", file)

    def full(part: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SelvedgeError, match=r"file could not be written \(No space left on device\)"):
        publish_bytes(b"new", file)
    assert [(child.name, child.read_bytes()) for child in tmp_path.iterdir()] == [("file", b"old")]


def test_a_store_with_folders_gets_them(request: pytest.FixtureRequest) -> None:
    path = UPath(f"memory://{request.node.name}/a/b/words.txt")
    publish_text("grün", path)
    assert path.read_bytes() == "grün".encode()


def test_a_folder_is_there_whole_or_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for content in ("old", "new"):
        with whole_folder(folder) as part:
            (part / "file").write_text(content)
            assert part.parent == tmp_path
    with pytest.raises(RuntimeError, match="halfway"), whole_folder(folder) as part:
        (part / "file").write_text("half")
        raise RuntimeError("halfway")
    assert (folder / "file").read_text() == "new"
    assert list(tmp_path.iterdir()) == [folder]


def test_a_picture_and_its_array_are_one_file() -> None:
    image = Image.fromarray(PIXELS)
    assert png_bytes(PIXELS) == png_bytes(image)
    assert jpeg_bytes(PIXELS, 90) == jpeg_bytes(image, 90)
    assert (np.asarray(Image.open(io.BytesIO(png_bytes(PIXELS, optimize=True)))) == PIXELS).all()


def test_a_picture_travels_as_an_address() -> None:
    kind, _, content = data_uri(png_bytes(PIXELS), "image/png").partition(",")
    assert kind == "data:image/png;base64" and base64.b64decode(content) == png_bytes(PIXELS)


def test_an_encoder_gives_what_pillow_writes_with_the_same_options() -> None:
    sink = io.BytesIO()
    Image.fromarray(PIXELS).save(sink, "JPEG", quality=91, subsampling=0)
    assert jpeg_bytes(PIXELS, 91, subsampling=0) == sink.getvalue() != jpeg_bytes(PIXELS, 91)


def test_the_hash_of_data_is_that_of_its_json() -> None:
    content = {"b": [1, 2.5, None], "a": "grün"}
    text = '{"a": "gr\\u00fcn", "b": [1, 2.5, null]}'
    assert json_sha256(content) == hashlib.sha256(text.encode()).hexdigest()
    assert json_sha256(content, sort_keys=False) == hashlib.sha256(json.dumps(content).encode()).hexdigest()
    compact = '{"a":"grün","b":[1,2.5,null]}'
    digest = json_sha256(content, separators=(",", ":"), ensure_ascii=False)
    assert digest == hashlib.sha256(compact.encode()).hexdigest()
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_sha256([float("nan")], allow_nan=False)
