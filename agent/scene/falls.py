"""Falls: a person goes down and stays down; or is found lying without anybody having seen how.

What counts is that the going down was quick (lying down to rest takes longer) and that it lasted: somebody who
ties a shoe comes up again. Detectors see lying people badly, so who was lost while lying is believed to lie on for
a moment, and who was lost on the way down may be lying: that alone opens nothing, with a thud it does. Who lies where
somebody upright was lost is that person (`agent.scene.following`).

What else looks like it: who walks out of the picture below grows flatter until nothing is left, so at the lower
border nobody lies before the head has come to rest, and at that border and those at the sides nobody lies on unseen;
of whom furniture hides the legs only head and shoulders are left, wider than high, but the head has not gone down;
detectors draw second, worse boxes; and trackers hand a box on to a bag, a ball or a chair. So nobody fell who stands
on in another track, who would have come to lie further off than a body is long, or whom the posture head takes for
anything but lying.
"""

from collections.abc import Iterable, Iterator, Sequence

from agent.scene.behaviour import UPRIGHT_RATIO, Body, is_cut_aside, is_cut_below
from agent.scene.evidence import Clue
from agent.scene.following import Followed
from agent.scene.geometry import inside_frac, iou
from agent.types import NS_PER_S, POSTURES

QUICK_S = 2.0
"""From last upright to lying: falls take 0.5 to 1.5 s, lying down on purpose 3 s and more."""
SEEN_FIRST_LLR, SEEN_LLR_PER_S = 2.6, 3.5
"""Reach the threshold of 4 after 0.4 s of lying; the posture itself is known after 0.2 s (the contract: 0.8 s)."""
FOUND_LLR_PER_S = 1.75
"""Where only the lying was seen: after 2.3 s (the contract: 2.5 s)."""
SINKING_FIRST_LLR, SINKING_LLR_PER_S, SINKING_MOST_LLR = 1.0, 2.0, 2.7
"""Lost on the way down: below every threshold alone, above it with a thud (1.2) at normal sensitivity."""
HEAD_DROP_HEIGHTS, FEET_UP_HEIGHTS = (0.1, 0.25), (-0.25, -0.15)
"""Falls on the training clips lower the head by 0.25 and more, towards the camera too; sitting down by as much. Their
feet go up by at most 0.13."""
CUT_DROP_HEIGHTS = (0.35, 0.45)
"""The same of the head where the lower border cuts the body off, upright or lying: only a part of it is seen, and who
falls there sinks out of the picture. 27 such falls of the training clips lower the head by 0.41 and more, all but one
by 0.51; in a crowd that fills the border a box that goes over from one person to two heads does so by 0.2 to 0.36."""
FOUND_RATIO = (1.2, 1.7)
"""Width over height of somebody never seen upright from which lying is thinkable, and from which it is likely."""
UPRIGHT_S, SUNK_HEIGHTS = 0.2, 0.05
"""A fall is seen if the person was upright for this long before, and the middle of the body went down."""
SHADOW_FRAC = 0.6
"""Somebody of whom this share lies in a box with a lower score is what that box was drawn around; and who was lost in a
box of which this share lies in one that shows somebody lying is that one."""
REACH_HEIGHTS = (1.05, 1.15)
"""Who falls comes to lie within their own length: on 62 falls of the training clips and of UP-Fall the head went down
by at most 1.01 and the middle to a side by at most 0.96. What is further off walked there, or is something else."""
REPLACED_FRAC = 0.5
"""Boxes that overlap by this much (intersection over union) are of one body: where somebody stands in the box in which
this track was last upright, it is the track that went elsewhere, not the person that fell. At most 0.11 on those 62;
0.6 at first, lowered after a clip of val (`normal_mmaction_003`) had shown 0.57: training knows nothing between."""
SQUAT_HEIGHTS, SLOW_HEIGHTS_PER_S, STRAIGHT_HEIGHTS = 0.55, 0.6, 0.25
"""Who squats lets the head down by up to half a height, over the feet, within a second; who falls so little is faster
(the trunk at 1.3 m/s and more in Bourke and others 2008, which is 0.75 heights a second) or comes to lie beside the
feet. Of 76 falls of the training clips, of UP-Fall and rendered ones the slowest that stay within both lengths have
0.65 heights a second and more; one takes longer, with a drop of 0.57. The rendered squat has 0.45 and 0.50."""
LEAST_LOOKS = 2
"""Who was seen lying only once before being lost was perhaps just half hidden."""
STAYED_S = 0.5
"""Who is lost at the lower border sooner than this after coming to rest there has walked out: a thud seconds later is
somebody else's."""
LONGEST_S, SEEN_LONGEST_S = 4.0, 2.5
"""Lying on says nothing more after this long, found and seen to fall: what is doubtful does not become sure by lasting,
for things that a track went over to stay where they are."""
LYING_PROBS = (0.1, 0.3)
"""Where the graph tells postures, that of somebody who fell is lying, or may well be."""
LOST_S = 1.0  # who was lost while lying lies on for this long; then the evidence fades
SURE_PROB, UNSURE_PROB = 0.65, 0.35
"""Detection score of a person, while upright, that counts in full, and that does not count at all. Of 116 falls that
open on training clips (whole and altered), UP-Fall and Le2i the least sure one had 0.51; most weak boxes that a track
went over to in crowds, and then called a fall, had less (0.5 and 0.2 before: the same falls, four false ones more)."""
CLOSELY_PROBS = (0.02, 0.12)
"""Score times probability of lying in closer looks at who fell: below the first nobody does, from the second on as
today. Of 414 single looks at people who fell 5 in 100 have less than 0.18, half 0.46; of 37 at others half 0.27."""
AGREEMENT_LLR, AGREEMENT_PROBS = 1.0, (0.25, 0.45)
"""What it adds that a closer look shows somebody lying, too: a few tenths of a second less to wait."""
CLOSELY_LEAST_S, CLOSELY_QUICK_S, CLOSELY_DROP_HEIGHTS, CLOSELY_LOOKS_S = 0.15, 2.5, (0.3, 0.4), 0.2
"""By closer looks somebody has fallen who lies, in two of them at least, so soon after standing and no sooner, with the
head so much lower: the box of a body along the camera's axis is no wider than high, and a detector that sees the whole
picture loses one that fell within moments."""
CLOSELY_BOTTOM_FRAC = 0.97
"""Head and shoulders of who walks out of the picture below look lying, too, and so does who leans over a table there:
nobody is found lying where the border is, nor has fallen by closer looks alone that do not last."""
BORDER_LOOKS_S, BORDER_LYING_PROB = 0.75, 0.5
"""There looks have to agree for so long, and the whole look's posture with them (decision 051)."""
GOES_DOWN_HEIGHTS, GOES_DOWN_S, GOES_DOWN_LOST_S, GOES_DOWN_PROB = 0.25, 2.0, 0.5, 0.5
"""Somebody may be about to fall whose head is so much lower than where they stood so short a time ago, also if just
lost, and who was so surely a person then. That alone says nothing, but a doubtful fight waits meanwhile (policy)."""
FOUND_SURE_PROB, FOUND_UNSURE_PROB = 0.55, 0.25
"""The same for somebody who was never seen upright: blankets and bags score up to 0.4."""
SMALL_FRAC, LARGE_FRAC = 0.12, 0.2
"""Size of a body in picture heights whose posture cannot, and can, be read: 23 and 38 pixels of 192."""


