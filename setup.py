"""The package. Its list of packages is written out: discovery refuses this layout or misses the plugin."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "chatlog" / "__init__.py").read_text("utf-8"))
assert VERSION is not None

setup(
    name="chatlog",
    version=VERSION[1],
    description="Records livestream chat from Twitch and Kick to JSON Lines files in object storage.",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    author="Chatlog contributors",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        "chatlog",
        "chatlog.alarms",
        "chatlog.archive",
        "chatlog.archive.formats",
        "chatlog.archive_http",
        "chatlog.cluster",
        "chatlog.commands",
        "chatlog.config",
        "chatlog.cost",
        "chatlog.http",
        "chatlog.importing",
        "chatlog.index",
        "chatlog.journal",
        "chatlog.kick",
        "chatlog.network",
        "chatlog.parquet",
        "chatlog.recorder",
        "chatlog.rooms",
        "chatlog.simulator",
        "chatlog.spool",
        "chatlog.state",
        "chatlog.status",
        "chatlog.store",
        "chatlog.suppression",
        "chatlog.timeline",
        "chatlog.twitch",
        "chatlog.upkeep",
        "chatlog.uploader",
        "chatlog.verify",
        "twisted.plugins",
    ],
    # Says that the packages lie beside this file. With it, an editable install puts the checkout itself
    # on the path, and that is how twistd finds the plugin and trial finds the tests.
    package_dir={"": "."},
    # Ranges, for those who install it beside other things; requirements/ pins what the checkout itself is
    # run and tested with. The lower bounds are the oldest releases that the tests pass with (.ci/oldest).
    install_requires=[
        "Twisted[tls]>=26.4",
        "autobahn>=24.4.2",
        "PyYAML>=6.0.1",
        "orjson>=3.10",
        "obstore>=0.11",
        "zstandard>=0.23",
        "google-re2>=1.1.20251105",
        "prometheus-client>=0.20",
        "click>=8.2.1",
    ],
    # Looks after a recorder; the recorder itself is twistd's.
    entry_points={"console_scripts": ["chatlog = chatlog.__main__:main"]},
    extras_require={
        # Parquet: `chatlog compact`.
        "archive": ["duckdb>=1.4"],
        # Redis or Valkey, for recorders that share their rooms (`cluster:`).
        "cluster": ["txredisapi>=1.6"],
        # What `trial tests` needs.
        "test": [
            "duckdb>=1.4",
            "hypothesis>=6.100",
            "moto[server]>=5.0.20",
            "trustme>=1.1",
            "txredisapi>=1.6",
        ],
        # What .ci/run checks the source with.
        "check": ["mypy>=1.13", "mypy-zope>=1.0.9", "ruff>=0.8", "types-PyYAML"],
    },
    package_data={"chatlog.http": ["assets/*"], "chatlog.archive_http": ["assets/*"]},
    zip_safe=False,
)
