"""Renders an empty room once with Blender's Cycles: `python -m models.scenes.blender ROOM LIGHTING CAMERA OUT.exr`.

Runs in a process of its own (bpy keeps much memory and is never imported elsewhere). The picture is linear, 16-bit
floats, without lens, noise or tone curve.
"""

import math
import sys
from pathlib import Path
from typing import Any

import bpy
from mathutils import Vector

from models.scenes.camera import HEIGHT_PX, SENSOR_MM, WIDTH_PX, Camera
from models.scenes.rooms import CAMERAS, ROOMS
from models.scenes.solids import MATERIALS, Box, Drum, Lamp, Lighting, Material, Solid

SAMPLES = 20


def render(room: str, lighting: str, camera: str, out: Path, samples: int = SAMPLES) -> None:
    """Write the picture of an empty room to `out`."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    materials: dict[str, Any] = {}
    light = ROOMS[room].lightings[lighting]
    for solid in ROOMS[room].solids:
        _build(scene, solid, materials, light.glow)
    _light(scene, light)
    _look(scene, CAMERAS[room][camera])
    settings = scene.render
    settings.engine = "CYCLES"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 4
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    settings.threads_mode, settings.threads = "FIXED", 1
    settings.resolution_x, settings.resolution_y = WIDTH_PX, HEIGHT_PX
    settings.image_settings.file_format = "OPEN_EXR"
    settings.image_settings.color_depth = "16"
    settings.filepath = str(out.resolve())
    bpy.ops.render.render(write_still=True)


def _build(scene: Any, solid: Solid, materials: dict[str, Any], glow: float) -> None:
    if solid.material not in materials:
        look = MATERIALS[solid.material]
        materials[solid.material] = _material(solid.material, look, glow * look.glow)
    thing = _box(scene, solid) if isinstance(solid, Box) else _drum(scene, solid)
    thing.data.materials.append(materials[solid.material])


def _box(scene: Any, box: Box) -> Any:
    middle = [(a + b) / 2 for a, b in zip(box.low, box.high, strict=True)]
    half = [(b - a) / 2 for a, b in zip(box.low, box.high, strict=True)]
    corners = [
        (x * half[0], y * half[1], z * half[2]) for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    faces = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
    mesh = bpy.data.meshes.new("box")
    mesh.from_pydata(corners, [], faces)
    thing = bpy.data.objects.new("box", mesh)
    thing.location = middle
    scene.collection.objects.link(thing)
    if box.bevel:
        edge = thing.modifiers.new("edge", "BEVEL")
        edge.width, edge.segments = box.bevel, 2
    return thing


def _drum(scene: Any, drum: Drum) -> Any:
    x, y, z = drum.at
    bpy.ops.mesh.primitive_cylinder_add(
        radius=drum.radius, depth=drum.height, location=(x, y, z + drum.height / 2), vertices=40
    )
    return bpy.context.object


def _material(name: str, look: Material, glow: float) -> Any:
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    surface = nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*look.rgb, 1)
    surface.inputs["Roughness"].default_value = look.rough
    if glow:
        surface.inputs["Emission Color"].default_value = (*look.rgb, 1)
        surface.inputs["Emission Strength"].default_value = glow
    if look.grain:
        _grain(nodes, links, surface, look)
    return made


def _grain(nodes: Any, links: Any, surface: Any, look: Material) -> None:
    """Noise over colour and height, and tiles over that."""
    place, noise = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = look.grain, 8
    links.new(place.outputs["Object"], noise.inputs["Vector"])
    ramp = nodes.new("ShaderNodeValToRGB")
    for element, at, share in zip(ramp.color_ramp.elements, (0.3, 0.7), (1 - look.vary, 1 + look.vary), strict=True):
        element.position = at
        element.color = (*[min(1.0, c * share) for c in look.rgb], 1)
    links.new(noise.outputs["Fac"], ramp.inputs["Fac"])
    colour = ramp.outputs["Color"]
    if look.tile:
        bricks = nodes.new("ShaderNodeTexBrick")
        bricks.offset = 0
        for key, value in (("Scale", look.tile), ("Mortar Size", 0.012), ("Brick Width", 1.0), ("Row Height", 1.0)):
            bricks.inputs[key].default_value = value
        bricks.inputs["Mortar"].default_value = (*[c * 0.45 for c in look.rgb], 1)
        links.new(place.outputs["Object"], bricks.inputs["Vector"])
        links.new(colour, bricks.inputs["Color1"])
        links.new(colour, bricks.inputs["Color2"])
        colour = bricks.outputs["Color"]
    links.new(colour, surface.inputs["Base Color"])
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = look.bump, 0.02
    links.new(noise.outputs["Fac"], bump.inputs["Height"])
    links.new(bump.outputs["Normal"], surface.inputs["Normal"])


def _light(scene: Any, lighting: Lighting) -> None:
    for lamp in lighting.lamps:
        _lamp(scene, lamp)
    world = bpy.data.worlds.new("world")
    scene.world = world
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (*lighting.sky, 1)


def _lamp(scene: Any, lamp: Lamp) -> None:
    kinds = {"panel": "AREA", "point": "POINT", "spot": "SPOT", "sun": "SUN"}
    data = bpy.data.lights.new(lamp.kind, kinds[lamp.kind])
    data.energy, data.color = lamp.watt, lamp.rgb
    if lamp.kind == "panel":
        data.shape = "RECTANGLE"
        data.size, data.size_y = lamp.size
    elif lamp.kind == "sun":
        data.angle = lamp.size[0]
    else:
        data.shadow_soft_size = lamp.size[0] / 2
    if lamp.kind == "spot":
        data.spot_size, data.spot_blend = math.radians(78), 1.0
    thing = bpy.data.objects.new(lamp.kind, data)
    thing.location = lamp.at
    thing.rotation_euler = Vector(lamp.aim).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(thing)


def _look(scene: Any, camera: Camera) -> None:
    data = bpy.data.cameras.new("camera")
    data.sensor_width, data.lens = SENSOR_MM, camera.lens_mm
    thing = bpy.data.objects.new("camera", data)
    thing.location = camera.eye
    thing.rotation_euler = (Vector(camera.target) - Vector(camera.eye)).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(thing)
    scene.camera = thing


if __name__ == "__main__":
    render(*sys.argv[1:4], Path(sys.argv[4]))
