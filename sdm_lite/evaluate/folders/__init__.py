"""Any two folders of pictures compared, whoever made them. `python -m sdm_lite.evaluate folders` prints the scores.

judges.py     which network looks at the pictures, by its name
reading.py    from files to features, a batch at a time
measuring.py  from features to scores, each with its interval
ruler.py      how much the scores move by what nobody means: filters, JPEG, the number of pictures
report.py     the protocol in words, the tables, the files
command.py    the command
"""

from sdm_lite.evaluate.folders.measuring import Comparison, compare_folders
from sdm_lite.evaluate.folders.ruler import Ruler, measure_ruler

__all__ = ["Comparison", "Ruler", "compare_folders", "measure_ruler"]
