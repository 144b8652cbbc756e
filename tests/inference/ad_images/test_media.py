"""The media library: no picture without a good licence is ever found; words find the pictures of their theme."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from upath import UPath

from catalog.errors import SelvedgeError
from inference.ad_images.brief import write_brief
from inference.ad_images.decomposition import Entities, decompose
from inference.ad_images.media.embedding import TokenEmbedder
from inference.ad_images.media.index import MediaIndex
from inference.ad_images.media.library import AssetKind, Library, licence_fault, read_library
from inference.ad_images.media.retrieval import Assets, Retriever
from inference.ad_images.media.sample import LICENCE, draw_sample_library
from inference.ad_images.plan import Placed
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import AdRequest, ListedProduct
from inference.ad_images.scene import Scene
from inference.ad_images.themes import theme, theme_names
from tests.photographs import photographs

SHOES = ListedProduct(7, "Fennick shoes", "Casual Shoes", gender="Women", colour="Blue")


def picture(colour: tuple[int, int, int] = (60, 110, 190), side: int = 48) -> bytes:
    pixels = np.full((side, side, 3), colour, np.uint8)
    pixels[: side // 3] = 250
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


class Shades:
    """A backdrop of two shades."""

    name, version, paints_shadows = "shades", "1", True

    def check(self, size: tuple[int, int], theme: str) -> None:
        assert theme in theme_names()

    def paint(self, scenes: Sequence[Scene], placed: Sequence[Placed]) -> list[np.ndarray]:
        drawn = []
        for scene in scenes:
            shade = np.zeros((scene.size[1], scene.size[0], 3), np.uint8)
            shade[:] = 40 + 20 * theme_names().index(scene.theme)
            shade[scene.size[1] // 2 :] = 255
            drawn.append(shade)
        return drawn


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Library:
    folder = tmp_path_factory.mktemp("library")
    assert draw_sample_library(folder, Shades(), (48, 48)) == 2 * len(theme_names())
    library = read_library(folder)
    assert library.left_out == {}
    return library


@pytest.fixture(scope="module")
def index(sample: Library, tmp_path_factory) -> MediaIndex:
    index = MediaIndex(tmp_path_factory.mktemp("index"))
    assert index.update(sample).embedded == len(sample.assets)
    return index


def write(folder: Path, files: dict[str, dict[str, object] | None], extra: dict[str, bytes] | None = None) -> Path:
    """A library of these files, each a picture unless `extra` says otherwise; None: the list does not name it."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((extra or {}).get(name, picture()))
    stated = {name: entry for name, entry in files.items() if entry is not None}
    (folder / "library.yaml").write_text(yaml.safe_dump({"files": stated}))
    return folder


def test_only_files_with_a_licence_that_allows_it_are_used(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {
            "sea.png": {"licence": "CC0-1.0"},
            "props/lamp.png": {"licence": "CC-BY-4.0", "author": "A. Name", "tags": ["lamp"]},
            "nc.png": {"licence": "CC-BY-NC-4.0"},
            "rights.png": {"licence": "All rights reserved"},
            "odd.png": {"licence": "ask Bob"},
            "empty.png": {"licence": ""},
            "unlisted.png": None,
        },
    )
    library = read_library(folder)
    assert [(asset.name, asset.kind) for asset in library.assets] == [
        ("props/lamp.png", AssetKind.PROP),
        ("sea.png", AssetKind.BACKGROUND),
    ]
    assert {name: why.split(" '")[0] for name, why in library.left_out.items()} == {
        "nc.png": "its licence",
        "rights.png": "its licence",
        "odd.png": "its licence",
        "empty.png": "no licence is stated",
        "unlisted.png": "no licence is stated",
    }
    assert library.photo("sea.png").licence == "CC0-1.0"
    assert library.photo("props/lamp.png").licence == "CC-BY-4.0, A. Name"
    for name in ("nc.png", "unlisted.png"):
        with pytest.raises(AdRefused, match=name) as raised:
            library.photo(name)
        assert raised.value.code is RefusalCode.NO_LICENCE
    with pytest.raises(AdRefused, match=r"no picture moon\.png") as raised:
        library.photo("moon.png")
    assert raised.value.code is RefusalCode.NO_ASSET


