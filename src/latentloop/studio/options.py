"""Options of the studio; kept apart so that reading them needs neither PyTorch nor Gradio."""

from dataclasses import dataclass

from latentloop.defaults import GENERATOR, MAX_PIXELS, Which


@dataclass(frozen=True)
class StudioOptions:
    """Networks of the studio, and the place of its page."""

    generator: str = GENERATOR
    """A bundled generator, or the file of a StyleGAN: ours, or .pkl, .pt or .pth as its project wrote it."""
    which: Which = "g_ema"
    """Weights to read where a StyleGAN's file has both: their running mean, or, as g, the weights as trained."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps ..."""
    embedder: str | None = None
    """Embedding network: a bundled one, a file from latentloop train, or a checkpoint of pSp, e4e or ReStyle. Default:
    the one that is bundled for the generator, if there is one."""
    host: str = "127.0.0.1"
    """Address to listen on. 127.0.0.1: only this machine sees the page; 0.0.0.0: all that reach it do."""
    port: int | None = None
    """Port to listen on. Default: the first free one from 7860 on."""
    share: bool = False
    """Show the page to the world through a tunnel of Gradio's, at an address that ends after a week."""
    browser: bool = True
    """Open the page in a browser."""
    max_upload: int = 30
    """Refuse files of more megabytes."""
    max_pixels: int = MAX_PIXELS
    """Refuse photos of more pixels."""

    def __post_init__(self) -> None:
        if self.port is not None and not 0 < self.port < 2**16:
            raise ValueError(f"port must be from 1 to 65535, got {self.port}")
        for name in ("max_upload", "max_pixels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
