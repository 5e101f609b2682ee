"""Labels and number formats of the metrics in reports."""

LABELS = {
    "mse": ("MSE", 4, "↓"),
    "psnr": ("PSNR, dB", 2, "↑"),
    "ssim": ("SSIM", 3, "↑"),
    "lpips_alex": ("LPIPS (alex)", 3, "↓"),
    "id": ("ID", 3, "↑"),
    "lpips_full": ("LPIPS, full size", 3, "↓"),
    "pattern": ("pattern", 2, "↓"),
    "pattern_photo": ("photo's pattern", 2, ""),
}
"""Label, decimals and arrow to the better side of each metric."""
