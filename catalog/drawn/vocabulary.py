"""What the drawn catalogue can show: article types, their attributes and how often each value occurs.

Belongs here: the closed vocabulary of the drawing, in the spelling of the public Kaggle catalogue, and its priors.
Not here: colours (colours.py), how a value is drawn (tops.py, bottoms.py, …), the questions asked about it
(`catalog/attributes.yaml`).

`ATTRIBUTES[attribute][article_type][value]` is a prior weight. Priors are uneven, as a shop's are, yet an article type
and a gender alone say little about any attribute: a model has to look.
"""

from dataclasses import dataclass

Weights = dict[str, float]

EVERYONE: Weights = {"Men": 0.36, "Women": 0.34, "Unisex": 0.08, "Boys": 0.11, "Girls": 0.11}
WOMEN_AND_GIRLS: Weights = {"Women": 0.76, "Girls": 0.24}


@dataclass(frozen=True)
class Article:
    """One article type: its place in the catalogue, how often it is drawn, who wears it."""

    master_category: str
    sub_category: str
    weight: float
    genders: Weights
    usages: Weights


_DAILY: Weights = {"Casual": 0.8, "Formal": 0.12, "Party": 0.05, "Sports": 0.03}
_SPORT: Weights = {"Sports": 0.7, "Casual": 0.3}
_DRESSED: Weights = {"Formal": 0.8, "Casual": 0.15, "Party": 0.05}
_EVENING: Weights = {"Casual": 0.55, "Party": 0.3, "Formal": 0.15}

ARTICLES: dict[str, Article] = {
    "Shirts": Article("Apparel", "Topwear", 1.5, EVERYONE, {"Casual": 0.65, "Formal": 0.3, "Party": 0.05}),
    "Tshirts": Article("Apparel", "Topwear", 1.5, EVERYONE, {"Casual": 0.8, "Sports": 0.2}),
    "Tops": Article("Apparel", "Topwear", 1.0, WOMEN_AND_GIRLS, _EVENING),
    "Sweaters": Article("Apparel", "Topwear", 0.8, EVERYONE, _DAILY),
    "Sweatshirts": Article("Apparel", "Topwear", 0.8, EVERYONE, {"Casual": 0.7, "Sports": 0.3}),
    "Jackets": Article("Apparel", "Topwear", 1.0, EVERYONE, _DAILY),
    "Jeans": Article("Apparel", "Bottomwear", 0.9, EVERYONE, {"Casual": 1.0}),
    "Trousers": Article("Apparel", "Bottomwear", 0.9, EVERYONE, {"Formal": 0.5, "Casual": 0.5}),
    "Track Pants": Article("Apparel", "Bottomwear", 0.7, EVERYONE, _SPORT),
    "Shorts": Article("Apparel", "Bottomwear", 0.9, EVERYONE, {"Casual": 0.75, "Sports": 0.25}),
    "Skirts": Article("Apparel", "Bottomwear", 0.8, WOMEN_AND_GIRLS, _EVENING),
    "Dresses": Article("Apparel", "Dress", 1.1, WOMEN_AND_GIRLS, _EVENING),
    "Casual Shoes": Article("Footwear", "Shoes", 1.0, EVERYONE, {"Casual": 1.0}),
    "Formal Shoes": Article(
        "Footwear", "Shoes", 0.7, {"Men": 0.62, "Women": 0.2, "Boys": 0.12, "Girls": 0.06}, _DRESSED
    ),
    "Sports Shoes": Article("Footwear", "Shoes", 0.9, EVERYONE, {"Sports": 0.9, "Casual": 0.1}),
    "Heels": Article("Footwear", "Shoes", 0.8, {"Women": 0.9, "Girls": 0.1}, _EVENING),
    "Handbags": Article("Accessories", "Bags", 0.9, {"Women": 0.9, "Girls": 0.1}, _EVENING),
    "Backpacks": Article(
        "Accessories", "Bags", 0.8, {"Unisex": 0.5, "Women": 0.2, "Boys": 0.15, "Girls": 0.15}, _DAILY
    ),
}

_PATTERN: Weights = {"Solid": 0.34, "Striped": 0.2, "Checked": 0.17, "Printed": 0.16, "Polka Dots": 0.13}
_PATTERN_CALM: Weights = {"Solid": 0.45, "Striped": 0.2, "Checked": 0.2, "Printed": 0.15}
_SLEEVES: Weights = {"Long Sleeves": 0.36, "Short Sleeves": 0.3, "Three-Quarter Sleeves": 0.18, "Sleeveless": 0.16}
_FIT: Weights = {"Regular Fit": 0.4, "Slim Fit": 0.32, "Loose Fit": 0.28}
_POCKETS: Weights = {"No Pocket": 0.4, "Patch Pocket": 0.34, "Flap Pocket": 0.26}

