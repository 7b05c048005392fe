"""ShuffleNet V2's controlled experiments: G1 to G4 (Ma et al. 2018, arXiv 1807.11164, section 2, Tables 1 to 4).

Each is done with the channel numbers of the paper, for its GPU and for its ARM core, and again with channels that are
whole blocks of 16 (in each group): a runtime computes in blocks of 16 on AVX-512, so 90, 52 or 36 channels are padded
or leave the blocked layout, and that costs time of its own. What remains with aligned channels is the guideline; the
quotient of both effects is padding and layout. Aligned experiments divide by the MACs, which blocks of 16 cannot keep
exactly equal.

The tables give speeds, so the published slow-down is the first row's speed over the other's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.findings.finding import Experiment, Finding, More, blur
from bench.findings.side import Side
from bench.plan.zoo import resolve

PAPER = "ShuffleNet V2"
GPU, ARM = "GTX 1080Ti", "Snapdragon 810"
BLOCK = 16
# How far the MACs of aligned channels may lie from those of the first row; the effect is divided by them.
NEARLY = 0.15

Speeds = tuple[float, float, float]

# Table 1: c1 and c2 at x1, speeds at x1, x2, x4 (GPU: batches/s, ARM: images/s).
G1: dict[str, dict[str, tuple[tuple[int, int], Speeds]]] = {
    GPU: {
        "1:1": ((128, 128), (1480, 723, 232)),
        "1:2": ((90, 180), (1296, 586, 206)),
        "1:6": ((52, 312), (876, 489, 189)),
        "1:12": ((36, 432), (748, 392, 163)),
    },
    ARM: {
        "1:1": ((32, 32), (76.2, 21.7, 5.3)),
        "1:2": ((22, 44), (72.9, 20.5, 5.1)),
        "1:6": ((13, 78), (69.1, 17.9, 4.6)),
        "1:12": ((9, 108), (57.6, 15.1, 4.4)),
    },
}
# Table 2: channels at x1 by number of groups, speeds at x1, x2, x4. ARM prints 180 channels for 8 groups, which do not
# divide; `divisible` takes the next number that does.
G2: dict[str, dict[int, tuple[int, Speeds]]] = {
    GPU: {
        1: (128, (2451, 1289, 437)),
        2: (180, (1725, 873, 341)),
        4: (256, (1026, 644, 338)),
        8: (360, (634, 445, 230)),
    },
    ARM: {
        1: (64, (40.0, 10.2, 2.3)),
        2: (90, (35.0, 9.5, 2.2)),
        4: (128, (32.9, 8.7, 2.1)),
        8: (180, (27.8, 7.5, 1.8)),
    },
}
# Table 3: speeds by fragments and arrangement; channels of the 1-fragment block are `c`.
G3_CHANNELS = {GPU: (128, 256, 512), ARM: (64, 128, 256)}
G3: dict[str, dict[tuple[int, str], Speeds]] = {
    GPU: {
        (1, "single"): (2446, 1274, 434),
        (2, "series"): (1790, 909, 336),
        (4, "series"): (752, 745, 349),
        (2, "parallel"): (1537, 803, 320),
        (4, "parallel"): (691, 572, 292),
    },
    ARM: {
        (1, "single"): (40.2, 10.1, 2.3),
        (2, "series"): (38.6, 10.1, 2.2),
        (4, "series"): (38.4, 10.1, 2.3),
        (2, "parallel"): (33.4, 9.1, 2.2),
        (4, "parallel"): (35.0, 8.4, 2.1),
    },
}
# Table 4: speeds by (ReLU, shortcut) at c = 32, 64, 128.
G4_CHANNELS = (32, 64, 128)
G4: dict[str, dict[tuple[bool, bool], Speeds]] = {
    GPU: {
        (True, True): (2427, 2066, 1436),
        (True, False): (2647, 2256, 1735),
        (False, True): (2672, 2121, 1458),
        (False, False): (2842, 2376, 1782),
    },
    ARM: {
        (True, True): (56.7, 16.9, 5.0),
        (True, False): (61.9, 18.8, 5.2),
        (False, True): (57.3, 18.2, 5.1),
        (False, False): (66.3, 20.2, 5.4),
    },
}
SCALES = (1, 2, 4)
# Where the stack's feature maps leave every cache: the regime in which memory access must show.
MAPS = (112, 224)


def g1(device: str, scales: Sequence[int] = SCALES, side: int | None = None, threads: int = 1) -> Iterator[Experiment]:
    """Yield Table 1: every ratio against 1:1, with the paper's channels and with aligned ones."""
    for i, scale in enumerate(SCALES):
        if scale not in scales:
            continue
        (c, _), first = G1[device]["1:1"]
        base = Side(f"stack/g1:c1={scale * c},c2={scale * c}", threads, resolution=side)
        for ratio, ((c1, c2), speeds) in list(G1[device].items())[1:]:
            name = f"{ratio}, x{scale}, {device}{_where(side, threads)}"
            quick = device == ARM and scale == 2 and ratio == "1:12" and side is None
            core = scale == (1 if device == GPU else 2)
            published = first[i] / speeds[i]
            b = Side(f"stack/g1:c1={scale * c1},c2={scale * c2}", threads, resolution=side)
            more = More(channels="paper", quick=quick, core=core, blur=blur(first[i], speeds[i]))
            paper = Experiment(name, base, b, published, device, **more)
            aligned = aligned_pair(scale * c, c2 / c1)
            b = Side(f"stack/g1:c1={aligned[0]},c2={aligned[1]}", threads, resolution=side) if aligned else b
            yield from _twice(paper, base, b, per_mac=True)


