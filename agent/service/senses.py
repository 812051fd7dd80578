"""The loaded models, shared by all cameras, and the per-camera eyes and ears made from them."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.config.schema import Config
