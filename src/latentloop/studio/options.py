"""Options of the studio; imports neither PyTorch nor Gradio."""

from dataclasses import dataclass

from latentloop.defaults import GENERATOR, MAX_PIXELS, Which


@dataclass(frozen=True)
class StudioOptions:
    """Networks of the studio, and the address of its page."""

    generator: str = GENERATOR
    """Generator: a bundled one, or a StyleGAN's file: ours, or .pkl, .pt or .pth as its project wrote it;
    also as hf://OWNER/REPO."""
    which: Which = "g_ema"
    """Weights to read if a StyleGAN's file has both: g_ema, their running mean, or g, the weights as trained."""
    device: str = "auto"
    """Device to compute on: auto, cpu, cuda, cuda:1, mps ..."""
    embedder: str | None = None
    """Embedding network: a bundled one, a file from latentloop train, or a checkpoint of pSp, e4e or ReStyle. Default:
    the one bundled for the generator, if there is one."""
    host: str = "127.0.0.1"
    """Address to listen on. 127.0.0.1: only this machine sees the page; 0.0.0.0: every machine that can reach it."""
    port: int | None = None
    """Port to listen on. Default: the first free one from 7860 on."""
    share: bool = False
    """Publish the page through a tunnel of Gradio's, at an address that expires after a week."""
    browser: bool = True
    """Open the page in a browser."""
    max_upload: int = 30
    """Refuse files larger than this, in megabytes."""
    max_pixels: int = MAX_PIXELS
    """Refuse photos with more pixels than this."""

    def __post_init__(self) -> None:
        if self.port is not None and not 0 < self.port < 2**16:
            raise ValueError(f"port must be from 1 to 65535, got {self.port}")
        for name in ("max_upload", "max_pixels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
