#!/usr/bin/env bash
# Do the notebooks run where only a wheel is, from another folder, on each Python that can be had? `make anywhere`.
#
# For each Python: a fresh environment, torch and the wheel with [notebooks] beside the versions that Colab holds fixed,
# the notebooks copied by `python -m sdm_lite.course`, and run there in the shortest profile. What cannot be had is said
# to be not tried. Arguments: a folder to work in, a uv, then Pythons as uv knows them.
#
# ONLY               numbers of the notebooks to run; all if unset
# TORCH              which torch, "torch" if unset: the newest; TORCH_INDEX_URL where from, if not from the usual index
# LIKE_COLAB         pins of what Colab holds fixed; those of its Python 3.12 image if unset
set -u
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
FOLDER="$(mkdir -p "$1" && cd "$1" && pwd)" UV="$(realpath -s "$2")"; shift 2
LIKE_COLAB="${LIKE_COLAB-ipython==7.34.0 ipykernel==6.17.1 ipywidgets==7.7.1}"
unset PYTHONPATH
rm -f "$FOLDER"/*.whl
"$UV" build --quiet --wheel --out-dir "$FOLDER" "$ROOT" || exit 1
WHEEL="$(echo "$FOLDER"/sdm_lite-*.whl)"
echo "wheel: $(basename "$WHEEL"), $(du -m "$WHEEL" | cut -f1) MB"
failed=0
for python in "$@"; do
  here="$FOLDER/$python" && rm -rf "$here" && mkdir -p "$here"
  if ! "$UV" venv --quiet --python "$python" "$here/env" 2>/dev/null; then
    echo "Python $python: not tried, there is none"
    continue
  fi
  "$UV" pip install --quiet --python "$here/env" ${TORCH_INDEX_URL:+--default-index $TORCH_INDEX_URL} "${TORCH:-torch}" numpy &&
    before="$("$here/env/bin/python" -c 'import torch; print(torch.__version__)')" &&
    "$UV" pip install --quiet --python "$here/env" $LIKE_COLAB "$WHEEL[notebooks]" &&
    [ "$before" = "$("$here/env/bin/python" -c 'import torch; print(torch.__version__)')" ] &&
    cd "$here" && env/bin/python -m sdm_lite.course mine &&
    env/bin/python -m sdm_lite.reproduce --notebooks mine --profile test --output run ${ONLY:+--only $ONLY} &&
    echo "Python $("$here/env/bin/python" -V | cut -d' ' -f2), torch $before: ran" ||
    { echo "Python $python: FAILED"; failed=1; }
done
exit $failed
