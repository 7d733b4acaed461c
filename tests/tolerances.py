"""Every tolerance of the tests, each with the worst case measured when it was set (engines: loops against paper in float64)."""

MATCH_COST = 1e-4  # mean difference per pixel, relative; measured 3e-6
FLOW_LOOPS_PX = 2e-3  # registration, loops against paper; measured 4e-4
DENSE_RELATIVE = 3e-5  # dense refinement, loops against plain NumPy, also over the largest; measured 3e-6
KERNEL_RELATIVE = 2e-3  # inverse covariance; measured 3e-4
TRUST_ABSOLUTE = 2e-3  # measured 3e-4
MERGE_ABSOLUTE = 1e-3  # polynomial exp and float32; measured 2e-4
FLOW_SHIFT_PX = 0.02  # a pure shift of a textured image, noise-free; measured 0.006
FLOW_ISO_100_PX = 0.05  # median over a rotated, shifted frame at ISO 100; measured 0.015
CFA_ORDERS_PSNR_DB = 38.0  # mirrored bursts give mirrored images; measured 43
EQUATIONS_RELATIVE = 2e-5  # normal equations and misfit, over the largest; measured 4e-6
PRODUCT_RELATIVE = 2e-6  # N x and G x, over the largest; measured 3e-7
DESCEND_ABSOLUTE = 2e-5  # four conjugate gradient steps, values up to 1; measured 4e-6
EXCESS_RELATIVE = 1e-5  # misfit that conjugate gradients gain; measured 2e-7
SHRINK_ABSOLUTE = 2e-6  # values up to 1; measured 3e-7
BEST_GAIN_DB = 2.0  # mode best over fast, seven frames at ISO 100; measured 3.8
BEST_ORDER_ABSOLUTE = 5e-4  # mode best, frames in another order; measured 4e-5
BEST_THRESHOLD_ABSOLUTE = 0.03  # the same where a coefficient lies at its threshold; measured 0.014, in 15 of 43008 pixels
BEST_TILES_PSNR_DB = 48.0  # mode best, other tiles: blocks lie elsewhere; measured 52
BEST_MIRRORED_PSNR_DB = 50.0  # mode best, mirrored bursts give mirrored images; measured 63
FINISH_ABSOLUTE = 3e-6  # encoded values up to 1; measured 1e-6
CLAIMED_SIGMA = 1.3  # noise that a result claims on flat ground over what it has, either way; the measure itself errs by 10 %; measured 1.19
FLUX_SHARE = 0.02  # flux of 18 stars at 120 (fast) or 50 and 120 (best with light=1) deviations, green, mean, itself known to 0.005; measured 0.012
