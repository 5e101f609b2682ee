"""A stand-in for the Hugging Face Hub: a server that answers what the real client asks, from memory."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import latentloop as ll
from latentloop import hub
from latentloop.encoders import PRESETS, make_embedder, save_embedder
from small_generators import SmallGenerator

Files = dict[str, bytes]
Answer = tuple[int, dict[str, str], bytes]
LARGE = 1 << 10
"""Bytes from which a file goes through LFS."""
TOKEN = "hf_of_a_test"  # noqa: S105 - opens nothing but this


@dataclass
class Repo:
    """A repository: its commits, oldest first."""

    private: bool = False
    gated: bool = False
    commits: dict[str, Files] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return [*self.commits][-1] if self.commits else "0" * 40

    @property
    def files(self) -> Files:
        return self.commits.get(self.head, {})

    def commit(self, changes: Mapping[str, bytes]) -> str:
        files = {**self.files, **changes}
        known = [[name, hashlib.sha256(content).hexdigest()] for name, content in sorted(files.items())]
        sha = hashlib.sha1(json.dumps([len(self.commits), known]).encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = files
        return sha


@dataclass
class StandIn:
    """What the server has, and what it was asked."""

    repos: dict[str, Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    endpoint: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    """Sizes that the lists of files give, by a file's name, where they are not the true ones."""
    failing: int = 0
    """Status of every answer; 0 for what is asked for."""

    def add(self, name: str, files: Mapping[str, bytes | Path], *, private: bool = False, gated: bool = False) -> str:
        """Make a commit in a repository, and give its hash."""
        repo = self.repos.setdefault(name, Repo(private=private, gated=gated))
        return repo.commit({n: c.read_bytes() if isinstance(c, Path) else c for n, c in files.items()})


class Handler(BaseHTTPRequestHandler):
    """Answers requests from a `StandIn`."""

    protocol_version = "HTTP/1.1"
    hub: StandIn

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._send(self._read(), body=False)

    def do_GET(self) -> None:
        self._send(self._read())

    def do_POST(self) -> None:
        self._send(self._write())

    def do_PUT(self) -> None:
        content = self._body()
        self.hub.blobs[self.path.rpartition("/")[2]] = content
        self._send((200, {}, b""))

    def _send(self, answer: Answer, *, body: bool = True) -> None:
        status, headers, content = (self.hub.failing, {}, b"") if self.hub.failing else answer
        self.hub.requests.append(f"{self.command} {self.path}")
        self.hub.tokens.append(self.headers.get("authorization"))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _refusal(self, name: str) -> Answer | None:
        repo = self.hub.repos.get(name)
        known = self.headers.get("authorization") == f"Bearer {TOKEN}"
        if repo is None or (repo.private and not known):
            return (404 if known else 401), {"X-Error-Code": "RepoNotFound"}, b"{}"
        if repo.gated and not known:
            return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
        return None

    def _commit(self, repo: Repo, revision: str) -> str | None:
        commit = repo.head if revision == "main" else repo.tags.get(revision, revision)
        return commit if commit in repo.commits else None

    def _read(self) -> Answer:
        path = unquote(urlsplit(self.path).path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self._info(found[1], found[2] or "main")
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._file(*found.groups())
        return 404, {}, b"{}"

    def _info(self, name: str, revision: str) -> Answer:
        if refusal := self._refusal(name):
            return refusal
        repo = self.hub.repos[name]
        commit = self._commit(repo, revision)
        if commit is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        files = repo.commits.get(commit, {})
        with_sizes = "blobs=" in urlsplit(self.path).query
        siblings = [{"rfilename": n, **({"size": self._size(n, c)} if with_sizes else {})} for n, c in files.items()]
        return _json({"id": name, "modelId": name, "sha": commit, "private": repo.private, "siblings": siblings})

    def _size(self, name: str, content: bytes) -> int:
        return self.hub.sizes.get(name, len(content))

    def _file(self, name: str, revision: str, file: str) -> Answer:
        if refusal := self._refusal(name):
            return refusal
        repo = self.hub.repos[name]
        commit = self._commit(repo, revision)
        if commit is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        headers = {"X-Repo-Commit": commit}
        if file not in repo.commits[commit]:
            return 404, headers | {"X-Error-Code": "EntryNotFound"}, b""
        content = repo.commits[commit][file]
        headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or ""):
            if int(wanted[1]) >= len(content):
                return 416, headers | {"Content-Range": f"bytes */{len(content)}"}, b""
            return 206, headers, content[int(wanted[1]) : int(wanted[2] or len(content)) + 1]
        return 200, headers, content

    def _write(self) -> Answer:
        path, body = unquote(urlsplit(self.path).path), self._body()
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"{}"
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/models/(.+)/(preupload|commit)/main", path):
            return (self._preupload if found[2] == "preupload" else self._commit_files)(found[1], body)
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        return 404, {}, b"{}"

    def _create(self, wanted: dict[str, Any]) -> Answer:
        name = f"{wanted['organization']}/{wanted['name']}"
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        status = 409 if name in self.hub.repos else 200
        self.hub.repos.setdefault(name, Repo(private=private))
        return _json({"url": f"{self.hub.endpoint}/{name}", "name": name}, status)

    def _preupload(self, _: str, body: bytes) -> Answer:
        modes = [
            {"path": one["path"], "uploadMode": "lfs" if one["size"] > LARGE else "regular", "shouldIgnore": False}
            for one in json.loads(body)["files"]
        ]
        return _json({"files": modes})

    def _batch(self, wanted: dict[str, Any]) -> Answer:
        def action(one: dict[str, Any]) -> dict[str, Any]:
            href = f"{self.hub.endpoint}/upload/{one['oid']}"
            return {"oid": one["oid"], "size": one["size"], "actions": {"upload": {"href": href, "header": {}}}}

        return _json({"transfer": "basic", "objects": [action(one) for one in wanted["objects"]]})

    def _commit_files(self, name: str, body: bytes) -> Answer:
        changes: Files = {}
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header" and value.get("parentCommit") not in (None, self.hub.repos[name].head):
                return 412, {"X-Error-Message": "A commit has happened since. Please refresh and try again."}, b"{}"
            if line["key"] == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                changes[value["path"]] = self.hub.blobs[value["oid"]]
        sha = self.hub.repos[name].commit(changes)
        return _json({"commitUrl": f"{self.hub.endpoint}/{name}/commit/{sha}", "commitOid": sha})


def _json(content: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(content).encode()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A hub on this machine, which the real client asks from now on, with an empty cache and no token."""
    import huggingface_hub
    from huggingface_hub import constants

    served = StandIn()
    handler = type("Bound", (Handler,), {"hub": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        served.endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", served.endpoint)
        template = served.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        hub.forget()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield served
        server.shutdown()
        thread.join()
        huggingface_hub.close_session()
    hub.forget()


@pytest.fixture
def logged_in(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - which logs out
    """A token where the client looks for one."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Sets HF_HUB_OFFLINE, as at the start of another process."""

    def set_offline() -> None:
        from huggingface_hub import close_session, constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        close_session()
        hub.forget()

    return set_offline


@pytest.fixture
def both(small_generator: SmallGenerator, tmp_path: Path) -> dict[str, bytes | Path]:
    """A generator, its embedding network and a file of another project."""
    generator = small_generator()
    config = PRESETS["small"]
    save_embedder(tmp_path / "net.safetensors", make_embedder(config, ll.load_generator(generator), seed=0))
    return {"g.safetensors": generator, "net.safetensors": tmp_path / "net.safetensors", "old.pkl": b"?"}
