"""The server of the pages: on this machine only, with all that pages need from the installation, no other machine is asked."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from ..support.checks import integer
from .background import Background

__all__ = ["serve"]

#: Where it listens: other machines do not reach it.
_ADDRESS = "127.0.0.1"
#: Sessions go soon after their page has.
_SESSIONS: dict[str, int] = {"check_unused_sessions_milliseconds": 2000, "unused_session_lifetime_milliseconds": 5000}


def serve(port: int, first: str = "/", open_browser: bool = True, say: Callable[[str], None] = print) -> None:
    """Serve the pages until Ctrl-C or SIGTERM; nothing is left running.

    Parameters
    ----------
    port : int, 0 for a free one
    first : str, the page that is opened: "/" or "/flow"
    open_browser : bool
    say : callable(str)
        Told the address of the page once the server listens.

    Raises
    ------
    ImportError
        bokeh is not installed
    OSError
        the port is taken, or not allowed
    """
    integer("port", port, low=0, high=65535)
    make = _bokeh()
    background = Background()
    with ExitStack() as ends:
        ends.callback(background.close)
        _warm_up(background, first)  # while the server imports, too
        server = make(_pages(background), port)
        ends.callback(server.stop)
        address = f"http://{_ADDRESS}:{server.port}{first}"
        server.start()
        say(address)
        if open_browser:
            _open(server, address)
        _run(server.io_loop)


def _warm_up(background, first):
    """Have the numbers made that pages begin with, for which a page would wait: those of the first page, and then the others."""
    pages = ["/", "/flow"]
    pages.remove(first)

    def then():  # not at the same time: machines have few cores
        for page in pages:
            background["fast"].warm_up(_first_numbers, page)
        background["slow"].warm_up(_first_numbers, first, False)
        background["lines"].warm_up(_first_numbers, "/", False)

    background["fast"].warm_up(_first_numbers, first, then=then)


def _first_numbers(page, quick=True):
    """A task that does the first tasks of a page, and imports no more than these need."""
    if page == "/flow":
        from . import flow_numbers
        from .flow_view import first_view

        yield from (flow_numbers.at_once if quick else flow_numbers.at_rest)(first_view())
    else:
        from . import numbers
        from .view import View

        yield from numbers.at_once(View()) if quick else ()


def _bokeh():
    """What makes a server of bokeh, with all that its pages load from the installation, whatever the environment says."""
    try:
        from bokeh.server.server import BaseServer
        from bokeh.server.tornado import BokehTornado
        from bokeh.server.util import bind_sockets
        from bokeh.settings import settings
        from tornado.httpserver import HTTPServer
        from tornado.ioloop import IOLoop
    except ImportError as error:
        raise ImportError("explore needs bokeh, which is not installed: pip install 'gating-theory[explore]'") from error

    settings.resources.set_value("server")
    logging.getLogger("bokeh.server.views.ws").setLevel(logging.ERROR)  # a page that is closed while it is told something

    def make(pages, port):
        sockets, port = _bound(bind_sockets, port)
        origins = [f"{host}:{port}" for host in (_ADDRESS, "localhost")]
        application = BokehTornado(pages, extra_websocket_origins=origins, **_SESSIONS)
        http = HTTPServer(application)
        http.add_sockets(sockets)
        return BaseServer(IOLoop.current(), application, http)

    return make


def _bound(bind_sockets, port):
    """Sockets on a port that is free; tornado does not close the one that it cannot bind."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_ADDRESS, port))
        except OSError as error:
            raise _port_error(port, error) from None
    return bind_sockets(_ADDRESS, port)


def _port_error(port, error):
    if error.errno == errno.EADDRINUSE:
        return OSError(f"port {port} is taken: choose another one with --port, or --port 0 for a free one")
    return OSError(f"port {port} cannot be used: {error.strerror or error}")


def _pages(background):
    """{address: the application}."""
    from bokeh.application import Application
    from bokeh.application.handlers.function import FunctionHandler

    from .flow_page import flow_page
    from .page import network_page

    filled = {"/": network_page, "/flow": flow_page}
    return {address: Application(FunctionHandler(partial(fill, background=background))) for address, fill in filled.items()}


def _open(server, address):
    import webbrowser

    server.io_loop.add_callback(lambda: threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start())


def _run(loop):
    """Until Ctrl-C, or SIGTERM where there is one."""
    before = {number: signal.signal(number, lambda *_: loop.add_callback_from_signal(loop.stop)) for number in _SIGNALS}
    try:
        loop.start()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM) if sys.platform != "win32" else (signal.SIGINT,)
