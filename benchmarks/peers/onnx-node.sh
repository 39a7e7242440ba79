#!/bin/sh
# onnx-node.sh PYTHON MODEL FOLDER: makes FOLDER for `npm run bench -- start` (INBATCH_ONNX=FOLDER).
set -e
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$3" && cp "$2"/tokenizer.json "$2"/tokenizer_config.json "$3"
(cd "$3" && npm install --no-save --no-audit --no-fund --ignore-scripts onnxruntime-node@1.22.0)
cd "$here" && "$1" -c "import sys, shutil, tempfile; from bert_onnx import export
shutil.copy(export(sys.argv[1], tempfile.mkdtemp())['fused'], sys.argv[2] + '/model.onnx')" "$2" "$3"
