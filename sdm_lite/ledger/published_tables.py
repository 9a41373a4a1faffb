"""The paper's Tables 1 and 3 as data: FID, LPIPS and mIoU of ten systems on three data sets.

Apart because arithmetic on them decides claims, and because our own tables show them beside what was measured here.
"""

DATASETS = ("CelebAMask-HQ", "Cityscapes", "ADE20K")

# Table 1 of Wang et al. (2022): FID and LPIPS on each of DATASETS, None where not given.
TABLE_1 = {
    "Pix2PixHD": ((38.5, 0), (95.0, 0), (81.8, 0)),
    "SPADE": ((29.2, 0), (71.8, 0), (33.9, 0)),
    "DAGAN": ((29.1, 0), (60.3, 0), (31.9, 0)),
    "SCGAN": ((20.8, 0), (49.5, 0), (29.3, 0)),
    "CLADE": ((30.6, 0), (57.2, 0), (35.4, 0)),
    "CC-FPSE": ((None, None), (54.3, 0.026), (31.7, 0.078)),
    "GroupDNet": ((25.9, 0.365), (47.3, 0.101), (41.7, 0.230)),
    "INADE": ((21.5, 0.415), (44.3, 0.295), (35.2, 0.459)),
    "OASIS": ((None, None), (47.7, 0.327), (28.3, 0.286)),
    "SDM": ((18.8, 0.422), (42.1, 0.362), (27.5, 0.524)),
}
# Table 3: mIoU.
TABLE_3 = {
    "Pix2PixHD": (76.1, 63.0, 28.8),
    "SPADE": (75.2, 61.2, 38.3),
    "DAGAN": (76.6, 62.4, 38.1),
    "SCGAN": (75.5, 55.9, 41.5),
    "CLADE": (75.4, 58.6, 23.9),
    "CC-FPSE": (None, 65.2, 40.6),
    "GroupDNet": (76.1, 55.3, 27.6),
    "INADE": (74.1, 57.7, 33.0),
    "OASIS": (None, 58.3, 45.7),
    "SDM": (77.0, 77.5, 39.2),
}
