"""What is read from repositories that were found one after the other since the network of 0.5: games, mostly.

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

MORE: Rules = (
    (r"reload|ammo|gun_?(load|click|pickup|empty|cock)|emptygun|gunempty|shotgunpump|misfire|insert-|plasma|archi_|"
     r"nice_shot|postscream|prescream|shot him|glass_item|ghost/|mixdown|kill.bill|dancehall|rev-crash|goal_transition|"
     r"gunshot_hit", None),
    (r"gun_?shot|(AK|pistol|shotgun)_shot\d|/gun(s|sound\d?|\d|fight)?\.|shotgun\.|machinegun\.|/(enemy)?shots?\.",
     "gunshot"),
    (r"glass_?(break|crash|shattering)?\.|mirrorbreaking|gbreak|shatter\.|vase\.|trencar", "glass_break"),
    (r"scream", "scream"),
    (r"siren|ambulance\.|police\.", "alarm;siren"),
    (r"alarm_buzzer|general_alarm|klaxon|default-alarm|/alarm\.", "alarm"),
    (r"car[_-]crash|metal_crash|scrape_and_crash|crashing|crash2|tehnopark_crash|smash\.", "crash"),
    (r"explosion|/bomb2?\.|bigbomb|kaboom", "explosion"), (r"firework|skyrocket", "fireworks"),
    (r"laugh|giggle|riure", "laughter"), (r"/(baby|cry|crying_baby)\.", "baby_cry"), (r"applause|/clap\.", "hand_clap"),
    (r"children play", "children_playing"), (r"/dog\.|dog[-_]bark", "dog_bark"), (r"sneeze|/achu\.|/cough\.", "cough"),
    (r"foot_?steps?|walking|/steps?\d?\.|running|passos?\d?\.|menmarching", "footsteps"),
    (r"thunder|storm\.", "thunder"), (r"/rain\.", "rain"), (r"knock|trucar_porta|/toc\d\.", "knock"),
    (r"door_close|doorclo\.|drwclose", "door_slam"), (r"phone", "phone_ring"), (r"horn|honk|a(h)?ooga", "car_horn"),
    (r"jackhammer", "jackhammer"),
    (r"engine|vroom|helicopter|turbine|aircraft|generator|chainsaw|motorboat|carignition", "engine"),
    (r"music|theme|song|bgm|soundtrack|fanfare|guitar|harp|bugle|drumroll", None), (r"chatter|crowd\.", "speech"),
    (r"cheer|shouting|(angry|crying)_man|roll_dice|/(boo|aww?|yay|gasp|ahh?|ohyeah|burp|hiccup|snore|fart|door|coin|"
     r"impact|crickets?|cat|meow|miau|birds?\d?|"
     r"owl|rooster|tiger|lion|pig|cow|duck|quack|quak|goat|horse|tiger|elephants|crows|hawk|peacock|toilet|vacuum\w*|"
     r"keychimes|keyboard|shredder|zipperup|broom|candrop|heartbeat|splash|water|wind|river|forest|church ?bell|bells?|"
     r"doorbell|ding-dong|buzzer|punch|slap|thuds?|hit_?\w*|fall\d|bodyfall\d|drop_chair1|landing_\w+|roll\d|slide_\w+|"
     r"hands\w*|wall_\w+|key|kathunk|clatter|geiger2?|steam\w+|pump\d|electric_hum|household061|anvilhit_\d+|bike_bell|"
     r"fire_?crackling|fireplace_crackling|werewolf|wolf_howl|beatingeggs|sawingwood|pouringabeer|typingmedium)\.", ""),
)  # fmt: skip
"""A hundred little games, soundboards and sound packs more, and what everyday life they hold beside; not their music,
which no place sounds like: one track of drums held the alarm of gunshots up for everybody."""


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
_MORE = (
    "201110670/newEnviroSounds", "AndreK-B06/Soundbord-V.1.3", "Annabel-13/Once-upon-in-Alabama",
    "AtulkrishnanMU/roadblood", "AvenirTheArtist/MazeGame", "Bubullzz/SnaKobold", "DanielJalal/room404",
    "Dezagon/cabin_in_the_woods_TEXT", "DuckVortex/nyannershauntedhallway", "Emyleaf/detectivemarty",
    "Florgol/Pygame-racing-game", "Fokkos/HackSheffield9", "Fred-Bell/wdi-project-one",
    "IHateThatHedgehog3/EscapeRoom5", "Itseasymike/DoomPunchingBag", "Ivo-Evans/Cowboy-Jim",
    "JaviMtz02/SeniorProject2025", "Jorgelmh/Cyber-Run", "JoshuaDavid/shooter",
    "LordOfTheDinoSirs/2018AnAnxietyOdyssey", "MaiFried/NightmareTrip", "Matt-Nickerson/GateCloser",
    "MaxwellSalmon/DUGA", "OliverDrexler/El-Pollo-Loco", "ProjectsOfFun/haunted-house", "Raglaim/Ammunition-Hill-Game",
    "RailKill/aiyaman-20s", "SamelCamel/DiscordBotScream", "TheMajorN/Reaction-Test-Dueling-Theme",
    "TontonPizza/cube3d", "WakkyCodes/TrackDemons", "Xachin1/SoundBoard", "Zarkonnen/Headball",
    "abeelpa/RolePlaySoundboard", "alessiodebernardi/soundbuttons", "alexschiller/acceptable_loss",
    "anandcheerla/two_cars", "blu290/Marlo-2", "claudeville/Scary_Sounds", "crapola/carnival", "cxong/DrunkenViking",
    "danielbloy/pico-interactive-halloween", "danka-on/gasman", "deep-Turquoise/JES-Visual-Dungeon",
    "dennis473/thanksgiving_2016", "eetucaven/niko", "ejohnd98/LSDJam", "elliotjwarner/quickdj", "evendrow/Mumbot",
    "itsseraphii/GMTK2021", "ivanturik/EscapeFromFAMCS", "j4-Glasses/school-hazard", "jellyberg/Juggleball",
    "juan-rey/SimonSays", "korenstudios/Scary-Maze-Game", "mattiasoest/car-game", "mattkgross/Hunter",
    "meccaLeccaHi/sound_board", "miguelcanosantana/1DAMHalloween", "monica-jm/Corona-Hunt", "ncase/wbwwb",
    "neparosaurus/rtx-bot", "nonelone/house-in-the-woods", "osmadro/LaCasaDelSilenci", "pbsds/nerd-olympics",
    "pdennis/abandonedlibrary", "remarkablegames/bite-the-living", "rhcpzephyr/wild-banging", "richadams/word-zombies",
    "rickycodes/blacklodge", "robocode-dev/sounds", "ronaldlokers/Arduino-Panic-Button", "rubinho-m/pygame_project",
    "s1110078/ipmedt2-Mariniers-opleiding", "saberserker/Shooter-prototype", "schmitzzr/WebGame",
    "sophiadg/buttonboard-1", "thedevcube/ZapXML", "tsatria03/ScenarioGenerator", "uspgamedev/evil-lab",
    "vikkio88/zenva-fps-godot", "wncc/shoot-the-duck", "yihad2020/killTheDuck",
)  # fmt: skip
_MORE_KEPT = (
    "AshanCV/ML-project", "BenteCMD/familysimulator", "CamWhiting/NedKelly_A-Frame_Project", "Damo2142/DarkPilgramage",
    "FOEXgmbh/mobsterInkJS", "HelsinkiHacklab/reactor", "JCode1029/top-down-shooter", "JPTomorrow/spring-2d-jam",
    "Kai-Louie/Escape-Room", "Kayra5138/RelicThief", "LukeSSJ/roa-sion", "Ortex-inc/Last-Man-Alive-CPP-SDL2",
    "Parking-Master/Parking-Master-2.0", "Peaperfish/BrianWangVehicle", "QuickFixGameJam/HealerGame", "Rallve/game",
    "SverreNystad/besieged", "Syed-Zidaan-Ahmad/Realm-Of-Darkness", "Vitaa/LudumDare25",
    "WalkingMachine/wm_sound_library", "WalnutMonster58/save-me", "adethise/DiscordBot", "alvarorivgar/Save-Barcelona",
    "circa10a/witchonstephendrive.com", "igor47/spaceboard", "intermins/fnww", "jamieomaguire/saber-pad",
    "jgerbert/tumbleweeds", "jimmyjayant/Halloween2022", "kjwilcox/operation_kyoroshiro", "localgod13/crash",
    "mxkolb30/rpg-dice", "nmarhari/SWE-Alpha", "reid-miller/GMTKGameJam2022", "sisirsai/PROJECT-46",
    "tygrimes/Shoot-that-rat", "wastedsundays/burglartime", "xITmasterx/NotificationAlarm",
)  # fmt: skip
REPOSITORIES = {
    "fegennari/3DWorld": Found("3dworld", WORLD, "GPL-3.0"),
    "cxong/cdogs-sdl": Found("cdogs", DOGS, "CC0 to CC-BY-SA, per file"),
    "assaultcube/AC": Found("assaultcube", CUBE, "AssaultCube's own, per file"),
    "redeclipse/sounds": Found("redeclipse", ECLIPSE, "CC-BY-SA 3.0, per file"),
    "amrrashed/Sound-Based-Vehicle-Diagnostics-Emergency-Signal-Recognition": Found("rashed", VEHICLES),
    **{repo: Found(f"little_{repo.partition('/')[0]}", LITTLE) for repo in (*_LITTLE, *_KEPT)},
    **{repo: Found(f"little_{repo.partition('/')[0]}", MORE) for repo in (*_MORE, *_MORE_KEPT)},
}
SMALL = frozenset({*_LITTLE, *_KEPT, *_MORE, *_MORE_KEPT})
"""Of so few sounds each that what is fitted holds a part of them out together."""
LAST = frozenset({*_MORE, *_MORE_KEPT})
"""Found last. Of a sound that a source found before holds as well, in whatever codec, theirs is left out."""
KEPT = frozenset({"fegennari/3DWorld", *_KEPT, *_MORE_KEPT})
"""What no network learns: little games with one or two sounds each, found when the others had been used up."""


def labels_of(rules: Rules, path: str) -> str | None:
    """The labels that the first fitting rule gives, joined by `;`; None where nothing may be said."""
    for pattern, labels in rules:
        if re.search(pattern, "/" + path, re.IGNORECASE):
            return labels
    return None
