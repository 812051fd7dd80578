"""Cost in turn with another checkout: what is read of `vedette bench`, and what the ratios are of."""

from benchmarks.cost_pairs import MODELS, figures_of, table


def test_figures_are_the_models_and_the_processor_time_of_stages() -> None:
    stages = [{"stage": "vision", "cpu_ms_per_media_s": 80.0}, {"stage": "boxes", "cpu_ms_per_media_s": 8.0}]
    assert figures_of({"stages": stages, "models_ms_per_s": 90.5}) == {MODELS: 90.5, "vision, CPU": 80.0}


def test_a_ratio_is_of_one_pair_and_a_slow_hour_slows_both() -> None:
    pairs = [({MODELS: 100.0}, {MODELS: 80.0}), ({MODELS: 200.0}, {MODELS: 150.0}), ({MODELS: 90.0}, {MODELS: 72.0})]
    assert table(pairs).splitlines()[2] == f"| {MODELS} | 100.0 | 80.0 | 0.80 (0.75 to 0.80) |"


def test_a_stage_that_only_one_of_them_has_is_left_out() -> None:
    pairs = [({MODELS: 1.0}, {MODELS: 1.0, "fusion, CPU": 3.0})]
    assert len(table(pairs).splitlines()) == 3