@pytest.mark.parametrize(
    ("licence", "good"),
    [
        ("CC0", True), ("CC BY 4.0", True), ("CC-BY-SA-4.0", True), ("Unsplash License", True), ("Apache-2.0", True),
        ("Photos from NASA are public domain:", True), ("CC BY-NC 4.0", False), ("CC-BY-ND-4.0", False), ("", False),
        ("Non-commercial", False), ("editorial use only", False), ("GPL-3.0", False), ("??", False),
    ],
)  # fmt: skip
def test_licences(licence: str, good: bool) -> None:
    assert (licence_fault(licence) is None) == good


def test_faulty_files_are_left_out_with_a_sentence_and_the_rest_is_used(tmp_path: Path) -> None:
    good = {"licence": "CC0-1.0"}
    folder = write(
        tmp_path,
        {
            "good.png": good,
            "cut.png": good,
            "text.png": good,
            "other.png": {**good, "sha256": "0" * 64},
            "kind.png": {**good, "kind": "sky"},
            "theme.png": {**good, "themes": ["moon"]},
            "tags.png": {**good, "tags": "sea"},
            "movie.mp4": good,
        },
        {"cut.png": picture()[:90], "text.png": b"not a picture"},
    )
    (folder / "good2.png").symlink_to("/etc/hostname")
    listed = yaml.safe_load((folder / "library.yaml").read_text())
    listed["files"] |= {"gone.png": good, "good2.png": good}
    (folder / "library.yaml").write_text(yaml.safe_dump(listed))
    library = read_library(folder)
    assert [asset.name for asset in library.assets] == ["good.png"]
    assert set(library.left_out) == {
        "cut.png", "text.png", "other.png", "kind.png", "theme.png", "tags.png", "movie.mp4", "gone.png", "good2.png",
    }  # fmt: skip
    assert all(library.left_out.values())


@pytest.mark.parametrize(
    ("listed", "sentence"),
    [
        ("files: [a, b]", "no `files:`"),
        ("a: {", "not YAML"),
        ("files: {../x.png: {licence: CC0}}", "inside the library"),
        ("files: {/x.png: {licence: CC0}}", "inside the library"),
        ("files: {x.png: {license: CC0, price: 3}}", "other fields"),
        ("files: {x.png: CC0}", "other fields"),
        (b"\xff\xfe\x00\x01", "UTF-8"),
    ],
)
def test_a_list_of_licences_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, listed: str | bytes, sentence: str
) -> None:
    (tmp_path / "library.yaml").write_bytes(listed if isinstance(listed, bytes) else listed.encode())
    with pytest.raises(SelvedgeError, match=sentence):
        read_library(tmp_path)


def test_a_library_without_a_list_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match="states no licences"):
        read_library(tmp_path)
    with pytest.raises(SelvedgeError, match="no folder or bucket"):
        read_library(tmp_path / "nowhere")


def test_a_table_of_licences_serves_as_well_in_a_bucket(tmp_path: Path) -> None:
    bucket = UPath("memory://shop-media/library")
    (bucket / "backgrounds").mkdir(parents=True)
    (bucket / "backgrounds" / "sea.png").write_bytes(picture())
    (bucket / "backgrounds" / "mine.png").write_bytes(picture((200, 40, 40)))
    (bucket / "LICENCES.tsv").write_text(
        "file\tlicence\ttags\nbackgrounds/sea.png\tCC0\tsea, beach\nbackgrounds/mine.png\t\t\n"
    )
    library = read_library(bucket)
    assert [(asset.name, asset.tags) for asset in library.assets] == [("backgrounds/sea.png", ("sea", "beach"))]
    assert library.left_out == {"backgrounds/mine.png": "no licence is stated"}
    assert library.photo("backgrounds/sea.png").file.read_bytes() == picture()
    index = MediaIndex(tmp_path)
    index.update(library)
    near = index.search("the sea")[0]
    assert near.asset.name == "backgrounds/sea.png"


