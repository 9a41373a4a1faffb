"""Table 4 of the paper, measured on Scenes: labels through SPADE against labels at the input, guided and not.

`runs` says what is trained, `readings` draws and measures it, `contrasts` compares over layouts and seeds, `page`
tells.
"""