def falls(at_ns: int, known: Iterable[Followed]) -> Iterator[Clue]:
    """What the postures of all `known` people of one camera say at `at_ns`, those just lost included."""
    people = [followed for followed in known if followed.label == "person"]
    _find_replaced(people)
    for followed in people:
        lost_s = (at_ns - followed.seen_ns) / NS_PER_S
        said = list(_says(at_ns, followed, lost_s, people))
        if said:
            followed.fell = True
            yield max(said, key=lambda clue: clue.llr)
        elif lost_s == 0.0 and followed.fell:
            followed.fell = False  # one word is enough to take back what was said
            yield _clue("went_down", followed, at_ns, 0.0)
            yield _clue("fallen", followed, at_ns, 0.0)


def going_down(at_ns: int, known: Iterable[Followed]) -> Iterator[Clue]:
    """Of whom among `known` the head is on the way down at `at_ns`, and of whom no more: no word for a fall yet."""
    for followed in known:
        goes_down = followed.label == "person" and _goes_down(at_ns, followed)
        if goes_down or followed.goes_down:
            followed.goes_down = goes_down
            yield _clue("going_down", followed, at_ns, float(goes_down), kind="going_down")


def _says(at_ns: int, followed: Followed, lost_s: float, people: Sequence[Followed]) -> Iterator[Clue]:
    """What whole and closer looks say of somebody lying or going down."""
    since_ns = followed.body.lying_since_ns
    closely = _lies_closely(at_ns, followed)
    lies = _lies(at_ns, followed, since_ns, people) if since_ns is not None and lost_s <= LOST_S else None
    if (closely or lies) and not _is_shadow(followed, people):
        yield from (clue for clue in (closely, lies) if clue is not None)
    if since_ns is None and 0.0 < lost_s <= LOST_S and _is_sinking(followed) and not _walks_out(followed):
        yield _sinks(at_ns, followed, lost_s)