def g2(device: str, scales: Sequence[int] = SCALES, side: int | None = None, threads: int = 1) -> Iterator[Experiment]:
    """Yield Table 2: 2, 4 and 8 groups against none."""
    for i, scale in enumerate(SCALES):
        if scale not in scales:
            continue
        c, first = G2[device][1]
        base = Side(f"stack/conv:c={scale * c}", threads, resolution=side)
        for groups in (2, 4, 8):
            channels, speeds = G2[device][groups]
            name = f"{groups} groups, x{scale}, {device}{_where(side, threads)}"
            quick = device == GPU and scale == 1 and groups == 8 and side is None
            published = first[i] / speeds[i]
            wide = divisible(scale * channels, groups)
            b = Side(f"stack/conv:c={wide},groups={groups}", threads, resolution=side)
            per_mac = wide != scale * channels
            rounded = blur(first[i], speeds[i])
            more = More(channels="paper", per_mac=per_mac, quick=quick, core=scale == 1, blur=rounded)
            paper = Experiment(name, base, b, published, device, **more)
            aligned = aligned_groups(scale * c, groups)
            b = Side(f"stack/conv:c={aligned},groups={groups}", threads, resolution=side) if aligned else b
            yield from _twice(paper, base, b, per_mac=True)


def g3(
    device: str, columns: Sequence[int] = (0, 1, 2), side: int | None = None, threads: int = 1
) -> Iterator[Experiment]:
    """Yield Table 3: 2 and 4 fragments in series and in parallel against one."""
    for i in columns:
        c = G3_CHANNELS[device][i]
        base = Side(f"stack/conv:c={c}", threads, resolution=side)
        first = G3[device][1, "single"][i]
        for (n, arrangement), speeds in list(G3[device].items())[1:]:
            name = f"{n} fragments, {arrangement}, c={c}, {device}{_where(side, threads)}"
            quick = device == GPU and i == 0 and n == 4 and side is None
            published = first / speeds[i]
            exact = c / math.sqrt(n)
            sides = [
                Side(f"stack/{arrangement}:c={channels},n={n}", threads, resolution=side)
                for channels in (int(exact), round(exact / BLOCK) * BLOCK)
            ]
            per_mac = int(exact) != exact
            more = More(channels="paper", per_mac=per_mac, quick=quick, core=i == 0, blur=blur(first, speeds[i]))
            paper = Experiment(name, base, sides[0], published, device, **more)
            yield from _twice(paper, base, sides[1], per_mac)


def g4(
    device: str, columns: Sequence[int] = (0, 1, 2), side: int | None = None, threads: int = 1
) -> Iterator[Experiment]:
    """Yield Table 4: the unit with ReLU and shortcut against it without either or both.

    The paper says neither the size of the feature maps (taken as in Tables 1 to 3) nor whether c is the outer or the
    inner width; with c outer and c / 4 inside, as in ResNet, the ARM core would do 2 to 3 GMAC/s, as in Table 1.
    """
    for i in columns:
        c = G4_CHANNELS[i]
        inner = c // 4
        for (relu, shortcut), speeds in list(G4[device].items())[1:]:
            without = " and ".join(part for part, there in (("ReLU", relu), ("shortcut", shortcut)) if not there)
            name = f"with {without}, c={c}, {device}{_where(side, threads)}"
            quick = device == GPU and i == 1 and not relu and not shortcut and side is None
            (bare, whole), (bare16, whole16) = (
                [
                    Side(f"stack/unit:c={c},m={m}{flags}", threads, resolution=side)
                    for flags in (f",relu={_flag(relu)},shortcut={_flag(shortcut)}", "")
                ]
                for m in (inner, max(BLOCK, inner))
            )
            published = speeds[i] / G4[device][True, True][i]
            rounded = blur(speeds[i], G4[device][True, True][i])
            more = More(channels="paper", quick=quick, core=True, blur=rounded)
            paper = Experiment(name, bare, whole, published, device, **more)
            yield from _twice(paper, bare16, whole16, per_mac=False)


