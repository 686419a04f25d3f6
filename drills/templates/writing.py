"""A template's document as text: YAML or JSON, the same bytes for the same document."""

from __future__ import annotations

import io
import json
import re
from typing import Any, Literal

from drills.templates.structure import Structure

Format = Literal["yaml", "json"]
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*((::|\.)[A-Za-z0-9_-]+)*")
NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""CloudFormation reads YAML 1.1, in which these words are no texts."""


def written(document: Structure, form: Format) -> bytes:
    text = json.dumps(document, indent=2) + "\n" if form == "json" else _yaml(document)
    return text.encode()


def _yaml(document: Structure) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import SafeRepresenter

    class Quoting(SafeRepresenter):
        def ignore_aliases(self, data: Any) -> bool:
            return True  # CloudFormation takes aliases, people who read a template do not.

    def text(representer: Any, value: str) -> Any:
        plain = PLAIN.fullmatch(value) and value.lower() not in NOT_PLAIN
        return representer.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')

    Quoting.add_representer(str, text)
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.Representer = Quoting
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.allow_unicode = True
    yaml.width = 1_000_000
    stream = io.StringIO()
    yaml.dump(json.loads(json.dumps(document)), stream)
    return stream.getvalue()