def _goes_down(at_ns: int, followed: Followed) -> bool:
    """Whether somebody's head is on the way down, or has just come down."""
    body = followed.body
    is_lost = at_ns - followed.seen_ns > GOES_DOWN_LOST_S * NS_PER_S
    if body.upright_ns is None or is_lost or followed.upright_prob < GOES_DOWN_PROB:
        return False
    brief = 0 < at_ns - body.upright_ns <= GOES_DOWN_S * NS_PER_S
    return brief and body.head_drop_heights >= GOES_DOWN_HEIGHTS


def _find_replaced(people: Sequence[Followed]) -> None:
    """Note who stands on in another track: trackers hand a box on where people and things overlap, and people have two.

    Whoever stood in the box in which this track was last upright, then or since, is the same person.
    """
    standing = [(one, one.box, one.seen_ns) for one in people if _stands(one.body)]
    for followed in people:
        place, upright_ns = followed.upright_box, followed.body.upright_ns
        if place is None or upright_ns is None:
            continue
        # Of every two people in every picture: nearly all are ruled out by where their boxes end.
        left, top, right, bottom = place.left_frac, place.top_frac, place.right_frac, place.bottom_frac
        there = {
            other.track_id
            for other, box, seen_ns in standing
            if box.left_frac < right
            and left < box.right_frac
            and box.top_frac < bottom
            and top < box.bottom_frac
            and seen_ns >= upright_ns
            and other is not followed
            and iou(box, place) >= REPLACED_FRAC
        }
        if upright_ns == followed.seen_ns:
            followed.doubles, followed.is_replaced = there, False
        elif not followed.is_replaced:
            followed.is_replaced = any(
                other.score_prob > followed.score_prob and other.seen_ns >= followed.seen_ns
                for other, _, _ in standing
                if other.track_id in followed.doubles | there
            )


def _stands(body: Body) -> bool:
    """Whether the newest look shows somebody upright; none does right after a cut."""
    return body.lying_since_ns is None and bool(body.shapes) and body.newest.ratio < UPRIGHT_RATIO


def _is_shadow(followed: Followed, known: Sequence[Followed]) -> bool:
    """Whether a lying box is a second, worse one around somebody who does not lie."""
    return any(
        other.seen_ns >= followed.seen_ns
        and other.score_prob > followed.score_prob
        and other.body.lying_since_ns is None
        and inside_frac(other.box, followed.box) >= SHADOW_FRAC
        for other in known
    )


def _lies_closely(at_ns: int, followed: Followed) -> Clue | None:
    """What closer looks alone say of somebody who stood and went down; None where they show nobody who fell."""
    body, closely = followed.body, followed.lying_looks
    lying_s = closely.lying_s(at_ns)
    if lying_s is None or closely.box is None or closely.since_ns is None or lying_s < CLOSELY_LOOKS_S:
        return None
    if body.upright_ns is None or body.standing_height is None or followed.is_replaced:
        return None
    down_s = (closely.since_ns - body.upright_ns) / NS_PER_S
    if not CLOSELY_LEAST_S <= down_s <= CLOSELY_QUICK_S or body.upright_s < UPRIGHT_S:
        return None
    stays = 1.0
    if closely.box.bottom_frac > CLOSELY_BOTTOM_FRAC:
        stays = _stays_below(followed, lying_s) if followed.seen_ns == at_ns else 0.0
    head = (closely.box.top_frac - body.upright_top) / body.standing_height
    sure = _share(followed.upright_prob, UNSURE_PROB, SURE_PROB) * _share(body.size, SMALL_FRAC, LARGE_FRAC)
    sure *= _share(closely.lies_prob, *CLOSELY_PROBS) * _share(head, *CLOSELY_DROP_HEIGHTS)
    sure *= stays * (1.0 - _share(head, *REACH_HEIGHTS))
    llr = sure * (SEEN_FIRST_LLR + SEEN_LLR_PER_S * min(SEEN_LONGEST_S, lying_s))
    words: dict[str, str | float] = {
        "variant": "fell", "from": body.upright_behaviour, "down_s": down_s, "lying_s": lying_s
    }  # fmt: skip
    return _clue("went_down", followed, closely.since_ns, llr, words, body.upright_ns)


