"""What stands for quality and for consistency where methods are weighed: one list for reports and for the board's site.

First the FID that papers print; of other networks KID comes before FID, which is biased with few pictures. Warp PSNR
comes before ZNCC, which does not see wrong colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["CONSISTENCY", "QUALITY", "preferred"]

QUALITY = (
    *("fid[inception]", "kid[inception]", "kid[tabletop]", "fid[tabletop]", "kid", "fid"),
    *("best_psnr_unseen", "best_psnr", "best_feature_distance", "best_lpips", "is[tabletop]", "psnr", "lpips"),
)
CONSISTENCY = (
    *("warp_psnr", "warp_zncc", "geometric_share", "tsed"),
    *("context_psnr", "sample_psnr_seen", "diversity_contrast"),
)


def preferred(choices: Sequence[str], ids: Iterable[str]) -> list[str]:
    """Those metric `ids` that are among `choices`, the first choice first; one without a feature network takes any."""
    known = list(ids)
    found = [name for choice in choices for name in known if choice in (name, name.partition("[")[0])]
    return list(dict.fromkeys(found))
