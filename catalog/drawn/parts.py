"""Parts: the labels of the part masks.

Belongs here: one number and one name per part. Not here: which garment has which part.

The numbers are written into PNG files, so they never change; a new part takes the next free number.
"""

BACKGROUND = 0
BODY = 1
SLEEVE = 2
COLLAR = 3
CUFF = 4
PLACKET = 5
WAISTBAND = 6
LEG = 7
POCKET = 8
BUTTON = 9
ZIP = 10
LINING = 11
HOOD = 12
HEM = 13
DRAWSTRING = 14
UPPER = 15
TOE = 16
SOLE = 17
HEEL = 18
LACES = 19
STRAP = 20
BUCKLE = 21
TONGUE = 22
HANDLE = 23
FLAP = 24
SKIRT = 25

NAMES: dict[int, str] = {
    number: name.lower().replace("_", " ")
    for name, number in dict(globals()).items()
    if name.isupper() and isinstance(number, int)
}
