# Two targets for people. Each installs what is missing (Debian packages, .venv), never asks, and ends by itself.

BIN := .venv/bin

.PHONY: demo test

demo:
	@tools/prepare demo
	@$(BIN)/vedette demo

test:
	@tools/prepare test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest
