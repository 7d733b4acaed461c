"""Single-image upscaling, the fallback without a usable burst: by interpolation or by a network (SRCNN, SRResNet, SRGAN, ESRGAN, Zoom to Learn).

`single.inference` is the entry point. Importing it does not require torch.
"""
