#!/usr/bin/env python3
"""Real proxies: Debian's nginx and Caddy with the shipped configurations.

A main file includes the whole configuration and keeps the proxy in its own
folder; only addresses and paths are replaced.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.backends import missing
from tests.e2e.server.waiting import wait_until
from tests.ports import free_port
from tests.serving import ROOT

#: Where the shipped configurations expect Vestibule and the application.
VESTIBULE = "127.0.0.1:5000"
APPLICATION = "127.0.0.1:8000"


def shipped(name: str) -> str:
    """Return the text of a configuration in the folder `deploy`."""
    return (ROOT / "deploy" / name).read_text()


def filled(text: str, replacements: dict[str, str]) -> str:
    """Return `text` with each key replaced by its value; all must occur."""
    for written, new in replacements.items():
        assert written in text, f"{written} is not in the configuration"
        text = text.replace(written, new)
    return text


def is_open(port: int) -> bool:
    """Return True if a process accepts connections on `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


class Proxy:
    """A proxy on a free port that runs one configuration."""

    #: The name of the program in Debian.
    program: str
    #: The configuration in the folder `deploy`.
    file: str
    #: The language of such a code block in the documents.
    language: str
    #: The part of the configuration that sets the listening address.
    listens: str
    #: The part that names the host, where that is another one.
    names: dict[str, str] = {}
    #: The host in the address of Caddy's site.
    host = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        """Prepare a proxy that writes only into `folder`."""
        program = shutil.which(self.program) or shutil.which(
            self.program, path="/usr/sbin:/usr/bin"
        )
        if program is None:
            missing(self.program)
        self.found = str(program)
        self.folder = folder
        self.port = free_port()
        self.tls: tuple[Path, Path] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the address without a path."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def start(self, text: str, replacements: dict[str, str]) -> None:
        """Run the configuration `text` and wait until the port is open.

        Another process may take the port in between; then another port is
        tried.
        """
        names = {old: new for old, new in self.names.items() if old in text}
        for _ in range(3):
            self._launch(
                filled(
                    text,
                    {self.listens: self.address()} | names | replacements,
                )
            )
            wait_until(30, lambda: self.has_ended() or is_open(self.port))
            if not self.has_ended():
                return
            self.port = free_port()
        raise RuntimeError(f"no start:\n{self.log()}")

    def stop(self) -> None:
        """End the proxy and wait for its end."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def has_ended(self) -> bool:
        """Return True if the proxy has exited."""
        return self.process is not None and self.process.poll() is not None

    def log(self) -> str:
        """Return the proxy's output so far."""
        return (self.folder / "log").read_text()

    def environment(self) -> dict[str, str]:
        """Return the environment, whose home is the proxy's folder."""
        return {"PATH": os.defpath, "HOME": str(self.folder)}

    def _launch(self, text: str) -> None:
        """Start the program with the configuration `text`."""
        self.write(text)
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.found, *self.arguments()],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def write(self, text: str) -> None:
        """Write the configuration, and the file that includes it."""
        raise NotImplementedError

    def address(self) -> str:
        """Return the listening address in the syntax of the configuration."""
        raise NotImplementedError

    def arguments(self) -> list[str]:
        """Return the arguments of the program."""
        raise NotImplementedError


class Nginx(Proxy):
    """The proxy nginx, whose configuration is for `/etc/nginx/conf.d`."""

    program = "nginx"
    file = "nginx.conf"
    language = "nginx"
    listens = "listen 80;"
    names = {"server_name app.example.com;": "server_name 127.0.0.1;"}

    def write(self, text: str) -> None:
        """Write both files; nginx of root stays root to read the folder."""
        (self.folder / "site.conf").write_text(text)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        lines = [
            "daemon off;",
            "pid nginx.pid;",
            "error_log stderr info;",
            "user root;" if os.geteuid() == 0 else "",
            "events { worker_connections 4096; }",
            "http {",
            "access_log off;",
            *(f"{kind}_temp_path {kind};" for kind in kinds),
            "include site.conf;",
            "}\n",
        ]
        (self.folder / "main.conf").write_text("\n".join(lines))

    def address(self) -> str:
        """Return the line with the port and, with TLS, the certificate."""
        if self.tls is None:
            return f"listen 127.0.0.1:{self.port};"
        return (
            f"listen 127.0.0.1:{self.port} ssl;"
            f" ssl_certificate {self.tls[0]};"
            f" ssl_certificate_key {self.tls[1]};"
        )

    def arguments(self) -> list[str]:
        """Return the folder and main file; nothing in `/etc` is read."""
        return [
            "-p",
            str(self.folder),
            "-e",
            "stderr",
            "-c",
            str(self.folder / "main.conf"),
        ]


class Caddy(Proxy):
    """Caddy, whose configuration is one or more sites."""

    program = "caddy"
    file = "Caddyfile"
    language = "caddyfile"
    listens = "app.example.com {"

    def write(self, text: str) -> None:
        """Write both files, without Caddy's admin endpoint.

        The options of a configuration are joined with those of the tests.
        """
        options = re.search(r"^\{\n(.*?)^\}\n", text, re.MULTILINE | re.DOTALL)
        if options is not None:
            text = text.replace(options[0], "")
        own = "" if options is None else options[1]
        (self.folder / "site.caddyfile").write_text(text)
        (self.folder / "Caddyfile").write_text(
            f"{{\n\tadmin off\n\tauto_https off\n{own}}}\n"
            "import site.caddyfile\n"
        )

    def address(self) -> str:
        """Return the site's address and, with TLS, the certificate."""
        scheme = "https" if self.tls else "http"
        site = f"{scheme}://{self.host}:{self.port} {{"
        if self.tls is None:
            return site
        return f"{site}\n\ttls {self.tls[0]} {self.tls[1]}"

    def arguments(self) -> list[str]:
        """Return the command to run the file in the foreground."""
        return [
            "run",
            "--adapter",
            "caddyfile",
            "--config",
            str(self.folder / "Caddyfile"),
        ]


PROXIES: dict[str, type[Proxy]] = {"nginx": Nginx, "caddy": Caddy}