def _stays_below(followed: Followed, lying_s: float) -> float:
    """From 0 to 1: whether somebody lies at the lower border who has stayed there, surely a person still, and lying in
    the whole look, too: who walks out grows fainter."""
    probs = followed.body.posture_probs
    if lying_s < BORDER_LOOKS_S or probs is None or probs[POSTURES.index("lying")] < BORDER_LYING_PROB:
        return 0.0
    return _share(followed.mean_prob, FOUND_UNSURE_PROB, FOUND_SURE_PROB)


def _lies(at_ns: int, followed: Followed, since_ns: int, people: Sequence[Followed]) -> Clue:
    body = followed.body
    all_s = (at_ns - since_ns) / NS_PER_S
    down_s = QUICK_S + 1.0 if body.upright_ns is None else (since_ns - body.upright_ns) / NS_PER_S
    seen = down_s <= QUICK_S and body.upright_s >= UPRIGHT_S and body.sunk_heights >= SUNK_HEIGHTS
    seen = seen and not followed.is_replaced and not _squats(body)
    lying_s = _lying_s(at_ns, followed, people)
    if body.upright_ns is None or not seen:
        sure = _share(followed.mean_prob, FOUND_UNSURE_PROB, FOUND_SURE_PROB)
        sure *= _share(body.size, SMALL_FRAC, LARGE_FRAC) * _looks_fallen(followed) * _came_down(body)
        words: dict[str, str | float] = {"variant": "fallen", "lying_s": all_s}
        return _clue("fallen", followed, since_ns, sure * FOUND_LLR_PER_S * min(LONGEST_S, lying_s), words, since_ns)
    # Detectors are unsure of lying people; who walked a moment ago is a person all the same.
    llr = SEEN_FIRST_LLR * min(1, body.rest_looks) + SEEN_LLR_PER_S * min(SEEN_LONGEST_S, lying_s)
    if followed.lying_looks.lying_s(at_ns) is not None:
        llr += AGREEMENT_LLR * min(1, body.rest_looks) * _share(followed.lying_looks.lies_prob, *AGREEMENT_PROBS)
    llr *= _sure_of(at_ns, followed)
    if followed.seen_ns < at_ns and _has_walked_out(followed):
        llr = 0.0
    elif followed.seen_ns < at_ns and body.rest_looks < LEAST_LOOKS:
        llr = min(SINKING_MOST_LLR, llr)
    words = {"variant": "fell", "from": body.upright_behaviour, "down_s": down_s, "lying_s": all_s}
    return _clue("went_down", followed, since_ns, llr, words, body.upright_ns)


def _squats(body: Body) -> bool:
    """Whether somebody went down over their own feet, no faster than people do on purpose."""
    slow = body.head_drop_heights < min(SQUAT_HEIGHTS, SLOW_HEIGHTS_PER_S * body.descent_s)
    return slow and body.shifted_heights < STRAIGHT_HEIGHTS


def _lying_s(at_ns: int, followed: Followed, people: Sequence[Followed]) -> float:
    """For how long somebody has been seen at rest; who was lost lies on, unless the border may have swallowed them, or
    somebody is seen lying there: then that one speaks for what is seen since."""
    lost_s = (at_ns - followed.seen_ns) / NS_PER_S
    if not lost_s or not followed.body.rest_looks:
        return followed.body.rest_s
    leaves = is_cut_below(followed.box) or is_cut_aside(followed.box)
    seen = any(
        other.seen_ns == at_ns
        and other.body.lying_since_ns is not None
        and inside_frac(followed.box, other.box) >= SHADOW_FRAC
        for other in people
    )
    return followed.body.rest_s + (0.0 if leaves or seen else lost_s)


