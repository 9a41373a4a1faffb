"""Tables 1 and 3 of the paper, measured on Scenes: SDM beside nine GANs and the truth, at equal time of training.

`runs` says what is trained, `readings` draws and measures it, `cells` takes means over seeds and differences to the
best GAN, `results` gathers what was found, `page` and `plane` tell it.
"""
