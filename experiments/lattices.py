"""Procedural materials whose pieces lie on a lattice: floors, a comb, a roof and a cloth; see `exemplars`."""

import numpy as np

from experiments import drawing


def checkerboard(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw an old checkered floor of pale marble and dark slate, worn, with dust in its joints."""
    rng, n = drawing.rng_of("checkerboard", seed), 2 * size
    y, x = drawing.grid(n)
    side = 8
    v = (y + 0.0010 * drawing.noise(rng, n, 1.6, high=30)) * side
    u = (x + 0.0010 * drawing.noise(rng, n, 1.6, high=30)) * side
    row, column = np.floor(v).astype(int) % side, np.floor(u).astype(int) % side
    piece, pale = row * side + column, (row + column) % 2 == 0
    rough, grain, cloud = (drawing.noise(rng, n, *limits) for limits in ((1.2, 6), (0.3, 40), (1.7, 3)))
    # Veins are where a slow wave, of another phase in each piece, passes zero.
    turn, phase = rng.uniform(0, np.pi, side * side)[piece], rng.uniform(0, 2 * np.pi, side * side)[piece]
    wave = np.sin(26 * (np.cos(turn) * y + np.sin(turn) * x) + 1.5 * cloud + 0.5 * rough + phase)
    vein = np.exp(-((wave / (0.10 + 0.05 * np.abs(rough))) ** 2))
    own = rng.normal(0, 1, side * side)[piece]
    marble = drawing.ramp(0.62 + 0.14 * own + 0.10 * cloud + 0.04 * grain, ["b39a7c", "d0bfa2", "e2d8c4", "f0eadd"])
    marble = drawing.mix(marble, drawing.ramp(0.5 + 0.2 * rough, ["7f6f62", "a08c74"]), 0.55 * vein)
    slate = drawing.ramp(0.45 + 0.18 * own + 0.12 * rough + 0.06 * grain, ["23262b", "383d42", "545a5c", "77786f"])
    slate = drawing.mix(slate, drawing.ramp(0.5 + 0.2 * grain, ["8a8a84", "b5b3a8"]), 0.3 * vein**3)
    edge = np.minimum(np.minimum(v % 1, 1 - v % 1), np.minimum(u % 1, 1 - u % 1)) / side
    chip = drawing.smooth(1.4, 2.2, drawing.noise(rng, n, 1.2, low=8))
    face = drawing.smooth(0, 0.0016, edge - 0.0016 - 0.005 * chip)
    worn = drawing.smooth(0.2, 1.8, drawing.noise(rng, n, 1.8) + 0.4 * rough)
    stone = drawing.mix(slate, marble, pale.astype(float))
    stone = drawing.mix(stone, np.broadcast_to(drawing.colors(["9c8f7d"]), stone.shape), 0.35 * worn)
    albedo = drawing.mix(drawing.ramp(0.5 + 0.2 * grain, ["3b332a", "6b5f50"]), stone, face)
    tilt = rng.normal(0, 0.010, (2, side * side))
    lean = (tilt[0][piece] * (v % 1 - 0.5) + tilt[1][piece] * (u % 1 - 0.5)) / side * 4
    height = 0.004 * face + lean * face + 0.0004 * rough + 0.0001 * grain
    return drawing.light(albedo, height, gloss=0.05, hollow=0.01)


def tiles(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw a floor of cement tiles with inlaid rosettes, rings and stars, in two colorings, rubbed and stained."""
    rng, n = drawing.rng_of("tiles", seed), 2 * size
    y, x = drawing.grid(n)
    side = 4
    rough, grain, fine = (drawing.noise(rng, n, *limits) for limits in ((1.2, 5), (0.3, 40), (1.0, 12)))
    v = (y + 0.0011 * drawing.noise(rng, n, 1.6, high=40)) * side
    u = (x + 0.0011 * drawing.noise(rng, n, 1.6, high=40)) * side
    row, column = np.floor(v).astype(int) % side, np.floor(u).astype(int) % side
    piece = row * side + column
    down, across = v % 1 - 0.5, u % 1 - 0.5
    center, angle = np.hypot(down, across), np.arctan2(down, across)
    aside = 0.5 - np.abs(down), 0.5 - np.abs(across)
    corner, bearing = np.hypot(*aside), np.arctan2(*aside)
    diamond = np.minimum(aside[0] + np.abs(across), aside[1] + np.abs(down))
    petals, slim = np.abs(np.cos(4 * angle)), np.abs(np.sin(4 * angle))
    first, second = ["8e3b2a", "a9563a"], ["2f4a5c", "46687a"]
    swap = (row + column) % 2 == 0
    shapes = [  # how far inside its border, in tiles, and the colors of the two kinds of tiles
        (0.415 - center, ["d9b878", "e6cd96"], ["c5cbb8", "d9dccb"]),
        (0.018 - np.abs(center - 0.415), ["33302c", "4a453e"], ["33302c", "4a453e"]),
        (0.15 + 0.21 * petals**0.7 - center, first, second),
        (0.13 + 0.12 * petals**0.9 - center, ["e9dcc0", "f2e8d2"], ["e9dcc0", "f2e8d2"]),
        (0.05 * (slim - 0.62) - np.abs(center - 0.335), second, first),
        (0.095 - center, second, first),
        (0.040 - center, ["e0b658", "ecc978"], ["e0b658", "ecc978"]),
        (0.235 - corner, second, second),
        (0.014 - np.abs(corner - 0.225), ["e9dcc0", "f2e8d2"], ["e9dcc0", "f2e8d2"]),
        (0.05 + 0.13 * np.abs(np.cos(2 * bearing)) ** 2 - corner, first, first),
        (0.060 - diamond, first, first),
    ]
    tone = np.clip(0.5 + 0.25 * rough + 0.12 * grain, 0, 1)
    albedo = drawing.ramp(tone, ["cfc4a8", "e4dbc4"])
    for inside, one, other in shapes:
        colors = np.where(swap[..., None], drawing.ramp(tone, one), drawing.ramp(tone, other))
        albedo = drawing.mix(albedo, colors, drawing.smooth(-0.006, 0.006, inside + 0.004 * fine))
    albedo = albedo * np.exp(rng.normal(0, 0.16, side * side)[piece] + 0.05 * fine)[..., None]
    rubbed = drawing.smooth(0.3, 2.0, drawing.noise(rng, n, 1.5, low=2) + 0.4 * rough)
    albedo = drawing.mix(albedo, np.broadcast_to(drawing.colors(["b3a690"]), albedo.shape), 0.55 * rubbed)
    stain = drawing.smooth(0.6, 2.0, drawing.noise(rng, n, 1.8, low=2))
    albedo = albedo * (1 - 0.35 * stain[..., None] * [0.7, 0.9, 1.1])
    pit = drawing.smooth(2.0, 2.6, drawing.noise(rng, n, 0.7, low=25, high=90))
    edge = (0.5 - np.maximum(np.abs(down), np.abs(across))) / side
    chip = drawing.smooth(1.2, 2.2, drawing.noise(rng, n, 1.2, low=10))
    face = drawing.smooth(0, 0.0018, edge - 0.0014 - 0.005 * chip)
    grout = drawing.ramp(np.clip(0.5 + 0.2 * grain + 0.15 * rough, 0, 1), ["4b443b", "7b7264"])
    albedo = drawing.mix(grout, albedo * (1 - 0.5 * pit[..., None]), face)
    tilt = rng.normal(0, 0.008, (2, side * side))
    lean = (tilt[0][piece] * down + tilt[1][piece] * across) / side * 3
    height = face * (0.004 + lean - 0.002 * pit) + 0.0006 * rough + 0.0001 * grain
    return drawing.light(albedo, height, gloss=0.03, hollow=0.012)


def honeycomb(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw a comb of wax: deep cells, some filled with honey and some closed by caps."""
    rng, n = drawing.rng_of("honeycomb", seed), 2 * size
    y, x = drawing.grid(n)
    columns, rows = 7, 8  # nearly regular hexagons, as 8 / 7 is nearly 2 / sqrt(3)
    row, column = np.divmod(np.arange(rows * columns), columns)
    points = np.stack([(row + 0.5) / rows, (column + 0.25 + 0.5 * (row % 2)) / columns], -1)
    points = points + rng.normal(0, 0.0025, points.shape)
    rough, grain, fine = (drawing.noise(rng, n, *limits) for limits in ((1.3, 3), (0.3, 40), (1.0, 14)))
    wy, wx = (c + 0.0022 * drawing.noise(rng, n, 1.6, high=24) for c in (y, x))
    center, border, cell = drawing.worley(wy, wx, points % 1, soft=0.010)
    inside = border - 0.0065 - 0.0012 * fine
    hollow = drawing.smooth(0, 0.010, inside)
    capped, filled = (rng.random((2, rows * columns)) < [[0.22], [0.5]])[:, cell]
    own = rng.normal(0, 1, rows * columns)[cell]
    wax = drawing.ramp(
        np.clip(0.55 + 0.16 * rough + 0.06 * grain + 0.05 * fine, 0, 1), ["8a5a1c", "c08a34", "dcae58", "f0d796"]
    )
    deep = drawing.ramp(
        np.clip(0.5 + 0.2 * own + 6 * (center - 0.03) + 0.08 * rough, 0, 1), ["1d0f06", "4a2a0e", "7a4a18"]
    )
    honey = drawing.ramp(
        np.clip(0.5 + 0.16 * own - 8 * (center - 0.03) + 0.12 * rough, 0, 1), ["5e2a05", "a4560b", "d8891a", "f0b43e"]
    )
    cap = drawing.ramp(
        np.clip(0.5 + 0.16 * own + 0.12 * fine + 0.08 * rough, 0, 1), ["a77c42", "cfa765", "e6cb94", "f3e3bd"]
    )
    floor = np.where(capped[..., None], cap, np.where(filled[..., None], honey, deep))
    albedo = drawing.mix(wax, floor, hollow) * np.exp(0.05 * grain)[..., None]
    depth = np.where(capped, 0.004, np.where(filled, 0.022, 0.034))
    lid = np.where(capped, 0.004 * drawing.smooth(0.045, 0.0, center) + 0.0010 * fine, 0.0001 * fine)
    height = -hollow * depth + hollow * lid + (1 - hollow) * (0.0010 * fine + 0.0003 * grain)
    height = height + 0.002 * rough * (1 - 0.8 * hollow * ~capped)
    return drawing.light(albedo, drawing.blur(height, 0.0010), gloss=0.12, hollow=0.02)


def shingles(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw a roof of split wooden shingles: rows that overlap, moved by half a shingle, gray with age."""
    rng, n = drawing.rng_of("shingles", seed), 2 * size
    y, x = drawing.grid(n)
    rows, columns = 8, 6
    rough, grain, ragged = (drawing.noise(rng, n, *limits) for limits in ((1.3, 4), (0.3, 40), (1.0, 20)))
    v = (y + 0.0016 * drawing.noise(rng, n, 1.6, high=30) + 0.0008 * ragged) * rows
    u = (x + 0.0016 * drawing.noise(rng, n, 1.6, high=30)) * columns
    moved, longer = rng.normal(0, 0.05, (rows, columns)), rng.uniform(0, 0.16, (rows, columns))

    def shingle(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The column of the shingle of that row at each pixel, and how far it is to its edges, in columns."""
        along = u + 0.5 * (row % 2)
        nearest = np.round(along).astype(int)
        cut = nearest + moved[row, nearest % columns]  # the joint that is nearest
        column = np.where(along < cut, nearest - 1, nearest) % columns
        return column, np.abs(along - cut)

    # The lower end of a shingle hides the next row's beginning.
    base = np.floor(v).astype(int) % rows
    above = (base - 1) % rows
    hangs = v % 1 < longer[above, shingle(above)[0]]
    row = np.where(hangs, above, base)
    column, gap = shingle(row)
    piece, along = row * columns + column, v % 1 + hangs
    fiber = np.sin(0.8 * drawing.noise(rng, n, 0.8, low=10, stretch=14) + rng.uniform(0, 6, rows * columns)[piece])
    split = drawing.smooth(1.5, 2.4, drawing.noise(rng, n, 0.9, low=10, stretch=30))
    face = drawing.smooth(0.006, 0.030, gap + 0.006 * ragged)
    own = rng.normal(0, 1, rows * columns)[piece]
    tone = np.clip(0.46 + 0.15 * own + 0.07 * fiber + 0.07 * rough + 0.04 * grain + 0.10 * (along - 0.6), 0, 1)
    gray = drawing.ramp(tone, ["2f2b28", "5a5049", "857a6e", "aca294", "cdc5b8"])
    brown = drawing.ramp(tone, ["2e1c12", "5e3f28", "8c6442", "b48a62", "d3b48c"])
    fresh = drawing.smooth(-0.6, 1.8, rng.normal(0, 1, rows * columns)[piece] + 0.5 * rough)
    albedo = drawing.mix(gray, brown, fresh)
    moss = drawing.smooth(0.7, 2.0, drawing.noise(rng, n, 1.6, low=2) + 0.5 * ragged + 0.8 * (along - 0.8))
    albedo = drawing.mix(albedo, drawing.ramp(np.clip(0.5 + 0.2 * grain, 0, 1), ["4a5530", "7f8a4e"]), 0.6 * moss)
    wet = 1 - 0.45 * drawing.smooth(0.30, 0.0, along - longer[above, shingle(above)[0]] * (1 - hangs))
    albedo = albedo * (wet * (1 - 0.75 * split) * (0.25 + 0.75 * face))[..., None]
    thick = rng.uniform(0.7, 1.3, rows * columns)[piece]
    height = face * (0.016 * thick * along + 0.0006 * fiber + 0.0012 * moss * ragged - 0.003 * split) + 0.0003 * grain
    return drawing.light(albedo, drawing.blur(height, 0.0008), hollow=0.014)


def fabric(size: int = 256, seed: int = 0) -> np.ndarray:
    """Draw a plain woven kitchen cloth of thick linen: each thread over one and under the next, with red stripes."""
    rng, n = drawing.rng_of("fabric", seed), 2 * size
    y, x = drawing.grid(n)
    threads = 24
    v, u = ((c + 0.10 / threads * drawing.noise(rng, n, 1.8, high=30)) * threads for c in (y, x))
    down, across = np.floor(u).astype(int) % threads, np.floor(v).astype(int) % threads
    swing_warp = np.cos(np.pi * (v - 0.5)) * (1 - 2 * (down % 2))
    swing_weft = -np.cos(np.pi * (u - 0.5)) * (1 - 2 * (across % 2))
    width = rng.uniform(0.80, 1.0, (2, threads))
    slub = [1 + 0.10 * drawing.noise(rng, n, 1.2, low=4, stretch=s) for s in (8, 1 / 8)]
    inside = [
        1 - ((2 * (c % 1) - 1) / (width[i][t] * slub[i])) ** 2 for i, (c, t) in enumerate(((u, down), (v, across)))
    ]
    high_warp, high_weft = (
        np.sqrt(np.clip(r, 0, 1)) + 0.55 * s for r, s in zip(inside, (swing_warp, swing_weft), strict=True)
    )
    high_warp, high_weft = (np.where(r > 0, h, -0.8) for r, h in zip(inside, (high_warp, high_weft), strict=True))
    over = drawing.smooth(-0.06, 0.06, high_warp - high_weft)
    twist = np.sin(2 * np.pi * (1.6 * v + 0.9 * u)), np.sin(2 * np.pi * (1.6 * u - 0.9 * v))
    hair = [drawing.noise(rng, n, 0.3, low=24, stretch=s) for s in (8, 1 / 8)]
    colored = np.isin(np.arange(threads) % 12, (3, 4, 5, 8))
    layers = []
    for i, thread in enumerate((down, across)):
        shade = rng.normal(0, 1, threads)[thread]
        tone = np.clip(0.5 + 0.10 * shade + 0.8 * (slub[i] - 1) + 0.10 * hair[i] + 0.06 * twist[i], 0, 1)
        plain, red = (
            drawing.ramp(tone, ["97845f", "c6b48d", "e6dabd"]),
            drawing.ramp(tone, ["6a1f22", "a03a36", "c46a58"]),
        )
        layers.append(drawing.mix(plain, red, colored[thread].astype(float)))
    albedo = drawing.mix(layers[1], layers[0], over)
    top = np.maximum(high_warp, high_weft)
    albedo = drawing.mix(
        np.broadcast_to(drawing.colors(["2b241b"]), albedo.shape), albedo, drawing.smooth(-0.6, 0.1, top)
    )
    faded = drawing.smooth(0.2, 2.2, drawing.noise(rng, n, 1.7))
    albedo = drawing.mix(albedo, np.broadcast_to(drawing.colors(["d9ceb4"]), albedo.shape), 0.3 * faded)
    fuzz = np.where(over > 0.5, hair[0] + 1.2 * twist[0], hair[1] + 1.2 * twist[1])
    return drawing.light(albedo, 0.30 / threads * (top + 0.05 * fuzz), hollow=0.012)


MATERIALS = {draw.__name__: draw for draw in (checkerboard, tiles, honeycomb, shingles, fabric)}
