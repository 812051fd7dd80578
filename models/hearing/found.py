"""What is read from repositories that were found in session after session since the network of 0.5: games, mostly.

Each has its own rules: the first pattern that fits a path decides, a file that none fits, and None, is left out. Many
are one or two sounds of a little game: few clips, but as many microphones, libraries and codecs as there are games.
"""

import re
from dataclasses import dataclass

Rules = tuple[tuple[str, str | None], ...]

WORLD: Rules = (
    (r"footstep|snow_step", "footsteps"), (r"gunshot|shotgun", "gunshot"), (r"glass_break", "glass_break"),
    (r"scream\d", "scream"), (r"smokealarm", "alarm;smoke_alarm"), (r"/alarm", "alarm"), (r"police", "alarm;siren"),
    (r"/horn", "car_horn"), (r"thunder", "thunder"), (r"rain1", "rain"), (r"knock_", "knock"),
    (r"phone_ring", "phone_ring"), (r"helicopter|machine", "engine"), (r"drill", "drilling"),
    (r"door_close|metal_door", "door_slam"),
    (r"doorbell|toilet|water|wind|squeak|kickball|spray|tape|dryer|hiss|scratch|buzz|burning|click|powerup|splash|"
     r"zipper|eating|gulp|rat_|ricochet|shell_casing|squish|splat|creak", ""),
)  # fmt: skip
DOGS: Rules = (
    (r"footsteps/(boots|gravel|grass|metal|tile|wood|bones|mech)", "footsteps"), (r"glass_break", "glass_break"),
    (r"sounds/(pistol|shotgun|mg|lmg|sshotgun|marine_shotgun)\.", "gunshot"),
    (r"gungame.*/(1s1k|77|desert_hawk|gh55b|gs49|jb007|m500|mag|md5|mg5000|mg6000|milit|pn21|poshlinov|pow9|"
     r"raging_pitbull|sg[12]|snp6plus|x90|storm|piecemarker)\.", "gunshot"),
    (r"sounds/explosion/", "explosion"), (r"nuke_alarm", "alarm"), (r"hahaha", "laughter"),
    (r"(alert|die)/dog|dog_growl", "dog_bark"), (r"chainsaw\.", "engine"), (r"door_close", "door_slam"),
    (r"camel/|sheep/|ricochet/|hits/(hard|flesh|fist|gas)|pickup|_switch|click|whistle|bottle_pop|bounce|key\.", ""),
)  # fmt: skip
CUBE: Rules = (
    (r"weapon/(auto|carbine|shotgun|sniper|sub|usp)\.", "gunshot"), (r"grenade_exp", "explosion"),
    (r"alarm01", "alarm"), (r"footsteps|watersteps", "footsteps"), (r"helicopter|generator", "engine"),
    (r"dogs01|night_dog", "dog_bark"), (r"voicecom/", "speech"),
    (r"ambience/|misc/(tick|menu|pickup|camera)|/ric\d", ""),
)  # fmt: skip
ECLIPSE: Rules = (
    (r"ambience/(fire)?alarm|sfx/alarm", "alarm"), (r"morph/rain|stormrain", "rain"), (r"engine", "engine"),
    (r"ambience/(?!.*(storm|blow|hammer|beep|signal|scan|bart|teleport|odd|fire))", ""),
)  # fmt: skip
VEHICLES: Rules = (
    (r"Emergency Vehicles/fire alarm", "alarm;smoke_alarm"), (r"Emergency Vehicles/", "alarm;siren"),
    (r"DB2/Gunshot", "gunshot"), (r"segmented_audio/animals/.*dog", "dog_bark"), (r"segmented_audio/animals", ""),
)  # fmt: skip
STATION: Rules = (
    (r"f13weapons/(10mm_fire|22pistol|44mag|servicerifle|american180|assaultrifle_fire|avenger|bozar_fire|"
     r"caravan_shotgun|chinese|greasegun|hunting_rifle|infiltrator|magnum_fire|marksman_rifle|max_sawn_off|pancor|"
     r"policepistol|repeater_fire|riot_shotgun|sequoia|shotgun|that_gun|varmint_rifle)|garandshot", "gunshot"),
    (r"effects/siren\.", "alarm;siren"), (r"f13effects/explosion", "explosion"), (r"harmonica/|sound/piano/", "music"),
)  # fmt: skip
"""What two more space stations have beside the sounds of the others."""
LITTLE: Rules = (
    (r"reload|gun_?load|pickup|shotgunpump", None),
    (r"goat|minecraft|ghost|screamus|sprites/|screamer_|headshot|pot_shatter", None),
    (r"gun_?shots?|shots_fired|gun_fire|asvalshot|awpshot|/(shotgun|shot|rifle|machinegun|sniper_rifle)\.|"
     r"(pistol|rifle)_fire", "gunshot"),
    (r"glass_?(break|shatter)|shatter|/glass\.", "glass_break"),
    (r"scream|scr_(fe)?male_(fear|anger|pain|joy)", "scream"), (r"siren|rocket_alarm", "alarm;siren"),
    (r"fire.alarm\.|smoke_alarm\.", "alarm;smoke_alarm"), (r"car_alarm", "alarm;burglar_alarm"),
    (r"/alarm\.", "alarm"), (r"car_crash", "crash"),
    (r"laugh", "laughter"), (r"baby_cry", "baby_cry"), (r"doorbell", ""),
    (r"explosion_x|powerful-explosion", "explosion"),
    (r"cough16k|throatclear", "cough"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """A repository's short name for groups, its rules, and what is known of its licence."""

    prefix: str
    rules: Rules
    licence: str = "unstated"


_LITTLE = (
    "Mavaluz/Mavaluz.github.io", "omthegg/Axgar", "Akano-Dev/Resident-Evil-Negative", "kilianten/zombieGame",
    "Jacky161/UndeadKing", "PedroMondadori/TrabalhoFCG", "TollyH/pymaze", "ensuta/TermProj2025", "UcMarlo/DoocHunt",
    "Elg256/crro-shooter", "33yliam/Wumpus-World", "GamesCB/Five-Night-At-325", "JersonLaroya/DungeonScape",
    "HowToKartoxa/abomination", "EdZ543/VehicleSim2022v2", "aidan1156/lmao-soundboard", "talkkonnect/virtualkeyz2",
    "diogofpmonteiro/GlassBridgeGame", "GooseOb/web-arkanoid-3d",
    "AleksLitynski/AnIncreasinglyConvolutedSeriesOfHeists", "tgunzbur/Wolf3D", "wbojczuk/realmShooterBeta",
    "wchtommy20013/Slammer-board-game-sound-player", "rajanagrahari9/On-Road-Game", "EricElMagenta/ligua-jam-2024",
    "TheBlackParrot/stream_tts", "Cunuduh/Stay-Safe-in-Science", "vsl-iil/TheGreatWorkRL", "shinyvision/petramond",
    "Rorybabory/AcerolaJam0", "Nesariss/Symulator-stanowiska-dyspozytorskiego", "geffk2/TheHorrorOfHaskell",
    "enmwmak/ScreamDetector", "caneuro/caneuro.github.io",
    "JackRabbitHoppe/SoundAlert",
)  # fmt: skip
_KEPT = (
    "Aadeshveer/Birds-and-Blocks", "Gabmars2026/Afterlight", "4waiz/chain", "BenjaminBFuller/two-face",
    "Collide01/Bizarro-Dimension", "ramza/TheMadGearRepo", "GottfriedOswald/elPolloLoco", "jarod2d/soul_tax",
    "maximtsai/spellwheel_fresh", "speckish/second_chances", "Aniekan210/CS1083-Game-Project", "DR3NK0/Horror-Game",
    "FramGM/Podjezd-Found-Footage", "Oleksandr-Krotov/SDL_Wolf3d", "PeanutButterRat/steam-fps-concept",
    "cpiod/invasion-of-the-body-cactifiers", "juakob/GGJ2016", "kattywife/Students-VS-Misadventures",
    "lisofoxa-oss/screamer-webapp", "loovjo/RescueTheRussian", "scaverod/Bang-Mobile-Board",
    "thrzkr/Five-Nights-at-Paratha", "CLimeburner/Stakeout", "Luckyillia/MonstersGame", "Milchreis/zombie-hunter",
    "Viminyr/cowboy-shooter", "bahad/soundapp", "jintachi/gwj87", "kojidi/glock-shoot", "peterhartree/gta-lgm",
    "xanderforrest/WestOfHere", "wolfdreamYT/wolf-shooter", "Denchikper/system-control-alerts", "robin1844/dead-zone",
    "arionkrause/instant-sounds", "bixie0987/RobotBuilder", "timlumnah/empire_engine",
)  # fmt: skip
REPOSITORIES = {
    "fegennari/3DWorld": Found("3dworld", WORLD, "GPL-3.0"),
    "cxong/cdogs-sdl": Found("cdogs", DOGS, "CC0 to CC-BY-SA, per file"),
    "assaultcube/AC": Found("assaultcube", CUBE, "AssaultCube's own, per file"),
    "redeclipse/sounds": Found("redeclipse", ECLIPSE, "CC-BY-SA 3.0, per file"),
    "amrrashed/Sound-Based-Vehicle-Diagnostics-Emergency-Signal-Recognition": Found("rashed", VEHICLES),
    **{repo: Found(f"little_{repo.partition('/')[0]}", LITTLE) for repo in (*_LITTLE, *_KEPT)},
}
KEPT = frozenset({"fegennari/3DWorld", *_KEPT})
"""What no network learns: little games with one or two sounds each, found when the others had been used up."""


def labels_of(rules: Rules, path: str) -> str | None:
    """The labels that the first fitting rule gives, joined by `;`; None where nothing may be said."""
    for pattern, labels in rules:
        if re.search(pattern, "/" + path, re.IGNORECASE):
            return labels
    return None