def test_a_name_without_its_folder_is_the_one_file_that_is_called_so(tmp_path: Path) -> None:
    for place in (
        "images/sea.png",
        "images/a/rock.png",
        "images/b/rock.png",
        "wood.png",
        "old/fern.png",
        "new/fern.png",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(picture())
    rows = ["sea.png\tCC0", "rock.png\tCC0", "photos/wood.png\tCC0", "old/fern.png\tCC0", "gone.png\tCC0"]
    (tmp_path / "LICENCES.tsv").write_text("\n".join(["file\tlicence", *rows]))
    library = read_library(tmp_path)
    assert [asset.name for asset in library.assets] == ["images/sea.png", "old/fern.png", "wood.png"]
    assert library.left_out == {
        **dict.fromkeys(
            ("images/a/rock.png", "images/b/rock.png"),
            "which file is meant by rock.png cannot be told; state paths from the library on",
        ),
        "new/fern.png": "no licence is stated",  # a path that is one names no other file
        "gone.png": "the list of licences names it, and it is not there",
    }
    with pytest.raises(AdRefused, match=r"meant by rock\.png cannot be told") as refused:
        library.photo("images/a/rock.png")
    assert refused.value.code is RefusalCode.NO_LICENCE


def test_what_the_index_holds_has_a_digest_that_follows_it_and_not_its_place(tmp_path: Path) -> None:
    good = {"licence": "CC0-1.0", "tags": ["sea"]}
    folder = write(tmp_path / "one", {"a.png": good, "b.png": good})
    index = MediaIndex(tmp_path / "index")
    index.update(read_library(folder))
    before = index.content
    folder.rename(tmp_path / "two")
    index.update(read_library(tmp_path / "two"))
    assert index.content == before == MediaIndex(tmp_path / "index").content
    for change in (
        {"a.png": good},
        {"a.png": good, "b.png": {**good, "tags": ["rock"]}},
        {"a.png": {"licence": "MIT"}},
    ):
        (tmp_path / "two" / "library.yaml").write_text(yaml.safe_dump({"files": change}))
        index.update(read_library(tmp_path / "two"))
        assert index.content != before


def test_words_of_a_theme_find_its_pictures_first_and_others_find_nothing(index: MediaIndex) -> None:
    for name in theme_names():
        for word in theme(name).words:
            first = index.search(word)[0]
            assert name in first.asset.themes and first.closeness > 0.3, (name, word)
    for words in ("quantum physics", "a dog", "zebra crossing"):
        assert all(near.closeness < 0.2 for near in index.search(words))
    assert index.search("") == [] and index.search("???") == []
    assert index.search("beach", kinds=(AssetKind.PROP,)) == []


def test_an_update_costs_what_changed_and_holds_just_the_library(tmp_path: Path) -> None:
    embedded: list[str] = []

    class Counting(TokenEmbedder):
        def asset(self, asset, picture):
            embedded.append(asset.name)
            return super().asset(asset, picture)

    good = {"licence": "CC0-1.0", "tags": ["sea"]}
    folder = write(tmp_path / "library", {"a.png": good, "b.png": good, "c.png": good})
    index = MediaIndex(tmp_path / "index", Counting())
    assert (index.update(read_library(folder)), embedded) == (
        index.update(read_library(folder)).__class__(3, 0, 0),
        ["a.png", "b.png", "c.png"],
    )
    embedded.clear()
    (folder / "a.png").write_bytes(picture((10, 200, 10)))
    (folder / "c.png").unlink()
    listed = {"a.png": good, "b.png": {**good, "tags": ["rock"]}}
    (folder / "library.yaml").write_text(yaml.safe_dump({"files": listed}))
    update = index.update(read_library(folder))
    assert (update.embedded, update.kept, update.removed, embedded) == (2, 0, 1, ["a.png", "b.png"])
    assert len(MediaIndex(tmp_path / "index", Counting())) == 2


def test_a_licence_that_is_withdrawn_takes_its_picture_out_of_the_index(tmp_path: Path) -> None:
    folder = write(tmp_path / "library", {"a.png": {"licence": "CC0", "tags": ["sea"]}, "b.png": {"licence": "CC0"}})
    index = MediaIndex(tmp_path / "index")
    index.update(read_library(folder))
    (folder / "library.yaml").write_text("files: {b.png: {licence: CC0}}")
    index.update(read_library(folder))
    assert index.asset("a.png") is None and index.asset("b.png") is not None


def test_an_empty_library_empties_the_index_and_everything_is_drawn(tmp_path: Path) -> None:
    folder = write(tmp_path / "library", {"a.png": {"licence": "CC0", "tags": ["sea"]}})
    index = MediaIndex(tmp_path / "index")
    index.update(read_library(folder))
    (folder / "library.yaml").write_text("files: {}")
    assert index.update(read_library(folder)).removed == 1
    assert len(index) == 0 and index.search("sea") == []
    assert retrieved(index, "by the sea").photo is None


def test_a_missing_or_damaged_index_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match="materialise inference/media_index"):
        MediaIndex(tmp_path / "none").search("sea")
    assert not (tmp_path / "none").exists()
    folder = write(tmp_path / "library", {"a.png": {"licence": "CC0"}})
    index = MediaIndex(tmp_path / "index")
    index.update(read_library(folder))
    for file in Path(index.uri).rglob("*"):
        if file.is_file():
            file.write_bytes(b"damaged")
    with pytest.raises(SelvedgeError, match=r"damaged|cannot be read"):
        MediaIndex(tmp_path / "index").search("sea")


