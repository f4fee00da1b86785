"""What the demo says at its end."""

from __future__ import annotations

import pytest

from daemon.commands.demo import Tally, _summary


def test_a_show_too_short_to_show_anything_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert _summary(Tally(plays=1), 0, [], 9) == 1
    assert "Nothing was played next in this time" in capsys.readouterr().out

    assert _summary(Tally(plays=2, following=1), 0, [], 9) == 0
    assert "Nothing was played next" not in capsys.readouterr().out
