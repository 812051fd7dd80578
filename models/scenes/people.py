"""Who appears in the scenes."""

from models.scenes.body import Looks

PALE, TAN, BROWN, DARK = (0.58, 0.36, 0.27), (0.47, 0.28, 0.18), (0.26, 0.14, 0.08), (0.11, 0.06, 0.04)
GREY_HAIR, BLOND, BLACK = (0.20, 0.195, 0.19), (0.35, 0.22, 0.09), (0.015, 0.012, 0.010)

ADA = Looks(gender=1.0, age=0.95, stature_m=1.58, weight=0.58, skin=PALE, hair=GREY_HAIR, long_hair=True,
            top=(0.07, 0.20, 0.24), trousers=(0.10, 0.09, 0.09), shoes=(0.16, 0.10, 0.07))  # fmt: skip
BEN = Looks(gender=0.0, age=0.66, stature_m=1.74, weight=0.55, skin=PALE, top=(0.10, 0.17, 0.33))
CAN = Looks(gender=0.0, age=0.62, stature_m=1.70, weight=0.48, skin=TAN, hair=BLACK, top=(0.40, 0.30, 0.08),
            top_kind="shirt", trousers=(0.06, 0.09, 0.18))  # fmt: skip
DORA = Looks(gender=1.0, age=0.62, stature_m=1.62, weight=0.50, skin=BROWN, hair=BLACK, long_hair=True,
             top=(0.08, 0.24, 0.16), trousers=(0.03, 0.03, 0.04))  # fmt: skip
EMIL = Looks(gender=0.0, age=0.98, stature_m=1.68, weight=0.62, skin=PALE, hair=GREY_HAIR, top=(0.22, 0.24, 0.20),
             trousers=(0.17, 0.15, 0.12))  # fmt: skip
FAY = Looks(gender=1.0, age=0.64, stature_m=1.68, weight=0.44, skin=PALE, hair=BLOND, long_hair=True,
            top=(0.55, 0.53, 0.50), top_kind="shirt", trousers=(0.07, 0.11, 0.22), shoes=(0.5, 0.5, 0.5))  # fmt: skip
GUS = Looks(gender=0.0, age=0.70, stature_m=1.78, weight=0.66, skin=DARK, hair=BLACK, top=(0.30, 0.06, 0.05),
            trousers=(0.08, 0.08, 0.09))  # fmt: skip
HOOD = Looks(gender=0.0, age=0.60, stature_m=1.72, weight=0.50, skin=TAN, top=(0.06, 0.06, 0.07),
            trousers=(0.10, 0.10, 0.11), hat=(0.03, 0.03, 0.035))  # fmt: skip
IRIS = Looks(gender=1.0, age=0.60, stature_m=1.66, weight=0.52, skin=TAN, hair=BLACK, long_hair=True, top_kind="coat",
             top=(0.32, 0.25, 0.17), trousers=(0.05, 0.05, 0.06))  # fmt: skip
