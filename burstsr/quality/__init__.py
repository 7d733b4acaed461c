"""Image quality: PSNR, SSIM, MS-SSIM, chroma and flow error, and the single-frame baselines."""