def _twice(paper: Experiment, a: Side, b: Side, per_mac: bool) -> Iterator[Experiment]:
    """Yield an experiment and its aligned partner; one for both where the paper's channels are aligned already.

    Where there are no aligned channels, the partner's sides are the paper's, and unaligned: only the paper's is left.
    """
    same = (a, b) == (paper.a, paper.b)
    if same:
        yield replace(paper, channels="both") if all(map(is_aligned, (a, b))) else paper
    else:
        yield paper
        yield replace(paper, name=f"{paper.name}, aligned", a=a, b=b, channels="aligned", per_mac=per_mac)


def is_aligned(side: Side) -> bool:
    """Tell whether the channels of a stack are whole blocks in every group."""
    params = resolve(side.model).params
    groups = int(params.get("groups", 1))
    return all(int(params[name]) % (BLOCK * groups) == 0 for name in ("c", "c1", "c2", "m") if name in params)


def aligned_pair(c: int, ratio: float) -> tuple[int, int] | None:
    """Return multiples of 16 with nearly the product c * c and nearly the ratio; None where there are none."""
    found = []
    for c1 in range(BLOCK, c, BLOCK):
        c2 = round(c * c / c1 / BLOCK) * BLOCK
        off = abs(math.log(c2 / c1 / ratio))
        if c2 > c1 and abs(c1 * c2 / (c * c) - 1) <= NEARLY and off <= math.log(1.6):
            found.append((off, c1, c2))
    return min(found)[1:] if found else None


def aligned_groups(c: int, groups: int) -> int | None:
    """Return a channel number with 16 or a multiple in each group and nearly c * c MACs in `groups` groups, if any."""
    unit = BLOCK * groups
    best = max(1, round(c * math.sqrt(groups) / unit)) * unit
    return best if abs(best * best / groups / (c * c) - 1) <= NEARLY else None


def divisible(channels: int, groups: int) -> int:
    """Return the nearest multiple of the number of groups, the larger of two."""
    return int(channels / groups + 0.5) * groups


def _where(side: int | None, threads: int) -> str:
    return (f", {side} px" if side else "") + (f", {threads} threads" if threads != 1 else "")


def _flag(value: bool) -> str:
    return "true" if value else "false"


def findings() -> list[Finding]:
    """Return G1 to G4, each in the paper's setting, on larger feature maps, and on two threads."""
    table = {
        "G1": (1, g1, "equal channel width minimises memory access: at equal MACs, speed falls as c1:c2 leaves 1:1"),
        "G2": (2, g2, "group convolution costs memory access: at equal MACs, speed falls with the number of groups"),
        "G3": (3, g3, "fragmentation reduces parallelism: at equal MACs, more and smaller operators are slower"),
        "G4": (4, g4, "element-wise operations are not free: ReLU and shortcut cost time and next to no FLOPs"),
    }
    found = []
    for id, (number, make, claim) in table.items():
        source, second = f"{PAPER}, Table {number}", SECOND[id]
        whole = tuple(e for device in (GPU, ARM) for e in make(device))
        found.append(Finding(id, claim, source, PAPER, whole, note=NOTES[id], headline=HEADLINES[id][0]))
        # The paper's ARM channels at x2: they have aligned partners, and leave the caches at 112 or 224 pixels.
        large = tuple(e for side in MAPS for e in make(ARM, (second,), side))
        on_maps = f"{claim}; on feature maps that leave the caches"
        note, headline = "Speeds published at 56x56.", HEADLINES[id][1]
        found.append(Finding(f"{id}-maps", on_maps, source, PAPER, large, "", note, f"{headline}, {MAPS[0]} px"))
        two = tuple(make(ARM, (second,), None, 2))
        on_two = f"{claim}; on two threads"
        note = "Published on one."
        found.append(Finding(f"{id}-threads", on_two, source, PAPER, two, "", note, f"{headline}, 2 threads"))
    return found


SECOND = {"G1": 2, "G2": 2, "G3": 1, "G4": 1}  # the scale, or the column, of the paper's ARM channels at x2
# Of each table the pair that its text names, in the first column: 1:12, 8 groups, 4 fragments, all that costs no FLOPs.
HEADLINES = {
    "G1": (f"1:12, x1, {GPU}", f"1:12, x2, {ARM}"),
    "G2": (f"8 groups, x1, {GPU}", f"8 groups, x2, {ARM}"),
    "G3": (f"4 fragments, series, c=128, {GPU}", f"4 fragments, series, c=128, {ARM}"),
    "G4": (f"with ReLU and shortcut, c=32, {GPU}", f"with ReLU and shortcut, c=64, {ARM}"),
}

NOTES = {
    "G1": "The paper's 1:12 has 5% fewer MACs than 1:1.",
    "G2": "Table 2 prints 180 channels in 8 groups for ARM; 184 are taken, and the effect is divided by the MACs.",
    "G3": "Channels are c / sqrt(n), rounded down; where that changes the MACs, the effect is divided by them.",
    "G4": "Size and meaning of c are not printed: 56x56, c outside and c / 4 inside.",
}
