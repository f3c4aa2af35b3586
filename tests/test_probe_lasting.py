"""Errors that last for one body alone, told from outages."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from testcard.cli import testcard as command
from testcard.mock_server import MockSettings, running
from wild_check import examine
from wild_server import Ask, Reply, Wild

LASTING = "generate.no-lasting-error"


def test_an_error_is_found_to_last_where_nothing_else_is_left_to_be_served(tmp_path: Path) -> None:
    """All that would be served came before the body that always fails: one of them is asked once more."""
    with running(MockSettings(faults=("two-500",), window_s=1.0)) as base_url:
        run = ["check", "--target", "mock", "--base-url", base_url, "--out", str(tmp_path / "run")]
        CliRunner().invoke(command, run)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    found = {row["id"]: row for row in summary["requirements"]}[LASTING]
    assert found["outcome"] == "warn"
    assert "n = 2" in found["actual"]


class BreaksDown(Wild):
    """Two pictures are too many, and no other comes after them."""

    down = False

    def generate(self, ask: Ask) -> Reply:
        self.down = self.down or ask.fields.get("n") == 2
        return self.error(500, "Out of memory.") if self.down else super().generate(ask)


def test_an_outage_is_held_against_no_body() -> None:
    """What fails because everything fails from then on is no error that lasts for it alone."""
    assert LASTING not in examine(BreaksDown()).of("fail", "warn")
