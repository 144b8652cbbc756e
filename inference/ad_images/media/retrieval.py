"""Retrieval: which pictures of the media library suit the entities of a prompt.

Belongs here: the top five of each entity, the one that becomes the background. Not here: vectors (index.py), entities
(decomposition.py).

Nothing near enough is an answer, too: the background is drawn then, and the reason says so. A picture that a request
names is taken as it is, or refused.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from upath import UPath

from inference.ad_images.decomposition import Entities
from inference.ad_images.media.index import MediaIndex, Near
from inference.ad_images.media.library import AssetKind, Library, photo_of
from inference.ad_images.plan import Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import AdBrief
from inference.ad_images.scene import LibraryPhoto
from inference.ad_images.themes import theme

TOP = 5
LOOKED_AT = 200  # pictures, of which those from above or at eye level are left out
NEAR_ENOUGH = 0.25  # cosine; one shared word of a short entity, or the theme
LEVEL = 0.05  # cosine: pictures this near to the best are as good; the seed takes one
FROM_ABOVE = "from above"  # a tag: products that lie take these alone, and those that stand none of them
KINDS = {
    "product": (AssetKind.PRODUCT,),
    "background": (AssetKind.BACKGROUND, AssetKind.PROP),
    "themes": (AssetKind.THEME, AssetKind.BACKGROUND),
}


@dataclass(frozen=True)
class Assets:
    """What was found for one request.

    Attributes:
        by_entity: entity → its pictures, nearest first, at most five; an entity without any is there with ().
        photo: the background, or None where it is drawn. reasons: why, for the recipe.
        words: of the background, for its caption; () where its library gives it no title.
    """

    by_entity: Mapping[str, tuple[Near, ...]] = field(default_factory=dict)
    photo: LibraryPhoto | None = None
    words: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def background(self, brief: AdBrief) -> LibraryPhoto | None:
        """The picture that becomes the background; None where it is drawn."""
        return self.photo


@dataclass(frozen=True)
class Retriever:
    """Looks in one index.

    Attributes:
        library: asked for pictures that a request names; without it the index is.
        near_enough: cosine from which a picture counts.
    """

    index: MediaIndex
    library: Library | None = None
    near_enough: float = NEAR_ENOUGH

    def retrieve(self, entities: Entities, brief: AdBrief) -> Assets:
        """The pictures of a request.

        Raises:
            AdRefused: it names a picture that is not there (no_asset) or has no licence (no_licence).
            SelvedgeError: there is no index, or it is damaged.
        """
        by_entity = {
            words: tuple(self._near(words, kind))
            for kind, listed in (
                ("product", (entities.product,)),
                ("background", entities.background),
                ("themes", entities.themes),
            )
            for words in listed
        }
        named = brief.request.asset
        if named is not None:
            photo, title = self._named(named)
            return Assets(by_entity, photo, (title,) if title else (), (f"the request names {named}",))
        nearest = self._background(entities, brief)
        if nearest is None:
            return Assets(by_entity, reasons=("no picture of the library is near enough; the background is drawn",))
        near, why = nearest
        words = (near.asset.title.lower(),) if near.asset.title else ()
        return Assets(by_entity, photo_of(UPath(near.root), near.asset), words, (why,))

    def require(self, name: str) -> None:
        """Raises AdRefused: a picture that a request names is not there, or has no licence."""
        self._named(name)

    def _near(self, words: str, kind: str) -> list[Near]:
        return [near for near in self.index.search(words, TOP, KINDS[kind]) if near.closeness >= self.near_enough]

    def _background(self, entities: Entities, brief: AdBrief) -> tuple[Near, str] | None:
        """The nearest background to all that is said of it; to the theme where nothing is."""
        said = [*entities.background, *entities.themes]
        asked = " ".join(said) if said else f"{theme(brief.theme).title} {' '.join(theme(brief.theme).words[:3])}"
        lies = brief.support is Support.LIES
        near = [
            each
            for each in self.index.search(asked, LOOKED_AT, (AssetKind.BACKGROUND,))
            if each.closeness >= self.near_enough and (FROM_ABOVE in each.asset.tags) == lies
        ][:TOP]
        if not near:
            return None
        level = sorted(
            (each for each in near if each.closeness >= near[0].closeness - LEVEL), key=lambda n: n.asset.name
        )
        key = f"{brief.request.seed}:{brief.request.request_id}:{asked}"
        drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % len(level)
        return level[drawn], f"{level[drawn].asset.name} is near to '{asked:.60}' ({level[drawn].closeness:.2f})"

    def _named(self, name: str) -> tuple[LibraryPhoto, str]:
        if self.library is not None:
            photo = self.library.photo(name)
            return photo, next(asset.title for asset in self.library.assets if asset.name == name)
        listed = self.index.asset(name)
        if listed is None:
            raise AdRefused(
                RefusalCode.NO_ASSET, f"the media library has no picture {name:.80}; choose one that its index lists."
            )
        asset, root = listed
        return photo_of(UPath(root), asset), asset.title
