"""Dressed bodies: the Anny body (N. Heidari et al.; code Apache-2.0, body data CC0) in clothes of their own.

Clothes are shells of the body's own mesh: smoothed so that they hang rather than cling, pushed out along the normals,
wide at their hems, with folds. They are skinned like the body, so they follow it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from models.scenes.motion import Motion
from models.scenes.skeleton import INDEX, Array, local_turns

Faces = NDArray[np.int32]
Rgb = tuple[float, float, float]

SOFT_M = 0.05
BONE_OF = {"pelvis": "root", "lumbar": "spine04", "thorax": "spine02", "head": "neck01"} | {
    f"{part}_{side.lower()}": f"{bone}.{side}"
    for side in "LR"
    for part, bone in (("upperarm", "upperarm01"), ("forearm", "lowerarm01"), ("hand", "wrist"),
                       ("thigh", "upperleg01"), ("shin", "lowerleg01"), ("foot", "foot"))
}  # fmt: skip


JOINTS = {"head": "head", "neck": "neck01"} | {
    f"{joint}_{side.lower()}": f"{bone}.{side}"
    for side in "LR"
    for joint, bone in (("shoulder", "upperarm01"), ("elbow", "lowerarm01"), ("wrist", "wrist"), ("hip", "upperleg01"),
                        ("knee", "lowerleg01"), ("ankle", "foot"))
}  # fmt: skip
"""Joints of the labels and the bone at whose head each stands."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Who somebody is: shape 0..1 as Anny counts it, skin, hair and clothes (linear RGB)."""

    gender: float = 0.5
    age: float = 0.65
    stature_m: float = 1.70
    weight: float = 0.5
    skin: Rgb = (0.52, 0.31, 0.22)
    hair: Rgb = (0.035, 0.022, 0.015)
    long_hair: bool = False
    top: Rgb = (0.10, 0.17, 0.33)
    top_kind: str = "jacket"  # jacket, shirt (short sleeves), coat
    trousers: Rgb = (0.05, 0.05, 0.06)
    shoes: Rgb = (0.02, 0.02, 0.02)
    hat: Rgb | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A mesh to be skinned: vertices at rest [V, 3], bones and weights of each [V, K], triangles, colour of each."""

    model: Any
    phenotype: dict[str, float]
    rest: Array
    bones: NDArray[np.intp]
    weights: Array
    faces: Faces
    colour: Array  # [V, 3]
    cloth: Array  # [V] 1 where the surface is cloth
    scale: float  # from Anny's size for such a body to the wanted one
    arms: NDArray[np.bool_]  # [V] arms give way to the floor, they never carry the body

    def posed(self, motion: Motion, frames: Sequence[int]) -> tuple[NDArray[np.float32], Array]:
        """Return vertices [F, V, 3] and JOINTS [F, J, 3] at frames of a motion, metres.

        Who is not carried stands, sits or lies on the floor with the lowest vertices.
        """
        bones, heads = _bone_matrices(self, motion, frames)
        found = np.empty((len(frames), len(self.rest), 3), np.float32)
        for row, frame in enumerate(frames):
            blended = np.einsum("vk,vkij->vij", self.weights, bones[row][self.bones])
            posed = (blended[:, :, :3] @ self.rest[:, :, None])[:, :, 0] + blended[:, :, 3]
            posed = motion.root[frame] + self.scale * (posed - motion.root[frame])
            heads[row] = motion.root[frame] + self.scale * (heads[row] - motion.root[frame])
            low = np.partition(posed[~self.arms, 2], 12)[12]
            if low < 0 or not motion.carried[frame]:
                posed[:, 2] -= low
                heads[row, :, 2] -= low
            posed[self.arms, 2] = _above_floor(posed[self.arms, 2])
            heads[row, :, 2] = _above_floor(heads[row, :, 2])
            found[row] = posed
        return found, heads


@cache
def _anny() -> Any:
    import anny  # noqa: PLC0415  heavy, and only for rendering
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    return anny.Anny().to(dtype=torch.float32)


def _above_floor(heights: Array) -> Array:
    """Press what would be below the floor flat onto it: bodies are not all built like the skeleton that fell."""
    return np.where(heights < SOFT_M, SOFT_M * np.exp((heights - SOFT_M) / SOFT_M), heights)


def _bone_matrices(body: Body, motion: Motion, frames: Sequence[int]) -> tuple[Array, Array]:
    """Return what each bone does to rest vertices, [F, B, 3, 4], and where the JOINTS are, [F, J, 3]."""
    import torch  # noqa: PLC0415

    chosen = list(frames)
    turns = local_turns(motion.angles[chosen])
    pose = np.tile(np.eye(4), (len(chosen), body.model.bone_count, 1, 1))
    labels = list(body.model.bone_labels)
    for part, bone in BONE_OF.items():
        pose[:, labels.index(bone), :3, :3] = turns[:, INDEX[part]]
    for bone, matrix in _curl(labels):
        pose[:, bone, :3, :3] = matrix
    pose[:, 0, :3, :3] = motion.turn[chosen]
    pose[:, 0, :3, 3] = motion.root[chosen]
    with torch.no_grad():
        out = body.model(pose_parameters=torch.tensor(pose, dtype=torch.float32), phenotype_kwargs=body.phenotype)
    rest = out["rest_bone_poses"].numpy().astype(np.float64)
    poses = out["bone_poses"].numpy().astype(np.float64)
    heads = poses[:, [labels.index(bone) for bone in JOINTS.values()]][:, :, :3, 3]
    return np.asarray((poses @ np.linalg.inv(rest))[:, :, :3]), np.asarray(heads)


def _curl(labels: list[str]) -> list[tuple[int, Array]]:
    """Fingers a little bent, as relaxed hands are."""
    from scipy.spatial.transform import Rotation  # noqa: PLC0415

    bent = []
    for side, sign in (("L", 1.0), ("R", -1.0)):
        axis = np.array([-0.743, -0.05 * sign, -0.667 * sign])
        for finger in range(2, 6):
            for link, degrees in ((1, 12.0), (2, 14.0), (3, 8.0)):
                turn = Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()
                bent.append((labels.index(f"finger{finger}-{link}.{side}"), turn))
    return bent


def dress(looks: Looks) -> Body:
    """Make a dressed body."""
    import torch  # noqa: PLC0415

    model = _anny()
    phenotype = dict.fromkeys(model.phenotype_labels, 0.5)
    phenotype |= {"gender": looks.gender, "age": looks.age, "weight": looks.weight}
    with torch.no_grad():
        still = torch.eye(4).repeat(1, model.bone_count, 1, 1)
        rest = model(pose_parameters=still, phenotype_kwargs=phenotype)["vertices"][0].numpy().astype(np.float64)
    faces = model.faces.numpy().astype(np.int32)
    bones = model.vertex_bone_indices.numpy().astype(np.intp)
    weights = model.vertex_bone_weights.numpy().astype(np.float64)
    names = np.array([model.bone_labels[b] for b in bones[np.arange(len(bones)), weights.argmax(axis=1)]])
    words = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
    arms = np.array([any(word in name for word in words) for name in names])
    shells = _wardrobe(looks, rest, faces, names)
    offsets = np.r_[0, np.cumsum([len(shell.chosen) for shell in shells])]
    return Body(
        model, phenotype,
        np.concatenate([shell.rest for shell in shells]),
        np.concatenate([bones[shell.chosen] for shell in shells]),
        np.concatenate([weights[shell.chosen] for shell in shells]),
        np.concatenate([shell.faces + offset for shell, offset in zip(shells, offsets, strict=False)]).astype(np.int32),
        np.concatenate([shell.colour for shell in shells]),
        np.concatenate([np.full(len(shell.chosen), float(shell.cloth)) for shell in shells]),
        looks.stature_m / float(np.ptp(rest[:, 2])),
        np.concatenate([arms[shell.chosen] for shell in shells]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Shell:
    chosen: NDArray[np.intp]  # vertices of the body it was made from
    rest: Array
    faces: Faces
    colour: Array
    cloth: bool


def _wardrobe(looks: Looks, rest: Array, faces: Faces, names: NDArray[np.str_]) -> list[_Shell]:
    def has(*words: str) -> NDArray[np.bool_]:
        return np.array([any(word in name for word in words) for name in names])

    x, z = rest[:, 0], rest[:, 2]
    head = has("head", "eye")
    hands = has("wrist", "finger", "metacarpal")
    feet = has("foot", "toe")
    legs = has("upperleg", "lowerleg")
    trunk = has("spine", "clavicle", "shoulder") | np.isin(names, ["root", "pelvis.L", "pelvis.R"])
    forearm = has("lowerarm")
    arm = has("upperarm") | forearm
    neck = has("neck")
    crown = z[head].max()
    face = head & (rest[:, 1] < np.median(rest[head, 1]) - 0.005)
    back = rest[:, 1] > np.median(rest[head, 1]) + 0.022
    hair = head & ((z > crown - 0.05) | (back & (z > crown - 0.17)))
    if looks.long_hair:
        hair |= (head & ~face & (z > crown - 0.22)) | (has("neck") & (rest[:, 1] > 0.0))
    sleeve = arm & ~forearm & (np.abs(x) < 0.27) if looks.top_kind == "shirt" else arm
    hem = {"jacket": -0.03, "shirt": -0.01, "coat": -0.42}[looks.top_kind]
    top = ((trunk | (legs & (z > hem))) & (z > hem)) | sleeve | (neck & (z < 0.535))
    bare = head | neck | hands | arm | (trunk & (z > 0.40)) | ((legs | feet) & (z < -0.60))
    shells = [_shell(rest, faces, bare, looks.skin, 0.0)]
    shells[0].colour[rest[shells[0].chosen, 2] < -0.55] = (0.06, 0.06, 0.07)  # socks
    eyes = has("eye")
    shells[0].colour[eyes[shells[0].chosen]] = (0.08, 0.07, 0.06)
    low = np.clip((-z - 0.05) / 0.75, 0, 1)
    leg_part = (legs & (z > -0.82)) | (trunk & (z < 0.13)) | (feet & (z > -0.80))
    shells.append(_shell(rest, faces, leg_part, looks.trousers, 0.010 + 0.022 * low, 5, 0.006, cloth=True))
    shells.append(_shell(rest, faces, feet & (z < -0.75), looks.shoes, 0.012, 3))
    wide = 0.022 + 0.016 * np.clip((0.15 - z) / 0.2, 0, 1) * (np.abs(x) < 0.3) + 0.006 * forearm
    shells.append(_shell(rest, faces, top, looks.top, wide, 8, 0.008, cloth=True))
    shells.append(_shell(rest, faces, hair, looks.hair, 0.014, 2, 0.004))
    if looks.hat is not None:
        shells.append(_shell(rest, faces, head & (z > crown - 0.085), looks.hat, 0.022, 4, cloth=True))
    return shells


def _shell(
    rest: Array, faces: Faces, chosen: NDArray[np.bool_], rgb: Rgb, out_m: Array | float, smooth: int = 0,
    fold_m: float = 0.0, *, cloth: bool = False,
) -> _Shell:  # fmt: skip
    """Cut the chosen vertices out, smooth them `smooth` times, push them out by `out_m`, and fold by `fold_m`."""
    whole = chosen[faces].all(axis=1)
    used = np.unique(faces[whole])
    number = np.full(len(rest), -1)
    number[used] = np.arange(len(used))
    own = number[faces[whole]].astype(np.int32)
    at = rest[used]
    mean = _means(own, len(used))
    loose = 0.6 * ~_on_the_rim(own, len(used))[:, None]  # hems stay where they were cut
    for _ in range(smooth):
        at = at + loose * (mean @ at - at)
    x, y, z = rest[used].T
    folds = np.sin(31 * z + 9 * np.sin(13 * x) + 5 * y) * np.sin(23 * x + 17 * y + 4 * np.sin(19 * z))
    push = (out_m[used] if isinstance(out_m, np.ndarray) else np.full(len(used), out_m)) + fold_m * folds
    lost = np.linalg.norm(at - rest[used], axis=1)  # smoothing shrinks: cloth stays outside the body
    at = at + _normals(at, own) * (push + 0.8 * lost)[:, None]
    colour = np.array(rgb) * (1 + (0.16 * folds[:, None] if cloth else 0.0 * folds[:, None]))
    return _Shell(used, at, own, np.clip(colour, 0, 1), cloth)


def _means(faces: Faces, count: int) -> csr_array:
    """Return the matrix that replaces each vertex by the mean of its neighbours."""
    a = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    a = np.concatenate([a, a[:, ::-1]])
    links = coo_array((np.ones(len(a)), (a[:, 0], a[:, 1])), shape=(count, count)).tocsr()
    links.data[:] = 1.0
    many = np.maximum(1, links.sum(axis=1))
    return csr_array(links.multiply(1.0 / many[:, None]))


def _on_the_rim(faces: Faces, count: int) -> NDArray[np.bool_]:
    """Return which vertices lie on an edge that only one triangle has, [V]."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    rim = np.zeros(count, bool)
    rim[unique[times == 1]] = True
    return rim


def _normals(at: Array, faces: Faces) -> Array:
    normals = np.zeros_like(at)
    flat = np.cross(at[faces[:, 1]] - at[faces[:, 0]], at[faces[:, 2]] - at[faces[:, 0]])
    for corner in range(3):
        np.add.at(normals, faces[:, corner], flat)
    return np.asarray(normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12))


def normals_of(vertices: Array, faces: Faces) -> Array:
    """Return the outward normal at each vertex, [V, 3]."""
    flat = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    sums = [np.bincount(faces.ravel(), np.repeat(flat[:, axis], 3), len(vertices)) for axis in range(3)]
    normals = np.stack(sums, axis=1)
    return np.asarray(normals / (np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12))
