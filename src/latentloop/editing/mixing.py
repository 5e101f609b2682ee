"""Style mixing and expression transfer between codes."""

from torch import Tensor

from latentloop.editing.layers import layer_mask


def mix(w_plus: Tensor, styles: Tensor, layers: tuple[int, ...], *, strength: float = 1.0) -> Tensor:
    """Replace the styles of some layers by another code's (style mixing, Karras et al., arXiv:1812.04948, section 3.1).

    Args:
        w_plus: Codes that keep their other layers, (N, num_ws, w_dim).
        styles: Codes from which the styles are taken, (N, num_ws, w_dim) or (1, num_ws, w_dim).
        layers: Layers to replace, see `parse_layers`.
        strength: 0 keeps `w_plus`, 1 takes `styles`, values between interpolate.
    """
    weight = strength * layer_mask(layers, w_plus.shape[1]).to(w_plus)  # (num_ws, 1)
    return w_plus.lerp(styles.expand_as(w_plus), weight.expand_as(w_plus))


def transfer(
    w_plus: Tensor, neutral: Tensor, expressive: Tensor, layers: tuple[int, ...], *, strength: float = 1.0
) -> Tensor:
    """Add the difference of two codes of one person, such as an expression, to others (Abdal et al., arXiv:1904.03189).

    Args:
        w_plus: Codes that get the expression, (N, num_ws, w_dim).
        neutral: Code of the person without it, (1, num_ws, w_dim).
        expressive: Code of the person with it, (1, num_ws, w_dim).
        layers: Layers to change, see `parse_layers`.
        strength: 0 changes nothing, 1 adds the whole difference.
    """
    return w_plus + strength * layer_mask(layers, w_plus.shape[1]).to(w_plus) * (expressive - neutral)
