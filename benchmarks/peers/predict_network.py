"""The answer about one picture by torchvision's or timm's network, as tutorials ask it:
torchvision|timm NETWORK WEIGHTS SIZE RESIZE FILE."""

import sys

import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision import transforms as t

library, name, weights, size, resize, file = sys.argv[1:]
state = load_file(weights)
classes = len(state["fc.bias"])
if library == "timm":
    import timm

    network = timm.create_model(name, num_classes=classes)
else:
    from torchvision import models

    network = models.get_model(name, num_classes=classes)
network.load_state_dict(state)
network.eval()
look = t.Compose(
    [
        t.Resize(int(resize)),
        t.CenterCrop(int(size)),
        t.ToTensor(),
        t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
with Image.open(file) as image, torch.inference_mode():
    print(network(look(image.convert("RGB"))[None]).softmax(1).argmax(1).item())
