"""The report says what the cards say."""

from models.evaluate import REPORT, cards, report


def test_the_report_is_what_the_cards_give() -> None:
    assert REPORT.read_text("utf-8") == report(cards()), "python -m models.evaluate --from-cards"


def test_every_figure_of_a_card_names_its_command_split_and_day() -> None:
    for name, card in cards().items():
        assert card["figures"], name
        for figure in card["figures"]:
            assert figure["command"].startswith("python -m models."), figure
            assert figure["split"] in ("val", "dev"), figure
            assert figure["date"], figure
            assert isinstance(figure["value"], int | float), figure


def test_few_clips_are_marked() -> None:
    few = {
        "metric": "average precision", "label": "scream", "value": 0.6, "n": 6, "split": "val", "date": "2026-11-21",
        "command": "python -m models.hearing.evaluate", "precision": "int8", "runtime": "onnxruntime",
    }  # fmt: skip
    card = {
        "name": "hearing", "version": "1", "files": [{"bytes": 10}], "figures": [few, few | {"n": 300}],
        "training": {"command": "c", "seed": 1, "data": [], "teachers": []},
    }  # fmt: skip
    text = report({"hearing": card})
    assert text.count("scream ○") == 1
