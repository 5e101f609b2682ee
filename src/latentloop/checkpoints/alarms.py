"""Names in a pickle that only an attack has a use for.

No safety rests on this list, since nothing that a pickle names is ever called: it is there so that a user hears of it.
"""

FUNCTIONS = {
    *("apply", "breakpoint", "compile", "eval", "exec", "execfile", "file", "input", "open", "print", "__import__"),
}
"""Built-in functions that no data needs."""
RUNNING = {
    *("asyncio", "commands", "ctypes", "importlib", "multiprocessing", "nt", "os", "pickle", "popen2", "posix", "pty"),
    *("runpy", "shutil", "signal", "socket", "subprocess", "sys", "threading", "urllib", "webbrowser"),
}
"""Modules that run programs, load code or reach out, none of which data needs."""


def is_alarming(name: str) -> bool:
    """Tell whether a global, such as "os.system", has no place among data."""
    module, _, last = name.rpartition(".")
    return name.partition(".")[0] in RUNNING or (module in ("builtins", "__builtin__") and last in FUNCTIONS)