def _sure_of(at_ns: int, followed: Followed) -> float:
    """From 0 to 1: whether this is a person whose posture can be read, and whose head went down while the feet did not
    go up: what hides legs lifts the lower end of the box, and the head stays."""
    body = followed.body
    sure = _share(followed.upright_prob, UNSURE_PROB, SURE_PROB) * _share(body.size, SMALL_FRAC, LARGE_FRAC)
    probs = body.posture_probs
    if followed.lying_looks.is_fresh(at_ns):
        sure *= _share(followed.lying_looks.lies_prob, *CLOSELY_PROBS)
    elif probs is not None and body.lying_since_ns is not None:
        sure *= _share(probs[POSTURES.index("lying")], *LYING_PROBS)
    sure *= 1.0 - _share(max(body.head_drop_heights, body.shifted_heights), *REACH_HEIGHTS)
    is_cut = is_cut_below(followed.box) or body.upright_cut_below
    drop = CUT_DROP_HEIGHTS if is_cut else HEAD_DROP_HEIGHTS
    return sure * _share(body.head_drop_heights, *drop) * _share(body.foot_drop_heights, *FEET_UP_HEIGHTS)


def _looks_fallen(followed: Followed) -> float:
    """From 0 to 1: whether a shape that was never seen upright is a whole body lying: heads and shoulders above a
    counter, or above the lower border, are as wide as high."""
    if followed.box.bottom_frac > CLOSELY_BOTTOM_FRAC:
        return 0.0
    return _share(followed.body.newest.ratio, *FOUND_RATIO)


def _came_down(body: Body) -> float:
    """From 0 to 1: whether the head is lower, and the feet no higher, than where somebody stood who is still there.

    1 for who was never seen upright, or has left the place: nobody saw how they came to lie.
    """
    if body.upright_ns is None or body.shifted_heights > REACH_HEIGHTS[0]:
        return 1.0
    return _share(body.head_drop_heights, *HEAD_DROP_HEIGHTS) * _share(body.foot_drop_heights, *FEET_UP_HEIGHTS)


def _walks_out(followed: Followed) -> bool:
    """Whether the lower border cuts somebody off whose feet were out of the picture before they went down."""
    return is_cut_below(followed.box) and followed.body.upright_cut_below


def _has_walked_out(followed: Followed) -> bool:
    """Whether who is lost now was not long enough at rest by the lower border to have stayed there: cut off by it, or
    seen only once after their feet had been out of the picture."""
    body = followed.body
    brief = body.rest_looks < LEAST_LOOKS and body.upright_cut_below
    return brief or (is_cut_below(followed.box) and body.rest_s < STAYED_S)


def _is_sinking(followed: Followed) -> bool:
    """Whether the last look showed somebody on the way down, a moment after standing."""
    body = followed.body
    if body.upright_ns is None or body.standing_height is None or followed.is_replaced:
        return False
    shape = body.newest
    quick = shape.at_ns - body.upright_ns <= QUICK_S * NS_PER_S
    sunk = body.upright_s >= UPRIGHT_S and body.sunk_heights >= SUNK_HEIGHTS
    return quick and sunk and shape.ratio > UPRIGHT_RATIO and shape.height < 0.7 * body.standing_height


def _sinks(at_ns: int, followed: Followed, lost_s: float) -> Clue:
    body = followed.body
    upright_ns = body.upright_ns if body.upright_ns is not None else at_ns
    llr = _sure_of(at_ns, followed) * min(SINKING_MOST_LLR, SINKING_FIRST_LLR + SINKING_LLR_PER_S * lost_s)
    down_s = (body.newest.at_ns - upright_ns) / NS_PER_S
    words: dict[str, str | float] = {"variant": "fell", "from": body.upright_behaviour, "down_s": down_s}
    return _clue("went_down", followed, followed.seen_ns, llr, words | {"lying_s": lost_s}, upright_ns)


def _share(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _clue(
    signal: str,
    followed: Followed,
    since_ns: int,
    llr: float,
    words: dict[str, str | float] | None = None,
    begun_ns: int | None = None,
    kind: str = "fall",
) -> Clue:
    return Clue(
        kind=kind,
        signal=signal,
        modality="vision",
        adding="state",
        llr=llr,
        score=followed.score_prob,
        since_ns=since_ns,
        begun_ns=begun_ns,
        track=followed.track_id,
        box=followed.box,
        words=words or {},
    )
