"""What docs/formats.md says of the alignment is true."""

import re
from pathlib import Path

from muonkit.alignment.config import AlignmentSettings

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
SECTION = PAGE.partition("\n## Alignment\n")[2].partition("\n## ")[0]


def test_the_example_runs_and_finds_the_shift(capsys):
    code = re.search(r"```python\n(.*?)```", SECTION, re.DOTALL)
    assert code is not None
    exec(code[1], {})
    assert "plane/05: u" in capsys.readouterr().out.splitlines()[2]


def test_every_key_is_documented():
    for key in AlignmentSettings.model_fields:
        assert f"`{key}`" in SECTION, key
