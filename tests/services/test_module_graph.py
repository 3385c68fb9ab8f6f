"""What a page needs at once: its modules and theirs, not those that are asked for later."""

from __future__ import annotations

from pathlib import Path

from app.services.module_graph import reachable

STATIC = Path(__file__).resolve().parents[2] / "app" / "static"


def test_modules_of_modules_once_each(tmp_path: Path) -> None:
    for name, text in {
        "a.js": 'import { b } from "./in/b.js";\nimport * as c from "./c.js";\nimport { d } from "./missing.js";\n',
        "in/b.js": 'import "../c.js";\nexport { e } from "./e.js";\nconst late = () => import("../late.js");\n',
        "in/e.js": 'import { a } from "../a.js";\n// import { x } from "./f.js";\n',
        "in/f.js": "",
        "c.js": "const text = 'import { x } from \"./in/f.js\";';\n",
        "late.js": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert sorted(reachable(tmp_path, ("a.js",))) == ["a.js", "c.js", "in/b.js", "in/e.js"]
    assert reachable(tmp_path, ("none.js", "../outside.js")) == []


def test_the_first_page_does_not_fetch_the_map_or_other_pages() -> None:
    found = reachable(STATIC, ("js/main.js", "js/views/overview.js"))
    assert {"js/main.js", "js/dom.js", "js/strings/en_shell.js", "js/views/overview_traffic.js"} <= set(found)
    assert not {"vendor/world.js", "js/parts/world_map.js", "js/views/packets.js"} & set(found)
