"""The nine GANs of the paper's Tables 1 and 3, small: what each adds, trained by one loop and scored by one protocol.

`system` says what a GAN is here; one module a system; `blocks`, `discriminators` and `losses` are what they share.
"""

from sdm_lite.baselines.gan.cc_fpse import CC_FPSE
from sdm_lite.baselines.gan.clade import CLADE
from sdm_lite.baselines.gan.dagan import DAGAN
from sdm_lite.baselines.gan.groupdnet import GROUPDNET
from sdm_lite.baselines.gan.inade import INADE
from sdm_lite.baselines.gan.oasis import OASIS
from sdm_lite.baselines.gan.pix2pixhd import PIX2PIXHD
from sdm_lite.baselines.gan.scgan import SCGAN
from sdm_lite.baselines.gan.spade import SPADE_GAN
from sdm_lite.baselines.gan.system import Layout, LayoutForm, System, draw_noise, layout_of

# In the order of the paper's Table 1.
SYSTEMS: dict[str, System] = {
    system.name: system for system in (PIX2PIXHD, SPADE_GAN, DAGAN, SCGAN, CLADE, CC_FPSE, GROUPDNET, INADE, OASIS)
}

__all__ = ["SYSTEMS", "Layout", "LayoutForm", "System", "draw_noise", "layout_of"]
