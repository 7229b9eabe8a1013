"""Files below `/` and `/client`: the application's pages and the browser's façade.

In: a path. Out: the file, or for a path without a file of its own the nearest `index.html` above
it, so that `/play/abc` can be a page. Names have no version in them, so browsers keep the files but
ask each time whether they are still good (ETag)."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from starlette.types import Scope

# What a machine's own tables of types get wrong or don't know.
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class Pages(StaticFiles):
    """One folder. `allowed` says which of its files may be seen; hidden ones never are.

    With `fallback` a path that isn't a file's gets the nearest `index.html`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        allowed: Callable[[PurePosixPath], bool] = lambda path: True,
        fallback: bool = True,
    ) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._allowed = allowed
        self._fallback = fallback

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at `path`, normalised by Starlette. Raises HTTPException 404 or 405."""
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        try:
            slash = scope["path"].endswith("/")
            found = await asyncio.to_thread(self._find, PurePosixPath(path), slash)
        except (OSError, ValueError):  # a name that can't be one
            found = None
        if found is None:
            raise HTTPException(404)
        full_path, info = found
        if info is None:
            return RedirectResponse(f"./{quote(full_path)}/")
        return self.file_response(full_path, info, scope)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        known = _TYPES.get(Path(full_path).suffix.lower())
        if known and isinstance(response, FileResponse):
            text = known.startswith("text/")
            response.headers["content-type"] = f"{known}; charset=utf-8" if text else known
        return response

    def _find(self, path: PurePosixPath, slash: bool) -> tuple[str, os.stat_result | None] | None:
        """The file for a path, and what the system says of it; only a name when that is a folder's
        and lacks its `/`, against which the page's own links would go wrong.
        """
        if ".." in path.parts or any(part.startswith(".") for part in path.parts):
            return None
        full_path, info = self.lookup_path(str(path))
        if info is not None and stat.S_ISREG(info.st_mode):
            return (full_path, info) if self._allowed(path) else None
        if not self._fallback or path.suffix:
            return None
        for folder in (path, *path.parents):
            full_path, info = self.lookup_path(str(folder / "index.html"))
            if info is not None and stat.S_ISREG(info.st_mode):
                return (full_path, info) if slash or folder != path else (path.name, None)
        return None
