"""How bodies fall: MuJoCo lets the skeleton go down under its own weight, with what tone its muscles still have.

A fall starts from whatever the performer is doing, keeps that speed, and ends where gravity and the floor leave the
body: nothing can stay in the air. `FALLS` names the kinds; a push is a force on a part for a while.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from models.scenes.motion import RATE_HZ, Motion, Performer
from models.scenes.poses import POSES
from models.scenes.skeleton import ANGLES, PARTS, Array, Part, pose_parts, vector
from models.scenes.solids import Box, Solid

REACH_M = 2.0
STEPS = 10  # of the simulation for each step of the motion
MASS_KG = 70.0
STIFF = 260.0
"""Newton metres per radian of a joint that holds a tenth of the body; heavier carry more."""


@dataclass(frozen=True, slots=True)
class Push:
    """A force in newtons on a part from `from_s` to `to_s`: forward, left, up as the body looked at the start."""

    part: str
    from_s: float
    to_s: float
    force: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Fall:
    """What the muscles want at what time (s, pose, tone 0..1), what pushes, and how long it takes to lie still."""

    wants: tuple[tuple[float, str, float], ...]
    pushes: tuple[Push, ...] = ()
    lasts_s: float = 2.6


FALLS: dict[str, Fall] = {
    "faint": Fall(
        ((0.0, "stand", 0.6), (0.15, "buckle", 0.35), (0.6, "limp", 0.10), (1.2, "limp", 0.03)),
        (Push("thorax", 0.05, 0.5, (35, 25, 0)),),
    ),
    "trip": Fall(
        ((0.0, "brace", 0.7), (0.55, "brace", 0.55), (1.1, "limp", 0.12), (1.8, "limp", 0.03)),
        (Push("shin_l", 0.0, 0.2, (-140, 0, 0)), Push("shin_r", 0.05, 0.22, (-105, 0, 0)),
         Push("thorax", 0.0, 0.25, (80, 20, 0))),
    ),
    "slip": Fall(
        ((0.0, "catch_behind", 0.55), (0.4, "limp", 0.2), (0.9, "limp", 0.06), (1.5, "limp", 0.02)),
        (Push("foot_l", 0.0, 0.22, (140, 0, 10)), Push("foot_r", 0.05, 0.25, (90, 0, 5)),
         Push("thorax", 0.0, 0.3, (-120, 25, 0))),
    ),
    "side": Fall(
        ((0.0, "stand", 0.5), (0.25, "buckle", 0.4), (0.8, "limp", 0.12), (1.5, "limp", 0.03)),
        (Push("thorax", 0.0, 0.35, (20, 230, 0)), Push("pelvis", 0.1, 0.35, (0, 90, 0))),
    ),
    "backward": Fall(
        ((0.0, "stand", 0.6), (0.3, "catch_behind", 0.4), (0.8, "limp", 0.06), (1.4, "limp", 0.02)),
        (Push("thorax", 0.0, 0.35, (-260, -30, 0)),),
    ),
    "seat": Fall(
        ((0.0, "slump", 0.35), (0.7, "limp", 0.12), (1.4, "limp", 0.04)),
        (Push("thorax", 0.0, 0.6, (25, -90, 0)), Push("pelvis", 0.15, 0.6, (25, -55, 10))),
        2.8,
    ),
    "settle": Fall(((0.0, "", 0.25), (0.5, "", 0.08)), (), 1.0),
}  # fmt: skip


def fall(
    performer: Performer, kind: str, *, turned_deg: float = 0.0, strength: float = 1.0, among: Sequence[Solid] = ()
) -> Performer:
    """Let the performer fall `among` furniture; pushes are turned by `turned_deg` and multiplied by `strength`."""
    plan = FALLS[kind]
    before = performer.motion()
    begun_s = performer.now_s
    roots, turns, angles, blows = simulate(before, plan, performer.heading_deg + turned_deg, strength, among)
    postures = _postures(roots, turns, angles) if kind != "settle" else [before.postures[-1]] * len(roots)
    if kind != "settle":
        performer.say("fall")
        for at_s, blow in blows:
            performer.say("thud", blow, at_s)
        down = next((i for i, posture in enumerate(postures) if posture == "lying"), len(postures))
        performer.say("down", after_s=down / RATE_HZ)
    assert performer.now_s == begun_s
    return performer.play(roots, turns, angles, postures)


def simulate(
    before: Motion, plan: Fall, heading_deg: float, strength: float, among: Sequence[Solid] = ()
) -> tuple[Array, Array, Array, list[tuple[float, float]]]:
    """Return pelvis [T, 3], turns [T, 3, 3], angles [T, A], and blows against the floor (s, strength)."""
    model = mujoco.MjModel.from_xml_string(_xml(_near(before.root[-1], among)))
    model.opt.timestep = 1.0 / (RATE_HZ * STEPS)
    data = mujoco.MjData(model)
    _start(data, before)
    own = before.angles[-1]
    ahead = Rotation.from_euler("z", heading_deg, degrees=True)
    gains = _gains(model)
    rows: list[Array] = []
    load: list[float] = []
    for frame in range(round(plan.lasts_s * RATE_HZ)):
        heaviest = 0.0
        for step in range(STEPS):
            now_s = (frame + step / STEPS) / RATE_HZ
            target, tone = _want(plan.wants, now_s, own)
            data.qfrc_applied[6:] = gains * tone * (np.radians(target) - data.qpos[7:])
            data.xfrc_applied[:] = 0.0
            for push in plan.pushes:
                if push.from_s <= now_s < push.to_s:
                    body = model.body(push.part).id
                    data.xfrc_applied[body, :3] += strength * ahead.apply(push.force)
            mujoco.mj_step(model, data)
            heaviest = max(heaviest, _pressed(model, data))
        rows.append(data.qpos.copy())
        load.append(heaviest)
    state = np.array(rows)
    turns = Rotation.from_quat(state[:, [4, 5, 6, 3]]).as_matrix()
    return state[:, :3], turns, _within(np.degrees(state[:, 7:])), _blows(np.array(load))


def _within(angles: Array) -> Array:
    return np.clip(angles, [angle.low for angle in ANGLES], [angle.high for angle in ANGLES])


def _start(data: mujoco.MjData, before: Motion) -> None:
    """Take over where the body is and how it moves."""
    quat = Rotation.from_matrix(before.turn[-1]).as_quat()
    data.qpos[:3], data.qpos[3:7] = before.root[-1] + (0, 0, 0.005), quat[[3, 0, 1, 2]]
    data.qpos[7:] = np.radians(before.angles[-1])
    if len(before.root) < 4:
        return
    span_s = 3 / RATE_HZ
    data.qvel[:3] = (before.root[-1] - before.root[-4]) / span_s
    data.qvel[6:] = np.clip(np.radians(before.angles[-1] - before.angles[-4]) / span_s, -6, 6)


def _want(wants: Sequence[tuple[float, str, float]], now_s: float, own: Array) -> tuple[Array, float]:
    """Return the wanted angles and the tone, changing gradually from one want to the next."""
    later = next((i for i, want in enumerate(wants) if want[0] > now_s), len(wants))
    from_s, pose, tone = wants[later - 1]
    here = vector(POSES[pose]) if pose else own
    if later == len(wants):
        return here, tone
    to_s, next_pose, next_tone = wants[later]
    share = (now_s - from_s) / (to_s - from_s)
    there = vector(POSES[next_pose]) if next_pose else own
    return here + (there - here) * share, tone + (next_tone - tone) * share


def _pressed(model: mujoco.MjModel, data: mujoco.MjData) -> float:
    """Return how hard anything but the feet hits the floor, in kilonewtons."""
    total = 0.0
    force = np.zeros(6)
    for index in range(data.ncon):
        contact = data.contact[index]
        body = model.body(model.geom_bodyid[max(contact.geom1, contact.geom2)]).name
        if min(contact.geom1, contact.geom2) == 0 and not body.startswith("foot"):
            mujoco.mj_contactForce(model, data, index, force)
            total += abs(float(force[0]))
    return total / 1000.0


def _blows(load_kn: Array) -> list[tuple[float, float]]:
    """Pick the hardest moments, a sixth of a second apart."""
    found: list[tuple[float, float]] = []
    for frame in np.argsort(load_kn)[::-1]:
        at_s = frame / RATE_HZ
        if load_kn[frame] < 0.8 or len(found) == 4:
            break
        if all(abs(at_s - other) > 0.16 for other, _ in found):
            found.append((float(at_s), float(min(1.0, load_kn[frame] / 4.0))))
    return sorted(found)


def _postures(roots: Array, turns: Array, angles: Array) -> list[str]:
    """Name each frame: falling until the head and the pelvis are near the floor for good, lying from then on."""
    posed = pose_parts(roots, turns, angles)
    head = posed.at_rest("head", (0.0, -0.03, 0.65))[:, 2]
    low = (head < 0.45) & (posed.joints[:, 0, 2] < 0.35)
    last = np.flatnonzero(~low)
    down = int(last[-1]) + 1 if len(last) else 0
    return ["falling"] * down + ["lying"] * (len(roots) - down)


def _gains(model: mujoco.MjModel) -> Array:
    """Return newton metres per radian for each angle: what hangs on the joint sets how strong it is."""
    strong = {"lumbar": 1.6, "thorax": 1.2, "head": 0.15, "thigh": 1.3, "shin": 0.9, "foot": 0.35, "upperarm": 0.3,
              "forearm": 0.16, "hand": 0.03}  # fmt: skip
    return np.array([STIFF * strong[angle.part.split("_")[0]] for angle in ANGLES])


def _near(root: Array, solids: Sequence[Solid]) -> list[Box]:
    """Return the boxes within reach of somebody who falls; floors and rugs are the floor."""
    boxes = [solid for solid in solids if isinstance(solid, Box) and solid.high[2] > 0.03]
    return [box for box in boxes if _distance_m(root, box) < REACH_M]


def _distance_m(root: Array, box: Box) -> float:
    """Return how far `root` is from the sides of `box` on the floor, along the axis where it is farther."""
    return float(max(*np.subtract(box.low, root)[:2], *np.subtract(root, box.high)[:2]))


def _xml(boxes: Sequence[Box] = ()) -> str:
    """Return the skeleton as a MuJoCo model: capsules, hinges with limits, a floor, furniture."""
    children: dict[str, list[int]] = {}
    for index, part in enumerate(PARTS):
        children.setdefault(part.parent, []).append(index)

    def body(index: int) -> str:
        part = PARTS[index]
        at = np.zeros(3) if not part.parent else np.subtract(part.joint, _part(part.parent).joint)
        inner = (
            "<freejoint/>"
            if not part.parent
            else "".join(_hinge(i) for i, a in enumerate(ANGLES) if a.part == part.name)
        )
        for a, b, radius in part.hulls:
            ends = " ".join(f"{v:.4f}" for v in (*np.subtract(a, part.joint), *np.subtract(b, part.joint)))
            mass = part.mass_frac * MASS_KG / len(part.hulls)
            inner += f'<geom type="capsule" fromto="{ends}" size="{radius}" mass="{mass:.3f}"/>'
        inner += "".join(body(child) for child in children.get(part.name, []))
        return f'<body name="{part.name}" pos="{at[0]:.4f} {at[1]:.4f} {at[2]:.4f}">{inner}</body>'

    return f"""<mujoco><option integrator="implicitfast" cone="elliptic"/><compiler angle="degree"/>
      <default><geom friction="0.8 0.02 0.01" condim="4" solref="0.012 1.1" contype="1" conaffinity="1"/>
      <joint armature="0.02" limited="true" solreflimit="0.01 1"/></default>
      <worldbody><geom name="floor" type="plane" size="20 20 1"/>{"".join(map(_block, boxes))}{body(0)}</worldbody>
      <contact>{_silent()}</contact></mujoco>"""


def _block(box: Box) -> str:
    low, high = np.array(box.low), np.array(box.high)
    at, half = (" ".join(f"{v:.4f}" for v in row) for row in ((low + high) / 2, (high - low) / 2))
    return f'<geom type="box" pos="{at}" size="{half}"/>'


def _part(name: str) -> Part:
    return next(part for part in PARTS if part.name == name)


def _hinge(index: int) -> str:
    angle = ANGLES[index]
    damp = {"lumbar": 9, "thorax": 8, "head": 1.2, "thigh": 9, "shin": 5, "foot": 1.5, "upperarm": 2.2, "forearm": 1.0,
            "hand": 0.2}[angle.part.split("_")[0]]  # fmt: skip
    axis = " ".join(f"{v:.4f}" for v in angle.axis)
    return f'<joint name="{angle.name}" type="hinge" axis="{axis}" range="{angle.low} {angle.high}" damping="{damp}"/>'


def _silent() -> str:
    """Neighbours overlap at the joints by nature: they do not push each other apart."""
    near = [("upperarm_l", "lumbar"), ("upperarm_r", "lumbar"), ("upperarm_l", "head"), ("upperarm_r", "head"),
            ("thigh_l", "lumbar"), ("thigh_r", "lumbar"), ("pelvis", "thorax"), ("thigh_l", "thigh_r"),
            ("shin_l", "pelvis"), ("shin_r", "pelvis"), ("foot_l", "thigh_l"), ("foot_r", "thigh_r"),
            ("hand_l", "upperarm_l"), ("hand_r", "upperarm_r")]  # fmt: skip
    return "".join(f'<exclude body1="{a}" body2="{b}"/>' for a, b in near)
