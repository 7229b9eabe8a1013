"""A todo list whose pages the room itself renders: no machine, no socket, no JavaScript.

Each list is a room of one hook, `on_request`. What a form changes is stored before the browser is
answered, and two people who press at the same moment are handled one after the other.
"""

from __future__ import annotations

import secrets
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from starlette.responses import HTMLResponse, RedirectResponse

from rooms import App, Room

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LONGEST = 200
"""Characters of one item."""


class Todo(Room):
    """One list: `/rooms/todo/<name>`."""

    async def on_request(self, request: Request) -> Response | None:
        """The page for GET; a form's change for POST, then the page again."""
        items: dict[str, str] = self.storage.get("items", {})
        match request.method, request.url.path.split("/")[4:]:
            case "GET", [] | [""]:
                return HTMLResponse(page(self.id, items, request.query_params))
            case "POST", ["add"]:
                return self._write(items, secrets.token_urlsafe(6), await content(request))
            case "POST", [id, "edit" | "delete"] if id not in items:
                return self._back(error="It isn't there any more: somebody deleted it.")
            case "POST", [id, "edit"]:
                return self._write(items, id, await content(request), edit=id)
            case "POST", [id, "delete"]:
                self.storage.put("items", {key: text for key, text in items.items() if key != id})
                return self._back()
        return None

    def _write(self, items: dict[str, str], id: str, text: str, edit: str = "") -> Response:
        if not text:
            return self._back(error="Write something first.", edit=edit)
        if len(text) > LONGEST:
            return self._back(error=f"{LONGEST} characters are enough.", edit=edit)
        self.storage.put("items", {**items, id: text})
        return self._back()

    def _back(self, **query: str) -> Response:
        """To the list, by GET: a reload repeats nothing."""
        said = urlencode({name: value for name, value in query.items() if value})
        return RedirectResponse(f"/rooms/todo/{self.id}?{said}".rstrip("?"), status_code=303)


async def content(request: Request) -> str:
    """What was written into the form."""
    form = parse_qs((await request.body()).decode(errors="replace"))
    return " ".join(form.get("content", [""])[0].split())


def page(name: str, items: dict[str, str], query: Any) -> str:
    """The whole page; with `?edit=<item>` its form changes that item."""
    here, edited = f"/rooms/todo/{escape(name)}", query.get("edit", "")
    changes = edited in items
    rows = "".join(row(here, id, text) for id, text in items.items())
    error = f'<p role="alert">{escape(query["error"])}</p>' if query.get("error") else ""
    action = f"{here}/{escape(edited)}/edit" if changes else f"{here}/add"
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
<title>({len(items)}) Todo List in {escape(name)}</title>
<h1>{escape(name)}</h1>
{error}
<ul>{rows}</ul>
<form method="post" action="{action}">
<label>{"Change it to" if changes else "What else"}
<input name="content" value="{escape(items.get(edited, ""))}" autofocus></label>
<button>{"Change" if changes else "Add"}</button>
{f'<a href="{here}">Leave it</a>' if changes else ""}
</form>
</html>"""


def row(here: str, id: str, text: str) -> str:
    """One item: a link that puts it into the form, and a button that deletes it."""
    link = f'<a href="{here}?edit={escape(id)}">{escape(text)}</a>'
    button = f'<button aria-label="Delete {escape(text)}">✕</button>'
    return f'<li>{link}<form method="post" action="{here}/{escape(id)}/delete">{button}</form></li>'


app = App(pages="web", todo=Todo)
