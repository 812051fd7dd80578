"""Builds a wheel from what stands here now; pyproject.toml says everything else.

setuptools keeps `build/lib` and puts into the next wheel whatever lies there: modules that are gone, and old ones
where a new release was unpacked over the old, for its files are older than the last build.
"""

import shutil

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildAnew(build_py):
    """build_py into an empty folder."""

    def run(self) -> None:
        """Clear what an earlier build left, then build."""
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(cmdclass={"build_py": BuildAnew})
