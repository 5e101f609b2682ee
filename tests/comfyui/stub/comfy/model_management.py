"""A stand-in for how ComfyUI tells nodes that the user has cancelled."""


class InterruptProcessingException(Exception):  # noqa: N818 - ComfyUI's name
    """The user has cancelled."""


interrupted = False


def throw_exception_if_processing_interrupted() -> None:
    """Raise the exception, once, if the user has cancelled."""
    global interrupted
    if interrupted:
        interrupted = False
        raise InterruptProcessingException