def retrieved(index: MediaIndex, prompt: str | None, product: ListedProduct = SHOES, **fields: object) -> Assets:
    brief = write_brief(AdRequest("r", b"photo", product, prompt, **fields))
    return Retriever(index).retrieve(decompose(prompt, brief), brief)


def test_each_entity_gets_its_five_and_the_nearest_becomes_the_background(index: MediaIndex) -> None:
    assets = retrieved(index, "on a sandy beach beside a zebra, snowy mountains, golden hour")
    assert set(assets.by_entity) == {
        "a pair of women's blue casual shoes", "sandy beach", "zebra", "snowy mountains", "golden hour",
    }  # fmt: skip
    assert all(len(near) <= 5 for near in assets.by_entity.values()) and assets.by_entity["zebra"] == ()
    assert assets.by_entity["sandy beach"][0].asset.themes == ("beach",)
    beach = retrieved(index, "on a sandy beach")
    assert beach.photo is not None and beach.photo.name == "backgrounds/beach-scene.jpg"
    assert beach.photo.licence == LICENCE and beach.words == ("beach",) and "is near to" in beach.reasons[0]


def test_what_lies_gets_a_picture_from_above(index: MediaIndex) -> None:
    shirt = ListedProduct(8, "x", "Shirts", gender="Men", colour="Blue")
    assert retrieved(index, "on a sandy beach", shirt).photo.name == "backgrounds/beach-surface.jpg"


def test_nothing_near_is_an_answer(index: MediaIndex) -> None:
    assets = retrieved(index, "a dog with quantum physics")
    assert assets.photo is None and assets.words == () and "drawn" in assets.reasons[0]


def test_without_a_prompt_the_theme_chooses(index: MediaIndex) -> None:
    assert retrieved(index, None, theme="snow").photo.name == "backgrounds/snow-scene.jpg"


def test_a_named_picture_is_taken_or_refused(index: MediaIndex, sample: Library) -> None:
    assets = retrieved(index, "a beach", asset="backgrounds/gym-scene.jpg")
    assert assets.photo.name == "backgrounds/gym-scene.jpg"
    with pytest.raises(AdRefused) as raised:
        retrieved(index, None, asset="backgrounds/moon.jpg")
    assert raised.value.code is RefusalCode.NO_ASSET
    brief = write_brief(AdRequest("r", b"photo", SHOES, None, asset="backgrounds/moon.jpg"))
    with pytest.raises(AdRefused):
        Retriever(index, sample).retrieve(Entities("x"), brief)


@pytest.mark.photographs
def test_a_library_of_real_photographs_is_read_by_its_table() -> None:
    folder = photographs("backgrounds")
    copy = read_table_library(folder)
    assert len(copy.assets) == 8 and all(asset.kind is AssetKind.BACKGROUND for asset in copy.assets)


def read_table_library(folder: Path) -> Library:
    """The photographs with a list that names them where they lie."""
    names = {path.name for path in (folder / "images").iterdir()}
    rows = [line.split("\t") for line in (folder / "LICENCES.tsv").read_text().splitlines()[1:]]
    bucket = UPath("memory://photographs")
    bucket.mkdir(parents=True, exist_ok=True)
    for name in names:
        (bucket / name).write_bytes((folder / "images" / name).read_bytes())
    lines = ["file\tlicence", *(f"{row[0]}\t{row[1]}" for row in rows if row[0] in names)]
    (bucket / "LICENCES.tsv").write_text("\n".join(lines))
    return read_library(bucket)
