"""Features of VGG-19 (Simonyan & Zisserman 2015) for perceptual losses: SRGAN after the activation (Ledig 2017, eq. 4), ESRGAN before it (Wang 2018, §3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from burstsr.core.errors import InputFileError, SettingsError

_WIDTHS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))  # channels and convolutions of the five blocks
NAMES = tuple(f"conv{block}_{i}" for block, (_, count) in enumerate(_WIDTHS, 1) for i in range(1, count + 1))
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's sRGB
_TORCHVISION = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
COBI_LAYERS = {"conv1_2": 1.0, "conv2_2": 1.0, "conv3_2": 0.5}  # Zhang 2019, §5


class VGG19(nn.Module):
    """Convolutions of VGG-19 up to the last of `layers`, frozen. forward: (N, 3, H, W) sRGB, 0 to 1 -> one tensor per layer."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, layers: Sequence[str], before_activation: bool = True) -> None:
        super().__init__()
        unknown = set(layers) - set(NAMES)
        if unknown or not layers:
            raise SettingsError(f"VGG-19 layers must be some of {', '.join(NAMES)}, not {', '.join(sorted(unknown)) or 'none'}")
        self.wanted, self.before = tuple(layers), before_activation
        modules: list[nn.Module] = []
        self.places: dict[str, int] = {}
        inside = 3
        for block, (width, count) in enumerate(_WIDTHS, 1):
            for i in range(1, count + 1):
                self.places[f"conv{block}_{i}"] = len(modules)
                modules += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU()]
                inside = width
            modules.append(nn.MaxPool2d(2))
        last = max(self.places[name] for name in layers) + (1 if before_activation else 2)
        self.features = nn.Sequential(*modules[:last])
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    @classmethod
    def load(cls, source: str, layers: Sequence[str] = ("conv5_4",), before_activation: bool = True) -> VGG19:
        """Load weights from a file (torchvision's VGG-19 state, .pth or .safetensors), or "torchvision": the file that it has downloaded before.

        Raises InputFileError, naming what is missing.
        """
        net = cls(layers, before_activation)
        state = _from_file(_torchvision_file() if source == "torchvision" else Path(source))
        needed = net.state_dict()
        lacking = [name for name, value in needed.items() if name not in state or state[name].shape != value.shape]
        if lacking:
            raise InputFileError(f"{source}: not VGG-19 weights (features.N.weight and .bias): {lacking[0]} is missing or has another shape")
        net.load_state_dict({name: state[name] for name in needed})
        return net

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return features by layer."""
        x = (x - self.mean) / self.deviation
        stops = {self.places[name] + (0 if self.before else 1): name for name in self.wanted}
        found = {}
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in stops:
                found[stops[i]] = x
        return found

    def single(self) -> nn.Module:
        """Return a module of the first layer's features only."""
        return _First(self)


class _First(nn.Module):
    def __init__(self, vgg: VGG19) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.vgg(x)[self.vgg.wanted[0]]
        return found


def cobi_loss(vgg: VGG19, made: Tensor, wanted: Tensor, spatial_weight: float = 0.5) -> Tensor:
    """Return CoBi on VGG-19 features, with the layer weights of Zhang 2019 §5 where they are among those of `vgg`."""
    from single.losses.cobi import cobi

    a, b = vgg(made), vgg(wanted)
    return sum((COBI_LAYERS.get(name, 1.0) * cobi(a[name], b[name], spatial_weight) for name in a), torch.zeros((), device=made.device))


def _from_file(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise InputFileError(f"{path}: no such file; the perceptual loss requires VGG-19 weights, such as torchvision's vgg19-dcbb9e9d.pth")
    if path.suffix == ".safetensors":
        from single.weights_file import read_weights

        return read_weights(path)[0]
    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputFileError(f"{path}: weights cannot be loaded without executing code ({error})") from error
    return state


def _torchvision_file() -> Path:
    """Return the path of torchvision's downloaded weights. Raises InputFileError where it does not exist: nothing is downloaded without request."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / _TORCHVISION.rpartition("/")[2]
    if not path.is_file():
        raise InputFileError(f"--vgg torchvision: no such file: {path}; download it from {_TORCHVISION} (575 MB), or use --vgg FILE")
    return path