ATTRIBUTES: dict[str, dict[str, Weights]] = {
    "Pattern": {
        "Shirts": {"Solid": 0.28, "Striped": 0.24, "Checked": 0.24, "Printed": 0.14, "Polka Dots": 0.1},
        "Tshirts": {"Solid": 0.36, "Striped": 0.26, "Printed": 0.22, "Polka Dots": 0.08, "Checked": 0.08},
        "Tops": _PATTERN,
        "Sweaters": {"Solid": 0.4, "Striped": 0.28, "Checked": 0.16, "Printed": 0.08, "Polka Dots": 0.08},
        "Sweatshirts": {"Solid": 0.42, "Striped": 0.24, "Printed": 0.22, "Checked": 0.12},
        "Jackets": _PATTERN_CALM,
        "Trousers": _PATTERN_CALM,
        "Shorts": _PATTERN,
        "Skirts": _PATTERN,
        "Dresses": _PATTERN,
        "Handbags": {"Solid": 0.42, "Striped": 0.16, "Checked": 0.16, "Printed": 0.14, "Polka Dots": 0.12},
        "Backpacks": _PATTERN,
    },
    "Sleeve Length": {
        "Shirts": _SLEEVES,
        "Tshirts": {"Short Sleeves": 0.44, "Long Sleeves": 0.26, "Three-Quarter Sleeves": 0.14, "Sleeveless": 0.16},
        "Tops": {"Short Sleeves": 0.28, "Long Sleeves": 0.24, "Three-Quarter Sleeves": 0.22, "Sleeveless": 0.26},
        "Sweaters": {"Long Sleeves": 0.46, "Three-Quarter Sleeves": 0.18, "Short Sleeves": 0.16, "Sleeveless": 0.2},
        "Sweatshirts": {"Long Sleeves": 0.5, "Short Sleeves": 0.22, "Three-Quarter Sleeves": 0.12, "Sleeveless": 0.16},
        "Jackets": {"Long Sleeves": 0.54, "Sleeveless": 0.22, "Three-Quarter Sleeves": 0.14, "Short Sleeves": 0.1},
        "Dresses": {"Sleeveless": 0.34, "Short Sleeves": 0.27, "Long Sleeves": 0.21, "Three-Quarter Sleeves": 0.18},
    },
    "Collar": {
        "Shirts": {
            "Spread Collar": 0.3,
            "Button-Down Collar": 0.22,
            "Mandarin Collar": 0.2,
            "Cutaway Collar": 0.14,
            "Cuban Collar": 0.14,
        },
        "Jackets": {"Mandarin Collar": 0.28, "Spread Collar": 0.26, "Hooded": 0.24, "Lapel Collar": 0.22},
    },
    "Neck": {
        "Tshirts": {"Round Neck": 0.34, "V-Neck": 0.24, "Polo Collar": 0.26, "Scoop Neck": 0.16},
        "Tops": {"Round Neck": 0.26, "V-Neck": 0.24, "Scoop Neck": 0.18, "Square Neck": 0.18, "Turtle Neck": 0.14},
        "Sweaters": {"Round Neck": 0.34, "V-Neck": 0.3, "Turtle Neck": 0.24, "Polo Collar": 0.12},
        "Sweatshirts": {"Round Neck": 0.36, "Hooded": 0.4, "V-Neck": 0.1, "Turtle Neck": 0.14},
        "Dresses": {"Round Neck": 0.26, "V-Neck": 0.24, "Scoop Neck": 0.18, "Square Neck": 0.18, "Polo Collar": 0.14},
    },
    "Fit": {
        "Shirts": _FIT,
        "Tshirts": _FIT,
        "Tops": {"Slim Fit": 0.36, "Regular Fit": 0.34, "Loose Fit": 0.3},
        "Sweaters": _FIT,
        "Sweatshirts": {"Regular Fit": 0.4, "Loose Fit": 0.36, "Slim Fit": 0.24},
        "Jackets": _FIT,
        "Jeans": {"Slim Fit": 0.4, "Regular Fit": 0.34, "Loose Fit": 0.26},
        "Trousers": _FIT,
        "Track Pants": _FIT,
        "Shorts": {"Regular Fit": 0.4, "Loose Fit": 0.32, "Slim Fit": 0.28},
    },
    "Fabric": {
        "Shirts": {"Cotton": 0.34, "Linen": 0.2, "Denim": 0.18, "Satin": 0.16, "Corduroy": 0.12},
        "Tshirts": {"Cotton": 0.5, "Linen": 0.26, "Polyester": 0.24},
        "Tops": {"Cotton": 0.36, "Satin": 0.34, "Linen": 0.3},
        "Sweaters": {"Wool": 0.46, "Cotton": 0.3, "Fleece": 0.24},
        "Sweatshirts": {"Cotton": 0.42, "Fleece": 0.32, "Polyester": 0.26},
        "Jackets": {"Leather": 0.28, "Denim": 0.24, "Polyester": 0.22, "Corduroy": 0.14, "Fleece": 0.12},
        "Trousers": {"Cotton": 0.38, "Linen": 0.26, "Corduroy": 0.2, "Leather": 0.16},
        "Track Pants": {"Polyester": 0.4, "Cotton": 0.34, "Fleece": 0.26},
        "Shorts": {"Cotton": 0.32, "Denim": 0.28, "Polyester": 0.16, "Linen": 0.14, "Corduroy": 0.1},
        "Skirts": {"Cotton": 0.28, "Denim": 0.24, "Satin": 0.2, "Leather": 0.16, "Corduroy": 0.12},
        "Dresses": {"Cotton": 0.34, "Satin": 0.28, "Linen": 0.2, "Denim": 0.18},
        "Casual Shoes": {"Canvas": 0.38, "Leather": 0.36, "Suede": 0.26},
        "Formal Shoes": {"Leather": 0.5, "Suede": 0.28, "Patent Leather": 0.22},
        "Sports Shoes": {"Mesh": 0.48, "Leather": 0.3, "Suede": 0.22},
        "Heels": {"Leather": 0.38, "Suede": 0.34, "Patent Leather": 0.28},
        "Handbags": {"Leather": 0.42, "Canvas": 0.24, "Suede": 0.18, "Patent Leather": 0.16},
        "Backpacks": {"Canvas": 0.38, "Polyester": 0.34, "Leather": 0.28},
    },
    "Closure": {
        "Tops": {"Pull-On": 0.56, "Button": 0.44},
        "Sweaters": {"Pull-On": 0.44, "Button": 0.34, "Zip": 0.22},
        "Sweatshirts": {"Pull-On": 0.54, "Zip": 0.46},
        "Jackets": {"Zip": 0.5, "Button": 0.5},
        "Trousers": {"Button": 0.56, "Drawstring": 0.44},
        "Track Pants": {"Drawstring": 0.56, "Pull-On": 0.44},
        "Shorts": {"Button": 0.5, "Drawstring": 0.3, "Pull-On": 0.2},
        "Skirts": {"Button": 0.38, "Zip": 0.34, "Pull-On": 0.28},
        "Dresses": {"Pull-On": 0.46, "Button": 0.32, "Zip": 0.22},
        "Casual Shoes": {"Lace-Up": 0.44, "Slip-On": 0.32, "Velcro": 0.24},
        "Formal Shoes": {"Lace-Up": 0.42, "Slip-On": 0.32, "Buckle": 0.26},
        "Sports Shoes": {"Lace-Up": 0.48, "Velcro": 0.3, "Slip-On": 0.22},
        "Heels": {"Slip-On": 0.54, "Buckle": 0.46},
        "Handbags": {"Zip": 0.5, "Buckle": 0.5},
        "Backpacks": {"Zip": 0.44, "Buckle": 0.32, "Drawstring": 0.24},
    },
    "Length": {
        "Jeans": {"Full Length": 0.6, "Cropped": 0.4},
        "Trousers": {"Full Length": 0.58, "Cropped": 0.42},
        "Track Pants": {"Full Length": 0.6, "Cropped": 0.4},
        "Shorts": {"Knee Length": 0.52, "Mini": 0.48},
        "Skirts": {"Mini": 0.36, "Knee Length": 0.34, "Maxi": 0.3},
        "Dresses": {"Knee Length": 0.38, "Mini": 0.33, "Maxi": 0.29},
    },
    "Shape": {
        "Skirts": {"A-Line": 0.36, "Straight": 0.26, "Pleated": 0.22, "Tiered": 0.16},
        "Dresses": {"A-Line": 0.3, "Straight": 0.28, "Fit and Flare": 0.24, "Tiered": 0.18},
    },
    "Pocket Type": {
        "Shirts": _POCKETS,
        "Tshirts": {"No Pocket": 0.62, "Patch Pocket": 0.38},
        "Jackets": {"No Pocket": 0.3, "Flap Pocket": 0.36, "Patch Pocket": 0.34},
        "Trousers": {"No Pocket": 0.56, "Flap Pocket": 0.44},
        "Shorts": {"No Pocket": 0.54, "Flap Pocket": 0.46},
        "Backpacks": {"Patch Pocket": 0.38, "Flap Pocket": 0.34, "No Pocket": 0.28},
    },
    "Toe Shape": {
        "Casual Shoes": {"Round Toe": 0.56, "Square Toe": 0.44},
        "Formal Shoes": {"Pointed Toe": 0.4, "Round Toe": 0.34, "Square Toe": 0.26},
        "Heels": {"Pointed Toe": 0.42, "Round Toe": 0.34, "Square Toe": 0.24},
    },
    "Heel Type": {"Heels": {"Stiletto": 0.4, "Block": 0.34, "Wedge": 0.26}},
    "Ankle Height": {
        "Casual Shoes": {"Regular": 0.58, "High-Top": 0.42},
        "Sports Shoes": {"Regular": 0.62, "High-Top": 0.38},
        "Formal Shoes": {"Regular": 0.68, "High-Top": 0.32},
    },
    "Strap Type": {"Handbags": {"Top Handle": 0.4, "Shoulder Strap": 0.34, "Chain Strap": 0.26}},
}


def attributes_of(article_type: str) -> list[str]:
    """The attributes a drawn article of this type shows, in a fixed order."""
    return [attribute for attribute, by_type in ATTRIBUTES.items() if article_type in by_type]


def values_of(attribute: str) -> list[str]:
    """Every value an attribute takes anywhere, most common article type first."""
    return list(dict.fromkeys(value for weights in ATTRIBUTES[attribute].values() for value in weights))
