"""Names in a pickle that only an attack would use.

Safety does not depend on this list, since nothing that a pickle names is ever called; it serves to warn the user.
"""

FUNCTIONS = {
    *("apply", "breakpoint", "compile", "eval", "exec", "execfile", "file", "input", "open", "print", "__import__"),
}
"""Built-in functions that no checkpoint needs."""
RUNNING = {
    *("asyncio", "commands", "ctypes", "importlib", "multiprocessing", "nt", "os", "pickle", "popen2", "posix", "pty"),
    *("runpy", "shutil", "signal", "socket", "subprocess", "sys", "threading", "urllib", "webbrowser"),
}
"""Modules that run programs, load code or open connections, which no checkpoint needs."""


def is_alarming(name: str) -> bool:
    """Return whether a global, such as "os.system", is one that no checkpoint needs."""
    module, _, last = name.rpartition(".")
    return name.partition(".")[0] in RUNNING or (module in ("builtins", "__builtin__") and last in FUNCTIONS)
